"""Whatever a file holds, its rows are read or rejected, and the accounts balance.

Some hundred files always; twenty thousand of each source with
`pytest -n 0 -m slow -s tests/unit/test_ingest_fuzz.py`.
"""

import codecs
import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from properties import holds_for
from storemon_pipeline.domain.rejections import RejectedRow, UnusableFileError
from storemon_pipeline.polls.poll_rows import read_polls_file
from storemon_pipeline.schedules.closures_file import read_closures_file
from storemon_pipeline.schedules.hours_file import read_hours_file
from storemon_pipeline.schedules.special_hours_file import read_special_hours_file
from storemon_pipeline.schedules.zones_file import read_zones_file

NOW_US = 1_700_000_000_000_000

VALID = {
    "polls": (
        b"store_id,status,timestamp_utc\n"
        b"8419537941919820732,active,2023-01-22 12:09:39.388884 UTC\n"
        b'"54515546588432327","inactive","2023-01-24 09:06:42 UTC"\n'
        b"\n"
        b'"a,b",active,2023-01-24T09:07:26.441407Z\r\n'
        b"K\xc3\xb6ln,ACTIVE,0001-01-01 00:00:00+00:00\n"
        b"5,up,9999-12-31 23:59:59.999999\n"
    ),
    "hours": (
        b"store_id,dayOfWeek,start_time_local,end_time_local,valid_from\n"
        b"1,0,00:00:00,23:59:00,always\n"
        b'"2","6","9:00","24:00",""\r\n'
        b"3,7,10:00,09:00,2023-01-24 09:07\n"
    ),
    "zones": b"store_id,timezone_str\n1,America/New_York\n2,Asia/Kolkata\n3,Nowhere\n",
    "special hours": (
        b"store_id,date,start_time_local,end_time_local\n"
        b"1,2026-12-24,10:00,14:00\n"
        b"1,2026-12-25,,\n"
        b"2,24.12.2026,10:00,26:00\n"
    ),
    "closures": b"store_id,start_local,end_local,reason\n*,2023-12-24 18:00,,Christmas\n",
}

FRAGMENTS = [
    *(
        b"\n",
        b"\r",
        b"\r\n",
        b",",
        b'"',
        b'""',
        b'","',
        b" ",
        b"\t",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xe2\x80\xa8",
        b"\x85",
        b"\x1c",
        b"-",
        b":",
        b"UTC",
        b"always",
        b"*",
    ),
    *(b'"\n"', b'"x\ny"', b'\n"', b'"\n\n,'),
    *(b"0000", b"9999", b"24:00", b"store_id", b"status", b"x" * 300),
    *(b"44951.75", b"1674648000", b"1e9", b"0001-01-01 00:00:00 UTC", b"9999-12-31 23:59:59 UTC"),
    *(b"0000-00-00", b"2023-02-30 00:00:00", b"+99:99", b"-0", b"NaN", b"\xf0\x9f\x92\xa9"),
]
HUGE = [b"x" * 200_000, b'"' * 70_001, b"," * 2_000, b"\xc3" * 100_000, b"\0" * 50_000]
ENCODINGS = ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig", "latin-1", "cp1252", "cp037"]


class Read(Protocol):
    """What all readers return."""

    @property
    def rejected(self) -> tuple[RejectedRow, ...]: ...
    @property
    def rows_read(self) -> int: ...
    @property
    def bytes_read(self) -> int: ...


def read_polls(path: Path) -> tuple[Read, list[int]]:
    content = read_polls_file(path, now_us=NOW_US)
    assert content.polls.store_ids[content.polls.store].tolist() == [
        text.strip() for text in content.polls.store_ids[content.polls.store]
    ]
    return content, content.polls.line.tolist()


def read_hours(path: Path) -> tuple[Read, list[int]]:
    content = read_hours_file(path)
    return content, content.frame.line.tolist()


def read_zones(path: Path) -> tuple[Read, list[int]]:
    content = read_zones_file(path)
    return content, content.frame.line.tolist()


def read_closures(path: Path) -> tuple[Read, list[int]]:
    content = read_closures_file(path)
    return content, content.frame.line.tolist()


def read_special_hours(path: Path) -> tuple[Read, list[int]]:
    content = read_special_hours_file(path)
    return content, content.frame.line.tolist()


READERS: dict[str, Callable[[Path], tuple[Read, list[int]]]] = {
    "polls": read_polls,
    "hours": read_hours,
    "zones": read_zones,
    "closures": read_closures,
    "special hours": read_special_hours,
}


