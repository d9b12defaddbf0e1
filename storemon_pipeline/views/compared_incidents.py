"""Widespread outages of the last four weeks: what the pages and the API say about each incident."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.windows import DEFAULT_ZONE, LOOKBACK_US, IntArray
from storemon_pipeline.events.evidence_queries import (
    read_first_evidence,
    with_events_of_incidents,
)
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.polls.status_run_queries import (
    read_status_runs_of_incidents_since,
)
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_details import read_details
from storemon_pipeline.stores.store_index import read_stores
from storemon_pipeline.uptime.incidents import Incidents, find_incidents
from storemon_pipeline.uptime.widespread_outages import WidespreadOutages, find_widespread_outages

COMPARED: Final = timedelta(days=28)
"""How far back incidents are compared with those of other stores."""

PeerKind = Literal["group", "region", "timezone"]

PEER_KINDS: Final[tuple[PeerKind, ...]] = ("group", "region", "timezone")
"""The kinds of sets that stores are compared in, in the order of `WidespreadOutages.peers`."""


@dataclass(frozen=True, slots=True)
class ComparedIncidents:
    """The incidents since `COMPARED` before the newest poll, compared with those of other stores.

    `names` has the name of each store's set for each of `PEER_KINDS`, or None.
    """

    names: tuple[Sequence[str | None], ...]
    incidents: Incidents
    found: WidespreadOutages
    _row: dict[tuple[str, int], int]
    _inputs: "_Inputs"

    def row(self, store_id: str, start_us: int) -> int:
        """The row of the store's incident with this start; -1 if it was not compared."""
        return self._row.get((store_id, start_us), -1)

    def subset(self, store_ids: AbstractSet[str]) -> "ComparedIncidents":
        """The comparison as if there were no other stores than these."""
        return replace(self, found=self._inputs.compare(self.incidents, self.names, store_ids))


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What incidents are compared by; the arrays and the list are by position of the store."""

    store_ids: list[str]
    calendar: Calendar
    first_us: IntArray
    last_us: IntArray

    def compare(
        self,
        incidents: Incidents,
        names: tuple[Sequence[str | None], ...],
        only: AbstractSet[str] | None,
    ) -> WidespreadOutages:
        """Compare the incidents of these stores, or of all, with each other."""
        is_other = [only is not None and store_id not in only for store_id in self.store_ids]
        return find_widespread_outages(
            incidents,
            self.calendar,
            first_us=self.first_us,
            last_us=self.last_us,
            kinds=[np.where(is_other, -1, _numbers(of_store)) for of_store in names],
        )


def read_compared_incidents(
    url: str, *, since: datetime | None = None, until: datetime | None = None
) -> ComparedIncidents | None:
    """Compare the incidents of all stores with each other; None without polls.

    They are those of `[since, until)`, by default of `COMPARED` before the newest poll.
    """
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        stores = read_stores(bulk)
        since = since or as_of - COMPARED
        status_runs = with_events_of_incidents(
            bulk,
            stores,
            read_status_runs_of_incidents_since(bulk, stores, since=since, until=as_of),
            since=since,
            until=as_of,
        )
        since_us, as_of_us = microseconds(since), microseconds(as_of)
        until_us = min(microseconds(until or as_of), as_of_us)
        calendar = read_calendar(bulk, stores, start_us=since_us, end_us=until_us)
        details = read_details(bulk, stores, as_of=as_of)
        first_us = np.minimum(read_first_evidence(bulk, stores), as_of_us)
    last_us = np.full(len(stores), since_us)
    np.maximum.at(last_us, status_runs.store, status_runs.last_poll_us + LOOKBACK_US)
    zones = [zone or DEFAULT_ZONE for zone in details.timezones]
    names = (details.groups, details.regions, zones)
    incidents = find_incidents(status_runs, calendar, as_of_us=as_of_us)
    store_ids = stores.store_ids.to_pylist()
    inputs = _Inputs(store_ids, calendar, first_us, last_us)
    found = inputs.compare(incidents, names, None)
    rows = np.flatnonzero(found.is_compared).tolist()
    store, start_us = incidents.store.tolist(), incidents.start_us.tolist()
    row_of = {(store_ids[store[row]], start_us[row]): row for row in rows}
    return ComparedIncidents(names, incidents, found, row_of, inputs)


def _numbers(names: Sequence[str | None]) -> IntArray:
    """A number for each name; -1 for None."""
    number = {name: at for at, name in enumerate(sorted(set(names) - {None}, key=str))}
    return np.array([-1 if name is None else number[name] for name in names], np.int64)
