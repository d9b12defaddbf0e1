"""Reading a poll plan from the database."""

from binascii import crc32
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.channels.storefront_index import read_storefronts
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import HOUR_US, SECOND_US, WEEK_US, Policy
from storemon_pipeline.events.evidence_queries import with_events_of_report
from storemon_pipeline.poll_plan.plan import (
    MARGIN_US,
    FloatArray,
    LastPolls,
    PlannedPolls,
    Stretches,
)
from storemon_pipeline.polls.status_run_queries import read_newest_poll_of, read_status_runs
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_index import StoreIndex, read_stores

_STORES_PER_CHUNK: Final = 100_000
_CRC_VALUES: Final = 2**32


@dataclass(frozen=True, slots=True)
class PollPlan:
    """The polls of an hour; `polls.store` is a position in `stores`.

    `as_of` is the newest poll of the stores. `start` is None when neither a poll nor the request
    says when the hour begins.
    """

    as_of: datetime | None
    start: datetime | None
    polls_per_hour: int
    stores: StoreIndex
    polls: PlannedPolls

    @property
    def end(self) -> datetime | None:
        """The end of the hour."""
        return None if self.start is None else self.start + timedelta(hours=1)


def read_poll_plan(
    url: str,
    *,
    polls_per_hour: int | None = None,
    start: datetime | None = None,
    only: AbstractSet[str] | None = None,
) -> PollPlan:
    """The plan of the hour from `start`, with at most `budget` polls; None: as many as stores.

    Without `start` the hour begins at the newest poll, or at the first instant after it at which a
    store is to be polled. With `only` there are no stores but these.
    """
    with bulk_transaction(url) as bulk:
        stores = read_stores(bulk)
        if only is not None:
            is_own = pc.is_in(stores.store_ids, pa.array(sorted(only), pa.string()))
            stores = stores.take(np.flatnonzero(is_own.to_numpy(zero_copy_only=False)))
        fronts = read_storefronts(bulk, stores)
        if fronts is not None:
            # Their polls come by storefront.
            stores = stores.take(np.setdiff1d(np.arange(len(stores)), fronts.stores))
        as_of = read_newest_poll_of(bulk, stores)
        budget = len(stores) if polls_per_hour is None else polls_per_hour
        begins = start or as_of
        if begins is None:
            none = np.empty(0, np.int64)
            return PollPlan(None, None, budget, stores, PlannedPolls(none, none))
        start_us = -(-microseconds(begins) // SECOND_US) * SECOND_US
        stretches = _read_stretches(bulk, stores, start_us)
        if start is None and len(stretches.store) == 0:
            start_us = _next_opening(bulk, stores, start_us)
            stretches = _read_stretches(bulk, stores, start_us)
    return PollPlan(as_of, instant(start_us), budget, stores, stretches.plan(budget))


def _read_stretches(bulk: Bulk, stores: StoreIndex, start_us: int) -> Stretches:
    end_us = start_us + HOUR_US
    parts = []
    first = 0
    for chunk in stores.chunks(_STORES_PER_CHUNK):
        start = instant(start_us)
        status_runs = read_status_runs(bulk, chunk, as_of=start)
        status_runs = with_events_of_report(
            bulk, chunk, status_runs, as_of=start, policy=Policy.NEAREST
        )
        last_polls = LastPolls.of(status_runs, _phases(chunk), start_us=start_us)
        calendar = _calendar(bulk, chunk, start_us, end_us)
        parts.append(
            Stretches.of(calendar, last_polls, start_us=start_us, end_us=end_us, first_store=first)
        )
        first += len(chunk)
    return Stretches.joined(parts)


def _phases(stores: StoreIndex) -> FloatArray:
    """A number from 0 to 1 for each store that stays the same."""
    sums = [crc32(value.as_buffer()) for value in stores.store_ids]
    return np.array(sums, np.float64) / _CRC_VALUES


def _next_opening(bulk: Bulk, stores: StoreIndex, start_us: int) -> int:
    """The first instant of the coming week at which a store is to be polled, else the start."""
    earliest = end_us = start_us + WEEK_US
    for chunk in stores.chunks(_STORES_PER_CHUNK):
        _, opens, _ = _calendar(bulk, chunk, start_us, end_us).all_open_intervals()
        earliest = min(earliest, int(opens.min(initial=earliest)) - MARGIN_US)
    return earliest if start_us < earliest < end_us - MARGIN_US else start_us


def _calendar(bulk: Bulk, stores: StoreIndex, start_us: int, end_us: int) -> Calendar:
    return read_calendar(bulk, stores, start_us=start_us - MARGIN_US, end_us=end_us + MARGIN_US)
