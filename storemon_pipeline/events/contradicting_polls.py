"""Finding polls that say otherwise than the event that covers them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds, microseconds_of, timestamps
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.events.evidence_queries import read_stretches
from storemon_pipeline.stores.store_index import StoreIndex


@dataclass(frozen=True, slots=True)
class ContradictingPolls:
    """Polls that contradict the event that holds, the newest first; arrays of shape `(n,)`.

    The event says the opposite of `is_active`.
    """

    store: IntArray
    polled_at_us: IntArray
    is_active: BoolArray

    def take(self, which: IntArray | BoolArray) -> Self:
        """The polls at these positions, or of this mask."""
        return type(self)(self.store[which], self.polled_at_us[which], self.is_active[which])

    def of_stores(self, is_wanted: BoolArray) -> Self:
        """The polls of the stores of a mask by position."""
        return self.take(is_wanted[self.store])


def read_contradicting_polls(
    bulk: Bulk, stores: StoreIndex, *, since: datetime, until: datetime
) -> ContradictingPolls:
    """The raw polls in `[since, until]` that an event contradicts."""
    stretches = read_stretches(bulk, stores, since=since, until=until)
    stretches = stretches.take(~stretches.is_correction).clip(
        microseconds(since), microseconds(until) + 1
    )
    if len(stretches) == 0:
        none = np.empty(0, np.int64)
        return ContradictingPolls(none, none, np.empty(0, np.bool_))
    bulk.stage(
        "event_stretches",
        pa.table(
            {
                "store_key": stores.store_keys[stretches.store].astype(np.int32),
                "from_at": timestamps(stretches.start_us),
                "to_at": timestamps(stretches.end_us),
                "is_up": stretches.is_up,
            }
        ),
    )
    rows = bulk.fetch(
        """
        SELECT p.store_key, p.polled_at, p.is_active
        FROM pg_temp.event_stretches e JOIN store_status p
          ON p.store_key = e.store_key AND p.polled_at >= e.from_at AND p.polled_at < e.to_at
        WHERE p.is_active <> e.is_up AND p.polled_at BETWEEN $1 AND $2
        """,
        (since, until),
    )
    found = ContradictingPolls(
        stores.positions(rows["store_key"].to_numpy()),
        microseconds_of(rows["polled_at"]),
        rows["is_active"].to_numpy(),
    )
    return found.take(np.lexsort((found.store, -found.polled_at_us)))
