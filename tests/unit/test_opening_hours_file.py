"""Hours in the notation of OpenStreetMap become weekly hours, or rejected rows."""

from pathlib import Path

import pytest

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.schedules.hours_file import read_hours_file
from storemon_pipeline.schedules.opening_hours_file import weekly_rows
from storemon_pipeline.sources.check_file import Outcome, check_file

MINUTE_US = 60_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mo-We 09:00-17:30", [(0, 540, 1050), (1, 540, 1050), (2, 540, 1050)]),
        ("Sa 9:00-12:00,13:00-18:00", [(5, 540, 720), (5, 780, 1080)]),
        # The later rule of a day counts.
        ("Mo-Tu 10:00-12:00; Tu 11:00-15:00", [(0, 600, 720), (1, 660, 900)]),
        ("Mo-Tu 10:00-12:00; Tu off", [(0, 600, 720)]),
        # A night belongs to the day on which it begins, also that of Sunday.
        ("Fr 18:00-02:00", [(4, 1080, 1560)]),
        ("Su 22:00-26:00", [(6, 1320, 1560)]),
        ("Sa-Su 00:00-24:00", [(5, 0, 1440), (6, 0, 1440)]),
        ("24/7", [(day, 0, 1440) for day in range(7)]),
        ("Jan-Dec Mo 10:00-12:00", [(0, 600, 720)]),
    ],
)
def test_weekly_hours_are_rows_of_days(text: str, expected: list[tuple[int, int, int]]) -> None:
    rows = weekly_rows(text)
    assert not isinstance(rows, str)
    minutes = [(day, start / MINUTE_US, end / MINUTE_US) for day, start, end in rows]
    assert minutes == expected


NOT_WEEKLY = "opening hours need more than a week: dates, holidays, sunrise, comments or the like"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((text, NOT_WEEKLY) for text in (
            "Mo-Fr 09:00-17:00; PH off",
            "Mo-Fr 09:00-17:00; SH off",
            "Mo-Fr 09:00-17:00; Dec 25 off",
            "Jun-Aug 10:00-22:00",
            "2099 Mo 10:00-12:00",
            "week 1-53/2 Mo 10:00-12:00",
            "Mo[1] 10:00-12:00",
            "sunrise-sunset",
            "10:00-sunset",
            "easter off",
            "Mo 10:00+",
            "Mo 10:00-16:00/01:30",
            "Mo 10:00-12:00 unknown",
            'Mo 10:00-12:00 "by appointment"',
            'Mo-Fr 10:00-18:00 || "call us"',
        )),
        *((text, "opening hours cannot be read") for text in ("", "24/24", "Mo-Fr 9am-5pm")),
        *((text, "opening hours are closed all week") for text in ("off", "Tu off", "24/7 closed")),
    ],
)  # fmt: skip
def test_other_hours_are_rejected_and_never_open_always(text: str, reason: str) -> None:
    assert weekly_rows(text) == reason


def test_a_file_of_such_hours_is_read_as_hours(tmp_path: Path) -> None:
    path = tmp_path / "business_hours.csv"
    path.write_text(
        "store_id,opening_hours\n"
        "1,Mo-Tu 09:00-17:00\n"
        '2,"Mo-Fr 09:00-17:00; PH off"\n'
        '3,"Sa 10:00-12:00,13:00-14:00"\n'
        ",24/7\n"
    )
    content = read_hours_file(path)
    columns = ("store_id", "day_of_week", "line")
    assert [content.frame[name].tolist() for name in columns] == [
        ["1", "1", "3", "3"],
        [0, 1, 5, 5],
        [2, 2, 4, 4],
    ]
    assert (content.frame["start_us"] // MINUTE_US).tolist() == [540, 540, 600, 780]
    assert (content.frame["end_us"] // MINUTE_US).tolist() == [1020, 1020, 720, 840]
    assert content.frame["valid_from_us"].isna().all()
    assert [(row.line, row.reason) for row in content.rejected] == [
        (3, NOT_WEEKLY),
        (5, "no store id"),
    ]
    checked = check_file(str(tmp_path), str(path), now_us=0)
    assert checked.source is Source.BUSINESS_HOURS
    assert checked.now == Outcome(6, content.rejected)
