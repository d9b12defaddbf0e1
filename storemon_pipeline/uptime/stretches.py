"""Stretches along an axis that begins at 0, and how much of them lies before a point of it.

The axis may be time, or time of one kind alone (business time): this module does not know.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from storemon_pipeline.uptime.windows import IntArray


@dataclass(frozen=True, slots=True)
class Stretches:
    """Stretches `[start, start + length)` that ascend and do not overlap; shape `(n + 1,)`.

    The first one is empty and lies at 0, before all others. `before_start` is the length of all
    stretches before each.
    """

    start: IntArray
    length: IntArray
    before_start: IntArray

    @classmethod
    def of(cls, start: IntArray, length: IntArray) -> Self:
        """The stretches that begin at `start`, ascending, shape `(n,)`; a length may be 0."""
        lengths = np.append(0, length)
        return cls(np.append(0, start), lengths, np.cumsum(lengths) - lengths)

    def between(self, low: int, high: int) -> Self:
        """The stretches that count for points in `[low, high)`, without copies."""
        first, end = np.searchsorted(self.start, [low, high])
        # The one before them stands for all that lies before.
        own = slice(max(first - 1, 0), end)
        return type(self)(self.start[own], self.length[own], self.before_start[own])

    def before(self, point: IntArray) -> IntArray:
        """How much of the stretches lies before each point; any shape.

        >>> some = Stretches.of(np.array([10, 20]), np.array([5, 1]))
        >>> some.before(np.array([0, 10, 12, 19, 30])).tolist()
        [0, 0, 2, 5, 6]
        """
        at = self._last_started(point.ravel()).reshape(point.shape)
        inside = np.minimum(point - self.start[at], self.length[at])
        amount: IntArray = self.before_start[at] + inside
        return amount

    def _last_started(self, point: IntArray) -> IntArray:
        """The stretch that began last at or before each point `(n,)`; of equal starts the last."""
        if len(point) <= len(self.start) or (point[1:] < point[:-1]).any():
            return np.searchsorted(self.start, point, side="right") - 1
        # Both ascend: the fewer are looked up among the more, which is several times faster.
        first_point = np.searchsorted(point, self.start)
        return np.repeat(np.arange(len(self.start)), np.diff(first_point, append=len(point)))
