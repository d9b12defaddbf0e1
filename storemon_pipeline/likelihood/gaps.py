"""Stretches of time between status runs, where the polls leave the status open.

`model` and `ranges` estimate what happened in them; this module only classifies them.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from storemon_pipeline.domain.windows import BoolArray, IntArray
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
    first = first_status_runs(status_runs)
    rows = np.diff(first, append=len(status_runs))
    count = len(status_runs) + len(first)
    # A store has one gap more than it has status runs.
    before = np.arange(len(status_runs)) + np.repeat(np.arange(len(first)), rows)
    after = before + 1
    low = np.full(count, begin_us)
    low[after] = status_runs.last_poll_us
    high = np.full(count, end_us)
    high[before] = status_runs.first_poll_us
    # A status run may reach over the beginning or the end: nothing is open there then.
    np.maximum(high, low, out=high)
    # 0 is up; 1 and 2 are down with one poll and with several.
    side = (status_runs.polls > 1).view(np.int8) + np.int8(1)
    side *= (~status_runs.is_active).view(np.int8)
    ends = np.full(count, 4 * _NO_RUN, np.int8)
    ends[after] = side << 2
    of_later = np.full(count, _NO_RUN, np.int8)
    of_later[before] = side
    ends += of_later
    return Gaps(np.repeat(status_runs.store[first], rows + 1), low, high, ends)


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
