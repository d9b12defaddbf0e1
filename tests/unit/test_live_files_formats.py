"""Files in every form become the same rows; what cannot be read is refused with its reason."""

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storemon_pipeline.domain.rejections import Reason, UnusableFileError
from storemon_pipeline.files import expansion_limit as expansion
from storemon_pipeline.files.csv_text import end_of_last_line, end_of_last_row
from storemon_pipeline.files.fingerprints import covers_every_byte, fingerprint
from storemon_pipeline.files.folders import FoundFile, OpenFile, Part
from storemon_pipeline.polls.poll_rows import PollsRead, read_polls_file
from storemon_pipeline.schedules.hours_file import read_hours_file

NINE_US: Final = 1_674_464_400_000_000
NOW_US: Final = NINE_US + 86_400_000_000
NINE: Final = datetime(2023, 1, 23, 9, tzinfo=UTC)


def read(path: Path) -> PollsRead:
    return read_polls_file(path, now_us=NOW_US)


def write_parquet(path: Path, columns: dict[str, pa.Array]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def ids(found: PollsRead) -> list[str]:
    return [str(found.polls.store_ids[number]) for number in found.polls.store]


COMPRESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".csv.gz": gzip.compress,
    ".csv.zst": lambda text: bytes(pa.compress(text, "zstd", asbytes=True)),
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_parts_one_after_the_other_are_one_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    compress = COMPRESS[suffix]
    path.write_bytes(
        compress(b"store_id,timestamp_utc,status\nA,2023-01-23 09:0")
        + compress(b"0:00,active\nB,2023-01-23 09:00:00,active\n")
    )
    assert ids(read(path)) == ["A", "B"]


@pytest.mark.parametrize(
    ("tail", "stores"),
    [
        (b"\0", ["A"]),
        (b"\0" * 5_000, ["A"]),
        (b"\0" * 3 + gzip.compress(b"B,2023-01-23 09:00:00,active\n") + b"\0", ["A", "B"]),
    ],
    ids=["one zero", "many zeros", "zeros between two members"],
)
def test_gzip_data_may_be_padded_with_zeros(tmp_path: Path, tail: bytes, stores: list[str]) -> None:
    path = tmp_path / "x.csv.gz"
    text = b"store_id,timestamp_utc,status\nA,2023-01-23 09:00:00,active\n"
    path.write_bytes(gzip.compress(text) + tail)
    assert ids(read(path)) == stores


def test_zeros_alone_are_no_gzip_data(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(b"\0" * 64)
    with pytest.raises(UnusableFileError, match="data is damaged or incomplete"):
        read(path)


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("damage", ["cut", "junk behind", "no such data"])
def test_damaged_compressed_data_is_refused(tmp_path: Path, suffix: str, damage: str) -> None:
    whole = COMPRESS[suffix](
        b"store_id,timestamp_utc,status\n" + b"A,2023-01-23 09:00,active\n" * 9
    )
    path = tmp_path / f"x{suffix}"
    path.write_bytes(
        {"cut": whole[:-4], "junk behind": whole + b"junk", "no such data": b"A,B\n"}[damage]
    )
    with pytest.raises(UnusableFileError, match="data is damaged or incomplete"):
        read(path)


@pytest.mark.parametrize("suffix", [*COMPRESS, ".parquet"])
def test_a_small_file_that_would_become_huge_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expansion, "FREE_BYTES", 1 << 20)
    path = tmp_path / f"x{suffix}"
    if suffix == ".parquet":
        same = pa.array(["2023-01-23 09:00:00"] * 500_000)
        write_parquet(path, {"store_id": same, "timestamp_utc": same, "status": same})
    else:
        row = b"A,2023-01-23 09:00:00,active\n"
        path.write_bytes(COMPRESS[suffix](b"store_id,timestamp_utc,status\n" + row * 500_000))
    with pytest.raises(UnusableFileError, match="more than 250 times as long as the file"):
        read(path)


TIMESTAMPS: Final = {
    "text": pa.array(["2023-01-23 09:00:00 UTC"]),
    "no zone": pa.array([NINE.replace(tzinfo=None)], pa.timestamp("us")),
    "UTC": pa.array([NINE], pa.timestamp("ms", "UTC")),
    "nanoseconds": pa.array([NINE], pa.timestamp("ns", "UTC")),
    "another zone": pa.array([NINE], pa.timestamp("us", "Asia/Kolkata")),
    "dictionary": pa.array(["2023-01-23T09:00:00Z"]).dictionary_encode(),
}


@pytest.mark.parametrize("kind", TIMESTAMPS)
def test_instants_of_every_type_are_read_from_parquet(tmp_path: Path, kind: str) -> None:
    path = write_parquet(
        tmp_path / "x.parquet",
        {
            "STATUS": pa.array(["active"]),
            "store_id": pa.array([2**62]),
            "timestamp_utc": TIMESTAMPS[kind],
        },
    )
    found = read(path)
    assert (ids(found), found.polls.polled_at_us.tolist()) == ([str(2**62)], [NINE_US])


def test_weekdays_that_lie_beside_a_null_are_whole_numbers(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "x.parquet",
        {
            "store_id": pa.array(["A", "A"]),
            "day": pa.array([6.0, None]),
            "start_time_local": pa.array(["09:00"] * 2),
            "end_time_local": pa.array(["17:00"] * 2),
        },
    )
    found = read_hours_file(path)
    assert found.frame["day_of_week"].tolist() == [6]
    assert [(row.line, row.text, row.reason) for row in found.rejected] == [
        (3, "A,,09:00,17:00", Reason.WEEKDAY)
    ]


def test_decimal_ids_are_whole_numbers_or_rejected(tmp_path: Path) -> None:
    texts = ["8419537941919820732", "0", "-7", "100", "12.5", "0.000000001"]
    path = write_parquet(
        tmp_path / "x.parquet",
        {
            "store_id": pa.array([Decimal(text) for text in texts], pa.decimal128(38, 9)),
            "timestamp_utc": pa.array(["2023-01-23 09:00:00"] * len(texts)),
            "status": pa.array(["active"] * len(texts)),
        },
    )
    found = read(path)
    assert ids(found) == ["8419537941919820732", "0", "-7", "100"]
    assert [(row.line, row.reason) for row in found.rejected] == [
        (6, Reason.FRACTIONAL_STORE_ID),
        (7, Reason.FRACTIONAL_STORE_ID),
    ]


@pytest.mark.parametrize(
    ("store_id", "reason"),
    [
        (pa.array([1.0]), "long ids have lost digits"),
        (pa.array([["A"]]), "not a plain value"),
        (pa.array([b"\xff"], pa.binary()), "cannot be read as Parquet"),
    ],
    ids=["floating point", "list", "no UTF-8"],
)
def test_ids_that_cannot_be_trusted_refuse_a_parquet_file(
    tmp_path: Path, store_id: pa.Array, reason: str
) -> None:
    path = write_parquet(
        tmp_path / "x.parquet",
        {"store_id": store_id, "timestamp_utc": pa.array(["x"]), "status": pa.array(["x"])},
    )
    with pytest.raises(UnusableFileError, match=reason):
        read(path)


def test_parquet_rows_are_rejected_with_their_line_below_a_header(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "x.parquet",
        {
            "note": pa.array(["ignored"] * 3),
            "store_id": pa.array(["A", "B,b", "C\0"]),
            "timestamp_utc": pa.array([NINE, None, NINE], pa.timestamp("us", "UTC")),
            "status": pa.array(["active"] * 3),
        },
    )
    found = read(path)
    assert found.header == "store_id,timestamp_utc,status"
    assert [(row.line, row.text, row.reason) for row in found.rejected] == [
        (3, '"B,b",,active', Reason.UNREADABLE_TIMESTAMP),
        (4, "C\\x00,2023-01-23 09:00:00.000000Z,active", Reason.NUL_BYTE),
    ]


@pytest.mark.parametrize("content", [b"PAR1", b"store_id\n"], ids=["cut", "text"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(UnusableFileError, match="cannot be read as Parquet"):
        read(path)


def test_a_parquet_file_without_rows_has_none(tmp_path: Path) -> None:
    empty = pa.array([], pa.string())
    columns = ("store_id", "day", "start_time_local", "end_time_local")
    path = write_parquet(tmp_path / "x.parquet", dict.fromkeys(columns, empty))
    assert read_hours_file(path).frame.empty


def test_a_date_without_a_time_is_no_instant(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "x.parquet",
        {
            "store_id": pa.array(["A"]),
            "timestamp_utc": pa.array([date(2023, 1, 23)]),
            "status": pa.array(["active"]),
        },
    )
    assert [row.reason for row in read(path).rejected] == [Reason.UNREADABLE_TIMESTAMP]


# Parts of a file


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b"", 0),
        (b"a", 0),
        (b"a\n", 2),
        (b"a\nb", 2),
        (b"a\r\nb", 3),
        (b"a\rb", 2),
        (b"a\nb\r", 2),  # a LF may follow
        (b"a\n" + b"b" * 200_000, 2),
        (b"a\n" * 100_000 + b"b", 200_000),
    ],
    ids=["nothing", "no end", "LF", "half", "CR LF", "CR", "CR last", "long half", "many lines"],
)
def test_whole_lines_end_at_the_last_line_end(text: bytes, whole: int) -> None:
    assert end_of_last_line(BytesIO(text), len(text)) == whole


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b'a,b\n1,"x', 4),
        (b'a,b\n1,"x\n', 4),
        (b'a,b\n1,"x\ny', 4),
        (b'a,b\r\n1,"x\r\ny\r\n', 5),
        (b'a,b\n1,"x\ny"\n', 12),
        (b'a,b\n1,"x\ny"\n2,"z\n', 12),
        (b'a,b\n1,5" x\n', 11),
        (b'a,b\n1,"x\n' + b"2,y\n" * 50, 209),  # too many lines for one row
    ],
    ids=["half", "a line", "a line and half", "CR LF", "all", "two rows", "inch", "stray quote"],
)
def test_whole_rows_end_before_quotes_that_are_open(text: bytes, whole: int) -> None:
    assert end_of_last_row(BytesIO(text), len(text)) == whole


