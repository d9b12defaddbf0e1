"""Stretches of time between status runs, where the polls leave the status open.

`model` and `ranges` estimate what happened in them; this module only classifies them.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.uptime.figures import Positions
from storemon_pipeline.uptime.status_runs import StatusRuns


class Kind(IntEnum):
    """What lies at the ends of a stretch; the values number the rows of a model's tables.

    A change with a single poll of the down side may be a short outage; one with several is long.
    An open stretch has a poll at one end only.
    """

    CHANGE_SINGLE = 0
    CHANGE = 1
    UP_UP = 2
    DOWN_DOWN = 3
    UP_OPEN = 4
    DOWN_OPEN_SINGLE = 5
    DOWN_OPEN = 6
    UP_STATUS_RUN = 7
    DOWN_STATUS_RUN = 8


@dataclass(frozen=True, slots=True)
class Gaps:
    """The stretches outside of status runs; every array has shape `(n,)`, sorted by store and time.

    Of every store with a status run: one before each of its status runs, the first from the
    period's beginning on, and one after its last status run, up to the period's end. Gaps between
    status runs are whole, even where they lie outside of the period. `ends` is four times the side
    of the earlier status run and that of the later one: 0 is up, 1 one down poll, 2 several, 3 no
    status run.
    """

    store: IntArray
    low_us: IntArray
    high_us: IntArray
    ends: npt.NDArray[np.int8]

    def take(self, which: IntArray | slice) -> Self:
        """The gaps at these positions; a slice copies nothing."""
        return type(self)(
            self.store[which], self.low_us[which], self.high_us[which], self.ends[which]
        )

    @property
    def kind(self) -> IntArray:
        """The `Kind` of each gap."""
        return _KIND[self.ends]

    @property
    def is_down_first(self) -> BoolArray:
        """Of a change: whether the down poll is the earlier one."""
        return self.ends >= _NEITHER_UP


def first_status_runs(status_runs: StatusRuns) -> IntArray:
    """The position of every store's first status run."""
    is_first = np.ones(len(status_runs), np.bool_)
    is_first[1:] = status_runs.store[1:] != status_runs.store[:-1]
    return np.flatnonzero(is_first)


def find_gaps(status_runs: StatusRuns, *, begin_us: int, end_us: int) -> Gaps:
    """The gaps of status runs, with those from `begin_us` on and up to `end_us`.

    >>> status_runs = StatusRuns(
    ...     np.array([0, 0]), np.array([10, 50]), np.array([30, 50]), np.array([True, False]),
    ...     np.array([3, 1]),
    ... )
    >>> gaps = find_gaps(status_runs, begin_us=0, end_us=70)
    >>> gaps.low_us.tolist(), gaps.high_us.tolist(), [Kind(kind).name for kind in gaps.kind]
    ([0, 30, 50], [10, 50, 70], ['UP_OPEN', 'CHANGE_SINGLE', 'DOWN_OPEN_SINGLE'])
    """
    places = _Places.of(status_runs)
    every = np.arange(len(places.later))
    return places.gaps(status_runs, every, begin_us=begin_us, end_us=end_us)


def find_open_gaps(
    status_runs: StatusRuns, positions: Positions, *, begin_us: int, end_us: int
) -> tuple[Gaps, IntArray, IntArray]:
    """The gaps that hold business time, and where it begins and ends on the calendar's axis.

    `positions` are those of the status runs.
    """
    places = _Places.of(status_runs)
    low = np.empty(len(places.later), np.int64)
    high = np.empty_like(low)
    low[places.before + 1] = positions.last
    high[places.before] = positions.first
    low[0] = positions.begin[0]
    low[places.last[:-1] + 1] = positions.begin[1:]
    high[places.last] = positions.end
    is_open = np.flatnonzero(high > low)
    gaps = places.gaps(status_runs, is_open, begin_us=begin_us, end_us=end_us)
    return gaps, low[is_open], high[is_open]


@dataclass(frozen=True, slots=True)
class _Places:
    """Places of gaps among all gaps: a store has one more of them than it has status runs.

    `before` is the place of the gap before each status run, `last` that of each store's last gap.
    `later` is the row of the status run after each gap, or of the next store's first one.
    """

    before: IntArray
    last: IntArray
    later: IntArray

    @classmethod
    def of(cls, status_runs: StatusRuns) -> Self:
        rows = np.arange(len(status_runs))
        following = np.append(first_status_runs(status_runs), len(rows))[1:]
        last = following + np.arange(len(following))
        later = np.empty(len(rows) + len(last), np.int64)
        is_before = np.ones(len(later), np.bool_)
        is_before[last] = False
        before = np.flatnonzero(is_before)
        later[before] = rows
        later[last] = following
        return cls(before, last, later)

    def gaps(self, status_runs: StatusRuns, which: IntArray, *, begin_us: int, end_us: int) -> Gaps:
        """The gaps at these places."""
        later = self.later[which]
        earlier = later - 1
        is_edge = np.zeros(len(self.later), np.bool_)
        is_edge[self.last] = True
        is_last = np.flatnonzero(is_edge[which])
        # The first gap of a store follows the last one of the store before.
        is_first = np.flatnonzero(is_edge[which - 1])
        later[is_last] -= 1
        low = status_runs.last_poll_us[earlier]
        low[is_first] = begin_us
        high = status_runs.first_poll_us[later]
        high[is_last] = end_us
        # A status run may reach over the beginning or the end: nothing is open there then.
        np.maximum(high, low, out=high)
        # 0 is up; 1 and 2 are down with one poll and with several.
        side = (status_runs.polls > 1).view(np.int8) + np.int8(1)
        side *= (~status_runs.is_active).view(np.int8)
        ends = side[earlier]
        ends[is_first] = _NO_RUN
        ends <<= 2
        of_later = side[later]
        of_later[is_last] = _NO_RUN
        ends += of_later
        return Gaps(status_runs.store[later], low, high, ends)


_NEITHER_UP: Final = 4
_NO_RUN: Final = 3
_KIND: Final = np.array(
    [
        *(Kind.UP_UP, Kind.CHANGE_SINGLE, Kind.CHANGE, Kind.UP_OPEN),
        *(Kind.CHANGE_SINGLE, Kind.DOWN_DOWN, Kind.DOWN_DOWN, Kind.DOWN_OPEN_SINGLE),
        *(Kind.CHANGE, Kind.DOWN_DOWN, Kind.DOWN_DOWN, Kind.DOWN_OPEN),
        *(Kind.UP_OPEN, Kind.DOWN_OPEN_SINGLE, Kind.DOWN_OPEN, Kind.UP_OPEN),
    ]
)
