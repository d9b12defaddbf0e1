"""Rows of closures become stretches of local time."""

from pathlib import Path

import pandas as pd

from storemon_pipeline.business_time.calendar import OPEN_END
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.schedules.closures_file import read_closures_file

NOON_US = 1_674_648_000_000_000  # 2023-01-25T12:00
HOUR_US = 3_600_000_000


def read(tmp_path: Path, *lines: str, header: str) -> SnapshotRead:
    path = tmp_path / "closures.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return read_closures_file(path)


def test_a_closure_has_a_start_perhaps_an_end_and_a_reason(tmp_path: Path) -> None:
    content = read(
        tmp_path,
        "1,2023-01-25 12:00,2023-01-25T14:00:00,repairs",
        '*,2023-01-25 12:00,,"snow,\nice"',
        header="store_id,start_local,end_local,reason",
    )
    expected = pd.DataFrame(
        {
            "store_id": pd.Series(["1", "*"], dtype="str"),
            "start_local_us": [NOON_US, NOON_US],
            "end_local_us": [NOON_US + 2 * HOUR_US, OPEN_END],
            "reason": pd.Series(["repairs", "snow,\nice"], dtype="str"),
            "is_utc": [False, False],
            "line": [2, 3],
        }
    )
    pd.testing.assert_frame_equal(content.frame, expected)
    assert content.rejected == ()


def test_a_closure_that_says_no_time_is_rejected(tmp_path: Path) -> None:
    content = read(
        tmp_path,
        "1,2023-01-25 12:00,2023-01-25 14:00",
        ",2023-01-25 12:00,2023-01-25 14:00",
        "1,,2023-01-25 14:00",
        "1,2023-01-25 12:00Z,2023-01-25 14:00",
        "1,2023-01-25 12:00,tomorrow",
        "1,2023-01-25 12:00,2023-01-25 12:00",
        "1,2023-01-25 12:00,2023-01-25 11:00",
        header="store_id,start_local,end_local",
    )
    assert content.frame.line.tolist() == [2]
    assert content.frame.reason.tolist() == [""]
    assert [(row.line, row.reason) for row in content.rejected] == [
        (3, "no store id"),
        (4, "timestamp cannot be read"),
        (5, "timestamp cannot be read"),
        (6, "timestamp cannot be read"),
        (7, "closure does not end after its start"),
        (8, "closure does not end after its start"),
    ]
