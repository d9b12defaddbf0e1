"""Stretches of time that events cover: which event holds when several overlap.

How they change what polls say belongs to `evidence`.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np

from storemon_pipeline.domain.windows import BoolArray, IntArray

OPEN_EVENT: Final = 2**62
"""Stands for the end of an event that has none."""


@dataclass(frozen=True, slots=True)
class EventStretches:
    """Stretches `[start_us, end_us)` of known status, without overlaps; arrays of shape `(n,)`.

    Sorted by store and time. `event` identifies the event that holds. That of a correction is
    negative, and events and corrections may overlap.
    """

    store: IntArray
    start_us: IntArray
    end_us: IntArray
    is_up: BoolArray
    event: IntArray

    def __len__(self) -> int:
        return len(self.store)

    def take(self, which: IntArray | BoolArray) -> Self:
        """The stretches at these positions, or of this mask."""
        return type(self)(
            self.store[which],
            self.start_us[which],
            self.end_us[which],
            self.is_up[which],
            self.event[which],
        )

    @property
    def is_correction(self) -> BoolArray:
        """Which stretches are corrections."""
        which: BoolArray = self.event < 0
        return which

    def merge(self, others: Self) -> Self:
        """These stretches and others, sorted by store and time."""
        both = type(self)(
            np.concatenate([self.store, others.store]),
            np.concatenate([self.start_us, others.start_us]),
            np.concatenate([self.end_us, others.end_us]),
            np.concatenate([self.is_up, others.is_up]),
            np.concatenate([self.event, others.event]),
        )
        return both.take(np.lexsort((both.start_us, both.store)))

    def clip(self, start_us: int, end_us: int) -> Self:
        """What lies within `[start_us, end_us)`."""
        start = np.maximum(self.start_us, start_us)
        end = np.minimum(self.end_us, end_us)
        clipped = type(self)(self.store, start, end, self.is_up, self.event)
        return clipped if (start < end).all() else clipped.take(start < end)

    def of_stores(self, first: int, end: int) -> Self:
        """The stretches of the stores `[first, end)`, which are numbered from 0 afterwards."""
        own = np.arange(*np.searchsorted(self.store, [first, end]).tolist())
        part = self.take(own)
        return type(self)(part.store - first, part.start_us, part.end_us, part.is_up, part.event)


def no_stretches() -> EventStretches:
    """The stretches of stores without events."""
    none, no = np.empty(0, np.int64), np.empty(0, np.bool_)
    return EventStretches(none, none, none, no, none)


def resolve_events(
    store: IntArray,
    start_us: IntArray,
    end_us: IntArray,
    is_up: BoolArray,
    event: IntArray,
    source: IntArray,
) -> EventStretches:
    """Resolve overlaps of events, given in the order in which they were told.

    The end of an open event is `OPEN_EVENT`: it lasts until the next event of the same store and
    source begins. Where events overlap, the one that began last holds; of two that began together,
    the one that was told last.

    >>> hour = 3_600_000_000
    >>> stretches = resolve_events(
    ...     np.array([0, 0]), hour * np.array([1, 3]), hour * np.array([9, 4]),
    ...     np.array([False, True]), np.array([7, 8]), np.array([0, 1]),
    ... )
    >>> (stretches.start_us // hour).tolist(), stretches.event.tolist()
    ([1, 3, 4], [7, 8, 7])
    """
    told = np.arange(len(store))
    by_source = np.lexsort((told, start_us, source, store))
    end = end_us.copy()
    has_next = (store[by_source[1:]] == store[by_source[:-1]]) & (
        source[by_source[1:]] == source[by_source[:-1]]
    )
    followed, following = by_source[:-1][has_next], by_source[1:][has_next]
    is_open = end[followed] == OPEN_EVENT
    end[followed[is_open]] = start_us[following[is_open]]

    order = np.lexsort((told, start_us, store))
    order = order[start_us[order] < end[order]]
    events = EventStretches(store[order], start_us[order], end[order], is_up[order], event[order])
    overlaps = (events.store[1:] == events.store[:-1]) & (events.start_us[1:] < events.end_us[:-1])
    if not overlaps.any():
        return events
    is_plain = ~np.isin(events.store, np.unique(events.store[1:][overlaps]))
    return events.take(is_plain).merge(_without_overlaps(events.take(~is_plain)))


def with_corrections(events: EventStretches, corrections: EventStretches) -> EventStretches:
    """Both together, sorted. A correction may overlap events: `add_events` lets it hold."""
    return events if len(corrections) == 0 else events.merge(corrections)


def what_holds(stretches: EventStretches) -> EventStretches:
    """The corrections, and what of the events lies outside of them: without overlaps.

    >>> hour = 3_600_000_000
    >>> event, correction = (
    ...     EventStretches(*(np.array([value]) for value in values))
    ...     for values in ((0, hour, 9 * hour, False, 7), (0, 3 * hour, 4 * hour, True, -1))
    ... )
    >>> stretches = what_holds(with_corrections(event, correction))
    >>> (stretches.start_us // hour).tolist(), stretches.event.tolist()
    ([1, 3, 4], [7, -1, 7])
    """
    corrections = stretches.take(stretches.is_correction)
    if len(corrections) == 0:
        return stretches
    return outside(stretches.take(~stretches.is_correction), corrections).merge(corrections)


def with_single_events(stretches: EventStretches, of_fronts: EventStretches) -> EventStretches:
    """The stretches of stores and, where these have none, those of their only storefronts."""
    return stretches.merge(outside(what_holds(of_fronts), what_holds(stretches)))


def outside(stretches: EventStretches, others: EventStretches) -> EventStretches:
    """What of some stretches lies outside of others, which do not overlap."""
    pieces: list[tuple[int, int, int]] = []
    starts, ends = others.start_us.tolist(), others.end_us.tolist()
    first = np.searchsorted(others.store, stretches.store).tolist()
    last = np.searchsorted(others.store, stretches.store, side="right").tolist()
    for row in range(len(stretches)):
        begin, finish = int(stretches.start_us[row]), int(stretches.end_us[row])
        for other in range(first[row], last[row]):
            pieces.append((begin, min(finish, starts[other]), row))
            begin = max(begin, ends[other])
        pieces.append((begin, finish, row))
    start, end, rows = np.array(pieces, np.int64).reshape(-1, 3).T
    left = EventStretches(
        stretches.store[rows], start, end, stretches.is_up[rows], stretches.event[rows]
    )
    return left.take(start < end)


def _without_overlaps(events: EventStretches) -> EventStretches:
    """As `events`, which are sorted by store and start: the one that began last holds."""
    starts, ends = events.start_us.tolist(), events.end_us.tolist()
    pieces: list[tuple[int, int, int]] = []
    borders = np.flatnonzero(np.diff(events.store, prepend=-1, append=-1)).tolist()
    for first, last in pairwise(borders):
        # The events that have begun and not ended, the one that holds on top.
        begun: list[int] = []
        at = 0
        for row in range(first, last + 1):
            until = starts[row] if row < last else OPEN_EVENT
            while begun:
                held = min(ends[begun[-1]], until)
                if at < held:
                    pieces.append((at, held, begun[-1]))
                    at = held
                if ends[begun[-1]] > until:
                    break
                begun.pop()
            at = until
            begun.append(row)
    start, end, rows = np.array(pieces, np.int64).reshape(-1, 3).T
    return EventStretches(events.store[rows], start, end, events.is_up[rows], events.event[rows])
