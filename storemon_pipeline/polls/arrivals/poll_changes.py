"""What arriving polls change of the stored ones, and of the status runs around them.

Where polls are stored, in tables or in a lake, belongs to other modules.
"""

from dataclasses import dataclass

import numpy as np

from storemon_pipeline.domain.store_instants import pairs, sort_key, sort_keys
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.loads.load_log import RowCounts
from storemon_pipeline.polls.poll_rows import Polls
from storemon_pipeline.uptime.status_runs import StatusRuns, extend


@dataclass(frozen=True, slots=True)
class PollBatch:
    """New polls, sorted by store and instant, one per (store, instant)."""

    store: IntArray
    polled_at_us: IntArray
    is_active: BoolArray

    def take(self, which: BoolArray | IntArray) -> "PollBatch":
        """The polls of this mask, or at these positions."""
        return PollBatch(self.store[which], self.polled_at_us[which], self.is_active[which])


@dataclass(frozen=True, slots=True)
class KnownPolls:
    """The stored polls after the anchors, sorted by store and instant."""

    store: IntArray
    polled_at_us: IntArray
    is_active: BoolArray
    load_id: IntArray


@dataclass(frozen=True, slots=True)
class Region:
    """What is stored of stores with late polls, or with polls that are taken back.

    An anchor is the part of a status run that cannot change: up to the last stored poll before the
    store's earliest changed one. `known` are all polls after the anchors, `status_runs` all from
    those of the anchors on.
    """

    anchors: StatusRuns
    known: KnownPolls
    status_runs: StatusRuns


_NONE = np.empty(0, np.int64)
NO_STATUS_RUNS = StatusRuns(_NONE, _NONE, _NONE, _NONE.astype(np.bool_), _NONE)
NO_REGION = Region(
    NO_STATUS_RUNS, KnownPolls(_NONE, _NONE, _NONE.astype(np.bool_), _NONE), NO_STATUS_RUNS
)


def last_of_each(keys: IntArray, polls: Polls) -> tuple[PollBatch, RowCounts]:
    """The last row of each (store, instant), and the row counts of the other rows."""
    store = keys[polls.store] if len(keys) else np.empty(0, np.int64)
    order = _order_of_arrival(store, polls.polled_at_us)
    rows = PollBatch(store[order], polls.polled_at_us[order], polls.is_active[order])
    is_last = np.ones(len(order), np.bool_)
    is_last[:-1] = (rows.store[1:] != rows.store[:-1]) | (
        rows.polled_at_us[1:] != rows.polled_at_us[:-1]
    )
    if is_last.all():
        return rows, RowCounts(0, 0, 0, 0)
    batch = rows.take(is_last)
    final = batch.is_active[np.cumsum(is_last) - is_last]
    is_replaced = ~is_last & (final != rows.is_active)
    replaced = int(is_replaced.sum())
    return batch, RowCounts(0, replaced, int((~is_last).sum()) - replaced, 0)


def _order_of_arrival(store: IntArray, polled_at_us: IntArray) -> IntArray:
    """The sort order by store and instant; rows of the same key keep their order."""
    key = sort_key(store, polled_at_us)
    order = np.argsort(key)  # five times as fast as a stable sort, which few files need
    in_order = key[order]
    if (in_order[1:] == in_order[:-1]).any():
        return np.argsort(key, kind="stable")
    return order


def distinct(ascending: IntArray) -> IntArray:
    """The distinct values of a sorted array; `np.unique` does not use their order."""
    distinct: IntArray = ascending[np.diff(ascending, prepend=-1) != 0]
    return distinct


def late_stores(batch: PollBatch, tails: StatusRuns) -> tuple[IntArray, IntArray]:
    """The stores with new polls before their last stored poll, and the earliest of these polls."""
    first_row = np.searchsorted(batch.store, tails.store)
    earliest_us = batch.polled_at_us[first_row]
    is_late = earliest_us <= tails.last_poll_us
    return tails.store[is_late], earliest_us[is_late]


