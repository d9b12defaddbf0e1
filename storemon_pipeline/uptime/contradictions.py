"""Listed hours that the polls contradict: wrong hours, and whole patterns shifted by a wrong zone.

Only stores whose polls follow a rhythm can contradict anything: one that is active around the
clock, or never, says nothing about its hours. What is certain inside status runs is looked at.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.interval_sets import IntervalSet
from storemon_pipeline.domain.windows import HOUR_US, BoolArray, IntArray
from storemon_pipeline.uptime.status_runs import StatusRuns

FloatArray = npt.NDArray[np.float64]

_STEP_US: Final = HOUR_US // 2
_SHIFTS: Final = range(-28, 29)
"""Shifts of the clock that are tried, in half hours: up to 14 hours either way."""

_GAIN: Final = 0.015
"""So much more of the time must agree with a shifted clock than with the listed one."""
_AGREEMENT: Final = 0.8
"""So much of the time agrees with the shifted clock of a store that keeps its hours."""
_EDGE_HOURS: Final = 5
_SURE: Final = 0.9
_MOSTLY: Final = 0.7
_RARELY: Final = 0.3
_EVIDENCE_US: Final = 2 * HOUR_US
"""So much certain time in an hour next to opening or closing, on all days together."""


class Contradiction(StrEnum):
    """How polls contradict listed hours."""

    SHIFTED = "shifted"
    OPENS_LATER = "opens later"
    CLOSES_EARLIER = "closes earlier"
    OPENS_EARLIER = "opens earlier"
    CLOSES_LATER = "closes later"


@dataclass(frozen=True, slots=True)
class Contradictions:
    """Findings, at most one per store, ascending; the arrays have shape `(n,)`.

    `by_us` is how far the clock is shifted (positive: what is listed comes too early), or by how
    much opening or closing differ.
    """

    store: IntArray
    kind: list[Contradiction]
    by_us: IntArray


def find_contradictions(
    status_runs: StatusRuns, calendar: Calendar, has_hours: BoolArray
) -> Contradictions:
    """What the runs of some weeks contradict of a calendar over the same time.

    `has_hours`, shape `(stores,)`, tells which stores have listed hours at all.
    """
    seen = _Seen.of(status_runs, calendar, has_hours)
    openings = _openings(calendar, seen.has_rhythm)
    shift_us = _shifts(seen, *openings)
    found: dict[int, tuple[Contradiction, int]] = {}
    for kind, hours in _edges(seen, *openings).items():
        for store in np.flatnonzero(hours).tolist():
            best = found.get(store)
            if best is None or best[1] < hours[store] * HOUR_US:
                found[store] = kind, int(hours[store]) * HOUR_US
    for store in np.flatnonzero(shift_us).tolist():
        found[store] = Contradiction.SHIFTED, int(shift_us[store])
    stores = sorted(found)
    return Contradictions(
        np.array(stores, np.int64),
        [found[store][0] for store in stores],
        np.array([found[store][1] for store in stores], np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """Certain time on one axis on which all stores lie one after the other.

    `has_rhythm`, shape `(stores,)`, tells which stores have hours to contradict and were certainly
    active for some time and inactive for some; of others nothing is kept.
    """

    stores: int
    start_us: int
    length_us: int
    active: IntervalSet
    inactive: IntervalSet
    has_rhythm: BoolArray

    @classmethod
    def of(cls, status_runs: StatusRuns, calendar: Calendar, has_hours: BoolArray) -> "_Seen":
        start = np.maximum(status_runs.first_poll_us, calendar.start_us)
        end = np.minimum(status_runs.last_poll_us, calendar.end_us)
        is_real = start < end
        has_rhythm = has_hours.copy()
        for is_active in (True, False):
            some = status_runs.store[is_real & (status_runs.is_active == is_active)]
            has_rhythm &= np.bincount(some, minlength=calendar.stores) > 0
        is_real &= has_rhythm[status_runs.store]
        length = calendar.end_us - calendar.start_us + 1
        key = status_runs.store * length + (start - calendar.start_us)

        def intervals(which: BoolArray) -> IntervalSet:
            return IntervalSet.of(key[which], (end - start)[which])

        return cls(
            calendar.stores,
            calendar.start_us,
            length,
            intervals(is_real & status_runs.is_active),
            intervals(is_real & ~status_runs.is_active),
            has_rhythm,
        )

    def within(
        self, store: IntArray, start_us: IntArray, end_us: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Certain active and inactive time in each `[start_us, end_us)`, cut to the calendar."""
        origin = store * self.length_us - self.start_us
        low = origin + np.clip(start_us, self.start_us, self.start_us + self.length_us - 1)
        high = origin + np.clip(end_us, self.start_us, self.start_us + self.length_us - 1)
        return (
            self.active.before(high) - self.active.before(low),
            self.inactive.before(high) - self.inactive.before(low),
        )


