"""Hours in the notation of OpenStreetMap become weekly and special hours, or rejected rows."""

from datetime import date
from pathlib import Path

import pytest

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.hours_formats.opening_hours import OpeningTimes, read_opening_hours
from storemon_pipeline.schedules.hours_file import read_hours_file
from storemon_pipeline.schedules.special_hours_file import read_special_hours_file
from storemon_pipeline.sources.check_file import Outcome, check_file
from storemon_pipeline.sources.find_files import survey_files

MINUTE_US = 60_000_000
EPOCH = date(1970, 1, 1)


def read(text: str, country: str = "") -> OpeningTimes:
    found = read_opening_hours(text, country)
    assert isinstance(found, OpeningTimes)
    return found


def minutes(hours: tuple[tuple[int, int], ...]) -> list[tuple[float, float]]:
    return [(start / MINUTE_US, end / MINUTE_US) for start, end in hours]


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
    found = read(text)
    rows = [(day, *row) for day, hours in enumerate(found.week) for row in minutes(hours)]
    assert rows == expected
    assert found.dates == {}


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        # Easter of 2026 is on 5 April.
        (
            "Mo-Fr 09:00-17:00; PH off",
            "de",
            {
                "2026-01-01": [],
                "2026-04-03": [],
                "2026-04-06": [],
                "2026-05-01": [],
                "2026-05-14": [],
                "2026-05-25": [],
                "2026-12-25": [],
            },
        ),
        ("Mo-Su 09:00-17:00; Dec 25-26 off", "", {"2026-12-25": [], "2026-12-26": []}),
        ('24/7; Dec 25 off "Christmas"', "", {"2026-12-25": []}),
        ("Mo-Fr 09:00-17:00; Dec 24 09:00-13:00", "", {"2026-12-24": [(540, 780)]}),
        # The notation closes the calendar day: the night before ends at its midnight.
        (
            "18:00-02:00; Dec 25 off",
            "",
            {
                "2026-12-24": [(1080, 1440)],
                "2026-12-25": [],
                "2026-12-26": [(0, 120), (1080, 1560)],
            },
        ),
        ("Mo-Fr 09:00-17:00; 2026 Jul 14 10:00-12:00", "", {"2026-07-14": [(600, 720)]}),
        ("Sa 09:00-17:00; easter -1 day off", "", {"2026-04-04": []}),
        # 5 January 2026 is the first Monday of its month, and so on.
        (
            "Tu-Su 09:00-17:00; Jan-Mar Mo[1] 09:00-12:00",
            "",
            {
                "2026-01-05": [(540, 720)],
                "2026-02-02": [(540, 720)],
                "2026-03-02": [(540, 720)],
            },
        ),
    ],
)
def test_dates_and_holidays_are_hours_of_their_dates(
    text: str, country: str, expected: dict[str, list[tuple[int, int]]]
) -> None:
    found = read(text, country)
    of_2026 = {str(day): minutes(hours) for day, hours in found.dates.items() if day.year == 2026}
    assert of_2026 == expected


def test_a_season_is_hours_of_its_dates_beside_the_longer_season() -> None:
    found = read("Apr-Oct Mo-Fr 09:00-18:00; Nov-Mar Mo-Fr 10:00-16:00")
    assert [minutes(hours) for hours in found.week] == [[(540, 1080)]] * 5 + [[], []]
    assert minutes(found.dates[date(2026, 3, 31)]) == [(600, 960)]
    assert date(2026, 4, 1) not in found.dates


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Mo-Fr 09:00-17:00; PH off",
         "opening hours have public holidays (PH), but the row names no country"),
        ("Mo-Fr 09:00-17:00; SH off",
         "opening hours have school holidays (SH), whose dates are not known"),
        ("sunrise-sunset", "opening hours have a time of the sun, such as sunset"),
        ("10:00-sunset", "opening hours have a time of the sun, such as sunset"),
        ("Mo 10:00+", "opening hours have an open end, such as 10:00+"),
        ("Mo 10:00-16:00/01:30",
         "opening hours have steps within a day, such as 10:00-16:00/01:30"),
        ("Mo 10:00-12:00 unknown", "opening hours have a part that is unknown"),
        ('Mo 10:00-12:00 "by appointment"',
         'opening hours have a comment on open hours, such as "by appointment"'),
        ('Mo-Fr 10:00-18:00 || "call us"', "opening hours have a fallback rule (||)"),
        ("Jun-Aug 10:00-22:00",
         "opening hours differ from the usual week on more than 3,000 days of 2020 to 2035"),
        ("easter off; 10:00-12:00",
         "opening hours have dates or holidays that a later part cancels: put them last"),
        *((text, "opening hours cannot be read") for text in ("", "24/24", "Mo-Fr 9am-5pm")),
        *((text, "opening hours are closed all week")
          for text in ("off", "Tu off", "24/7 closed", "2099 Mo 10:00-12:00")),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_rejected_by_name(text: str, reason: str) -> None:
    assert read_opening_hours(text) == reason


def test_holidays_need_a_country_that_is_known() -> None:
    assert read_opening_hours("Mo 09:00-17:00; PH off", "XX") == (
        "country is not a code such as DE whose public holidays are known"
    )


def test_a_file_of_such_hours_is_read_as_hours_and_as_special_hours(tmp_path: Path) -> None:
    path = tmp_path / "business_hours.csv"
    path.write_text(
        "store_id,opening_hours,country\n"
        "1,Mo-Tu 09:00-17:00,\n"
        '2,"Mo-Fr 09:00-17:00; PH off",\n'
        '3,"Sa 10:00-12:00,13:00-14:00; 2026 Jul 4 10:00-11:00; 2026 Jul 11 off",\n'
        ",24/7,\n"
        '4,"Mo 09:00-17:00; PH off",US\n'
    )
    content = read_hours_file(path)
    columns = ("store_id", "day_of_week", "line")
    assert [content.frame[name].tolist() for name in columns] == [
        ["1", "1", "3", "3", "4"],
        [0, 1, 5, 5, 0],
        [2, 2, 4, 4, 6],
    ]
    assert (content.frame["start_us"] // MINUTE_US).tolist() == [540, 540, 600, 780, 540]
    assert (content.frame["end_us"] // MINUTE_US).tolist() == [1020, 1020, 720, 840, 1020]
    assert content.frame["valid_from_us"].isna().all()
    assert [(row.line, row.reason) for row in content.rejected] == [
        (3, "opening hours have public holidays (PH), but the row names no country"),
        (5, "no store id"),
    ]
    special = read_special_hours_file(path)
    first = special.frame[special.frame["store_id"] == "3"]
    assert [
        (
            date.fromordinal(EPOCH.toordinal() + day).isoformat(),
            start // MINUTE_US,
            end // MINUTE_US,
        )
        for day, start, end in zip(first["day"], first["start_us"], first["end_us"], strict=True)
    ] == [("2026-07-04", 600, 660), ("2026-07-11", 0, 0)]
    # Presidents' Day of 2026 is Monday, 16 February.
    holidays = special.frame[special.frame["store_id"] == "4"]["day"].tolist()
    assert (date(2026, 2, 16) - EPOCH).days in holidays
    assert special.rejected == ()
    files = survey_files(tmp_path).files
    assert [file.file_path for file in files[Source.SPECIAL_HOURS]] == ["business_hours.csv"]
    checked = check_file(str(tmp_path), str(path), now_us=0)
    assert checked.source is Source.BUSINESS_HOURS
    rows = content.rows_read + special.rows_read
    assert checked.now == Outcome(rows, content.rejected)
