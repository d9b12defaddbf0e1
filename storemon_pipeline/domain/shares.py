"""How many of the storefronts of a store are up over time, where uptime is their mean."""

from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np

from storemon_pipeline.domain.windows import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class Shares:
    """Stretches `[start_us, end_us)` of some stores, without overlaps; arrays of shape `(n,)`.

    Sorted by store and time. Of `parts` storefronts that take part, one at least, `up` are up;
    `sure_up` and `sure_down` are certainly so. Elsewhere the status runs of a store decide.
    """

    store: IntArray
    start_us: IntArray
    end_us: IntArray
    parts: IntArray
    up: IntArray
    sure_up: IntArray
    sure_down: IntArray

    def __len__(self) -> int:
        return len(self.store)

    def take(self, which: IntArray | BoolArray | slice) -> Self:
        """The stretches at these positions, or of this mask."""
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))

    def of_stores(self, first: int, end: int) -> Self:
        """The stretches of the stores `[first, end)`, which are numbered from 0 afterwards."""
        own = self.take(slice(*np.searchsorted(self.store, [first, end]).tolist()))
        return replace(own, store=own.store - first)

    def merge(self, others: Self) -> Self:
        """These stretches and those of other stores."""
        both = type(self)(
            *(
                np.concatenate([getattr(self, field.name), getattr(others, field.name)])
                for field in fields(self)
            )
        )
        return both.take(np.argsort(both.store, kind="stable"))


NO_SHARES: Final = Shares(*(np.empty(0, np.int64) for _ in fields(Shares)))
