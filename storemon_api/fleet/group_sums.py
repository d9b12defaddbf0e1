"""Exact sums over the stores of groups."""

import numpy as np
import numpy.typing as npt

from storemon_pipeline.domain.windows import IntArray


class GroupSums:
    """Exact sums over the stores of each group; the code -1 means no group."""

    def __init__(self, code: IntArray, groups: int) -> None:
        self.groups = groups
        order = np.argsort(code, kind="stable")
        self._order = order[np.searchsorted(code[order], 0) :]
        self._ends = np.searchsorted(code[self._order], np.arange(groups + 1))

    def of(self, values: npt.NDArray[np.bool_] | IntArray) -> IntArray:
        """Return the sum of each group, shape `(groups,)`."""
        until = np.append(0, np.cumsum(values[self._order], dtype=np.int64))
        sums: IntArray = until[self._ends[1:]] - until[self._ends[:-1]]
        return sums
