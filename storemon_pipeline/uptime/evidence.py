"""Evidence of a store's status: status runs of polls, overlaid with what events say.

The result is status runs again, so that every figure is computed from them as without events.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from storemon_pipeline.domain.shares import Shares
from storemon_pipeline.domain.windows import LOOKBACK_US, BoolArray, IntArray, Policy
from storemon_pipeline.uptime.estimates import counted_status_runs
from storemon_pipeline.uptime.event_stretches import EventStretches
from storemon_pipeline.uptime.status_runs import StatusRuns

_NEVER: Final = 2**62


def add_events(
    status_runs: StatusRuns,
    stretches: EventStretches,
    *,
    until_us: int,
    policy: Policy = Policy.NEAREST,
    report_since_us: int | None = None,
) -> StatusRuns:
    """Overlay status runs up to an instant with the stretches of events that began by then.

    A stretch becomes a status run without polls. A status run that events cover in part lasts up to
    them, and goes on after them; one that they cover whole is left out. What is left decides the
    status outside of events, as if there were none. So that it does, a marker stands wherever the
    status changes there or meets an event: a status run without length and polls. Corrections are
    overlaid last. Outside of them the polls that they cover still decide.

    Both are sorted by store and time. Without stretches the result is `status_runs` itself. For a
    report, only what is later than `report_since_us` counts, and the first poll decides the time
    before it.

    >>> from storemon_pipeline.uptime.status_runs import compress
    >>> minute = 60_000_000
    >>> polls = compress(
    ...     np.array([0, 0, 0]), 60 * minute * np.array([10, 11, 12]),
    ...     np.array([True, False, True]), max_gap_us=180 * minute,
    ... )
    >>> outage = EventStretches(
    ...     np.array([0]), minute * np.array([650]), minute * np.array([680]),
    ...     np.array([False]), np.array([1]),
    ... )
    >>> evidence = add_events(polls, outage, until_us=720 * minute)
    >>> (evidence.first_poll_us / minute).round().tolist(), evidence.is_active.tolist()
    ([600.0, 650.0, 650.0, 680.0, 720.0], [True, True, False, True, True])
    """
    if len(stretches) == 0:
        return status_runs
    is_correction = stretches.is_correction
    if is_correction.any() and not is_correction.all():
        status_runs = add_events(
            status_runs,
            stretches.take(~is_correction),
            until_us=until_us,
            policy=policy,
            report_since_us=report_since_us,
        )
        stretches = stretches.take(is_correction)
    has_events = np.zeros(
        int(max(stretches.store.max(), status_runs.store.max(initial=0))) + 1, np.bool_
    )
    has_events[stretches.store] = True
    is_own = has_events[status_runs.store]
    own = status_runs.take(is_own)
    if report_since_us is not None:
        own = own.clip(report_since_us + 1, until_us)
    if is_correction.any():
        is_report = report_since_us is not None
        own = own.merge(_status_beside(own, stretches, policy=policy, is_report=is_report))
    covered = _Covered.by(stretches)
    pieces = _outside(own, covered)
    markers = _markers(pieces, covered, policy=policy, is_report=report_since_us is not None)
    events = StatusRuns(
        stretches.store,
        stretches.start_us,
        stretches.end_us,
        stretches.is_up,
        np.zeros(len(stretches), np.int64),
    )
    made = pieces.merge(events.merge(markers))
    made = made.take(made.first_poll_us <= until_us)
    made = made.clip(int(made.first_poll_us.min(initial=until_us)), until_us)
    joined = status_runs.take(~is_own).merge(made)
    if joined.shares is None:
        return joined
    return replace(joined, shares=_shares_outside(joined.shares, covered))


def add_events_of_report(
    status_runs: StatusRuns, stretches: EventStretches, *, as_of_us: int, policy: Policy
) -> StatusRuns:
    """Overlay the status runs of a report with the stretches that count for it."""
    if len(stretches) == 0:
        return status_runs
    since_us = as_of_us - LOOKBACK_US
    stretches = stretches.clip(since_us, _NEVER)
    return add_events(
        counted_status_runs(status_runs, as_of_us=as_of_us),
        stretches.take(stretches.start_us <= as_of_us),
        until_us=as_of_us,
        policy=policy,
        report_since_us=since_us,
    )


def is_marker(status_runs: StatusRuns) -> BoolArray:
    """Which status runs only mark the status beside an event, as `add_events` gives them."""
    which: BoolArray = (status_runs.polls == 0) & (
        status_runs.first_poll_us == status_runs.last_poll_us
    )
    return which


def is_event(status_runs: StatusRuns) -> BoolArray:
    """Which status runs are stretches of events."""
    which: BoolArray = (status_runs.polls == 0) & (
        status_runs.first_poll_us < status_runs.last_poll_us
    )
    return which


def _status_beside(
    status_runs: StatusRuns, corrections: EventStretches, *, policy: Policy, is_report: bool
) -> StatusRuns:
    """Markers of the status that status runs give to the time right before and after corrections.

    A marker is a status run without length and polls. It also stands where the status changes in
    the gap between two status runs, one of which a correction may cover. In a report the first poll
    decides the time before it.

    >>> from storemon_pipeline.uptime.status_runs import compress
    >>> minute = 60_000_000
    >>> polls = compress(
    ...     np.array([0, 0, 0]), 60 * minute * np.array([8, 9, 10]),
    ...     np.array([True, False, True]), max_gap_us=180 * minute,
    ... )
    >>> correction = EventStretches(
    ...     np.array([0]), minute * np.array([520]), minute * np.array([550]),
    ...     np.array([True]), np.array([-1]),
    ... )
    >>> found = _status_beside(polls, correction, policy=Policy.NEAREST, is_report=False)
    >>> (found.first_poll_us / minute).round().tolist(), found.is_active.tolist()
    ([510.0, 510.0, 520.0, 550.0, 570.0, 570.0], [True, False, False, False, False, True])
    """
    found: set[tuple[int, int, bool]] = set()
    for store, start, end in zip(
        corrections.store.tolist(),
        corrections.start_us.tolist(),
        corrections.end_us.tolist(),
        strict=True,
    ):
        own = status_runs.take(np.arange(*np.searchsorted(status_runs.store, [store, store + 1])))
        before = _Beside.at(own, start - 1, policy)
        if before is not None and (before.has_previous or is_report):
            found.update((store, at, is_up) for at, is_up in before.markers(start - 1, before=True))
        after = _Beside.at(own, end, policy)
        if after is not None:
            found.update((store, at, is_up) for at, is_up in after.markers(end, before=False))
    rows = sorted(found)
    at_us = np.array([at for _, at, _ in rows], np.int64)
    return StatusRuns(
        np.array([store for store, _, _ in rows], np.int64),
        at_us,
        at_us,
        np.array([is_up for _, _, is_up in rows], np.bool_),
        np.zeros(len(rows), np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Beside:
    """The gap between two status runs of a store, or before the first or after the last one.

    `change_us` is where the status changes between two that are not too far apart to be joined.
    """

    has_previous: bool
    last_us: int
    was_up: bool
    has_next: bool
    next_us: int
    next_up: bool
    change_us: int

    @classmethod
    def at(cls, own: StatusRuns, at_us: int, policy: Policy) -> "_Beside | None":
        """The gap around an instant; None inside of a status run, or without any."""
        following = int(np.searchsorted(own.first_poll_us, at_us, side="right"))
        has_previous, has_next = following > 0, following < len(own)
        last = int(own.last_poll_us[following - 1]) if has_previous else 0
        if len(own) == 0 or (has_previous and last >= at_us):
            return None
        first = int(own.first_poll_us[following]) if has_next else 0
        return cls(
            has_previous,
            last,
            has_previous and bool(own.is_active[following - 1]),
            has_next,
            first,
            has_next and bool(own.is_active[following]),
            first if policy is Policy.PREVIOUS else (last + first + 1) // 2,
        )

    def markers(self, at_us: int, *, before: bool) -> Iterator[tuple[int, bool]]:
        """The status at an instant, and where it changes before it, or else after it."""
        if not (
            self.has_previous and self.has_next and self.next_us - self.last_us <= 2 * LOOKBACK_US
        ):
            if self.has_previous and at_us < self.last_us + LOOKBACK_US:
                yield at_us, self.was_up
            elif self.has_next and at_us >= self.next_us - LOOKBACK_US:
                yield at_us, self.next_up
            return
        change = self.change_us
        yield at_us, self.was_up if at_us < change else self.next_up
        is_beside = change <= at_us if before else at_us < change < self.next_us
        if self.was_up != self.next_up and is_beside:
            if change - 1 > self.last_us:
                yield change - 1, self.was_up
            yield change, self.next_up


@dataclass(frozen=True, slots=True)
class _Covered:
    """Time that events cover, sorted, by store; neither overlapping nor touching."""

    store: IntArray
    start_us: IntArray
    end_us: IntArray

    @classmethod
    def by(cls, stretches: EventStretches) -> "_Covered":
        store, start, end = stretches.store, stretches.start_us, stretches.end_us
        is_apart = np.ones(len(store) + 1, np.bool_)
        is_apart[1:-1] = (store[1:] != store[:-1]) | (start[1:] > end[:-1])
        return cls(store[is_apart[:-1]], start[is_apart[:-1]], end[is_apart[1:]])


def _outside(status_runs: StatusRuns, covered: _Covered) -> StatusRuns:
    """What of the status runs lies outside of the covered time."""
    if len(status_runs) == 0:
        return status_runs
    first, last = status_runs.first_poll_us, status_runs.last_poll_us
    row, start, end, is_last = _cut(status_runs.store, first, last, covered)
    kept = np.flatnonzero(np.where(is_last, start <= end, start < end))
    start, end, row = start[kept], end[kept], row[kept]
    length = last[row] - first[row]
    share = (end - start) / np.maximum(length, 1)
    polls = np.where(
        (end - start < length) & (status_runs.polls[row] > 0),
        1 + ((status_runs.polls[row] - 1) * share).astype(np.int64),
        status_runs.polls[row],
    )
    return StatusRuns(status_runs.store[row], start, end, status_runs.is_active[row], polls)


def _shares_outside(shares: Shares, covered: "_Covered") -> Shares:
    """What of the shares lies outside of the covered time."""
    row, start, end, _ = _cut(shares.store, shares.start_us, shares.end_us, covered)
    kept = np.flatnonzero(start < end)
    return replace(shares.take(row[kept]), start_us=start[kept], end_us=end[kept])


def _cut(
    store: IntArray, first: IntArray, last: IntArray, covered: "_Covered"
) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
    """The rows, starts and ends of stretches between the covers, and which end a stretch."""
    key = _Keys.of(first, last, covered.start_us, covered.end_us)
    # The first cover that ends after a stretch begins, and the last one that begins by its end.
    # Those of other stores lie outside of both.
    begin = np.searchsorted(key(covered.store, covered.end_us), key(store, first), side="right")
    until = np.searchsorted(key(covered.store, covered.start_us), key(store, last), side="right")
    covers = np.maximum(until - begin, 0)
    row = np.repeat(np.arange(len(store)), covers + 1)
    number = np.arange(len(row)) - np.repeat(np.cumsum(covers + 1) - covers - 1, covers + 1)
    cover = begin[row] + number
    is_first, is_last = number == 0, number == covers[row]
    # One more than there are, so that the place after the last one is not looked up outside.
    starts, ends = np.append(covered.start_us, 0), np.append(covered.end_us, 0)
    start = np.where(is_first, first[row], ends[cover - 1])
    end = np.where(is_last, last[row], starts[cover])
    return row, start, end, is_last


@dataclass(frozen=True, slots=True)
class _Keys:
    """Sortable numbers for pairs of store and instant; instants become ranks, so that they fit."""

    instants: IntArray

    @classmethod
    def of(cls, *instants: IntArray) -> "_Keys":
        return cls(np.unique(np.concatenate(instants)))

    def __call__(self, store: IntArray, at_us: IntArray) -> IntArray:
        keys: IntArray = store * (len(self.instants) + 1) + np.searchsorted(self.instants, at_us)
        return keys


def _markers(
    pieces: StatusRuns,
    covered: _Covered,
    *,
    policy: Policy,
    is_report: bool,
) -> StatusRuns:
    """The status by polls at both edges of each cover, and where it changes beside one."""
    around = _Around.of(pieces, covered, policy)
    start, end = covered.start_us, covered.end_us
    one_store = covered.store[1:] == covered.store[:-1]
    before = np.full(len(start), -_NEVER)
    before[1:][one_store] = end[:-1][one_store]
    has_other = np.append(False, one_store)
    earlier = np.maximum(before, np.where(around.has_previous, around.last_us, -_NEVER))
    has_earlier = has_other | around.has_previous
    after = np.full(len(start), _NEVER)
    after[:-1][one_store] = start[1:][one_store]
    later = np.minimum(after, np.where(around.has_next, around.next_us, _NEVER))

    left_known, left_up = around.status(start - 1)
    left = left_known & (earlier < start - 1)
    if not is_report:
        left &= has_earlier
    right_known, right_up = around.status(end)
    right = right_known & (later > end)

    # Where the status changes in a gap beside the cover. A gap between two covers belongs to the
    # second one, so that its change is marked once.
    change = around.change_us
    in_left = around.changes & (earlier < change) & (change < start)
    in_right = around.changes & (end < change) & (change < later) & (later != after)
    changes = in_left | in_right
    ahead = changes & (np.where(in_left, earlier, end) < change - 1)
    behind = changes & ~(in_left & (change == start - 1))
    parts = [
        (left, start - 1, left_up),
        (right, end, right_up),
        (ahead, change - 1, around.was_up),
        (behind, change, around.next_up),
    ]
    store = np.concatenate([covered.store[which] for which, _, _ in parts])
    at = np.concatenate([at[which] for which, at, _ in parts])
    return StatusRuns(
        store,
        at,
        at,
        np.concatenate([is_up[which] for which, _, is_up in parts]),
        np.zeros(len(at), np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Around:
    """The pieces of status runs before and after each cover; every array has shape `(n,)`.

    `changes` says that the status by polls alone changes between them, at `change_us`.
    """

    has_previous: BoolArray
    last_us: IntArray
    was_up: BoolArray
    has_next: BoolArray
    next_us: IntArray
    next_up: BoolArray
    is_joined: BoolArray
    change_us: IntArray

    @classmethod
    def of(cls, pieces: StatusRuns, covered: _Covered, policy: Policy) -> "_Around":
        count = len(covered.store)
        if len(pieces) == 0:
            none, no = np.zeros(count, np.int64), np.zeros(count, np.bool_)
            return cls(no, none, no, no, none, no, no, none)
        key = _Keys.of(pieces.first_poll_us, covered.start_us)
        following = np.searchsorted(
            key(pieces.store, pieces.first_poll_us), key(covered.store, covered.start_us)
        )
        previous, following = following - 1, np.minimum(following, len(pieces) - 1)
        has_next = pieces.store[following] == covered.store
        has_next &= pieces.first_poll_us[following] >= covered.start_us
        has_previous = (previous >= 0) & (pieces.store[previous] == covered.store)
        last, next_us = pieces.last_poll_us[previous], pieces.first_poll_us[following]
        return cls(
            has_previous,
            last,
            pieces.is_active[previous],
            has_next,
            next_us,
            pieces.is_active[following],
            has_previous & has_next & (next_us - last <= 2 * LOOKBACK_US),
            next_us if policy is Policy.PREVIOUS else (last + next_us + 1) // 2,
        )

    @property
    def changes(self) -> BoolArray:
        which: BoolArray = self.is_joined & (self.was_up != self.next_up)
        return which

    def status(self, at_us: IntArray) -> tuple[BoolArray, BoolArray]:
        """Whether polls know the status at an instant beside each cover, and whether it is up."""
        is_of_next = self.has_next & (at_us >= self.next_us - LOOKBACK_US)
        is_of_previous = self.has_previous & (at_us < self.last_us + LOOKBACK_US)
        is_up = np.where(is_of_previous, self.was_up, self.next_up)
        is_up = np.where(
            self.is_joined, np.where(at_us < self.change_us, self.was_up, self.next_up), is_up
        )
        return self.is_joined | is_of_previous | is_of_next, is_up
