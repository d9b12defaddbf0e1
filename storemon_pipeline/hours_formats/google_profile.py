"""Regular and special hours of the Business Profile API of Google.

`TimePeriod` and `SpecialHourPeriod` of
https://developers.google.com/my-business/reference/businessinformation/rest/v1/accounts.locations
with times as objects, and those of its older version 4 with times as text and `isClosed`.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from storemon_pipeline.domain.rejections import Reason
from storemon_pipeline.domain.windows import DAY_US, HOUR_US, MINUTE_US, WEEK_US
from storemon_pipeline.hours_formats.entries import (
    CLOSED,
    BadEntryError,
    DatedEntry,
    WeeklyEntry,
)
from storemon_pipeline.hours_formats.times_of_day import UNREADABLE, read_time

_DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_UNITS: Final = (
    ("hours", HOUR_US, 24),
    ("minutes", MINUTE_US, 59),
    ("seconds", 1_000_000, 59),
)
_EPOCH: Final = date(1970, 1, 1)


def parse_period(entry: object) -> WeeklyEntry:
    """Parse a period of the regular hours. Raises BadEntryError.

    A part of a time that is 0 may be left out, and a whole time that is 00:00 too. A period of
    more than a day is cut at midnights.

    >>> parse_period({"openDay": "FRIDAY", "openTime": {"hours": 18}, "closeDay": "SATURDAY"}).rows
    ((4, 64800000000, 86400000000),)
    """
    if not isinstance(entry, Mapping) or not {"openTime", "closeTime"} & entry.keys():
        raise BadEntryError(Reason.HOURS_ENTRY)
    first, last = _day(entry.get("openDay")), _day(entry.get("closeDay"))
    start = first * DAY_US + _time(entry.get("openTime"))
    end = last * DAY_US + _time(entry.get("closeTime"))
    if start == end:
        raise BadEntryError(Reason.EQUAL_TIMES)
    return WeeklyEntry(tuple(_pieces(start, end if start < end else end + WEEK_US)))


def parse_special_period(entry: object) -> DatedEntry:
    """Parse a period of the special hours. Raises BadEntryError."""
    if not isinstance(entry, Mapping):
        raise BadEntryError(Reason.HOURS_ENTRY)
    first = _date(entry.get("startDate"))
    if entry.get("closed") is True or entry.get("isClosed") is True:
        return DatedEntry((first,), *CLOSED, period_days=1)
    if not {"openTime", "closeTime"} & entry.keys():
        raise BadEntryError(Reason.ONE_TIME)
    last = _date(entry["endDate"]) if entry.get("endDate") else first
    start = _time(entry.get("openTime"))
    end = _time(entry.get("closeTime")) + (last - first) * DAY_US
    if start == end:
        raise BadEntryError(Reason.EQUAL_TIMES)
    if not start < end <= 2 * DAY_US or start >= DAY_US:
        raise BadEntryError(Reason.HOURS_TOO_LONG)
    return DatedEntry((first,), start, end, period_days=1)


def _pieces(start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The weekday, start and end since its midnight of each piece of at most a day."""
    while start < end:
        midnight = start // DAY_US * DAY_US
        stop = end if end - start <= DAY_US else midnight + DAY_US
        yield midnight // DAY_US % 7, start - midnight, stop - midnight
        start = stop


def _day(value: object) -> int:
    word = value.strip().upper() if isinstance(value, str) else ""
    if word not in _DAYS:
        raise BadEntryError(Reason.DAY_NAME)
    return _DAYS.index(word)


def _time(value: object) -> int:
    """Microseconds since midnight, up to 24:00."""
    if isinstance(value, str):
        at_us = read_time(value.strip())
    elif value is None or isinstance(value, Mapping):
        at_us = 0
        for unit, length_us, most in _UNITS:
            number = (value or {}).get(unit, 0)
            if not isinstance(number, int) or not 0 <= number <= most:
                raise BadEntryError(Reason.UNREADABLE_TIME)
            at_us += number * length_us
    else:
        at_us = UNREADABLE
    if not 0 <= at_us <= DAY_US:
        raise BadEntryError(Reason.UNREADABLE_TIME)
    return at_us


def _date(value: object) -> int:
    """The days since 1970 of a date object."""
    if not isinstance(value, Mapping):
        raise BadEntryError(Reason.DATE_OBJECT)
    try:
        found = date(*(value[name] for name in ("year", "month", "day")))
    except (KeyError, TypeError, ValueError) as error:
        raise BadEntryError(Reason.DATE_OBJECT) from error
    return (found - _EPOCH).days
