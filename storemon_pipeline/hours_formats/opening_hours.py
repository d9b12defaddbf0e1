"""Opening hours in the notation of OpenStreetMap: their usual week, and the dates that differ."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from opening_hours import (  # type: ignore[attr-defined]  # (the stubs lack the error)
    OpeningHours,
    State,
    UnknownCountryError,
    validate,
)

from storemon_pipeline.domain.rejections import Reason

FIRST_YEAR: Final = 2020
LAST_YEAR: Final = 2035
"""Dates and holidays are read in these years."""

MOST_DATES: Final = 3_000
"""Hours that differ from the usual week on more days of these years are rejected."""

Hours = tuple[tuple[int, int], ...]
"""Starts and ends in microseconds since midnight of the day on which they start."""

_Interval = tuple[datetime, datetime]

_PART: Final = re.compile(r'(?:[^;"]|"[^"]*")+')
_SPAN: Final = re.compile(r"(\d{1,2}):(\d\d) *- *(\d{1,2}):(\d\d)")
_MIDNIGHT: Final = (24, 0)
_WEEKLY: Final = re.compile(r"(?:Mo|Tu|We|Th|Fr|Sa|Su|24/7|closed|\d\d:\d\d-\d\d:\d\d|[-,; ])*")
"""What the normal form of weekly hours consists of."""

_COMMENT: Final = re.compile(r'"[^"]*"')
_YEAR: Final = re.compile(r"\b(?:19|20)\d\d\b")
_PUBLIC_HOLIDAYS: Final = re.compile(r"\bPH\b", re.IGNORECASE)
_NOT_CARRIED: Final = (
    (re.compile(r"\b(?:dawn|sunrise|sunset|dusk)\b", re.IGNORECASE), Reason.SUN_TIMES),
    (re.compile(r"\bSH\b", re.IGNORECASE), Reason.SCHOOL_HOLIDAYS),
    (re.compile(r"\d\+"), Reason.OPEN_END),
    (re.compile(r"\d:\d\d *- *\d+:\d\d */"), Reason.STEPS),
    (re.compile(r"\|\|"), Reason.FALLBACK),
)
"""Parts that the library reads, whose hours it can only guess."""

_MONDAY: Final = datetime(2023, 1, 2)  # noqa: DTZ001  (a local time)
_BEGIN: Final = datetime(FIRST_YEAR, 1, 1)  # noqa: DTZ001  (a local time)
_END: Final = datetime(LAST_YEAR + 1, 1, 1)  # noqa: DTZ001  (a local time)
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAYS_OF_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class OpeningTimes:
    """The hours of the days of the usual week, from Monday on, and those of dates that differ."""

    week: tuple[Hours, ...]
    dates: dict[date, Hours]


class BadOpeningHoursError(Exception):
    """Opening hours that cannot be carried; `reason` names the part."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@lru_cache(maxsize=1_000)
def read_opening_hours(text: str, country: str = "") -> OpeningTimes | Reason:
    """Read opening hours; the country is a code of 2 letters, for public holidays.

    A night belongs to the day on which it starts.

    >>> times = read_opening_hours("Fr 18:00-02:00; Dec 25 off")
    >>> times.week[4], times.dates[date(2026, 12, 25)]
    (((64800000000, 93600000000),), ())
    >>> str(read_opening_hours("Mo-Fr 09:00-17:00; PH off"))
    'opening hours have public holidays (PH), but the row names no country'
    """
    try:
        return _read(text, country)
    except BadOpeningHoursError as error:
        return error.reason


def _read(text: str, country: str) -> OpeningTimes:
    text = " ".join(text.split())
    if not validate(text):
        raise BadOpeningHoursError(Reason.OPENING_HOURS)
    plain = _COMMENT.sub("", text)
    for part, reason in _NOT_CARRIED:
        if part.search(plain):
            raise BadOpeningHoursError(reason)
    has_holidays = bool(_PUBLIC_HOLIDAYS.search(plain))
    if has_holidays and not country:
        raise BadOpeningHoursError(Reason.HOLIDAYS_WITHOUT_COUNTRY)
    code = country.upper() if has_holidays else None
    try:
        hours = OpeningHours(text, country=code)
    except UnknownCountryError as error:
        raise BadOpeningHoursError(Reason.COUNTRY) from error
    if _WEEKLY.fullmatch(_COMMENT.sub("", str(hours.normalize()))):
        days = _days(text, code, _MONDAY, _MONDAY + _WEEK)
        week = [days.get((_MONDAY + number * _DAY).date(), ()) for number in range(_DAYS_OF_WEEK)]
        if not any(week):
            raise BadOpeningHoursError(Reason.NEVER_OPEN)
        return OpeningTimes(tuple(week), {})
    times = _split(_days(text, code, _BEGIN, _END))
    years = [int(year) for year in _YEAR.findall(plain)]
    if not times.dates and not (years and max(years) < FIRST_YEAR):
        raise BadOpeningHoursError(Reason.NO_EFFECT)
    return times


