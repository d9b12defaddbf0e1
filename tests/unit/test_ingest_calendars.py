"""Events of iCalendar files become closures, or rejected rows."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from storemon_pipeline.business_time.calendar import OPEN_END
from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.schedules.closures_file import read_closures_file
from storemon_pipeline.sources.check_file import Outcome, check_file
from storemon_pipeline.sources.find_files import find_files

HOLIDAYS = """BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
X-WR-CALNAME:Shop closures
X-WR-TIMEZONE:America/Chicago
BEGIN:VEVENT
DTSTART;VALUE=DATE:20231225
DTEND;VALUE=DATE:20231227
DTSTAMP:20230101T000000Z
UID:christmas@google.com
SUMMARY:Christmas\\, both days
TRANSP:TRANSPARENT
END:VEVENT
BEGIN:VEVENT
DTSTART:20230125T180000Z
DTEND:20230125T200000Z
DTSTAMP:20230101T000000Z
UID:oven@google.com
LOCATION:store:42
SUMMARY:Oven
STATUS:CONFIRMED
END:VEVENT
BEGIN:VEVENT
DTSTART:20230125T120000
DURATION:PT90M
DTSTAMP:20230101T000000Z
UID:stock@google.com
LOCATION:Store: 43
SUMMARY:Stocktaking
END:VEVENT
BEGIN:VEVENT
DTSTART:20230125T120000
DTEND:20230125T130000
DTSTAMP:20230101T000000Z
UID:off@google.com
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR
"""


def calendar(*events: str) -> str:
    """A calendar with the lines of each event, without those that frame it."""
    framed = [f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events]
    return "BEGIN:VCALENDAR\nVERSION:2.0\n" + "".join(framed) + "END:VCALENDAR\n"


def read(tmp_path: Path, text: str, name: str = "closures.ics") -> SnapshotRead:
    path = tmp_path / name
    path.write_bytes(text.replace("\n", "\r\n").encode())
    return read_closures_file(path)


def told(content: SnapshotRead) -> list[tuple[str, str | None, str | None, bool]]:
    def text(at_us: int) -> str | None:
        if at_us == OPEN_END:
            return None
        return pd.Timestamp(at_us, unit="us").strftime("%Y-%m-%d %H:%M")

    columns = (
        content.frame[name].tolist()
        for name in ("store_id", "start_local_us", "end_local_us", "is_utc")
    )
    return [
        (store_id, text(start_us), text(end_us), is_utc)
        for store_id, start_us, end_us, is_utc in zip(*columns, strict=True)
    ]


def test_an_event_is_a_closure_of_its_store_or_of_every_store(tmp_path: Path) -> None:
    content = read(tmp_path, HOLIDAYS)
    assert told(content) == [
        ("*", "2023-12-25 00:00", "2023-12-27 00:00", False),
        ("42", "2023-01-25 18:00", "2023-01-25 20:00", True),
        ("43", "2023-01-25 12:00", "2023-01-25 13:30", False),
    ]
    assert content.frame["reason"].tolist() == ["Christmas, both days", "Oven", "Stocktaking"]
    assert content.frame["line"].tolist() == [6, 14, 23]
    assert (content.rows_read, content.rejected) == (3, ())


def test_a_repeated_event_is_a_closure_each_time_also_across_a_change_of_clocks(
    tmp_path: Path,
) -> None:
    content = read(
        tmp_path,
        calendar(
            "UID:a\nDTSTART;TZID=America/New_York:20230310T120000\n"
            "DTEND;TZID=America/New_York:20230310T130000\nLOCATION:store:1\n"
            "RRULE:FREQ=DAILY;COUNT=4\nEXDATE;TZID=America/New_York:20230311T120000",
            "UID:a\nRECURRENCE-ID;TZID=America/New_York:20230313T120000\nLOCATION:store:1\n"
            "DTSTART;TZID=America/New_York:20230313T150000\n"
            "DTEND;TZID=America/New_York:20230313T160000",
            "UID:b\nDTSTART;VALUE=DATE:20370704\nRRULE:FREQ=YEARLY",
        ),
    )
    # New York is five hours after UTC until 12 March, and then four.
    assert told(content) == [
        ("1", "2023-03-10 17:00", "2023-03-10 18:00", True),
        ("1", "2023-03-12 16:00", "2023-03-12 17:00", True),
        ("1", "2023-03-13 19:00", "2023-03-13 20:00", True),
        # What is repeated for ever is read up to 2039.
        ("*", "2037-07-04 00:00", "2037-07-05 00:00", False),
        ("*", "2038-07-04 00:00", "2038-07-05 00:00", False),
        ("*", "2039-07-04 00:00", "2039-07-05 00:00", False),
    ]


def test_a_closure_of_the_feed_that_has_no_end_has_none(tmp_path: Path) -> None:
    content = read(
        tmp_path,
        calendar(
            "UID:a\nDTSTART:20230301T060000Z\nDTEND:20230302T060000Z\nLOCATION:store:1\n"
            "RRULE:FREQ=DAILY\nX-STOREMON-OPEN-END:TRUE"
        ),
    )
    assert told(content) == [("1", "2023-03-01 06:00", None, True)]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("DTSTART:yesterday\nDTEND:20230310T130000", "event of the calendar cannot be read"),
        ("SUMMARY:never", "event of the calendar cannot be read"),
        (
            "DTSTART:20230310T120000Z\nDTEND:20230310T130000",
            "event of the calendar cannot be read",
        ),
        (
            "DTSTART:20230310T120000\nDTEND:20230310T130000\nRRULE:FREQ=SOMETIMES",
            "event of the calendar cannot be read",
        ),
        ("DTSTART:20230310T120000\nDTEND:20230310T120000", "closure does not end after its start"),
        ("DTSTART:20230310T120000\nDTEND:20230310T110000", "closure does not end after its start"),
        ("DTSTART;TZID=Nowhere:20230310T120000\nDURATION:PT1H", "unknown time zone"),
        (
            "DTSTART:20230310T120000Z\nDTEND:20230310T130000Z",
            "times with a zone need a store: each store has its own zone",
        ),
        ("DTSTART:20230310T120000\nDURATION:PT1H\nLOCATION:store:", "no store id"),
        (
            "DTSTART:20230310T120000\nDURATION:PT1H\nRRULE:FREQ=HOURLY",
            "event is repeated within a day, or more than 2,000 times",
        ),
        (
            "DTSTART:20230310T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY",
            "event is repeated within a day, or more than 2,000 times",
        ),
    ],
)
def test_a_bad_event_is_rejected_with_the_reason_and_stops_no_other(
    tmp_path: Path, event: str, reason: str
) -> None:
    good = "UID:good\nDTSTART;VALUE=DATE:20231225"
    content = read(tmp_path, calendar(f"UID:bad\n{event}", good))
    assert [(row.line, row.reason) for row in content.rejected] == [(3, reason)]
    assert content.rejected[0].text.startswith("BEGIN:VEVENT\\nUID:bad")
    assert told(content) == [("*", "2023-12-25 00:00", "2023-12-26 00:00", False)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("store_id,start_local,end_local\n", "it does not begin with the line BEGIN:VCALENDAR"),
        ("", "it is empty"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "the calendar cannot be read (Found no components"),
    ],
)
def test_a_file_that_is_no_calendar_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UnusableFileError) as caught:
        read(tmp_path, text)
    assert caught.value.reason.startswith(reason)


def test_a_calendar_of_any_name_is_a_file_of_closures(tmp_path: Path) -> None:
    (tmp_path / "Shop holidays.ICS").write_text(HOLIDAYS)
    assert [file.file_path for file in find_files(tmp_path, Source.CLOSURES)] == [
        "Shop holidays.ICS"
    ]


def test_a_calendar_can_be_checked_before_it_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "holidays.ics"
    path.write_text(HOLIDAYS.replace("LOCATION:store:42\n", ""))
    checked = check_file(
        str(tmp_path),
        str(path),
        now_us=int(datetime(2024, 1, 1).timestamp()) * 1_000_000,  # noqa: DTZ001
    )
    assert checked.source is Source.CLOSURES
    assert isinstance(checked.now, Outcome)
    assert (checked.now.rows_read, checked.now.loaded) == (3, 2)
    assert checked.now.by_reason == [
        ("times with a zone need a store: each store has its own zone", 1)
    ]


def test_times_of_a_row_can_be_those_of_a_named_zone(tmp_path: Path) -> None:
    path = tmp_path / "closures.csv"
    path.write_text(
        "store_id,start_local,end_local,zone_of_times\n"
        "1,2023-07-01 12:00,2023-07-01 13:00,europe/berlin\n"
        "1,2023-07-01 12:00,,Europe/Berlin\n"
        "1,2023-07-01 12:00,2023-07-01 13:00,\n"
        "1,2023-07-01 12:00,2023-07-01 13:00,Berlin\n"
        "1,2023-03-26 02:30,2023-03-26 05:00,Europe/Berlin\n"
    )
    content = read_closures_file(path)
    assert told(content) == [
        ("1", "2023-07-01 10:00", "2023-07-01 11:00", True),
        ("1", "2023-07-01 10:00", None, True),
        ("1", "2023-07-01 12:00", "2023-07-01 13:00", False),
    ]
    # On 26 March 2023 the clocks of Berlin skip 02:30.
    assert [(row.line, row.reason) for row in content.rejected] == [
        (5, "unknown time zone"),
        (6, "timestamp cannot be read"),
    ]
