"""Reading the evidence of some stores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa

from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.channels.storefront_index import read_storefronts
from storemon_pipeline.corrections.correction_table import read_corrections
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds_of
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.dispute_packs.evidence import (
    Evidence,
    PackedEvents,
    PackedPolls,
    PackedStorefronts,
)
from storemon_pipeline.events.event_table import read_stored_events
from storemon_pipeline.events.evidence_queries import read_stretches
from storemon_pipeline.polls.dropped_polls import read_dropped_polls
from storemon_pipeline.polls.status_run_queries import (
    read_status_runs_of_incidents_since,
    read_status_runs_since,
)
from storemon_pipeline.schedules.calendars import read_calendar_rows
from storemon_pipeline.schedules.closures import read_closures
from storemon_pipeline.stores.store_index import StoreIndex

_Row = TypeVar("_Row")

_EVER: Final = datetime.min.replace(tzinfo=UTC)


def read_evidence_of(
    bulk: Bulk, stores: StoreIndex, *, since_us: int, horizon_us: int, as_of_us: int
) -> Evidence:
    """All that the figures of the stores in `[since_us, horizon_us]` are made of."""
    since, until = instant(since_us), instant(as_of_us)
    polled, fronts = _with_storefronts(bulk, stores)
    status_runs = read_status_runs_of_incidents_since(bulk, polled, since=since, until=until)
    stretches = read_stretches(bulk, polled, until=until)
    # What an event or a storefront changes may reach further back than the period.
    rows = np.unique(stretches.store)
    if fronts is not None:
        rows = np.union1d(rows, fronts.polled)
    if len(rows):
        own = read_status_runs_since(bulk, polled.take(rows), since=_EVER, until=until)
        placed = replace(own, store=rows[own.store])
        status_runs = status_runs.take(~np.isin(status_runs.store, rows)).merge(placed)
    return Evidence(
        store_ids=stores.store_ids.to_pylist(),
        polled_ids=polled.store_ids.to_pylist(),
        since_us=since_us,
        horizon_us=horizon_us,
        as_of_us=as_of_us,
        max_gap_us=read_max_gap_us(bulk),
        zone_rules=RULES_RELEASE,
        polls=_read_polls(bulk, polled, since_us, min(horizon_us, as_of_us)),
        status_runs=status_runs.in_order(),
        events=PackedEvents(
            stretches, _read_events(bulk, polled, until), _read_corrections(bulk, polled)
        ),
        calendar_rows=read_calendar_rows(bulk, stores, start_us=since_us, end_us=horizon_us),
        closures=_read_closures(bulk, stores),
        fronts=fronts,
    )


def _with_storefronts(
    bulk: Bulk, stores: StoreIndex
) -> tuple[StoreIndex, PackedStorefronts | None]:
    """The stores and after them their storefronts that have ids of their own; the storefronts."""
    fronts = read_storefronts(bulk, stores)
    if fronts is None:
        return stores, None
    others = np.flatnonzero(~fronts.is_own)
    polled = fronts.store.copy()
    polled[others] = len(stores) + np.arange(len(others))
    own = fronts.index.take(others)
    return StoreIndex(
        pa.concat_arrays([stores.store_ids, own.store_ids]),
        np.append(stores.store_keys, own.store_keys),
    ), PackedStorefronts(fronts.rule, fronts.store, polled, fronts.channels)


def _read_events(bulk: Bulk, stores: StoreIndex, until: datetime) -> list[dict[str, Any]]:
    """The events that began by an instant, with their reasons."""
    return [
        {
            "event_id": row.event_id,
            "store_id": row.store_id,
            "from": row.from_at.isoformat(),
            "to": None if row.to_at is None else row.to_at.isoformat(),
            "state": "up" if row.is_up else "down",
            "reason": row.reason,
            "source": row.source,
            "loaded_at": row.loaded_at.isoformat(),
        }
        for row in _all_rows(read_stored_events, attrgetter("event_id"), bulk, stores)
        if row.from_at <= until
    ]


def _read_corrections(bulk: Bulk, stores: StoreIndex) -> list[dict[str, Any]]:
    """The corrections of the stores, each with its reason and author."""
    return [
        {
            "correction_id": row.correction_id,
            "store_id": row.store_id,
            "from": row.from_at.isoformat(),
            "to": row.to_at.isoformat(),
            "kind": row.kind.value,
            "reason": row.reason,
            "author": row.author,
            "recorded_at": row.recorded_at.isoformat(),
        }
        for row in _all_rows(read_corrections, attrgetter("correction_id"), bulk, stores)
    ]


def _read_closures(bulk: Bulk, stores: StoreIndex) -> list[dict[str, Any]]:
    """The closures in force of the stores and of every store, each with reason and author."""
    return [
        {
            "closure_id": row.closure_id,
            "store_id": row.store_id,
            "start_local": row.start_local.isoformat(),
            "end_local": None if row.end_local is None else row.end_local.isoformat(),
            "reason": row.reason,
            "author": row.author,
            "loaded_at": row.loaded_at.isoformat(),
        }
        for row in _all_rows(read_closures, attrgetter("closure_id"), bulk, stores)
    ]


def _all_rows(
    read: Callable[..., Sequence[_Row]],
    id_of: Callable[[_Row], int],
    bulk: Bulk,
    stores: StoreIndex,
) -> Iterator[_Row]:
    """All rows of the stores, from a function that gives those after an id, in order of ids."""
    only = frozenset(stores.store_ids.to_pylist())
    after = 0
    while rows := read(bulk, only_stores=only, after=after, limit=1_000):
        yield from rows
        after = id_of(rows[-1])


def _read_polls(bulk: Bulk, stores: StoreIndex, since_us: int, until_us: int) -> PackedPolls:
    chosen = stores.condition(parameter=3)
    rows = bulk.fetch(
        f"""
        SELECT store_key, polled_at, is_active FROM store_status
        WHERE polled_at >= $1 AND polled_at <= $2 AND {chosen.sql}
        """,  # noqa: S608  (conditions are made of names and numbers)
        (instant(since_us), instant(until_us), *chosen.parameters),
    )
    older = read_dropped_polls(bulk, stores, start_us=since_us, end_us=until_us)
    store = stores.positions(np.append(older.store_key, rows["store_key"].to_numpy()))
    polled_at_us = np.append(older.at_us, microseconds_of(rows["polled_at"]))
    is_active = np.append(older.is_active, rows["is_active"].to_numpy().astype(np.bool_))
    order = np.lexsort((polled_at_us, store))
    return PackedPolls(store[order], polled_at_us[order], is_active[order])
