"""JSON lines and Parquet become the same rows as CSV."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.folders import open_file
from storemon_pipeline.polls.poll_rows import PollsRead, read_polls_file
from storemon_pipeline.sources.find_files import find_files

NOW_US = 1_700_000_000_000_000
TEN = "2023-01-25T10:00:00.000000"


def read(data: Path, *lines: str, settings: str = "", block_bytes: int = 1 << 20) -> PollsRead:
    (data / "sources.toml").write_text(settings)
    (data / "export.jsonl").write_text("\n".join([*lines, ""]))
    (file,) = find_files(data, Source.STORE_STATUS)
    with open_file(file) as opened:
        return read_polls_file(opened, now_us=NOW_US, block_bytes=block_bytes)


def polls(found: PollsRead) -> list[tuple[str, str, bool, int]]:
    polls = found.polls
    return list(
        zip(
            polls.store_ids[polls.store].tolist(),
            polls.polled_at_us.astype("datetime64[us]").astype(str).tolist(),
            polls.is_active.tolist(),
            polls.line.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("block_bytes", [1 << 20, 100])
def test_each_object_is_a_row_and_other_lines_are_rejected(
    tmp_path: Path, block_bytes: int
) -> None:
    found = read(
        tmp_path,
        '{"store_id": "A", "status": "active", "timestamp_utc": "2023-01-25T10:00:00Z"}',
        "",
        '{"Status": "inactive", "STORE_ID": 8419537941919820732, "x": {},'
        ' "timestamp_utc": "2023-01-25 10:00"}',
        "half a li",
        '["A"]',
        '{"store_id": "A,1", "status": "broken", "timestamp_utc": "2023-01-25T10:00:00Z"}',
        '{"store_id": 8.41953794140386e18, "x": [],'
        ' "status": "active", "timestamp_utc": "2023-01-25 10:00"}',
        '{"store_id": true, "status": "active", "timestamp_utc": "2023-01-25 10:00"}',
        '{"status": "active", "timestamp_utc": "2023-01-25 10:00"}',
        '{"store_id": "\\u0000", "status": "active", "timestamp_utc": "2023-01-25 10:00"}',
        '{"store_id": "\\ud800", "status": "active", "timestamp_utc": "2023-01-25 10:00"}',
        block_bytes=max(block_bytes, 110),
    )
    assert polls(found) == [("A", TEN, True, 1), ("8419537941919820732", TEN, False, 3)]
    assert [(row.line, row.reason) for row in found.rejected] == [
        (4, "not a JSON object"),
        (5, "not a JSON object"),
        (6, "unknown status"),
        (7, "store id is a rounded number"),
        (8, "no store id"),
        (9, "no store id"),
        (10, "contains a NUL byte"),
        (11, "not UTF-8"),
    ]
    # A row that may be replayed is kept as one of CSV below the header.
    assert found.header == "store_id,timestamp_utc,status"
    assert found.rejected[2].text == '"A,1",2023-01-25T10:00:00Z,broken'
    assert (found.rows_read, found.next_line) == (10, 12)


def test_settings_hold_for_json_lines(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '{"Store": 7, "up": true, "at": 1674640800}',
        '{"Store": 8, "up": false, "at": 1674640800.0}',
        settings=(
            "[store_status]\n"
            'columns = { store_id = "store", status = "up", timestamp_utc = "at" }\n'
            'date_format = "epoch seconds"\nactive = "true"\ninactive = "false"\n'
        ),
    )
    assert polls(found) == [("7", TEN, True, 1), ("8", TEN, False, 2)]


def test_fields_of_objects_within_a_row_are_named_by_their_path(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '{"store": {"id": "7", "at": {"utc": "2023-01-25T10:00:00Z"}}, "status": "active"}',
        '{"store": {"id": "8"}, "status": "active", "timestamp_utc": "2023-01-25T10:00:00Z"}',
        '{"store": "9", "status": "active"}',
        settings=(
            '[store_status]\ncolumns = { store_id = "Store.ID", timestamp_utc = "store.at.utc" }\n'
        ),
    )
    assert polls(found) == [("7", TEN, True, 1)]
    assert [(row.line, row.reason) for row in found.rejected] == [
        (2, "timestamp cannot be read"),
        (3, "no store id"),
    ]


def test_a_file_without_an_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store_status.jsonl").write_text("[1]\n")
    (file,) = find_files(tmp_path, Source.STORE_STATUS)
    with open_file(file) as opened, pytest.raises(UnusableFileError, match="no line is a JSON"):
        read_polls_file(opened, now_us=NOW_US)


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_in_parquet_may_have_any_unit(
    tmp_path: Path, unit: str, zone: str | None
) -> None:
    times = ["2023-01-25T10:00:00", "1969-12-31T23:59:59"]
    at = np.array(times, f"datetime64[{unit}]").astype(np.int64) - [0, 1]
    table = pa.table(
        {
            "store_id": ["A", "A"],
            "status": ["active", "active"],
            "timestamp_utc": pa.array(at, pa.timestamp(unit, zone)),
        }
    )
    pq.write_table(table, tmp_path / "export.parquet", version="2.6")
    (file,) = find_files(tmp_path, Source.STORE_STATUS)
    with open_file(file) as opened:
        found = read_polls_file(opened, now_us=NOW_US)
    before = {
        "s": "1969-12-31T23:59:58.000000",
        "ms": "1969-12-31T23:59:58.999000",
        "us": "1969-12-31T23:59:58.999999",
        "ns": "1969-12-31T23:59:58.999999",
    }
    assert polls(found) == [("A", TEN, True, 2), ("A", before[unit], True, 3)]
