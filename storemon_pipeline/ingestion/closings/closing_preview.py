"""What closing many stores, or taking that back, does to their opening time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import OPEN_END, Calendar
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import DAY_US, IntArray
from storemon_pipeline.events.evidence_queries import with_events_since
from storemon_pipeline.ingestion.store_changes import Totals
from storemon_pipeline.polls.status_run_queries import read_status_runs_since
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.history import build_history

PREVIEW_DAYS: Final = 31
"""A preview reaches this far back and ahead from the newest poll."""

_STORES_PER_CHUNK: Final = 20_000
"""Two months of their opening hours take about 300 MB of memory."""


@dataclass(frozen=True, slots=True)
class ClosingPreview:
    """What a closing takes out of the stores' time, within `PREVIEW_DAYS` of the newest poll.

    Taken back, it comes in again. `past` is opening time up to the newest poll with its uptime and
    downtime, `coming_us` opening time after it.
    """

    as_of: datetime
    stores: int
    past: Totals
    coming_us: int


def preview_of(
    bulk: Bulk,
    stores: StoreIndex,
    as_of: datetime,
    *,
    start_local_us: int,
    end_local_us: int,
    change: Callable[[], object],
) -> ClosingPreview:
    """Make a change that only adds or only takes back closures of a local time; compare."""
    bounds_us = _bounds(start_local_us, end_local_us, microseconds(as_of))
    chunks = list(stores.chunks(_STORES_PER_CHUNK))
    before = [_sums(bulk, chunk, as_of, bounds_us) for chunk in chunks]
    change()
    after = [_sums(bulk, chunk, as_of, bounds_us) for chunk in chunks]
    business, uptime, downtime, coming = np.abs(
        np.sum(before, axis=0) - np.sum(after, axis=0)
    ).tolist()
    return ClosingPreview(as_of, len(stores), Totals(business, uptime, downtime), coming)


def _bounds(start_local_us: int, end_local_us: int, as_of_us: int) -> tuple[int, int]:
    """A period with the closure on each clock on earth, near the newest poll."""
    reach_us = PREVIEW_DAYS * DAY_US
    start_us = start_local_us - DAY_US
    end_us = as_of_us + reach_us if end_local_us == OPEN_END else end_local_us + DAY_US
    earliest, latest = as_of_us - reach_us, as_of_us + reach_us
    return min(max(start_us, earliest), latest), max(min(end_us, latest), earliest)


def _sums(
    bulk: Bulk, stores: StoreIndex, as_of: datetime, bounds_us: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Opening time, uptime and downtime up to the newest poll, and opening time after it."""
    start_us, end_us = bounds_us
    middle_us = min(max(microseconds(as_of), start_us), end_us)
    calendar = read_calendar(bulk, stores, start_us=start_us, end_us=end_us)
    coming = _opening_us(calendar, len(stores), end_us) - _opening_us(
        calendar, len(stores), middle_us
    )
    if middle_us == start_us:
        return 0, 0, 0, int(coming.sum())
    since = instant(start_us)
    status_runs = with_events_since(
        bulk,
        stores,
        read_status_runs_since(bulk, stores, since=since, until=as_of),
        since=since,
        until=as_of,
    )
    every = np.arange(len(stores))
    amounts = build_history(status_runs, calendar).amounts(
        every, np.full(len(stores), start_us), np.full(len(stores), middle_us)
    )
    return (
        int(amounts.business_us.sum()),
        int(amounts.uptime_us.sum()),
        int(amounts.downtime_us.sum()),
        int(coming.sum()),
    )


def _opening_us(calendar: Calendar, stores: int, at_us: int) -> IntArray:
    return calendar.business_us(np.arange(stores), np.full(stores, at_us))
