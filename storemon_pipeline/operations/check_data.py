"""Looking for what the polls contradict of the listed hours and zones."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from storemon_pipeline.storage.bulk import bulk_transaction
from storemon_pipeline.storage.history_inputs import read_runs_since
from storemon_pipeline.storage.instants import microseconds
from storemon_pipeline.storage.store_details import StoreDetails, read_details
from storemon_pipeline.storage.uptime_inputs import StoreIndex, read_calendar, read_stores
from storemon_pipeline.storage.uptime_state import read_newest_poll
from storemon_pipeline.uptime.contradictions import Contradictions, find_contradictions

LOOKED_AT: Final = timedelta(days=28)
"""So much of the past is looked at: every weekday four times."""


@dataclass(frozen=True, slots=True)
class DataCheck:
    """Findings, and the stores that their positions mean."""

    as_of: datetime
    stores: StoreIndex
    details: StoreDetails
    contradictions: Contradictions

    def part(self, store_ids: AbstractSet[str]) -> "DataCheck":
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
        return replace(self, contradictions=few)


def check_data(url: str) -> DataCheck | None:
    """The findings of now; None while there is no poll."""
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        stores = read_stores(bulk)
        details = read_details(bulk, stores, as_of=as_of)
        since = as_of - LOOKED_AT
        runs = read_runs_since(bulk, stores, since=since, until=as_of)
        calendar = read_calendar(
            bulk,
            stores,
            start_us=microseconds(since),
            end_us=microseconds(as_of),
            has_closures=False,
        )
    return DataCheck(as_of, stores, details, find_contradictions(runs, calendar, details.has_hours))
