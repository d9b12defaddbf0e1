"""Finding polls that say otherwise than the event that covers them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds, microseconds_of, timestamps
from storemon_pipeline.domain.store_instants import sort_keys
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.events.evidence_queries import read_stretches
from storemon_pipeline.polls.dropped_polls import read_dropped_polls
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.event_stretches import EventStretches


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
    if read_lake_of_polls(bulk) is not None:
        return _contradicting(bulk, stores, stretches, since=since, until=until)
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
    return _newest_first(found)


def _newest_first(found: ContradictingPolls) -> ContradictingPolls:
    return found.take(np.lexsort((found.store, -found.polled_at_us)))


def _contradicting(
    bulk: Bulk, stores: StoreIndex, stretches: EventStretches, *, since: datetime, until: datetime
) -> ContradictingPolls:
    """The polls within stretches, which do not overlap, that say the opposite, from the lake."""
    told = np.unique(stretches.store)
    polls = read_dropped_polls(
        bulk, stores.take(told), start_us=microseconds(since), end_us=microseconds(until)
    )
    store = stores.positions(polls.store_key)
    begun, at = sort_keys(stretches.store, stretches.start_us, store, polls.at_us)
    stretch = np.maximum(np.searchsorted(begun, at, side="right") - 1, 0)
    is_contradicting = (
        (stretches.store[stretch] == store)
        & (stretches.start_us[stretch] <= polls.at_us)
        & (polls.at_us < stretches.end_us[stretch])
        & (stretches.is_up[stretch] != polls.is_active)
    )
    found = ContradictingPolls(store, polls.at_us, polls.is_active)
    return _newest_first(found.take(is_contradicting))
