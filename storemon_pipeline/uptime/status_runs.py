"""Status runs: compressing the polls of a store, and extending the result with new polls.

Uptime is estimated from status runs in `figures`.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from storemon_pipeline.domain.shares import Shares
from storemon_pipeline.domain.windows import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class StatusRuns:
    """Status runs, by default sorted by store and time; every array has shape `(n,)`.

    `store` is an integer below 2**32 that identifies the store. `first_poll_us` and `last_poll_us`
    are the instants of the first and last poll, in microseconds since 1970 (UTC). `polls` is the
    number of polls. `shares` are of stores whose uptime is the mean of their storefronts, by the
    same numbers: there `is_active` tells whether one of these at least is up.
    """

    store: IntArray
    first_poll_us: IntArray
    last_poll_us: IntArray
    is_active: BoolArray
    polls: IntArray
    shares: Shares | None = None

    def __len__(self) -> int:
        return len(self.store)

    def take(self, which: IntArray | BoolArray | slice) -> Self:
        """The status runs at these positions, or of this mask; a slice makes no copies."""
        if not isinstance(which, slice) and which.dtype == np.bool_:
            # Applying a mask is slow, so turn it into positions once for all arrays.
            which = np.flatnonzero(which)
        return type(self)(
            self.store[which],
            self.first_poll_us[which],
            self.last_poll_us[which],
            self.is_active[which],
            self.polls[which],
            self.shares,
        )

    def of_stores(self, first: int, end: int) -> Self:
        """The status runs of the stores `[first, end)`, which are numbered from 0 afterwards.

        >>> three = np.array([3, 4, 5])
        >>> StatusRuns(three, three, three, three > 0, three).of_stores(4, 6).store.tolist()
        [0, 1]
        """
        own = self.take(slice(*np.searchsorted(self.store, [first, end]).tolist()))
        shares = None if self.shares is None else self.shares.of_stores(first, end)
        return replace(own, store=own.store - first, shares=shares)

    def clip(self, start_us: int, end_us: int) -> Self:
        """Status runs that touch `[start_us, end_us]`, cut to it; polls as if evenly apart.

        >>> status_runs = StatusRuns(
        ...     np.array([7]), np.array([0]), np.array([40]), np.array([True]), np.array([5])
        ... ).clip(10, 35)
        >>> status_runs.first_poll_us.tolist(), status_runs.last_poll_us.tolist()
        ([10], [35])
        >>> status_runs.polls.tolist()
        [3]
        """
        first = np.maximum(self.first_poll_us, start_us)
        last = np.minimum(self.last_poll_us, end_us)
        length = self.last_poll_us - self.first_poll_us
        # As a share first: the product would not fit into 64 bits.
        share = (last - first) / np.maximum(length, 1)
        polls = np.where(
            last - first < length,
            1 + ((self.polls - 1) * share).astype(np.int64),
            self.polls,
        )
        # What events say has no polls, whole or cut.
        np.minimum(polls, self.polls, out=polls)
        return type(self)(self.store, first, last, self.is_active, polls, self.shares)

    def without(self, stores: IntArray) -> Self:
        """The status runs, and the shares, of all stores but these."""
        shares = self.shares
        return replace(
            self.take(~np.isin(self.store, stores)),
            shares=None if shares is None else shares.take(~np.isin(shares.store, stores)),
        )

    def merge(self, others: Self) -> Self:
        """These status runs and others, sorted by store and time."""
        return type(self)(
            np.concatenate([self.store, others.store]),
            np.concatenate([self.first_poll_us, others.first_poll_us]),
            np.concatenate([self.last_poll_us, others.last_poll_us]),
            np.concatenate([self.is_active, others.is_active]),
            np.concatenate([self.polls, others.polls]),
            _both(self.shares, others.shares),
        ).in_order()

    def in_order(self) -> Self:
        """The status runs sorted by store and time, without copies if they already are."""
        is_behind = (self.store[1:] > self.store[:-1]) | (
            (self.store[1:] == self.store[:-1]) & (self.first_poll_us[1:] > self.first_poll_us[:-1])
        )
        if is_behind.all():
            return self
        # Often they are in order of time already: then the first sort is fast.
        by_time = np.argsort(self.first_poll_us, kind="stable")
        return self.take(by_time[ascending(self.store[by_time])])


def _both(shares: Shares | None, others: Shares | None) -> Shares | None:
    if shares is None or others is None or shares is others:
        return others if shares is None else shares
    return shares.merge(others)


def ascending(store: IntArray) -> IntArray:
    """A stable sort order of stores below 2**32.

    NumPy uses radix sort for 16-bit integers, many times faster than for larger ones. Two of these
    sorts order 32-bit integers.
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

    The arrays have shape `(n,)`, sorted by store and instant, one row per (store, instant). A
    status run ends where the status changes or the next poll is more than `max_gap_us` later.

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
    """Join adjacent status runs of equal status that are at most `max_gap_us` apart.

    They are sorted by store and time and do not overlap. A single poll is a status run of one poll.
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
    """Extend status runs with later polls.

    `anchors` holds at most one status run per store, which ends before the store's first poll here.
    The polls are as for `compress`. Status runs before the anchors do not change, because an anchor
    keeps its first poll.
    """
    # Anchors come first of each store, so there is nothing to sort.
    place = np.searchsorted(store, anchors.store)
    return join(
        StatusRuns(
            np.insert(store, place, anchors.store),
            np.insert(polled_at_us, place, anchors.first_poll_us),
            np.insert(polled_at_us, place, anchors.last_poll_us),
            np.insert(is_active, place, anchors.is_active),
            np.insert(np.ones(len(store), np.int64), place, anchors.polls),
        ),
        max_gap_us=max_gap_us,
    )
