"""Listed hours that the polls contradict: wrong hours, or a whole week shifted by a wrong zone.

Only stores that are active at some times and inactive at others can contradict their hours. Only
certain time, inside status runs, is counted.
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
"""The clock shifts to try, in half hours: up to 14 hours either way."""

_GAIN: Final = 0.015
"""By how much the shifted clock must agree better than the listed one, as a share of the time."""
_AGREEMENT: Final = 0.8
"""The share of the time that must agree with the shifted clock."""
_EDGE_HOURS: Final = 5
_SURE: Final = 0.9
_MOSTLY: Final = 0.7
_RARELY: Final = 0.3
_EVIDENCE_US: Final = 2 * HOUR_US
"""Certain time required in an hour next to opening or closing, over all days."""


class Contradiction(StrEnum):
    """The ways in which polls can contradict listed hours."""

    SHIFTED = "shifted"
    OPENS_LATER = "opens later"
    CLOSES_EARLIER = "closes earlier"
    OPENS_EARLIER = "opens earlier"
    CLOSES_LATER = "closes later"


@dataclass(frozen=True, slots=True)
class Contradictions:
    """At most one finding per store, ascending by store; the arrays have shape `(n,)`.

    `by_us` is the shift of the clock (positive: the listed hours are too early), or the difference
    at opening or closing.
    """

    store: IntArray
    kind: list[Contradiction]
    by_us: IntArray


def find_contradictions(
    status_runs: StatusRuns, calendar: Calendar, has_hours: BoolArray
) -> Contradictions:
    """Find where status runs contradict the calendar of the same period, some weeks long.

    `has_hours`, shape `(stores,)`, marks the stores with listed hours.
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
    """Certain active and inactive time, with all stores one after the other on one axis.

    `has_rhythm`, shape `(stores,)`, marks the stores that have listed hours and were certainly
    active at some times and inactive at others. Other stores are left out.
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
            stores = status_runs.store[is_real & (status_runs.is_active == is_active)]
            has_rhythm &= np.bincount(stores, minlength=calendar.stores) > 0
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
        """Certain active and inactive time in each `[start_us, end_us)` of the calendar."""
        origin = store * self.length_us - self.start_us
        low = origin + np.clip(start_us, self.start_us, self.start_us + self.length_us - 1)
        high = origin + np.clip(end_us, self.start_us, self.start_us + self.length_us - 1)
        return (
            self.active.before(high) - self.active.before(low),
            self.inactive.before(high) - self.inactive.before(low),
        )


def _openings(calendar: Calendar, which: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Store, start and end of open intervals of these stores that lie within the calendar."""
    store, start, end = calendar.all_open_intervals()
    whole = (start > calendar.start_us) & (end < calendar.end_us) & which[store]
    return store[whole], start[whole], end[whole]


def _shifts(seen: _Seen, store: IntArray, start: IntArray, end: IntArray) -> IntArray:
    """The estimated error of each store's clock, shape `(stores,)`; 0 for none."""
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
    # A week that is only shorter or longer at one end is not shifted.
    both_sides = _moved_at_both_ends(seen, store, start, end, best_at)
    return np.where(is_shifted & both_sides, best_at, 0)


def _moved_at_both_ends(
    seen: _Seen, store: IntArray, start: IntArray, end: IntArray, shift_us: IntArray
) -> BoolArray:
    """Whether the time that a shift adds is active and the time that it removes is not."""
    by = shift_us[store]
    later = by > 0
    added = seen.within(store, np.where(later, end, start + by), np.where(later, end + by, start))
    removed = seen.within(store, np.where(later, start, end + by), np.where(later, start + by, end))
    return (_share(store, seen.stores, *added) > _MOSTLY) & (
        _share(store, seen.stores, *removed) < _RARELY
    )


def _share(store: IntArray, stores: int, active: IntArray, inactive: IntArray) -> FloatArray:
    """The active share of certain time per store; 0.5 without certain time."""
    up = np.bincount(store, active, minlength=stores)
    down = np.bincount(store, inactive, minlength=stores)
    return np.where(up + down > 0, up / np.maximum(up + down, 1), 0.5)


def _edges(
    seen: _Seen, store: IntArray, start: IntArray, end: IntArray
) -> dict[Contradiction, IntArray]:
    """The difference at opening or closing in whole hours, shape `(stores,)`."""
    stores = seen.stores
    middle = _share(store, stores, *seen.within(store, start, end)) > 1 - _MOSTLY
    # A store that keeps hours is inactive in the middle half of each closed interval.
    next_start = np.append(start[1:], 0)[: len(start)]
    has_next = np.append(store[1:] == store[:-1], False)[: len(start)]
    closed_from, closed_to = end[has_next], next_start[has_next]
    quarter = (closed_to - closed_from) // 4
    night = seen.within(store[has_next], closed_from + quarter, closed_to - quarter)
    quiet = _share(store[has_next], stores, *night) < _RARELY

    def hours_from_edge(edge: IntArray, step_us: int, *, is_active: bool) -> IntArray:
        """The number of hours from an edge in which the store is surely active (or inactive)."""
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
        # All hours are alike: there is no edge.
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
