"""IntervalSet along an axis that begins at 0, and how much of them lies before a point of it.

The axis may be time, or time of one kind alone (business time): this module does not know.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from storemon_pipeline.domain.windows import IntArray


@dataclass(frozen=True, slots=True)
class IntervalSet:
    """IntervalSet `[start, start + length)` that ascend and do not overlap; shape `(n + 1,)`.

    The first one is empty and lies at 0, before all others. Of what is asked of a point, the last
    stretch that began at or before it decides: `point + shift` lies before a point inside of it,
    and `until` before one that is behind it.
    """

    start: IntArray
    shift: IntArray
    until: IntArray

    @classmethod
    def of(cls, start: IntArray, length: IntArray) -> Self:
        """The stretches that begin at `start`, ascending, shape `(n,)`; a length may be 0."""
        starts = np.append(0, start)
        lengths = np.append(0, length)
        until = np.cumsum(lengths)
        return cls(starts, until - lengths - starts, until)

    @property
    def length(self) -> IntArray:
        """How long each stretch is."""
        return self.until - self.shift - self.start

    def between(self, low: int, high: int) -> Self:
        """The stretches that count for points in `[low, high)`, without copies."""
        first, end = np.searchsorted(self.start, [low, high])
        # The one before them stands for all that lies before.
        own = slice(max(first - 1, 0), end)
        return type(self)(self.start[own], self.shift[own], self.until[own])

    def before(self, point: IntArray) -> IntArray:
        """How much of the stretches lies before each point; any shape.

        >>> some = IntervalSet.of(np.array([10, 20]), np.array([5, 1]))
        >>> some.before(np.array([0, 10, 12, 19, 30])).tolist()
        [0, 0, 2, 5, 6]
        """
        flat = point.ravel()
        if len(flat) > len(self.start) and (flat[1:] >= flat[:-1]).all():
            return self.before_ascending(flat).reshape(point.shape)
        # The stretch that began last; of equal starts the last.
        at = np.searchsorted(self.start, point, side="right") - 1
        amount: IntArray = np.minimum(point + self.shift[at], self.until[at])
        return amount

    def before_ascending(self, point: IntArray) -> IntArray:
        """As `before`, of points that ascend, shape `(n,)`: much faster when they are many."""
        # The stretches, which are fewer, are looked up among the points.
        count = np.diff(np.searchsorted(point, self.start), append=len(point))
        amount: IntArray = np.repeat(self.shift, count)
        amount += point
        np.minimum(amount, np.repeat(self.until, count), out=amount)
        return amount
