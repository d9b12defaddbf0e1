"""Closing all stores of a group, of a region or of the chain in one step, with a preview."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.business_time.calendar import OPEN_END, Calendar
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import DAY_US, IntArray
from storemon_pipeline.events.evidence_queries import with_events_since
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.ingestion.push_schedules import parse_rows, write_rows
from storemon_pipeline.ingestion.store_changes import Totals
from storemon_pipeline.polls.status_run_queries import read_status_runs_since
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.schedules.closures import EVERY_STORE_ID, write_author
from storemon_pipeline.statements.make_statement import chosen_positions
from storemon_pipeline.statements.statement import Scope
from storemon_pipeline.stores.store_details import read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.history import build_history
from storemon_pipeline.views.store_view import NoPollsError

PREVIEW_DAYS: Final = 31
"""A preview reaches this far back and ahead from the newest poll."""

_STORES_PER_CHUNK: Final = 20_000
"""Two months of their opening hours take about 300 MB of memory."""


class NoStoresError(Exception):
    """No store is of the group and region, or the sender may see none."""


@dataclass(frozen=True, slots=True)
class ClosedStores:
    """What a step closed. `closures_added` leaves out those that existed already."""

    load_id: int | None
    stores: int
    closures_added: int


@dataclass(frozen=True, slots=True)
class ClosingPreview:
    """What a closing would take out of the stores' time, within `PREVIEW_DAYS` of the newest poll.

    `past` is opening time up to the newest poll with its uptime and downtime, `coming_us` opening
    time after it.
    """

    as_of: datetime
    stores: int
    past: Totals
    coming_us: int


def close_stores(
    url: str,
    scope: Scope,
    row: Mapping[str, str],
    *,
    now: datetime,
    patience: timedelta,
    author: str | None = None,
    only_stores: AbstractSet[str] | None = None,
    audit: AuditEvent | None = None,
) -> ClosedStores:
    """Add a closure for each store of the scope as one load; of all stores, one for every store.

    `row` has the columns of closures but `store_id`. Raises NoStoresError, BadRowsError and
    BusyError as `push_rows` does.
    """
    closure = _parsed(row)
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        chosen, ids = _chosen(bulk, scope, only_stores, now)
        pushed = write_rows(bulk, Source.CLOSURES, _of_each(closure, ids), now=now)
        write_author(bulk, pushed.load_id, author)
        append_event(bulk, audit)
    added = pushed.row_counts.loaded + pushed.row_counts.replaced
    return ClosedStores(pushed.load_id, len(chosen), added)


def preview_closing(
    url: str,
    scope: Scope,
    row: Mapping[str, str],
    *,
    now: datetime,
    patience: timedelta,
    only_stores: AbstractSet[str] | None = None,
) -> ClosingPreview:
    """What `close_stores` would take out; nothing is kept. Raises NoPollsError, and as it does.

    The closures are made in a transaction that is rolled back.
    """
    closure = _parsed(row)
    with bulk_transaction(url, is_writing_polls=True, patience=patience, is_kept=False) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            raise NoPollsError
        chosen, ids = _chosen(bulk, scope, only_stores, now)
        bounds_us = _bounds(closure, microseconds(as_of))
        chunks = list(chosen.chunks(_STORES_PER_CHUNK))
        before = [_sums(bulk, chunk, as_of, bounds_us) for chunk in chunks]
        write_rows(bulk, Source.CLOSURES, _of_each(closure, ids), now=now)
        after = [_sums(bulk, chunk, as_of, bounds_us) for chunk in chunks]
    business, uptime, downtime, coming = (np.sum(before, axis=0) - np.sum(after, axis=0)).tolist()
    return ClosingPreview(as_of, len(chosen), Totals(business, uptime, downtime), coming)


def _parsed(row: Mapping[str, str]) -> pd.DataFrame:
    return parse_rows(Source.CLOSURES, [{"store_id": EVERY_STORE_ID, **row}])


def _of_each(closure: pd.DataFrame, store_ids: list[str]) -> pd.DataFrame:
    """The only row of `closure` for each of these stores."""
    rows = closure.take(np.zeros(len(store_ids), np.int64)).reset_index(drop=True)
    return rows.assign(store_id=store_ids)


def _chosen(
    bulk: Bulk, scope: Scope, only: AbstractSet[str] | None, now: datetime
) -> tuple[StoreIndex, list[str]]:
    """The stores of the scope, and the ids that their closures get."""
    stores = read_stores(bulk)
    if only is None and scope == Scope():
        return stores, [EVERY_STORE_ID]
    details = read_details(bulk, stores, as_of=now)
    chosen = stores.take(chosen_positions(stores, details, scope, only))
    if len(chosen) == 0:
        raise NoStoresError
    return chosen, chosen.store_ids.to_pylist()


def _bounds(closure: pd.DataFrame, as_of_us: int) -> tuple[int, int]:
    """A period with the closure on each clock on earth, near the newest poll."""
    reach_us = PREVIEW_DAYS * DAY_US
    start_us = int(closure["start_local_us"].iloc[0]) - DAY_US
    end_us = int(closure["end_local_us"].iloc[0])
    end_us = as_of_us + reach_us if end_us == OPEN_END else end_us + DAY_US
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
