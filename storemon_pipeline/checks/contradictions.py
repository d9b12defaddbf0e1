"""Finding listed hours, zones and events that the polls contradict, and hours that events do."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.windows import BoolArray
from storemon_pipeline.events.contradicting_polls import (
    ContradictingPolls,
    read_contradicting_polls,
)
from storemon_pipeline.events.evidence_queries import with_events_since
from storemon_pipeline.figures.compute_uptime import STORES_PER_CHUNK
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.polls.status_run_queries import read_status_runs_since
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_details import StoreDetails, read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.contradictions import Contradictions, find_contradictions
from storemon_pipeline.uptime.evidence import is_event

CHECKED_PERIOD: Final = timedelta(days=28)
"""How far back polls are checked: every weekday four times."""


@dataclass(frozen=True, slots=True)
class DataCheck:
    """Findings, and the stores that their positions refer to."""

    as_of: datetime
    stores: StoreIndex
    details: StoreDetails
    contradictions: Contradictions
    polls: ContradictingPolls

    def subset(self, store_ids: AbstractSet[str]) -> "DataCheck":
        """The findings of these stores."""
        found = self.contradictions
        kept = [
            row
            for row, store in enumerate(found.store.tolist())
            if self.stores.store_ids[store].as_py() in store_ids
        ]
        few = Contradictions(
            found.store[kept], [found.kind[row] for row in kept], found.by_us[kept]
        )
        is_own = self.stores.marked(store_ids)
        return replace(self, contradictions=few, polls=self.polls.of_stores(is_own))


def check_data(url: str, *, stores_per_chunk: int = STORES_PER_CHUNK) -> DataCheck | None:
    """Check all stores in chunks; None without polls."""
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        stores = read_stores(bulk)
        details = read_details(bulk, stores, as_of=as_of)
        found = []
        first = 0
        for chunk in stores.chunks(stores_per_chunk):
            has_hours = details.has_hours[first : first + len(chunk)]
            part = _find(bulk, chunk, has_hours, as_of=as_of)
            found.append(replace(part, store=part.store + first))
            first += len(chunk)
        polls = read_contradicting_polls(bulk, stores, since=as_of - CHECKED_PERIOD, until=as_of)
    contradictions = Contradictions(
        np.concatenate([part.store for part in found]),
        [kind for part in found for kind in part.kind],
        np.concatenate([part.by_us for part in found]),
    )
    return DataCheck(as_of, stores, details, contradictions, polls)


def _find(
    bulk: Bulk, stores: StoreIndex, has_hours: BoolArray, *, as_of: datetime
) -> Contradictions:
    since = as_of - CHECKED_PERIOD
    status_runs = read_status_runs_since(bulk, stores, since=since, until=as_of)
    status_runs = with_events_since(bulk, stores, status_runs, since=since, until=as_of)
    # An outage that a source tells of is not a sign that the store is closed at that hour.
    status_runs = status_runs.take(status_runs.is_active | ~is_event(status_runs))
    calendar = read_calendar(
        bulk,
        stores,
        start_us=microseconds(since),
        end_us=microseconds(as_of),
        has_closures=False,
    )
    return find_contradictions(status_runs, calendar, has_hours)
