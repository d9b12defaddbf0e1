"""Hours as JSON of schema.org and of Google become weekly and special hours, or rejected rows."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.domain.rejections import EmptyFileError, UnusableFileError
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.schedules.hours_file import read_hours_file
from storemon_pipeline.schedules.special_hours_file import read_special_hours_file
from storemon_pipeline.sources.check_file import Outcome, check_file
from storemon_pipeline.sources.find_files import find_files, survey_files

MINUTE_US = 60_000_000
EPOCH = date(1970, 1, 1)

SCHEMA_ORG = {
    "@context": "https://schema.org",
    "@graph": [
        {"@type": "WebSite", "name": "Corner Kitchens"},
        {
            "@type": "Restaurant",
            "branchCode": "42",
            "name": "Corner Kitchen",
            "openingHoursSpecification": [
                {
                    "@type": "OpeningHoursSpecification",
                    "dayOfWeek": ["Monday", "https://schema.org/Tuesday"],
                    "opens": "09:00",
                    "closes": "21:30:00",
                },
                {
                    "@type": "OpeningHoursSpecification",
                    "dayOfWeek": "http://schema.org/Saturday",
                    "opens": "18:00",
                    "closes": "02:00",
                },
                {"dayOfWeek": "Friday", "opens": "00:00", "closes": "23:59"},
                {"dayOfWeek": "Sunday", "opens": "00:00", "closes": "00:00"},
                {
                    "opens": "00:00",
                    "closes": "00:00",
                    "validFrom": "2026-12-24",
                    "validThrough": "2026-12-26",
                },
            ],
            "specialOpeningHoursSpecification": {
                "opens": "10:00",
                "closes": "14:00",
                "validFrom": "2026-12-24",
                "validThrough": "2026-12-24",
            },
        },
    ],
}

GOOGLE = {
    "locations": [
        {
            "name": "locations/1234567890",
            "storeCode": "43",
            "title": "Corner Kitchen West",
            "regularHours": {
                "periods": [
                    {
                        "openDay": "MONDAY",
                        "openTime": {"hours": 9},
                        "closeDay": "MONDAY",
                        "closeTime": {"hours": 17, "minutes": 30},
                    },
                    {
                        "openDay": "FRIDAY",
                        "openTime": {"hours": 18},
                        "closeDay": "SATURDAY",
                        "closeTime": {"hours": 2},
                    },
                    {
                        "openDay": "SUNDAY",
                        "openTime": {},
                        "closeDay": "SUNDAY",
                        "closeTime": {"hours": 24},
                    },
                ]
            },
            "specialHours": {
                "specialHourPeriods": [
                    {"startDate": {"year": 2026, "month": 12, "day": 25}, "closed": True},
                    {
                        "startDate": {"year": 2026, "month": 12, "day": 31},
                        "openTime": {"hours": 18},
                        "endDate": {"year": 2027, "month": 1, "day": 1},
                        "closeTime": {"hours": 3, "minutes": 30},
                    },
                    {
                        "startDate": {"year": 2026, "month": 12, "day": 24},
                        "openTime": {"hours": 8},
                        "closeTime": {"hours": 12},
                    },
                    {
                        "startDate": {"year": 2026, "month": 12, "day": 24},
                        "openTime": {"hours": 13},
                        "closeTime": {"hours": 14},
                    },
                ]
            },
        }
    ]
}


def write(folder: Path, document: object, name: str = "hours.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document, indent=1))
    return path


def week(content: SnapshotRead) -> list[tuple[str, int, str, str]]:
    columns = (content.frame[name] for name in ("store_id", "day_of_week", "start_us", "end_us"))
    return [
        (store_id, day, clock(start), clock(end))
        for store_id, day, start, end in zip(*columns, strict=True)
    ]


def dates(content: SnapshotRead) -> list[tuple[str, str, str]]:
    columns = (content.frame[name] for name in ("day", "start_us", "end_us"))
    return [
        (date.fromordinal(EPOCH.toordinal() + day).isoformat(), clock(start), clock(end))
        for day, start, end in zip(*columns, strict=True)
    ]


def clock(at_us: int) -> str:
    return f"{at_us // MINUTE_US // 60:02}:{at_us // MINUTE_US % 60:02}"


def specification(**entry: object) -> object:
    """A document of the store 1 with an entry that can be read, and this one."""
    good = {"dayOfWeek": "Monday", "opens": "09:00", "closes": "17:00"}
    return [{"store_id": "1", "openingHoursSpecification": [good, entry]}]


def test_schema_org_hours_are_weekly_and_special_hours(tmp_path: Path) -> None:
    path = write(tmp_path, SCHEMA_ORG)
    weekly, special = read_hours_file(path), read_special_hours_file(path)
    # What 23:59 means belongs to the weeks, as in a CSV file.
    assert week(weekly) == [
        ("42", 0, "09:00", "21:30"),
        ("42", 1, "09:00", "21:30"),
        ("42", 5, "18:00", "26:00"),
        ("42", 4, "00:00", "23:59"),
    ]
    assert weekly.frame["valid_from_us"].isna().all()
    # The shorter period counts on its date.
    assert dates(special) == [
        ("2026-12-25", "00:00", "00:00"),
        ("2026-12-26", "00:00", "00:00"),
        ("2026-12-24", "10:00", "14:00"),
    ]
    assert (weekly.rejected, special.rejected) == ((), ())


def test_google_hours_are_weekly_and_special_hours(tmp_path: Path) -> None:
    path = write(tmp_path, GOOGLE)
    weekly, special = read_hours_file(path), read_special_hours_file(path)
    assert week(weekly) == [
        ("43", 0, "09:00", "17:30"),
        ("43", 4, "18:00", "26:00"),
        ("43", 6, "00:00", "24:00"),
    ]
    assert dates(special) == [
        ("2026-12-25", "00:00", "00:00"),
        ("2026-12-31", "18:00", "27:30"),
        ("2026-12-24", "08:00", "12:00"),
        ("2026-12-24", "13:00", "14:00"),
    ]
    assert (weekly.rejected, special.rejected) == ((), ())


def test_a_google_period_of_the_whole_week_is_a_row_for_each_day(tmp_path: Path) -> None:
    period = {
        "openDay": "MONDAY",
        "openTime": "00:00",
        "closeDay": "SUNDAY",
        "closeTime": "24:00",
    }
    document = {"storeCode": 7, "regularHours": {"periods": [period]}}
    assert week(read_hours_file(write(tmp_path, document))) == [
        ("7", day, "00:00", "24:00") for day in range(7)
    ]


def test_hours_that_begin_later_are_versions(tmp_path: Path) -> None:
    document = {
        "store_id": "1",
        "openingHoursSpecification": [
            {"dayOfWeek": "Monday", "opens": "09:00", "closes": "17:00"},
            {"dayOfWeek": "Monday", "opens": "08:00", "closes": "17:00", "validFrom": "2026-07-01"},
            {
                "dayOfWeek": "Monday",
                "opens": "07:00",
                "closes": "17:00",
                "validFrom": "2026-09-01T00:00:00+02:00",
            },
        ],
    }
    frame = read_hours_file(write(tmp_path, document)).frame
    at_us = [
        int(datetime(2026, month, day, hour, tzinfo=UTC).timestamp()) * 1_000_000
        for month, day, hour in ((7, 1, 0), (8, 31, 22))
    ]
    assert frame["valid_from_us"].tolist() == [ALWAYS, *at_us]
    assert frame["is_local_from"].tolist() == [False, True, False]


DAY_NAME = "day is not one from Monday to Sunday, such as Monday or https://schema.org/Monday"
PERIOD = "validFrom and validThrough are not dates in this order, at most 366 days"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"dayOfWeek": "Mondy", "opens": "09:00", "closes": "17:00"}, DAY_NAME),
        ({"dayOfWeek": [], "opens": "09:00", "closes": "17:00"}, DAY_NAME),
        (
            {"dayOfWeek": "PublicHolidays", "opens": "09:00", "closes": "17:00"},
            "hours of public holidays need dates: give them validFrom and validThrough",
        ),
        ({"dayOfWeek": "Friday", "opens": "9 am", "closes": "17:00"}, "time cannot be read"),
        ({"dayOfWeek": "Friday", "opens": "09:00", "closes": "25:00"}, "time cannot be read"),
        (
            {"dayOfWeek": "Friday", "opens": "09:00"},
            "only one of opening and closing time is there",
        ),
        (
            {"dayOfWeek": "Friday", "opens": "09:00", "closes": "09:00"},
            "opening and closing time are equal; closed is 00:00 to 00:00",
        ),
        (
            {"opens": "09:00", "closes": "17:00", "validFrom": "soon"},
            "valid_from cannot be read",
        ),
    ],
)
def test_a_wrong_entry_is_rejected_with_its_reason_and_the_others_are_read(
    tmp_path: Path, entry: dict[str, Any], reason: str
) -> None:
    content = read_hours_file(write(tmp_path, specification(**entry)))
    assert week(content) == [("1", 0, "09:00", "17:00")]
    assert [(row.line, row.reason) for row in content.rejected] == [(2, reason)]
    assert content.rejected[0].text.startswith('1,"{')
    assert content.header == "store_id,entry"


@pytest.mark.parametrize(
    ("period", "reason"),
    [
        ({"validFrom": "2026-12-26", "validThrough": "2026-12-24"}, PERIOD),
        ({"validFrom": "2026-12-26", "validThrough": "2028-12-24"}, PERIOD),
        ({"validFrom": "24.12.2026", "validThrough": "2026-12-24"}, PERIOD),
        ({"validThrough": "2026-12-24"}, "validThrough is there without validFrom"),
    ],
)
def test_a_wrong_period_is_rejected_from_special_hours(
    tmp_path: Path, period: dict[str, str], reason: str
) -> None:
    path = write(tmp_path, specification(opens="09:00", closes="17:00", **period))
    special = read_special_hours_file(path)
    assert [row.reason for row in special.rejected] == [reason]
    assert len(special.frame) == 0
    assert read_hours_file(path).rejected == ()


def google(day: str, open_time: object, close_day: str, close_time: object) -> object:
    period = {
        "openDay": day,
        "openTime": open_time,
        "closeDay": close_day,
        "closeTime": close_time,
    }
    return {"storeCode": "1", "regularHours": {"periods": [period]}}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (google("SOMEDAY", {"hours": 9}, "MONDAY", {"hours": 17}), DAY_NAME),
        (google("MONDAY", {"hours": 25}, "MONDAY", {"hours": 17}), "time cannot be read"),
        (google("MONDAY", {"hours": "9"}, "MONDAY", {"hours": 17}), "time cannot be read"),
        (
            google("MONDAY", {"hours": 9}, "MONDAY", {"hours": 9}),
            "opening and closing time are equal; closed is 00:00 to 00:00",
        ),
        (
            {"storeCode": "1", "regularHours": {"periods": ["9-17"]}},
            "entry of hours is not an object with times",
        ),
        ({"regularHours": {"periods": [{"openDay": "MONDAY", "openTime": {"hours": 9},
          "closeDay": "MONDAY", "closeTime": {"hours": 17}}]}}, "no store id"),
    ],
)  # fmt: skip
def test_a_wrong_google_period_is_rejected(tmp_path: Path, document: object, reason: str) -> None:
    content = read_hours_file(write(tmp_path, document))
    assert [row.reason for row in content.rejected] == [reason]
    assert len(content.frame) == 0


@pytest.mark.parametrize(
    ("period", "reason"),
    [
        ({"startDate": "2026-12-25", "closed": True}, "date has not year, month and day"),
        (
            {"startDate": {"year": 2026, "month": 2, "day": 30}, "closed": True},
            "date has not year, month and day",
        ),
        (
            {"startDate": {"year": 2026, "month": 12, "day": 25}},
            "only one of opening and closing time is there",
        ),
        (
            {
                "startDate": {"year": 2026, "month": 12, "day": 25},
                "endDate": {"year": 2026, "month": 12, "day": 27},
                "openTime": {"hours": 9},
                "closeTime": {"hours": 8},
            },
            "hours of a date do not end by the end of the next day",
        ),
    ],
)
def test_a_wrong_google_date_is_rejected(
    tmp_path: Path, period: dict[str, Any], reason: str
) -> None:
    document = {"storeCode": "1", "specialHours": {"specialHourPeriods": [period]}}
    content = read_special_hours_file(write(tmp_path, document))
    assert [row.reason for row in content.rejected] == [reason]


def test_a_store_that_is_closed_all_week_does_not_count_as_always_open(tmp_path: Path) -> None:
    entry = {"opens": "00:00", "closes": "00:00"}
    document = {"store_id": "1", "openingHoursSpecification": entry}
    content = read_hours_file(write(tmp_path, document))
    assert [row.reason for row in content.rejected] == ["opening hours are closed all week"]


def test_a_file_of_any_name_is_recognised_and_read_for_both_kinds_of_hours(tmp_path: Path) -> None:
    path = write(tmp_path, SCHEMA_ORG, "from our site.JSON")
    write(tmp_path, {"name": "other"}, "package.json")
    survey = survey_files(tmp_path)
    for source in (Source.BUSINESS_HOURS, Source.SPECIAL_HOURS):
        assert [file.file_path for file in survey.files[source]] == ["from our site.JSON"]
    assert [(file.file_path, file.reason) for file in survey.passed_over] == [
        ("package.json", "a .json file can only hold opening hours; rows belong in .jsonl")
    ]
    checked = check_file(str(tmp_path), str(path), now_us=0)
    assert (checked.source, checked.now) == (Source.BUSINESS_HOURS, Outcome(7, ()))


def test_a_file_named_special_hours_is_read_for_these_alone(tmp_path: Path) -> None:
    write(tmp_path, GOOGLE, "special_hours.json")
    survey = survey_files(tmp_path)
    assert Source.BUSINESS_HOURS not in survey.files
    assert [file.file_path for file in find_files(tmp_path, Source.SPECIAL_HOURS)] == [
        "special_hours.json"
    ]


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("", EmptyFileError, "it is empty"),
        ('{"regularHours": ', UnusableFileError, "the JSON cannot be read (Expecting value"),
    ],
)
def test_a_file_that_is_no_json_is_refused(
    tmp_path: Path, text: str, error: type[UnusableFileError], reason: str
) -> None:
    path = tmp_path / "hours.json"
    path.write_text(text)
    with pytest.raises(error) as caught:
        read_hours_file(path)
    assert caught.value.reason.startswith(reason)
