"""Figures with their likely ranges, and the ranges of totals and of periods of history.

How a range is computed is in `ranges`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.domain.windows import (
    HOUR_US,
    SECOND_US,
    WINDOW_US,
    IntArray,
)
from storemon_pipeline.likelihood.bridges import FloatArray
from storemon_pipeline.likelihood.doubts import Doubt
from storemon_pipeline.likelihood.model import StatusModel, StoreParameters
from storemon_pipeline.likelihood.ranges import (
    OpenTime,
    likely_ranges,
    limits_of_totals,
)
from storemon_pipeline.uptime.estimates import counted_status_runs
from storemon_pipeline.uptime.figures import Figures, Positions, SecondsArray
from storemon_pipeline.uptime.history import Amounts
from storemon_pipeline.uptime.status_runs import StatusRuns

_SECONDS: Final = HOUR_US // SECOND_US


def with_likely_ranges(
    figures: Figures,
    status_runs: StatusRuns,
    calendar: Calendar,
    model: StatusModel,
    parameters: StoreParameters,
    *,
    as_of_us: int,
    positions: Positions | None = None,
) -> Figures:
    """The figures with likely ranges; the calendar ends at `as_of_us`, as that of a report.

    `positions` are those that `compute_with_positions` gave for the same calendar.
    """
    ranges = likely_ranges(
        counted_status_runs(status_runs, as_of_us=as_of_us),
        calendar,
        figures,
        model,
        parameters,
        as_of_us=as_of_us,
        positions=positions,
    )
    apart_hours = ranges.mean_hours - figures.uptime_us / HOUR_US
    return replace(
        figures,
        likely_lowest_uptime_us=ranges.lowest_us,
        likely_highest_uptime_us=ranges.highest_us,
        likely_apart_s=_seconds(apart_hours),
        likely_deviation_s=_seconds(np.sqrt(ranges.variance)),
        likely_reach_s=_seconds(ranges.reach_hours),
        doubt=parameters.doubt[figures.store],
    )


def _seconds(hours: FloatArray) -> SecondsArray:
    return np.rint(hours * _SECONDS).astype(np.int32)


def ranges_of_periods(
    status_runs: StatusRuns,
    calendar: Calendar,
    model: StatusModel,
    parameters: StoreParameters,
    *,
    start_us: IntArray,
    end_us: IntArray,
    amounts: Amounts,
) -> tuple[IntArray, IntArray]:
    """The likely range of the only store of a calendar in each `[start_us, end_us)` of history.

    `UNKNOWN` where some of the time is unknown. `status_runs` are all of the store.
    """
    status_runs = status_runs.take(status_runs.first_poll_us < calendar.end_us)
    unknown = np.full(start_us.shape, UNKNOWN)
    if len(status_runs) == 0:
        return unknown, unknown
    ranges = OpenTime.of(status_runs, calendar, model, parameters).ranges(
        np.zeros(start_us.shape, np.int64),
        start_us,
        end_us,
        uptime_us=amounts.uptime_us,
        lowest_us=amounts.lowest_uptime_us,
        highest_us=amounts.highest_uptime_us,
        known_us=amounts.business_us - amounts.unknown_us,
    )
    is_known = amounts.unknown_us == 0
    return (
        np.where(is_known, ranges.lowest_us, UNKNOWN),
        np.where(is_known, ranges.highest_us, UNKNOWN),
    )


def ranges_of_totals(figures: Figures, group: IntArray, groups: int) -> tuple[IntArray, IntArray]:
    """The likely ranges of groups of the figures' rows, `(groups, 3)`.

    `group` has shape `(n,)`. Without ranges of the rows they are `UNKNOWN`.
    """
    if not figures.has_ranges:
        unknown = np.full((groups, len(WINDOW_US)), UNKNOWN)
        return unknown, unknown

    # `np.add.at` would take five times as long.
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(groups + 1))

    def summed(amount: npt.NDArray[Any]) -> IntArray:
        until = np.zeros((len(group) + 1, *amount.shape[1:]), np.int64)
        np.cumsum(amount[order], axis=0, out=until[1:])
        sums: IntArray = until[ends[1:]] - until[ends[:-1]]
        return sums

    return ranges_of_sums(
        summed(squares(figures.likely_apart_s, figures.likely_deviation_s)),
        summed(figures.likely_apart_s),
        summed(figures.likely_reach_s),
        uptime_us=summed(figures.uptime_us),
        business_us=summed(figures.business_us),
    )


def squares(apart_s: SecondsArray, deviation_s: SecondsArray) -> IntArray:
    """Of each row what it adds to the variance of a total, in seconds squared."""
    apart, deviation = apart_s.astype(np.int64), deviation_s.astype(np.int64)
    return apart * apart + deviation * deviation


def ranges_of_sums(
    squares_s2: IntArray,
    apart_s: IntArray,
    reach_s: IntArray,
    *,
    uptime_us: IntArray,
    business_us: IntArray,
) -> tuple[IntArray, IntArray]:
    """The likely ranges of totals from sums over their rows, which are exact in any order."""
    return limits_of_totals(
        squares_s2 / _SECONDS**2,
        apart_s / _SECONDS,
        reach_s / _SECONDS,
        uptime_us=uptime_us,
        known_us=business_us,
    )


def flags_of(doubt: int) -> Sequence[str]:
    """The reasons why a range is not to be trusted.

    >>> flags_of(5)
    ('switched_off', 'few_polls')
    """
    return tuple(one.name.lower() for one in Doubt if one & doubt and one.name)
