"""Comparing the uptime of stores in two periods of local dates. Pure computation."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from storemon_pipeline.fleet_days.daily_sums import FleetPeriod

_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


class Preset(StrEnum):
    """Two calendar periods to compare; weeks begin on Monday."""

    THIS_WEEK = "this-week"
    LAST_WEEK = "last-week"
    THIS_MONTH = "this-month"
    LAST_MONTH = "last-month"


class Trend(StrEnum):
    """Whether the later period was better, as far as the likely ranges tell."""

    BETTER = "better"
    WORSE = "worse"
    CANNOT_BE_TOLD = "cannot be told"


@dataclass(frozen=True, slots=True)
class Dates:
    """Local dates `[start, end)`."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Difference:
    """The later uptime minus the earlier one, in percentage points rounded to two decimals.

    All are None where nothing is known of a period, the ends of the range also without a likely
    range.
    """

    points: float | None
    lowest_points: float | None
    highest_points: float | None
    trend: Trend


def dates_of(preset: Preset, today: date) -> tuple[Dates, Dates]:
    """The later and the earlier period. What is not over is compared with as many days."""
    if preset in (Preset.THIS_WEEK, Preset.LAST_WEEK):
        monday = today - timedelta(days=today.weekday())
        later = Dates(monday, today + _DAY)
        if preset is Preset.LAST_WEEK:
            later = Dates(monday - _WEEK, monday)
        return later, Dates(later.start - _WEEK, later.end - _WEEK)
    first = today.replace(day=1)
    before = (first - _DAY).replace(day=1)
    if preset is Preset.LAST_MONTH:
        return Dates(before, first), Dates((before - _DAY).replace(day=1), before)
    return Dates(first, today + _DAY), Dates(before, min(before + (today + _DAY - first), first))


def difference(later: FleetPeriod | None, earlier: FleetPeriod | None) -> Difference:
    """Compare two sums; None stands for a period without days.

    The range is that of all differences between the two likely ranges: the errors of neighbouring
    periods depend on each other, so it is not narrowed.
    """
    unknown = Difference(None, None, None, Trend.CANNOT_BE_TOLD)
    if later is None or earlier is None:
        return unknown
    known = [period.uptime_us + period.downtime_us for period in (later, earlier)]
    if 0 in known:
        return unknown
    points = _points(later.uptime_us, known[0]) - _points(earlier.uptime_us, known[1])
    if later.likely_us is None or earlier.likely_us is None:
        return Difference(_rounded(points), None, None, Trend.CANNOT_BE_TOLD)
    lowest, highest = (
        _points(later.likely_us[end], known[0]) - _points(earlier.likely_us[1 - end], known[1])
        for end in (0, 1)
    )
    trend = Trend.BETTER if lowest > 0 else Trend.WORSE if highest < 0 else Trend.CANNOT_BE_TOLD
    return Difference(_rounded(points), _rounded(lowest), _rounded(highest), trend)


def _points(part_us: int, whole_us: int) -> Fraction:
    return Fraction(100 * part_us, whole_us)


def _rounded(points: Fraction) -> float:
    return float(round(points, 2))