def check_no_line_is_lost(content: bytes, accounted: list[int]) -> None:
    """Each line that is not blank begins a row, is the header, or is inside quotes of such a line.

    `accounted` are the lines at which rows begin, good and bad ones.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    lines = [
        line.decode("utf-8", "backslashreplace")
        for line in re.split(rb"\r\n|\r|\n", content.removeprefix(b"\xef\xbb\xbf"))
    ]
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    begins = {filled[0], *accounted}
    assert len(begins) == len(accounted) + 1
    assert begins <= {*filled}
    row = filled[0]
    for number in filled:
        if number in begins:
            row = number
            continue
        reader = csv.reader(
            [f"{line}\n" for line in lines[row - 1 : number]], skipinitialspace=True
        )
        next(reader)
        assert reader.line_num == number - row + 1, (row, number)


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """A few cuts, repeats and strange bytes in a file that was good."""
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 20)))
        middle = draw(
            st.one_of(
                st.sampled_from(FRAGMENTS),
                st.just(content[start:end] * 2),
                st.binary(max_size=3),
                st.just(b""),
            )
        )
        content = content[:start] + middle + content[end:]
    return content


def any_file(source: str) -> st.SearchStrategy[bytes]:
    """Files that are nearly good, in other encodings, with a huge field, or nothing but bytes."""
    nearly_good = mutated(VALID[source])
    header, rows = (VALID[source].partition(b"\n")[at] for at in (0, 2))
    return st.one_of(
        nearly_good,
        st.builds(
            lambda content, encoding: content.decode("utf-8", "replace").encode(
                encoding, "replace"
            ),
            nearly_good,
            st.sampled_from(ENCODINGS),
        ),
        st.builds(
            lambda content, at, huge: content[:at] + huge + content[at:],
            nearly_good,
            st.integers(0, 100),
            st.sampled_from(HUGE),
        ),
        st.binary(max_size=200),
        st.binary(max_size=200).map(lambda tail: header + b"\n" + tail),
        # Columns that are others, or some of them twice.
        st.lists(st.sampled_from([*header.split(b","), b"x", b""]), max_size=8).map(
            lambda names: b",".join(names) + b"\n" + rows
        ),
    )


@pytest.mark.parametrize("source", sorted(VALID))
@holds_for(40, 400, data=st.data())
def test_every_line_is_read_or_rejected(tmp_path: Path, source: str, data: st.DataObject) -> None:
    check_lines(tmp_path, source, data.draw(any_file(source)))


@pytest.mark.slow
@pytest.mark.parametrize("source", sorted(VALID))
def test_every_line_of_thousands_of_files_is_read_or_rejected(tmp_path: Path, source: str) -> None:
    counts: Counter[str] = Counter()

    @settings(
        max_examples=20_000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(content=any_file(source))
    def read_one(content: bytes) -> None:
        counts[check_lines(tmp_path, source, content)] += 1

    read_one()
    print(f"\nfile fuzz, {source}: {counts.total()} files, {dict(counts)}")  # noqa: T201
    assert counts.total() >= 10_000
    assert counts["read"] > 1_000
    assert counts["refused"] > 1_000


@holds_for(
    40,
    400,
    content=mutated(VALID["polls"]),
    damage=st.tuples(st.integers(0, 400), st.binary(max_size=4), st.integers(0, 4)),
    is_damaged=st.booleans(),
    padding=st.sampled_from([0, 0, 1, 40]),
)
def test_a_compressed_file_is_read_as_its_text_or_refused(
    tmp_path: Path,
    content: bytes,
    damage: tuple[int, bytes, int],
    padding: int,
    *,
    is_damaged: bool,
) -> None:
    packed = gzip.compress(content) + b"\0" * padding
    at, put_in, cut_out = damage
    if is_damaged:
        packed = packed[:at] + put_in + packed[at + cut_out :]
    (tmp_path / "file.csv.gz").write_bytes(packed)
    try:
        text = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        with pytest.raises(UnusableFileError):
            read_polls(tmp_path / "file.csv.gz")
        return
    check_lines(tmp_path, "polls", text)
    try:
        plain, _ = read_polls(tmp_path / "file.csv")
    except UnusableFileError:
        return
    packed_read, _ = read_polls(tmp_path / "file.csv.gz")
    assert packed_read.rejected == plain.rejected
    assert packed_read.rows_read == plain.rows_read


def check_lines(folder: Path, source: str, content: bytes) -> str:
    """Read a file, hold what comes out against its lines; `read` or `refused`."""
    path = folder / "file.csv"
    path.write_bytes(content)
    try:
        read, good = READERS[source](path)
    except UnusableFileError as error:
        assert error.reason.isprintable()  # noqa: PT017
        return "refused"
    rejected = [row.line for row in read.rejected]
    assert good == sorted(good)
    assert rejected == sorted(rejected)
    check_no_line_is_lost(content, good + rejected)
    assert read.rows_read == len(good) + len(rejected)
    assert read.bytes_read == len(content)
    assert all(row.text.isprintable() and row.text for row in read.rejected)
    return "read"


@holds_for(40, 400, content=mutated(VALID["polls"]), block_bytes=st.integers(700, 1400))
def test_what_a_line_gives_does_not_depend_on_its_block(
    tmp_path: Path, content: bytes, block_bytes: int
) -> None:
    header = VALID["polls"].partition(b"\n")[0] + b"\n"
    path = tmp_path / "file.csv"
    path.write_bytes(header + content * 3)
    if max(map(len, re.split(rb"\r\n|\r|\n", header + content * 3))) >= 698:
        return
    whole = read_polls_file(path, now_us=NOW_US)
    parts = read_polls_file(path, now_us=NOW_US, block_bytes=block_bytes)
    for content_read in (whole, parts):
        assert content_read.header == header.decode().rstrip()
    assert parts.rejected == whole.rejected
    assert parts.rows_read == whole.rows_read
    for of_whole, of_parts in (
        (whole.polls.line, parts.polls.line),
        (whole.polls.polled_at_us, parts.polls.polled_at_us),
        (whole.polls.is_active, parts.polls.is_active),
        (whole.polls.store_ids[whole.polls.store], parts.polls.store_ids[parts.polls.store]),
    ):
        assert of_whole.tolist() == of_parts.tolist()
