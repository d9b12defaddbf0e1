"""Sets of disjoint intervals on an axis that begins at 0, and the length covered before a point.

The axis may be time or business time.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from storemon_pipeline.domain.windows import IntArray


@dataclass(frozen=True, slots=True)
class IntervalSet:
    """Ascending, disjoint intervals `[start, start + length)`; every array has shape `(n + 1,)`.

    The first interval is empty and at 0. For a point, the last interval that starts at or before it
    decides: the length covered is `point + shift` inside the interval, and `until` after its end.
    """

    start: IntArray
    shift: IntArray
    until: IntArray

    @classmethod
    def of(cls, start: IntArray, length: IntArray) -> Self:
        """Intervals with ascending `start`, shape `(n,)`; a length may be 0."""
        starts = np.append(0, start)
        lengths = np.append(0, length)
        until = np.cumsum(lengths)
        return cls(starts, until - lengths - starts, until)

    @property
    def length(self) -> IntArray:
        """The length of each interval."""
        return self.until - self.shift - self.start

    def between(self, low: int, high: int) -> Self:
        """The intervals needed for points in `[low, high)`, without copies."""
        first, end = np.searchsorted(self.start, [low, high])
        # The interval before them carries the length of all earlier ones.
        own = slice(max(first - 1, 0), end)
        return type(self)(self.start[own], self.shift[own], self.until[own])

    def before(self, point: IntArray) -> IntArray:
        """The length covered before each point; any shape.

        >>> intervals = IntervalSet.of(np.array([10, 20]), np.array([5, 1]))
        >>> intervals.before(np.array([0, 10, 12, 19, 30])).tolist()
        [0, 0, 2, 5, 6]
        """
        flat = point.ravel()
        if len(flat) > len(self.start) and (flat[1:] >= flat[:-1]).all():
            return self.before_ascending(flat).reshape(point.shape)
        # The last interval that starts at or before the point.
        at = np.searchsorted(self.start, point, side="right") - 1
        amount: IntArray = np.minimum(point + self.shift[at], self.until[at])
        return amount

    def before_ascending(self, point: IntArray) -> IntArray:
        """As `before`, for ascending points of shape `(n,)`; much faster for many points."""
        # There are fewer intervals than points, so intervals are searched among the points.
        count = np.diff(np.searchsorted(point, self.start), append=len(point))
        amount: IntArray = np.repeat(self.shift, count)
        amount += point
        np.minimum(amount, np.repeat(self.until, count), out=amount)
        return amount
