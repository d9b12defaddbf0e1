"""Entries of hours as https://schema.org/OpeningHoursSpecification has them."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from storemon_pipeline.domain.rejections import Reason
from storemon_pipeline.hours_formats.entries import (
    CLOSED,
    EVERY_DAY,
    BadEntryError,
    DatedEntry,
    WeeklyEntry,
    hours_within,
)
from storemon_pipeline.hours_formats.times_of_day import UNREADABLE, read_time

MOST_DAYS: Final = 366

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOLIDAYS: Final = "publicholidays"
_EPOCH: Final = date(1970, 1, 1)
_EPOCH_TIME: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (a local time, or UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def is_dated(entry: object) -> bool:
    """Whether the hours hold for a period alone."""
    return isinstance(entry, Mapping) and bool(entry.get("validThrough"))


def parse_specification(entry: object) -> WeeklyEntry | DatedEntry:
    """Parse an entry. Raises BadEntryError.

    Without `dayOfWeek` it is of every day, without `opens` and `closes` it is closed.

    >>> parse_specification({"dayOfWeek": "Sunday", "opens": "00:00", "closes": "00:00"})
    WeeklyEntry(rows=((6, 0, 0),), valid_from_us=None, is_local=False)
    """
    if not isinstance(entry, Mapping):
        raise BadEntryError(Reason.HOURS_ENTRY)
    days = _days_of_week(entry.get("dayOfWeek"))
    start_us, end_us = _hours(entry.get("opens"), entry.get("closes"))
    begin, end = entry.get("validFrom"), entry.get("validThrough")
    if not end:
        rows = tuple((day, start_us, end_us) for day in days)
        return WeeklyEntry(rows, *_valid_from(begin))
    if not begin:
        raise BadEntryError(Reason.UNTIL_ALONE)
    first, last = _date(begin), _date(end)
    period = (last - first).days + 1
    if not 0 < period <= MOST_DAYS:
        raise BadEntryError(Reason.PERIOD_OF_HOURS)
    dates = (first + timedelta(days=number) for number in range(period))
    return DatedEntry(
        tuple((each - _EPOCH).days for each in dates if each.weekday() in days),
        start_us,
        end_us,
        period,
    )


def _days_of_week(value: object) -> tuple[int, ...]:
    """The days of a name, an address such as `https://schema.org/Monday`, or a list of them."""
    if value is None:
        return EVERY_DAY
    days = []
    for each in value if isinstance(value, list) else [value]:
        name = each.get("@id", each.get("name")) if isinstance(each, Mapping) else each
        if not isinstance(name, str):
            raise BadEntryError(Reason.DAY_NAME)
        word = name.strip().lower().replace(":", "/").rpartition("/")[2]
        if word == _HOLIDAYS:
            raise BadEntryError(Reason.HOLIDAY_DAY)
        if word not in _DAYS:
            raise BadEntryError(Reason.DAY_NAME)
        days.append(_DAYS.index(word))
    if not days:
        raise BadEntryError(Reason.DAY_NAME)
    return tuple(sorted(set(days)))


def _hours(opens: object, closes: object) -> tuple[int, int]:
    if not opens and not closes:
        return CLOSED
    if not opens or not closes:
        raise BadEntryError(Reason.ONE_TIME)
    times = [read_time(each.strip()) if isinstance(each, str) else UNREADABLE
             for each in (opens, closes)]  # fmt: skip
    if UNREADABLE in times:
        raise BadEntryError(Reason.UNREADABLE_TIME)
    return hours_within(times[0], times[1])


def _valid_from(value: object) -> tuple[int | None, bool]:
    """The microseconds since 1970, and whether they are local: without an offset from UTC."""
    if not value:
        return None, False
    try:
        at = datetime.fromisoformat(str(value).strip())
    except ValueError as error:
        raise BadEntryError(Reason.UNREADABLE_VALID_FROM) from error
    offset = at.utcoffset()
    since = at.replace(tzinfo=None) - (offset or timedelta(0)) - _EPOCH_TIME
    return since // _MICROSECOND, offset is None


def _date(value: object) -> date:
    """The local date; a time of day and an offset do not matter."""
    try:
        return datetime.fromisoformat(str(value).strip()).date()
    except ValueError as error:
        raise BadEntryError(Reason.PERIOD_OF_HOURS) from error