def test_a_part_is_read_under_the_header_from_before() -> None:
    text = (
        b"status,store_id,timestamp_utc\nactive,A,2023-01-23 09:00\n"
        b"wrong\nactive,B,2023-01-23 09:00\n"
    )
    start = text.index(b"wrong")
    part = Part(start, len(text) - 1, first_line=3, header="status,store_id,timestamp_utc")
    found = read_polls_file(
        OpenFile(FoundFile(Path("x.csv"), "x.csv", len(text), 0), BytesIO(text), part),
        now_us=NOW_US,
    )
    assert (ids(found), [row.line for row in found.rejected]) == (["B"], [3])


# Fingerprints


@pytest.mark.parametrize("size", [0, 1, 16 << 20], ids=["nothing", "a byte", "the most"])
def test_every_byte_of_a_file_of_moderate_size_counts(size: int) -> None:
    digest = fingerprint(BytesIO(bytes(size) + b"behind"), size)
    assert covers_every_byte(digest)
    assert digest == fingerprint(BytesIO(bytes(size)), size)
    if size:
        assert digest != fingerprint(BytesIO(bytes(size - 1) + b"x"), size)


@pytest.mark.parametrize("place", [0, 9 << 20, (20 << 20) - 1], ids=["first", "inserted", "last"])
def test_samples_of_a_large_file_show_an_insertion(place: int) -> None:
    size = 20 << 20
    text = bytes(range(251)) * (size // 251 + 1)
    digest = fingerprint(BytesIO(text), size)
    assert not covers_every_byte(digest)
    assert digest != fingerprint(BytesIO(text[:place] + b"\xff" + text[place:]), size)
