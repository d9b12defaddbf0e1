"""The estimated status of stores over time, as intervals without gaps, from status runs.

Business time does not belong here; `history` and `ledger` combine the two.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, assert_never

import numpy as np
import numpy.typing as npt

from storemon_pipeline.domain.windows import LOOKBACK_US, BoolArray, IntArray, Policy
from storemon_pipeline.uptime.status_runs import StatusRuns


class Status(IntEnum):
    """The estimated status at an instant; the values of `Estimates.status`."""

    UNKNOWN = -1
    DOWN = 0
    UP = 1


NO_STATUS_RUN: Final = -1
"""`status_run` of an interval whose status is unknown."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Intervals `[start_us, end_us)` of one status; every array has shape `(n,)`.

    Sorted by store and time; the intervals of a store fill the period without gaps or overlaps.
    `is_certain` marks the inside of a status run. `status_run` is the row of the status run that
    determines the status, or `NO_STATUS_RUN`.
    """

    store: IntArray
    start_us: IntArray
    end_us: IntArray
    status: npt.NDArray[np.int8]
    is_certain: BoolArray
    status_run: IntArray

    def __len__(self) -> int:
        return len(self.store)


def counted_status_runs(status_runs: StatusRuns, *, as_of_us: int) -> StatusRuns:
    """The status runs that count for a report at an instant, cut off there.

    A status run that goes on after that instant has as many polls as if they were evenly apart. A
    status run may begin before the look-back. That does not matter: the windows are shorter.

    >>> status_runs = StatusRuns(
    ...     np.array([7]), np.array([0]), np.array([40]), np.array([False]), np.array([5])
    ... )
    >>> cut = counted_status_runs(status_runs, as_of_us=25)
    >>> cut.last_poll_us.tolist(), cut.polls.tolist()
    ([25], [3])
    """
    is_counted = status_runs.last_poll_us > as_of_us - LOOKBACK_US
    is_counted &= status_runs.first_poll_us <= as_of_us
    if not is_counted.all():
        status_runs = status_runs.take(is_counted)
    if len(status_runs) == 0 or status_runs.last_poll_us.max() <= as_of_us:
        return status_runs
    return status_runs.clip(int(status_runs.first_poll_us.min()), as_of_us)


def estimate_status(
    status_runs: StatusRuns,
    *,
    stores: int,
    start_us: int,
    end_us: int,
    policy: Policy = Policy.NEAREST,
    has_status_before_first_poll: bool = False,
) -> Estimates:
    """Estimate the status of stores `0 .. stores - 1` over `[start_us, end_us)`.

    The status is unknown before the first poll of a store and further than `LOOKBACK_US` from any
    poll. With `has_status_before_first_poll`, as in a report's windows, the first poll decides the
    time before it, too. `status_runs` is sorted, without overlaps within a store, and includes the
    last status run before the period and the first after it. Stores times the length of the period
    is less than 2**63 microseconds, as in a calendar.

    >>> hour = 3_600_000_000
    >>> status_runs = StatusRuns(
    ...     np.array([0, 0]), hour * np.array([1, 5]), hour * np.array([3, 6]),
    ...     np.array([True, False]), np.array([3, 2]),
    ... )
    >>> estimates = estimate_status(status_runs, stores=1, start_us=0, end_us=8 * hour)
    >>> (estimates.start_us // hour).tolist(), estimates.status.tolist()
    ([0, 1, 3, 4, 5, 6], [-1, 1, 1, 0, 0, 0])
    >>> estimates.is_certain.tolist()
    [False, True, False, False, True, False]
    """
    first, last = status_runs.first_poll_us, status_runs.last_poll_us
    count = len(status_runs)
    index = np.arange(count)
    has_next = np.zeros(count, np.bool_)
    has_next[:-1] = status_runs.store[1:] == status_runs.store[:-1]
    has_previous = np.zeros(count, np.bool_)
    has_previous[1:] = has_next[:-1]
    # After the last status run the status becomes unknown before another poll could decide it.
    next_first = np.where(has_next, np.append(first[1:], 0)[:count], last + 2 * LOOKBACK_US + 1)
    is_lost = next_first - last > 2 * LOOKBACK_US
    match policy:
        case Policy.NEAREST:
            switch = (last + next_first + 1) // 2
        case Policy.PREVIOUS:
            switch = next_first
        case _:
            assert_never(policy)
    tail_end = np.where(is_lost, last + LOOKBACK_US, switch)
    known_again = np.where(is_lost & has_next, next_first - LOOKBACK_US, tail_end)
    first_known = first - LOOKBACK_US if has_status_before_first_poll else first
    lead_start = np.where(has_previous, np.append(0, known_again[:-1])[:count], first_known)
    leading_status_run = (
        np.where(has_previous, index - 1, index) if policy is Policy.PREVIOUS else index
    )
    unknown_until = np.where(has_next, known_again, np.maximum(end_us, tail_end))

    known_from = np.full(stores, max(start_us, end_us), np.int64)
    known_from[status_runs.store[~has_previous]] = lead_start[~has_previous]
    is_active = status_runs.is_active.astype(np.int8)
    unknown_before = np.full(stores, Status.UNKNOWN, np.int8)
    unknown_after = np.full(count, Status.UNKNOWN, np.int8)
    none = np.full(count, NO_STATUS_RUN)
    # For each store: the time before its first known instant. For each status run: the time that
    # leads to it, its own time, the time that follows it, and the unknown time after that.
    store = np.append(np.arange(stores), np.repeat(status_runs.store, 4))
    start = np.append(np.full(stores, start_us), _interleave(lead_start, first, last, tail_end))
    end = np.append(known_from, _interleave(first, last, tail_end, unknown_until))
    status = np.append(
        unknown_before,
        _interleave(is_active[leading_status_run], is_active, is_active, unknown_after),
    )
    status_run = np.append(
        np.full(stores, NO_STATUS_RUN), _interleave(leading_status_run, index, index, none)
    )
    is_certain = np.zeros(len(store), np.bool_)
    is_certain[stores + 1 :: 4] = True

    start, end = np.maximum(start, start_us), np.minimum(end, end_us)
    kept = np.flatnonzero(start < end)
    key = store[kept] * (end_us - start_us + 1) + (start[kept] - start_us)
    kept = kept[np.argsort(key, kind="stable")]  # fast: the keys are nearly sorted
    return Estimates(
        store[kept], start[kept], end[kept], status[kept], is_certain[kept], status_run[kept]
    )


def _interleave(*columns: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """The first element of each column, then the second of each, and so on."""
    return np.stack(columns, axis=1).ravel()