def _split(days: dict[date, Hours]) -> OpeningTimes:
    """The most frequent hours of each weekday, and the dates that have others."""
    all_days = [(_BEGIN + number * _DAY).date() for number in range((_END - _BEGIN).days)]
    of_weekday: list[Counter[Hours]] = [Counter() for _ in range(_DAYS_OF_WEEK)]
    for day in all_days:
        of_weekday[day.weekday()][days.get(day, ())] += 1
    week = [counter.most_common(1)[0][0] for counter in of_weekday]
    if not any(week):
        # A week without any hours would count as always open.
        open_days = [Counter({key: n for key, n in each.items() if key}) for each in of_weekday]
        week = [each.most_common(1)[0][0] if each else () for each in open_days]
    if not any(week):
        raise BadOpeningHoursError(Reason.NEVER_OPEN)
    found = {day: days.get(day, ()) for day in all_days}
    dates = {day: hours for day, hours in found.items() if hours != week[day.weekday()]}
    if len(dates) > MOST_DATES:
        raise BadOpeningHoursError(Reason.MANY_DATES)
    return OpeningTimes(tuple(week), dates)


def _days(text: str, country: str | None, begin: datetime, end: datetime) -> dict[date, Hours]:
    """The hours that start on the days of a period, by day."""
    # From two days before to a day after it, so that no night is cut.
    first, last = begin - 2 * _DAY, end + _DAY
    reader = _with_nights if _has_nights(text) else _open
    intervals = reader(text, country, first, last)
    days: dict[date, list[tuple[int, int]]] = {}
    for start, stop in intervals:
        for piece_start, piece_stop in _pieces(start, stop):
            if begin <= piece_start < end:
                midnight = _midnight(piece_start)
                piece = (
                    (piece_start - midnight) // _MICROSECOND,
                    (piece_stop - midnight) // _MICROSECOND,
                )
                days.setdefault(piece_start.date(), []).append(piece)
    return {day: tuple(pieces) for day, pieces in days.items()}


def _has_nights(text: str) -> bool:
    """Whether any hours go on after midnight, and several parts may be about one day."""
    spans = (tuple(map(int, found)) for found in _SPAN.findall(text))
    return ";" in text and any(
        (until, until_minute) <= (since, since_minute) or (until, until_minute) > _MIDNIGHT
        for since, since_minute, until, until_minute in spans
    )


def _with_nights(
    text: str, country: str | None, first: datetime, last: datetime
) -> list[_Interval]:
    """The open intervals where nights go on into days that other parts of the text are about.

    The library ends a night at midnight if an earlier part is about the day after, too. In the
    notation only a later part takes the place of it: so the parts are put together here.
    """
    days = [first + number * _DAY for number in range((last - first).days)]
    found: list[list[_Interval]] = [[] for _ in days]
    for part in _parts(text):
        own = _by_day(_open(part, country, first, last), first, len(days))
        # A part is about a day that it changes when all of it was open, or all of it closed.
        changed = _by_day(_open(f"00:00-24:00; {part}", country, first, last), first, len(days))
        for number, midnight in enumerate(days):
            whole = [(midnight, midnight + _DAY)]
            if changed[number] != whole or own[number] == whole:
                found[number] = own[number]
            else:
                found[number] = _joined([*found[number], *own[number]])
    return _joined([interval for day in found for interval in day])


def _parts(text: str) -> list[str]:
    """The parts between semicolons, which may stand in comments too."""
    return [part.strip() for part in _PART.findall(text) if part.strip()]


def _by_day(intervals: Sequence[_Interval], first: datetime, days: int) -> list[list[_Interval]]:
    """The intervals cut at midnights, by the number of their day."""
    found: list[list[_Interval]] = [[] for _ in range(days)]
    for begin, end in intervals:
        start = begin
        while start < end:
            stop = min(_midnight(start) + _DAY, end)
            found[(start - first).days].append((start, stop))
            start = stop
    return found


def _joined(intervals: Sequence[_Interval]) -> list[_Interval]:
    """Ascending intervals that neither overlap nor touch, and cover the same."""
    joined: list[_Interval] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _open(text: str, country: str | None, first: datetime, last: datetime) -> list[_Interval]:
    """The open intervals in a period, as the library reads them."""
    found = []
    for start, end, state, comment in OpeningHours(text, country=country).intervals(first, last):
        if state == State.UNKNOWN:
            raise BadOpeningHoursError(Reason.COMMENT if comment else Reason.UNKNOWN_HOURS)
        if state == State.OPEN:
            if comment:
                raise BadOpeningHoursError(Reason.COMMENT)
            found.append((start, end))
    return found


def _pieces(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The interval itself, which may be a night, or its days if it is longer than one."""
    if end - start <= _DAY:
        yield start, end
        return
    while start < end:
        midnight = _midnight(start) + _DAY
        yield start, min(midnight, end)
        start = midnight


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