def _openings(calendar: Calendar, which: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Store, start and end of the open intervals of some stores, whole inside the calendar."""
    store, start, end = calendar.all_open_intervals()
    whole = (start > calendar.start_us) & (end < calendar.end_us) & which[store]
    return store[whole], start[whole], end[whole]


def _shifts(seen: _Seen, store: IntArray, start: IntArray, end: IntArray) -> IntArray:
    """By how much each store's listed clock seems to be wrong, shape `(stores,)`; 0: not at all."""
    every = np.arange(seen.stores)
    begin = np.full(seen.stores, seen.start_us)
    active, inactive = seen.within(every, begin, begin + seen.length_us)
    total = np.maximum(active + inactive, 1)

    def agreement(shift_us: int) -> FloatArray:
        up, down = seen.within(store, start + shift_us, end + shift_us)
        agrees = np.bincount(store, up - down, minlength=seen.stores)
        shares: FloatArray = (agrees + inactive) / total
        return shares

    plain = agreement(0)
    best, best_at = plain.copy(), np.zeros(seen.stores, np.int64)
    for number in sorted(_SHIFTS, key=abs):
        if number == 0:
            continue
        other = agreement(number * _STEP_US)
        is_better = other > best + 1e-9
        best[is_better] = other[is_better]
        best_at[is_better] = number * _STEP_US
    is_shifted = (best >= _AGREEMENT) & (best - plain >= _GAIN) & (np.abs(best_at) >= HOUR_US)
    # A pattern that is only cut short or prolonged on one side is not a shifted one.
    both_sides = _moved_at_both_ends(seen, store, start, end, best_at)
    return np.where(is_shifted & both_sides, best_at, 0)


def _moved_at_both_ends(
    seen: _Seen, store: IntArray, start: IntArray, end: IntArray, shift_us: IntArray
) -> BoolArray:
    """Whether what a shift adds to the open time is active, and what it takes away is not."""
    by = shift_us[store]
    later = by > 0
    added = seen.within(store, np.where(later, end, start + by), np.where(later, end + by, start))
    taken = seen.within(store, np.where(later, start, end + by), np.where(later, start + by, end))
    return (_share(store, seen.stores, *added) > _MOSTLY) & (
        _share(store, seen.stores, *taken) < _RARELY
    )


def _share(store: IntArray, stores: int, active: IntArray, inactive: IntArray) -> FloatArray:
    """The active share of certain time, by store; a half where there is none."""
    up = np.bincount(store, active, minlength=stores)
    down = np.bincount(store, inactive, minlength=stores)
    return np.where(up + down > 0, up / np.maximum(up + down, 1), 0.5)


def _edges(
    seen: _Seen, store: IntArray, start: IntArray, end: IntArray
) -> dict[Contradiction, IntArray]:
    """By how many whole hours opening or closing differ from what is listed, shape `(stores,)`."""
    stores = seen.stores
    middle = _share(store, stores, *seen.within(store, start, end)) > 1 - _MOSTLY
    # Far from any open hour a store that keeps hours is inactive.
    next_start = np.append(start[1:], 0)[: len(start)]
    has_next = np.append(store[1:] == store[:-1], False)[: len(start)]
    closed_from, closed_to = end[has_next], next_start[has_next]
    quarter = (closed_to - closed_from) // 4
    night = seen.within(store[has_next], closed_from + quarter, closed_to - quarter)
    quiet = _share(store[has_next], stores, *night) < _RARELY

    def hours_from_edge(edge: IntArray, step_us: int, *, is_active: bool) -> IntArray:
        """For how many hours from an edge the store surely is or is not active."""
        going, hours = np.ones(stores, np.bool_), np.zeros(stores, np.int64)
        for number in range(_EDGE_HOURS):
            near, far = edge + number * step_us, edge + (number + 1) * step_us
            active, inactive = seen.within(store, np.minimum(near, far), np.maximum(near, far))
            up = np.bincount(store, active, minlength=stores)
            down = np.bincount(store, inactive, minlength=stores)
            wanted = up if is_active else down
            going &= (up + down >= _EVIDENCE_US) & (wanted >= _SURE * (up + down))
            hours += going
        return hours

    def usable(hours: IntArray, allowed: BoolArray) -> IntArray:
        # All hours alike: there is no edge to be seen.
        return np.where(allowed & (hours < _EDGE_HOURS), hours, 0)

    return {
        Contradiction.OPENS_LATER: usable(hours_from_edge(start, HOUR_US, is_active=False), middle),
        Contradiction.CLOSES_EARLIER: usable(
            hours_from_edge(end, -HOUR_US, is_active=False), middle
        ),
        Contradiction.OPENS_EARLIER: usable(
            hours_from_edge(start, -HOUR_US, is_active=True), middle & quiet
        ),
        Contradiction.CLOSES_LATER: usable(
            hours_from_edge(end, HOUR_US, is_active=True), middle & quiet
        ),
    }
