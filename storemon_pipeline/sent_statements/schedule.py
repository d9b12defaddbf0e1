"""When a statement is due by its schedule. Pure computation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum, unique
from typing import Final

from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.business_time.zones import zone_of
from storemon_pipeline.statements.statement_period import StatementPeriod

MOST_AT_ONCE: Final = 12
"""Periods whose statements are sent after a long pause, the newest ones."""


@unique
class Every(StrEnum):
    """The days on which a statement is sent: a weekday, or the first of a month."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"
    MONTH = "month"

    @property
    def by(self) -> Period:
        """The period that the statements are about."""
        return Period.MONTH if self is Every.MONTH else Period.WEEK


@dataclass(frozen=True, slots=True)
class Timetable:
    """A statement of the last whole week or month, every so often at a local time."""

    every: Every
    at: time
    timezone: str


@dataclass(frozen=True, slots=True)
class Due:
    """A statement to send: since when, and about which period."""

    at: datetime
    period: StatementPeriod


def due_since(timetable: Timetable, after: datetime, now: datetime) -> list[Due]:
    """The statements that were due after an instant, up to now; the newest `MOST_AT_ONCE`.

    A local time that a clock change leaves out is due as much later.
    """
    zone = zone_of(timetable.timezone)
    found: list[Due] = []
    for day in _days_back(timetable.every, now.astimezone(zone).date()):
        at = datetime.combine(day, timetable.at, zone).astimezone(UTC)
        if at <= after or len(found) == MOST_AT_ONCE:
            break
        if at <= now:
            found.append(Due(at, StatementPeriod.before(day, timetable.every.by)))
    return found[::-1]


def next_due(timetable: Timetable, now: datetime) -> datetime:
    """When the next statement is due."""
    zone = zone_of(timetable.timezone)
    day = now.astimezone(zone).date()
    while True:
        if _is_day(timetable.every, day):
            at = datetime.combine(day, timetable.at, zone).astimezone(UTC)
            if at > now:
                return at
        day += timedelta(days=1)


def _days_back(every: Every, day: date) -> Iterator[date]:
    while True:
        if _is_day(every, day):
            yield day
        day -= timedelta(days=1)


def _is_day(every: Every, day: date) -> bool:
    return day.day == 1 if every is Every.MONTH else day.weekday() == list(Every).index(every)
