"""Business time of any period, divided into up, down and unknown time.

Reports use `figures` instead, which counts polls up to an instant only; history counts all polls.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.local_periods import LocalPieces, Period, divide
from storemon_pipeline.domain.shares import Shares
from storemon_pipeline.domain.windows import BoolArray, IntArray, Policy
from storemon_pipeline.uptime.estimates import Estimates, Status, estimate_status
from storemon_pipeline.uptime.status_runs import StatusRuns

_MOST: Final = 2**62
"""What fits into 64 bits."""


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
    _before_us: npt.NDArray[Any]
    _counts: npt.NDArray[Any]
    _parts: npt.NDArray[Any] | None

    def amounts(self, store: IntArray, start_us: IntArray, end_us: IntArray) -> Amounts:
        """Business time of each store in each `[start_us, end_us)`; the arrays share a shape.

        Time outside of the calendar does not count.
        """
        amounts = self._until(store, end_us) - self._until(store, start_us)
        if self._parts is not None:
            amounts = (amounts // self._parts[store]).astype(np.int64)
        business, uptime, unknown, highest, lowest = amounts
        downtime = business - uptime - unknown
        return Amounts(business, uptime, downtime, unknown, highest - lowest, lowest)

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

    def _until(self, store: IntArray, at_us: IntArray) -> npt.NDArray[Any]:
        """Cumulative business time and its parts up to each instant, shape `(5, n)`.

        Where `_parts` has a number for each store, the result is multiplied by it.
        """
        calendar = self.calendar
        at = np.clip(at_us, calendar.start_us, calendar.end_us)
        key = store * (calendar.end_us - calendar.start_us + 1) + (at - calendar.start_us)
        estimate = np.searchsorted(self._key, key, side="right") - 1
        inside = calendar.business_us(store, at) - self._business_us[estimate]
        amounts: npt.NDArray[Any] = (
            self._before_us[:, estimate] + inside * self._counts[:, estimate]
        )
        return amounts


def build_history(
    status_runs: StatusRuns,
    calendar: Calendar,
    *,
    policy: Policy = Policy.NEAREST,
    has_status_before_first_poll: bool = False,
) -> History:
    """Build the history of all stores of a calendar over its period.

    `status_runs` includes those that touch the period, and for each store the last one before it
    and the first one after it.
    """
    estimates = estimate_status(
        status_runs,
        stores=calendar.stores,
        start_us=calendar.start_us,
        end_us=calendar.end_us,
        policy=policy,
        has_status_before_first_poll=has_status_before_first_poll,
    )
    is_up = estimates.status == Status.UP
    is_unknown = estimates.status == Status.UNKNOWN
    counts = np.stack(
        [
            np.ones(len(estimates), np.bool_),
            is_up,
            is_unknown,
            ~is_unknown & (is_up | ~estimates.is_certain),
            is_up & estimates.is_certain,
        ]
    ).astype(np.int64)
    store, start_us, end_us = estimates.store, estimates.start_us, estimates.end_us
    parts = None
    if status_runs.shares is not None and len(status_runs.shares):
        store, start_us, end_us, counts, parts = _with_shares(
            estimates, counts, status_runs.shares, calendar
        )
    begin = calendar.business_us(store, start_us)
    within = calendar.business_us(store, end_us) - begin
    each = counts * within
    before = np.cumsum(each, axis=1) - each
    first = np.flatnonzero(np.diff(store, prepend=-1))
    rows = np.diff(first, append=len(store))
    length = calendar.end_us - calendar.start_us + 1
    return History(
        calendar,
        estimates,
        store * length + (start_us - calendar.start_us),
        begin,
        before - np.repeat(before[:, first], rows, axis=1),
        counts,
        parts,
    )


def _with_shares(
    estimates: Estimates, counts: IntArray, shares: Shares, calendar: Calendar
) -> tuple[IntArray, IntArray, IntArray, npt.NDArray[Any], npt.NDArray[Any]]:
    """The stores, starts, ends and counts of estimates cut at the bounds of shares.

    The counts are multiplied by the last result, a number for each store: by that, the share of
    storefronts that are up is whole as well.
    """
    length = calendar.end_us - calendar.start_us + 1

    def key(store: IntArray, at_us: IntArray) -> IntArray:
        at = np.clip(at_us, calendar.start_us, calendar.end_us)
        return store * length + (at - calendar.start_us)

    of_estimates = key(estimates.store, estimates.start_us)
    of_shares = key(shares.store, shares.start_us)
    until = key(shares.store, shares.end_us)
    is_inside = shares.end_us < calendar.end_us
    cut = np.unique(np.concatenate([of_estimates, of_shares, until[is_inside]]))
    store, start_us = cut // length, cut % length + calendar.start_us
    end_us = np.append(start_us[1:], calendar.end_us)
    end_us[:-1][store[1:] != store[:-1]] = calendar.end_us
    share = np.searchsorted(of_shares, cut, side="right") - 1
    is_shared = (share >= 0) & (cut < np.append(until, 0)[share])
    share = share[is_shared]

    parts = _common_multiples(shares, stores=calendar.stores, longest_us=length)
    counts = counts[:, np.searchsorted(of_estimates, cut, side="right") - 1] * parts[store]
    times = parts[store[is_shared]] // shares.parts[share]
    counts[1, is_shared] = shares.up[share] * times
    counts[2, is_shared] = 0
    counts[3, is_shared] = (shares.parts - shares.sure_down)[share] * times
    counts[4, is_shared] = shares.sure_up[share] * times
    return store, start_us, end_us, counts, parts


def _common_multiples(shares: Shares, *, stores: int, longest_us: int) -> npt.NDArray[Any]:
    """For each store a number that each of its `parts` divides; 1 without shares."""
    store, number = np.unique(np.stack([shares.store, shares.parts]), axis=1)
    first = np.flatnonzero(np.diff(store, prepend=-1))
    # As objects, which hold whole numbers of any size.
    parts = np.ones(stores, object)
    parts[store[first]] = np.lcm.reduceat(number.astype(object), first)
    return parts.astype(np.int64) if max(parts) * longest_us < _MOST else parts