def cut_off(status_runs: StatusRuns, anchor_us: IntArray, known: KnownPolls) -> StatusRuns:
    """Status runs, one per store, cut off at these instants; `known` are the polls after them."""
    of_anchor = np.searchsorted(status_runs.store, known.store)
    has_anchor = np.isin(known.store, status_runs.store)
    of_anchor = of_anchor[has_anchor]
    is_inside = known.polled_at_us[has_anchor] <= status_runs.last_poll_us[of_anchor]
    cut = np.bincount(of_anchor[is_inside], minlength=len(status_runs))
    return StatusRuns(
        status_runs.store,
        status_runs.first_poll_us,
        anchor_us,
        status_runs.is_active,
        status_runs.polls - cut,
    )


def match(batch: PollBatch, known: KnownPolls) -> IntArray:
    """For each poll of the batch the row in `known` of the same store and instant, or -1."""
    matched = np.full(len(batch.store), -1, np.int64)
    if len(known.store) == 0:
        return matched
    keys = sort_keys(batch.store, batch.polled_at_us, known.store, known.polled_at_us)
    new, old = pairs(*keys)
    matched[new] = old
    return matched


def _overlay(
    known: KnownPolls, batch: PollBatch, is_effective: BoolArray, matched: IntArray
) -> PollBatch:
    """The known polls after the batch, sorted by store and instant."""
    is_active = known.is_active.copy()
    is_correction = is_effective & (matched >= 0)
    is_active[matched[is_correction]] = batch.is_active[is_correction]
    new = batch.take(is_effective & (matched < 0))
    if len(known.store) == 0:
        return new
    key, known_key = sort_keys(new.store, new.polled_at_us, known.store, known.polled_at_us)
    place = np.searchsorted(key, known_key)
    return PollBatch(
        np.insert(new.store, place, known.store),
        np.insert(new.polled_at_us, place, known.polled_at_us),
        np.insert(new.is_active, place, is_active),
    )


def status_runs_around(
    batch: PollBatch,
    is_effective: BoolArray,
    matched: IntArray,
    tails: StatusRuns,
    region: Region,
    *,
    max_gap_us: int,
) -> tuple[StatusRuns, StatusRuns]:
    """The status runs that change, as they are stored and as they are with these polls.

    `is_effective` marks the polls that are new or change one, `matched` has the row in
    `region.known` that each of them changes (-1: none), and `tails` are the last stored status runs
    of the batch's stores. `region` has those with late polls.
    """
    touched = distinct(batch.store[is_effective])
    on_time = tails.take(~np.isin(tails.store, late_stores(batch, tails)[0]))
    anchors = region.anchors.merge(on_time)
    old = region.status_runs.merge(on_time)
    polls = _overlay(region.known, batch, is_effective, matched)
    in_region = np.isin(polls.store, touched)
    new = extend(
        anchors.take(np.isin(anchors.store, touched)),
        polls.store[in_region],
        polls.polled_at_us[in_region],
        polls.is_active[in_region],
        max_gap_us=max_gap_us,
    )
    return old.take(np.isin(old.store, touched)), new


def status_runs_without(
    region: Region, gone: PollBatch, back: PollBatch, *, max_gap_us: int
) -> StatusRuns:
    """The status runs of a region without some polls, and with others as they were before."""
    known = region.known
    is_active = known.is_active.copy()
    is_active[match(back, known)] = back.is_active
    is_kept = np.ones(len(known.store), np.bool_)
    is_kept[match(gone, known)] = False
    return extend(
        region.anchors,
        known.store[is_kept],
        known.polled_at_us[is_kept],
        is_active[is_kept],
        max_gap_us=max_gap_us,
    )


@dataclass(frozen=True, slots=True)
class UndonePolls:
    """How many polls an undo deleted, and the keys of the stores that the load had polls of."""

    removed: int
    store_keys: IntArray


def earliest_of_stores(gone: PollBatch, back: PollBatch) -> tuple[IntArray, IntArray]:
    """The stores of these polls, ascending, and the earliest poll of each."""
    store = np.concatenate([gone.store, back.store])
    polled_at_us = np.concatenate([gone.polled_at_us, back.polled_at_us])
    order = np.lexsort((polled_at_us, store))
    stores, first_row = np.unique(store[order], return_index=True)
    return stores, polled_at_us[order][first_row]
