"""Uptime and downtime of stores in a report's windows, from status runs and business time.

Reading the inputs, rounding and writing do not belong here.
"""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Final, Self, assert_never

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.amounts import AMOUNTS, UNKNOWN
from storemon_pipeline.domain.windows import (
    WEEK_US,
    WINDOW_US,
    BoolArray,
    IntArray,
    Policy,
)
from storemon_pipeline.uptime.estimates import counted_status_runs
from storemon_pipeline.uptime.evidence import is_marker
from storemon_pipeline.uptime.history import build_history
from storemon_pipeline.uptime.status_runs import StatusRuns

SecondsArray = npt.NDArray[np.int32]

_STORES_PER_CHUNK: Final = 4_000
"""Arrays of this size reuse memory; larger ones get new pages each time, which is slower."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The AMOUNTS of each store with a poll within the look-back, ascending by store.

    `store` has shape `(n,)`; the others have shape `(n, 3)`, in whole microseconds, with columns in
    the order of `Window`. `uptime_us + downtime_us == business_us`. `lowest_uptime_us` and
    `highest_uptime_us` bound the uptime; `observed_us` is the business time near a status run.

    What `compute_figures` leaves open comes from `likelihood`: the likely range is `UNKNOWN`, and
    what the ranges of totals are made of is zero. Those are seconds: by how much the estimated mean
    lies above the figure, the standard deviation, and what a store that is switched off may lose or
    gain beside it. `doubt`, of shape `(n,)`, says why a range is not to be trusted.
    """

    store: IntArray
    business_us: IntArray
    uptime_us: IntArray
    downtime_us: IntArray
    lowest_uptime_us: IntArray
    highest_uptime_us: IntArray
    observed_us: IntArray
    likely_lowest_uptime_us: IntArray
    likely_highest_uptime_us: IntArray
    likely_apart_s: SecondsArray
    likely_deviation_s: SecondsArray
    likely_reach_s: SecondsArray
    doubt: IntArray

    def take(self, rows: IntArray) -> Self:
        """The figures of these rows."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def has_ranges(self) -> bool:
        """Whether the likely ranges are known."""
        return len(self.store) == 0 or bool(self.likely_lowest_uptime_us[0, 0] != UNKNOWN)


@dataclass(frozen=True, slots=True)
class Positions:
    """Positions of a period and of the status runs in it on the calendar's axis of business time.

    `first` and `last` have shape `(status runs,)`: of the first and the last poll of each. `begin`
    and `end` are of the period, for each store with a status run. All are clipped to the period.
    """

    begin: IntArray
    end: IntArray
    first: IntArray
    last: IntArray

    def take(self, stores: slice, status_runs: slice) -> Self:
        """The positions of some stores and of their status runs."""
        return type(self)(
            self.begin[stores], self.end[stores], self.first[status_runs], self.last[status_runs]
        )


def compute_figures(
    status_runs: StatusRuns, calendar: Calendar, *, as_of_us: int, policy: Policy, max_gap_us: int
) -> Figures:
    """Compute the figures of every store with a poll in `(as_of_us - LOOKBACK_US, as_of_us]`.

    `status_runs` may include earlier and later ones, and ones that extend past `as_of_us`.
    `calendar` covers the longest window.
    """
    return compute_with_positions(
        status_runs, calendar, as_of_us=as_of_us, policy=policy, max_gap_us=max_gap_us
    )[0]


def compute_with_positions(
    status_runs: StatusRuns, calendar: Calendar, *, as_of_us: int, policy: Policy, max_gap_us: int
) -> tuple[Figures, Positions]:
    """As `compute_figures`, with the positions of the longest window and its status runs.

    These are the status runs that count, as `counted_status_runs` gives them.
    """
    status_runs = counted_status_runs(status_runs, as_of_us=as_of_us)
    stores = np.arange(0, calendar.stores + _STORES_PER_CHUNK, _STORES_PER_CHUNK)
    rows = np.searchsorted(status_runs.store, stores)
    parts = [
        _figures_of(
            status_runs.take(slice(*rows)),
            calendar.slice_stores(first, first + _STORES_PER_CHUNK),
            as_of_us=as_of_us,
            policy=policy,
            max_gap_us=max_gap_us,
        )
        for first, rows in zip(stores.tolist(), pairwise(rows.tolist()), strict=False)
        if rows[0] < rows[1]
    ]
    none = np.empty((0, len(WINDOW_US)), np.int64)
    store = np.concatenate([none[:, 0], *(own for own, _, _ in parts)])
    amounts = {
        amount.field: np.concatenate([none, *(own[amount.field] for _, own, _ in parts)])
        for amount in AMOUNTS
        if not amount.is_optional
    }
    positions = Positions(
        *(
            np.concatenate([none[:, 0], *(getattr(own, name.name) for _, _, own in parts)])
            for name in fields(Positions)
        )
    )
    if status_runs.shares is not None and len(store):
        amounts |= _amounts_with_shares(status_runs, calendar, store, as_of_us, policy)
    return Figures(store, **amounts, **_without_ranges(len(store))), positions


def _amounts_with_shares(
    status_runs: StatusRuns, calendar: Calendar, store: IntArray, as_of_us: int, policy: Policy
) -> dict[str, IntArray]:
    """The amounts of figures of which some are means of storefronts."""
    history = build_history(status_runs, calendar, policy=policy, has_status_before_first_poll=True)
    shape = (len(store), len(WINDOW_US))
    end = np.full(shape, as_of_us)
    start = end - np.array(list(WINDOW_US.values()))
    amounts = history.amounts(np.broadcast_to(store[:, np.newaxis], shape), start, end)
    return {
        "uptime_us": amounts.uptime_us,
        "downtime_us": amounts.downtime_us,
        "lowest_uptime_us": amounts.lowest_uptime_us,
        "highest_uptime_us": amounts.highest_uptime_us,
    }


def _without_ranges(stores: int) -> dict[str, npt.NDArray[Any]]:
    shape = (stores, len(WINDOW_US))
    # Views of one value take no memory.
    unknown = np.broadcast_to(np.int64(UNKNOWN), shape)
    no_seconds = np.broadcast_to(np.int32(0), shape)
    return {
        "likely_lowest_uptime_us": unknown,
        "likely_highest_uptime_us": unknown,
        "likely_apart_s": no_seconds,
        "likely_deviation_s": no_seconds,
        "likely_reach_s": no_seconds,
        "doubt": np.broadcast_to(np.int64(0), stores),
    }


def _figures_of(
    status_runs: StatusRuns, calendar: Calendar, *, as_of_us: int, policy: Policy, max_gap_us: int
) -> tuple[IntArray, dict[str, IntArray], Positions]:
    """The stores, amounts and positions of status runs, one at least, all of the look-back.

    Instants are clipped to the longest window and mapped to the calendar's axis of business time.
    Up, down, certain and observed time are intervals on that axis. Each instant is looked up once;
    for the shorter windows the positions are clipped.
    """
    begin_us = as_of_us - WEEK_US
    first_us, last_us = status_runs.first_poll_us, status_runs.last_poll_us
    before_us = np.append(0, last_us[:-1])
    is_first_of_store = np.ones(len(status_runs), np.bool_)
    is_first_of_store[1:] = status_runs.store[1:] != status_runs.store[:-1]
    first_status_run = np.flatnonzero(is_first_of_store)
    store = status_runs.store[first_status_run]

    # The starts of the windows, the longest window first, and their common end.
    edges_us = as_of_us - np.array([*reversed(WINDOW_US.values()), 0])
    edges = calendar.position_us(store[:, np.newaxis], edges_us)

    # The estimate: one interval from each change of status to the next, or to the window's end.
    is_change = is_first_of_store.copy()
    is_change[1:] |= status_runs.is_active[1:] != status_runs.is_active[:-1]
    change = np.flatnonzero(is_change)
    first_change = np.flatnonzero(is_first_of_store[change])
    match policy:
        case Policy.NEAREST:
            changed_us = (before_us[change] + first_us[change] + 1) // 2
        case Policy.PREVIOUS:
            changed_us = first_us[change]
        case _:
            assert_never(policy)
    changed_us[first_change] = begin_us
    np.maximum(changed_us, begin_us, out=changed_us)
    changed = calendar.position_us(status_runs.store[change], changed_us)
    until = np.append(changed[1:], 0)
    last_change = np.append(first_change[1:], len(change)) - 1
    until[last_change] = edges[:, -1]
    is_up, is_active = status_runs.is_active[change], status_runs.is_active

    seen_from_us, seen_until_us = _seen(
        status_runs, is_first_of_store, before_us, reach_us=max_gap_us // 2
    )
    at_us = np.stack([seen_from_us, first_us, last_us, seen_until_us])
    np.clip(at_us, begin_us, as_of_us, out=at_us)
    seen_from, first, last, seen_until = calendar.ascending_positions_us(status_runs.store, at_us)

    of_changes = _Rows.of(first_change, changed, edges)
    of_status_runs = _Rows.of(first_status_run, seen_from, edges)
    business = edges[:, -1:] - edges[:, -2::-1]
    uptime, downtime = of_changes.divide(changed, until, is_up)
    certain_up, certain_down = of_status_runs.divide(first, last, is_active)
    observed = of_status_runs.sum(seen_from, seen_until)
    if not status_runs.polls.all():  # there are events
        observed = _observed_with_events(
            status_runs, calendar, edges, begin_us=begin_us, reach_us=max_gap_us // 2
        )
    amounts = {
        "business_us": business,
        "uptime_us": uptime,
        "downtime_us": downtime,
        "lowest_uptime_us": certain_up,
        "highest_uptime_us": business - certain_down,
        "observed_us": observed,
    }
    return store, amounts, Positions(edges[:, 0], edges[:, -1], first, last)


def _seen(
    status_runs: StatusRuns, is_first_of_store: BoolArray, before_us: IntArray, *, reach_us: int
) -> tuple[IntArray, IntArray]:
    """Observed time: it extends by `reach_us` on either side of a status run.

    Where two of these would overlap they are joined. `before_us` is the end of the status run
    before each.
    """
    first_us, last_us = status_runs.first_poll_us, status_runs.last_poll_us
    is_apart = is_first_of_store.copy()
    is_apart[1:] |= first_us[1:] - last_us[:-1] > 2 * reach_us
    is_end_apart = np.append(is_apart[1:], True)
    return (
        np.where(is_apart, first_us - reach_us, before_us),
        np.where(is_end_apart, last_us + reach_us, last_us),
    )


def _observed_with_events(
    status_runs: StatusRuns, calendar: Calendar, edges: IntArray, *, begin_us: int, reach_us: int
) -> IntArray:
    """The observed time of each store and window, `(stores, 3)`: markers observe nothing."""
    # An event that begins at the very end has no length either, but it is not a marker.
    is_last = status_runs.first_poll_us == begin_us + WEEK_US
    is_seen = is_last | ~is_marker(status_runs)
    # Every store has a row: one with markers alone has the first of them, without any reach.
    first_row = np.flatnonzero(np.append(True, status_runs.store[1:] != status_runs.store[:-1]))
    is_unseen = np.zeros(len(status_runs), np.bool_)
    is_unseen[first_row] = ~np.logical_or.reduceat(is_seen, first_row)
    is_kept = is_seen | is_unseen
    own, is_unseen = status_runs.take(is_kept), is_unseen[is_kept]
    is_first = np.append(True, own.store[1:] != own.store[:-1])
    before_us = np.append(0, own.last_poll_us[:-1])
    seen_us = np.stack(_seen(own, is_first, before_us, reach_us=reach_us))
    seen_us[:, is_unseen] = own.first_poll_us[is_unseen]
    np.clip(seen_us, begin_us, begin_us + WEEK_US, out=seen_us)
    begin, end = calendar.ascending_positions_us(own.store, seen_us)
    return _Rows.of(np.flatnonzero(is_first), begin, edges).sum(begin, end)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Sorted rows of intervals on the axis of positions, at least one for each store.

    The rows of a store are `[first_row, first_row of the next)`; `first_row` has shape
    `(stores + 1,)`. `edge` holds the starts of the windows except the longest, the shortest window
    first; `row` is the last row that begins at or before each edge, or row 0; both have shape
    `(2, stores)`. The length before an edge is that of all earlier rows and of the part of `row`
    before the edge, even if `row` belongs to another store.
    """

    first_row: IntArray
    edge: IntArray
    row: IntArray

    @classmethod
    def of(cls, first_row: IntArray, begin: IntArray, edges: IntArray) -> Self:
        """Index rows by the stores' first rows and the rows' starts, shape `(n,)`.

        `edges` has shape `(stores, 4)`.
        """
        edge = np.ascontiguousarray(edges.T[-2:0:-1])
        row = np.maximum(np.searchsorted(begin, edge, side="right") - 1, 0)
        return cls(np.append(first_row, len(begin)), edge, row)

    def sum(self, begin: IntArray, end: IntArray) -> IntArray:
        """The length of the intervals within each window, shape `(stores, 3)`."""
        return self._sum(end - begin, self._before_edge(begin, end))

    def divide(
        self, begin: IntArray, end: IntArray, is_of_first: BoolArray
    ) -> tuple[IntArray, IntArray]:
        """As `sum`, separately for the intervals marked by `is_of_first` and for the others."""
        length, before = end - begin, self._before_edge(begin, end)
        first = self._sum(length * is_of_first, before * is_of_first[self.row])
        return first, self._sum(length, before) - first

    def _before_edge(self, begin: IntArray, end: IntArray) -> IntArray:
        """The length of each edge's row before the edge, shape `(2, stores)`."""
        from_us = begin[self.row]
        return np.clip(self.edge, from_us, end[self.row]) - from_us

    def _sum(self, length: IntArray, before_edge: IntArray) -> IntArray:
        until_row = np.zeros(len(length) + 1, np.int64)
        np.cumsum(length, out=until_row[1:])
        of_store = until_row[self.first_row]
        amounts = np.empty((len(of_store) - 1, len(WINDOW_US)), np.int64)
        amounts[:, -1] = of_store[1:] - of_store[:-1]
        amounts[:, :-1] = (of_store[1:] - until_row[self.row] - before_edge).T
        return amounts
