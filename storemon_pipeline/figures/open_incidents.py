"""The open incidents of stores, with the business time that each has cost since it began."""

from dataclasses import fields, replace
from typing import Final

import numpy as np

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.windows import LOOKBACK_US
from storemon_pipeline.events.evidence_queries import with_events_of_incidents
from storemon_pipeline.polls.status_run_queries import read_status_runs_of_open_incidents
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.incidents import Ending, Incidents, find_incidents

_STORES_PER_CALENDAR: Final = 20_000
"""A calendar reaches back to the first of its incidents, which may be years ago."""


def read_open_incidents(bulk: Bulk, stores: StoreIndex, *, as_of_us: int) -> Incidents:
    """The open incidents at the newest poll, `as_of_us`, by the position of their store."""
    as_of = instant(as_of_us)
    status_runs = with_events_of_incidents(
        bulk, stores, read_status_runs_of_open_incidents(bulk, stores), since=as_of, until=as_of
    )
    down, store = np.unique(status_runs.store, return_inverse=True)
    parts = []
    for first in range(0, max(len(down), 1), _STORES_PER_CALENDAR):
        positions = down[first : first + _STORES_PER_CALENDAR]
        rows = slice(*np.searchsorted(store, [first, first + len(positions)]).tolist())
        chunk = replace(status_runs.take(rows), store=store[rows] - first)
        earliest_us = int(chunk.first_poll_us.min(initial=as_of_us)) - LOOKBACK_US
        calendar = read_calendar(
            bulk, stores.take(positions), start_us=earliest_us, end_us=as_of_us
        )
        found = find_incidents(chunk, calendar, as_of_us=as_of_us)
        found = found.take(found.ending == Ending.OPEN)
        parts.append(replace(found, store=positions[found.store]))
    return Incidents(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Incidents)
        )
    )
