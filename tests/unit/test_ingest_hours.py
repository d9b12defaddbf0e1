"""Rows of business_hours become opening times."""

from pathlib import Path

import pandas as pd
import pytest

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.schedules.hours_file import read_hours_file

HOUR_US = 3_600_000_000
HEADER = "store_id,dayOfWeek,start_time_local,end_time_local"


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> SnapshotRead:
    path = tmp_path / "business_hours.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return read_hours_file(path)


def test_rows_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    content = read(tmp_path, "2,6,09:00:00,17:30:00", " 1 ,0,22:00:00,02:00:00", "2,6,18:00,20:00")
    expected = pd.DataFrame(
        {
            "store_id": pd.Series(["2", "1", "2"], dtype="str").astype(
                pd.CategoricalDtype(["2", "1"])
            ),
            "day_of_week": pd.Series([6, 0, 6], dtype="int8"),
            "start_us": [9 * HOUR_US, 22 * HOUR_US, 18 * HOUR_US],
            "end_us": [35 * HOUR_US // 2, 2 * HOUR_US, 20 * HOUR_US],
            "valid_from_us": pd.Series([pd.NA, pd.NA, pd.NA], dtype="Int64"),
            "line": [2, 3, 4],
        }
    )
    pd.testing.assert_frame_equal(content.frame, expected)
    assert (content.rejected, content.rows_read, content.header) == ((), 3, HEADER)


@pytest.mark.parametrize("name", ["dayOfWeek", "day", "day_of_week", "DAYOFWEEK", " Day "])
def test_the_weekday_has_several_names(tmp_path: Path, name: str) -> None:
    header = f"start_time_local,{name},store_id,end_time_local"
    assert read(tmp_path, "1:00,3,7,2:00", header=header).frame.day_of_week.tolist() == [3]


def test_two_names_of_the_weekday_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="more than one column dayofweek and day;"):
        read(tmp_path, header=HEADER + ",day")


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("00:00:00", 0),
        ("0:00", 0),
        ("9:05", 9 * HOUR_US + 300_000_000),
        ("09:05:07", 9 * HOUR_US + 307_000_000),
        (" 09:05:07.5 ", 9 * HOUR_US + 307_500_000),
        ("23:59:59.999999", 24 * HOUR_US - 1),
        ("23:59:59.9999999", 24 * HOUR_US - 1),
        ("23:59:00", 24 * HOUR_US - 60_000_000),
    ],
)
def test_a_time_of_day_is_read_exactly(tmp_path: Path, text: str, at_us: int) -> None:
    frame = read(tmp_path, f"1,0,{text},{text}").frame
    assert (frame.start_us.tolist(), frame.end_us.tolist()) == ([at_us], [at_us])


def test_times_up_to_the_end_of_the_next_day_are_read(tmp_path: Path) -> None:
    frame = read(tmp_path, "1,0,17:00,26:00", "1,1,25:30,48:00").frame
    assert (frame.start_us / HOUR_US).tolist() == [17, 25.5]
    assert (frame.end_us / HOUR_US).tolist() == [26, 48]


@pytest.mark.parametrize("end", ["24:00", "24:00:00", "24:00:00.000"])
def test_an_end_may_be_the_end_of_the_day(tmp_path: Path, end: str) -> None:
    assert read(tmp_path, f"1,0,00:00,{end}").frame.end_us.tolist() == [24 * HOUR_US]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(",0,09:00,17:00", "no store id", id="no store id"),
        pytest.param("1,7,09:00,17:00", "weekday is not 0 to 6", id="weekday 7"),
        pytest.param("1,-1,09:00,17:00", "weekday is not 0 to 6", id="weekday -1"),
        pytest.param("1,Monday,09:00,17:00", "weekday is not 0 to 6", id="a word"),
        pytest.param("1,1.0,09:00,17:00", "weekday is not 0 to 6", id="a fraction"),
        pytest.param(
            "1,\u00b2,09:00,17:00", "weekday is not 0 to 6", id="a digit in another script"
        ),
        pytest.param("1,,09:00,17:00", "weekday is not 0 to 6", id="no weekday"),
        pytest.param("1,0,,17:00", "time cannot be read", id="no start"),
        pytest.param("1,0,09:00,", "time cannot be read", id="no end"),
        pytest.param("1,0,9,17:00", "time cannot be read", id="the hour alone"),
        pytest.param("1,0,0900,17:00", "time cannot be read", id="no colon"),
        pytest.param("1,0,9:5,17:00", "time cannot be read", id="one digit of minutes"),
        pytest.param("1,0,09:60,17:00", "time cannot be read", id="minute 60"),
        pytest.param("1,0,09:00:60,17:00", "time cannot be read", id="second 60"),
        pytest.param("1,0,09:00:00.,17:00", "time cannot be read", id="a point alone"),
        pytest.param("1,0,9:00 AM,5:00 PM", "time cannot be read", id="AM and PM"),
        pytest.param("1,0,-1:00,17:00", "time cannot be read", id="minus"),
        pytest.param(
            "1,0,\u0660\u0669:00,17:00", "time cannot be read", id="digits of another script"
        ),
        pytest.param("1,0,48:00:01,02:00", "time is after 48:00", id="start after 48:00"),
        pytest.param("1,0,22:00,48:00:00.000001", "time is after 48:00", id="end after 48:00"),
        pytest.param("1,0,49:00,50:00", "time is after 48:00", id="hour 49"),
        pytest.param("1,0,09:00", "wrong number of fields", id="three fields"),
    ],
)
def test_only_the_bad_row_is_rejected(tmp_path: Path, line: str, reason: str) -> None:
    content = read(tmp_path, "1,0,09:00,17:00", line, "1,2,09:00,17:00")
    assert content.frame.line.tolist() == [2, 4]
    assert content.frame.index.tolist() == [0, 1]
    assert [(row.line, row.text, row.reason) for row in content.rejected] == [(3, line, reason)]
    assert content.rows_read == 3


def test_rows_may_say_from_when_they_hold(tmp_path: Path) -> None:
    content = read(
        tmp_path,
        "1,0,09:00,17:00,",
        "1,0,09:00,17:00, Always",
        "1,0,09:00,17:00,2023-01-25 12:00",
        "1,0,09:00,17:00,2023-01-25T13:00:00+01:00",
        "1,0,09:00,17:00,2023-01-25",
        "1,0,09:00,17:00,never",
        header=HEADER + ",Valid_From",
    )
    noon_us = 1_674_648_000_000_000
    expected = pd.Series([pd.NA, ALWAYS, noon_us, noon_us], dtype="Int64", name="valid_from_us")
    pd.testing.assert_series_equal(content.frame.valid_from_us, expected)
    assert [(row.line, row.reason) for row in content.rejected] == [
        (6, "valid_from cannot be read"),
        (7, "valid_from cannot be read"),
    ]


def test_a_file_without_rows_gives_an_empty_frame_of_the_same_types(tmp_path: Path) -> None:
    empty, full = read(tmp_path).frame, read(tmp_path, "1,0,09:00,17:00").frame
    assert len(empty) == 0
    assert empty.dtypes.astype(str).to_dict() == full.dtypes.astype(str).to_dict()
