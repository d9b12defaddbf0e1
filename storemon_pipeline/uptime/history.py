"""Business time of any period, divided into up, down and unknown time.

Reports use `figures` instead, which counts polls up to an instant only; history counts all polls.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.local_periods import LocalPieces, Period, divide
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.uptime.estimates import Estimates, Status, estimate_status
from storemon_pipeline.uptime.status_runs import StatusRuns


@dataclass(frozen=True, slots=True)
class Amounts:
    """Business time and its parts, in whole microseconds; every array has the same shape.

    `business_us == uptime_us + downtime_us + unknown_us`. Uncertain time is up or down time outside
    of any status run. The uptime is between `lowest_uptime_us` and `lowest_uptime_us +
    uncertain_us`.
    """

    business_us: IntArray
    uptime_us: IntArray
    downtime_us: IntArray
    unknown_us: IntArray
    uncertain_us: IntArray
    lowest_uptime_us: IntArray

    @property
    def highest_uptime_us(self) -> IntArray:
        """The highest uptime that the polls allow."""
        return self.lowest_uptime_us + self.uncertain_us

    def take(self, which: IntArray | BoolArray) -> Self:
        """The amounts at these positions, or of this mask."""
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class PeriodAmounts:
    """Amounts of local periods, sorted by store and start; every array has shape `(n,)`.

    `[start_us, end_us)` (UTC) is the part of the period that is counted.
    """

    store: IntArray
    begin_local_us: IntArray
    start_us: IntArray
    end_us: IntArray
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class History:
    """Cumulative amounts of all stores over the calendar's period; see `build_history`."""

    calendar: Calendar
    estimates: Estimates
    _key: IntArray
    _business_us: IntArray
    _before_us: IntArray
    _counts: IntArray

    def amounts(self, store: IntArray, start_us: IntArray, end_us: IntArray) -> Amounts:
        """Business time of each store in each `[start_us, end_us)`; the arrays share a shape.

        Time outside of the calendar does not count.
        """
        parts = self._until(store, end_us) - self._until(store, start_us)
        business, uptime, unknown, certain, lowest = parts
        downtime = business - uptime - unknown
        return Amounts(business, uptime, downtime, unknown, business - unknown - certain, lowest)

    def by_period(self, period: Period) -> PeriodAmounts:
        """The whole history by local hour, day, week or month of each store.

        A repeated hour gives two rows; a longer period is always one row.
        """
        return self.by_pieces(divide(self.calendar.local_spans(), period), period)

    def by_pieces(self, pieces: LocalPieces, period: Period) -> PeriodAmounts:
        """As `by_period`, for these pieces of periods only."""
        amounts = self.amounts(pieces.store, pieces.start_us, pieces.end_us)
        if period is Period.HOUR or len(pieces.store) == 0:
            return PeriodAmounts(
                pieces.store, pieces.begin_local_us, pieces.start_us, pieces.end_us, amounts
            )
        order = np.lexsort((pieces.start_us, pieces.begin_local_us, pieces.store))
        store, begin = pieces.store[order], pieces.begin_local_us[order]
        is_first = np.append(True, (store[1:] != store[:-1]) | (begin[1:] != begin[:-1]))
        first = np.flatnonzero(is_first)
        return PeriodAmounts(
            store[first],
            begin[first],
            np.minimum.reduceat(pieces.start_us[order], first),
            np.maximum.reduceat(pieces.end_us[order], first),
            Amounts(
                *(
                    np.add.reduceat(getattr(amounts, field.name)[order], first)
                    for field in fields(amounts)
                )
            ),
        )

    def _until(self, store: IntArray, at_us: IntArray) -> IntArray:
        """Cumulative business time and its parts up to each instant, shape `(5, n)`."""
        calendar = self.calendar
        at = np.clip(at_us, calendar.start_us, calendar.end_us)
        key = store * (calendar.end_us - calendar.start_us + 1) + (at - calendar.start_us)
        estimate = np.searchsorted(self._key, key, side="right") - 1
        inside = calendar.business_us(store, at) - self._business_us[estimate]
        parts: IntArray = self._before_us[:, estimate] + inside * self._counts[:, estimate]
        return parts


def build_history(status_runs: StatusRuns, calendar: Calendar) -> History:
    """Build the history of all stores of a calendar over its period.

    `status_runs` includes those that touch the period, and for each store the last one before it
    and the first one after it.
    """
    estimates = estimate_status(
        status_runs, stores=calendar.stores, start_us=calendar.start_us, end_us=calendar.end_us
    )
    store = estimates.store
    begin = calendar.business_us(store, estimates.start_us)
    within = calendar.business_us(store, estimates.end_us) - begin
    is_up = estimates.status == Status.UP
    counts = np.stack(
        [
            np.ones(len(store), np.bool_),
            is_up,
            estimates.status == Status.UNKNOWN,
            estimates.is_certain,
            is_up & estimates.is_certain,
        ]
    ).astype(np.int64)
    each = counts * within
    before = np.cumsum(each, axis=1) - each
    first = np.flatnonzero(np.diff(store, prepend=-1))
    rows = np.diff(first, append=len(store))
    length = calendar.end_us - calendar.start_us + 1
    return History(
        calendar,
        estimates,
        store * length + (estimates.start_us - calendar.start_us),
        begin,
        before - np.repeat(before[:, first], rows, axis=1),
        counts,
    )
