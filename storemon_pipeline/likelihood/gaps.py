"""Stretches of time between status runs, where the polls leave the status open.

What happened in them is `model`'s and `ranges`' question; here they are only told apart.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.uptime.status_runs import Runs


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
    UP_RUN = 7
    DOWN_RUN = 8


@dataclass(frozen=True, slots=True)
class Gaps:
    """The stretches outside of runs; every array has shape `(n,)`, sorted by store and time.

    Of every store with a run: one before each of its runs, the first from `begin_us` on, and one
    after its last run, up to `end_us`. `is_down_first` says of a change that its down poll is the
    earlier one.
    """

    store: IntArray
    low_us: IntArray
    high_us: IntArray
    kind: IntArray
    is_down_first: BoolArray


def first_runs(runs: Runs) -> IntArray:
    """The position of every store's first run."""
    is_first = np.ones(len(runs), np.bool_)
    is_first[1:] = runs.store[1:] != runs.store[:-1]
    return np.flatnonzero(is_first)


def find_gaps(runs: Runs, *, begin_us: int, end_us: int) -> Gaps:
    """The gaps of runs in `[begin_us, end_us]`, sorted by store and time, one at least.

    >>> runs = Runs(
    ...     np.array([0, 0]), np.array([10, 50]), np.array([30, 50]), np.array([True, False]),
    ...     np.array([3, 1]),
    ... )
    >>> gaps = find_gaps(runs, begin_us=0, end_us=70)
    >>> gaps.low_us.tolist(), gaps.high_us.tolist(), [Kind(kind).name for kind in gaps.kind]
    ([0, 30, 50], [10, 50, 70], ['UP_OPEN', 'CHANGE_SINGLE', 'DOWN_OPEN_SINGLE'])
    """
    first = first_runs(runs)
    last = np.append(first[1:], len(runs)) - 1
    count = len(runs) + len(first)
    # The gap before a run stands one place later for each store before its own.
    place = np.ones(count, np.bool_)
    tail = last + 1 + np.arange(len(first))
    place[tail] = False
    before = np.flatnonzero(place)

    store = np.empty(count, np.int64)
    low = np.empty(count, np.int64)
    high = np.empty(count, np.int64)
    store[before], store[tail] = runs.store, runs.store[last]
    high[before], high[tail] = runs.first_poll_us, end_us
    low[tail] = runs.last_poll_us[last]
    low[before[1:]] = runs.last_poll_us[:-1]
    low[before[first]] = begin_us
    np.clip(low, begin_us, end_us, out=low)
    np.clip(high, low, end_us, out=high)

    # Of each run the code of its side: up, one down poll, several down polls.
    side = np.where(runs.is_active, 0, np.where(runs.polls > 1, 2, 1))
    of_side = _OPEN[side]
    kind = np.empty(count, np.int64)
    kind[tail] = of_side[last]
    earlier = np.append(0, side[:-1])
    kind[before] = _BETWEEN[earlier * 3 + side]
    kind[before[first]] = of_side[first]
    is_down_first = np.zeros(count, np.bool_)
    is_down_first[before] = earlier > 0
    return Gaps(store, low, high, kind, is_down_first)


_OPEN = np.array([Kind.UP_OPEN, Kind.DOWN_OPEN_SINGLE, Kind.DOWN_OPEN])
_BETWEEN = np.array(
    [
        *(Kind.UP_UP, Kind.CHANGE_SINGLE, Kind.CHANGE),
        *(Kind.CHANGE_SINGLE, Kind.DOWN_DOWN, Kind.DOWN_DOWN),
        *(Kind.CHANGE, Kind.DOWN_DOWN, Kind.DOWN_DOWN),
    ]
)
