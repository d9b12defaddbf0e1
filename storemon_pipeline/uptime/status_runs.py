"""Status runs: what polls of one store compress into, and how runs change as polls arrive.

Estimates of uptime do not belong here; they are made from runs in `figures`.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from storemon_pipeline.domain.windows import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class StatusRuns:
    """Status runs, sorted by store and time unless said otherwise; every array has shape `(n,)`.

    `store` is an integer that stands for the store, below 2**32. `first_poll_us` and `last_poll_us`
    are microseconds since 1970 (UTC) of the run's outermost polls, both inclusive. `polls` counts
    the polls of the run.
    """

    store: IntArray
    first_poll_us: IntArray
    last_poll_us: IntArray
    is_active: BoolArray
    polls: IntArray

    def __len__(self) -> int:
        return len(self.store)

    def take(self, which: IntArray | BoolArray | slice) -> Self:
        """The runs at these positions, or where this mask is true; a slice copies nothing."""
        if not isinstance(which, slice) and which.dtype == np.bool_:
            # A mask is dear to apply: it is turned into positions once, not once an array.
            which = np.flatnonzero(which)
        return type(self)(
            self.store[which],
            self.first_poll_us[which],
            self.last_poll_us[which],
            self.is_active[which],
            self.polls[which],
        )

    def merge(self, others: Self) -> Self:
        """These runs and others, sorted by store and time."""
        return type(self)(
            np.concatenate([self.store, others.store]),
            np.concatenate([self.first_poll_us, others.first_poll_us]),
            np.concatenate([self.last_poll_us, others.last_poll_us]),
            np.concatenate([self.is_active, others.is_active]),
            np.concatenate([self.polls, others.polls]),
        ).in_order()

    def in_order(self) -> Self:
        """The runs sorted by store and time; no copies when they are so already."""
        is_behind = (self.store[1:] > self.store[:-1]) | (
            (self.store[1:] == self.store[:-1]) & (self.first_poll_us[1:] > self.first_poll_us[:-1])
        )
        if is_behind.all():
            return self
        # Often they come in order of time: then only the second sort has anything to do.
        by_time = np.argsort(self.first_poll_us, kind="stable")
        return self.take(by_time[_ascending(self.store[by_time])])


def _ascending(store: IntArray) -> IntArray:
    """The positions that sort stores, below 2**32, and leave those of equals as they come.

    NumPy sorts numbers of 16 bits digit by digit, many times faster than larger ones: two of these
    make one of 32.
    """
    order = np.argsort(store.astype(np.uint16), kind="stable")
    high = store >> 16
    if high.any():
        order = order[np.argsort(high[order].astype(np.uint16), kind="stable")]
    return order


def compress(
    store: IntArray, polled_at_us: IntArray, is_active: BoolArray, *, max_gap_us: int
) -> StatusRuns:
    """Compress polls into status runs.

    The arrays have shape `(n,)`, sorted by store and instant, one row per (store, instant). A run
    ends where the status changes or the next poll is more than `max_gap_us` away.

    >>> hour = 3_600_000_000
    >>> status_runs = compress(
    ...     np.array([7, 7, 7]), hour * np.array([0, 1, 2]), np.array([True, True, False]),
    ...     max_gap_us=3 * hour,
    ... )
    >>> (status_runs.last_poll_us // hour).tolist(), status_runs.polls.tolist()
    ([1, 2], [2, 1])
    """
    polls = StatusRuns(
        store.astype(np.int64),
        polled_at_us.astype(np.int64),
        polled_at_us.astype(np.int64),
        is_active.astype(np.bool_),
        np.ones(len(store), np.int64),
    )
    return join(polls, max_gap_us=max_gap_us)


def join(status_runs: StatusRuns, *, max_gap_us: int) -> StatusRuns:
    """Join neighbouring runs of one status that are at most `max_gap_us` apart.

    `status_runs` are sorted by store and time and do not overlap; a single poll is a run of one
    poll.
    """
    if len(status_runs) == 0:
        return status_runs
    is_start = np.empty(len(status_runs), np.bool_)
    is_start[0] = True
    is_start[1:] = (
        (status_runs.store[1:] != status_runs.store[:-1])
        | (status_runs.is_active[1:] != status_runs.is_active[:-1])
        | (status_runs.first_poll_us[1:] - status_runs.last_poll_us[:-1] > max_gap_us)
    )
    first = np.flatnonzero(is_start)
    last = np.append(first[1:], len(status_runs)) - 1
    return StatusRuns(
        status_runs.store[first],
        status_runs.first_poll_us[first],
        status_runs.last_poll_us[last],
        status_runs.is_active[first],
        np.add.reduceat(status_runs.polls, first),
    )


def extend(
    anchors: StatusRuns,
    store: IntArray,
    polled_at_us: IntArray,
    is_active: BoolArray,
    *,
    max_gap_us: int,
) -> StatusRuns:
    """Continue runs with later polls: the runs that all these polls make together.

    `anchors` holds at most one run per store, which ends before the store's first poll here. The
    polls are as for `compress`. What stood before the anchors stays as it is, because an anchor
    keeps its beginning.
    """
    polls = StatusRuns(store, polled_at_us, polled_at_us, is_active, np.ones(len(store), np.int64))
    return join(anchors.merge(polls), max_gap_us=max_gap_us)
