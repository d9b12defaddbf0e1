"""Queries of status runs and raw polls, of all stores or of one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds, microseconds_of
from storemon_pipeline.domain.windows import LOOKBACK_US, BoolArray, IntArray
from storemon_pipeline.lake_files.status_runs_of_stores import (
    first_poll_us_of_all,
    read_back_to,
    read_first_polls_us,
    read_last,
    read_touching,
)
from storemon_pipeline.polls.dropped_polls import read_dropped_polls
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.polls.status_run_rows import status_runs_from_rows
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.stores.store_keys import POLLED_STORES_SQL
from storemon_pipeline.uptime.daily import NEVER
from storemon_pipeline.uptime.status_runs import StatusRuns


@dataclass(frozen=True, slots=True)
class RawPolls:
    """Raw polls of a store, ascending; every array has shape `(n,)`."""

    polled_at_us: IntArray
    is_active: BoolArray


CHUNKS_PER_QUERY: Final = 4
"""How many chunks of stores are read at once. The status runs of a chunk are all over the table, so
that each query scans all recent ones."""


def split_into_chunks(
    stores: StoreIndex, status_runs: StatusRuns, stores_per_chunk: int
) -> Iterator[tuple[StoreIndex, StatusRuns]]:
    """Chunks of the stores, each with its status runs."""
    first = 0
    for chunk in stores.chunks(stores_per_chunk):
        end = first + len(chunk)
        yield chunk, status_runs.of_stores(first, end)
        first = end


def read_status_runs_since(
    bulk: Bulk, stores: StoreIndex, *, since: datetime, until: datetime
) -> StatusRuns:
    """The status runs that touch `(since, until]`, and the last one before for each store.

    So the first status run of each store is the last one that began by `since`, if there is one.
    """
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        since_us = microseconds(since)
        return read_back_to(
            of_lake.folder,
            of_lake.manifest,
            stores,
            lambda found: found.first_poll_us <= since_us,
            since_us=since_us,
            until_us=max(since_us, microseconds(until)),
        )
    chosen = stores.condition(parameter=3)
    touching = _unpacked(
        bulk.fetch(
            f"""
            SELECT {_PACKED} FROM status_runs
            WHERE last_poll_at > $1 AND first_poll_at <= $2 AND {chosen.sql}
            """,  # noqa: S608  (conditions are made of names and numbers)
            (since, until, *chosen.parameters),
        ),
        stores,
    )
    is_covered = np.zeros(len(stores), np.bool_)
    is_covered[touching.store[touching.first_poll_us <= microseconds(since)]] = True
    others = stores.take(np.flatnonzero(~is_covered))
    if len(others) == 0:
        return touching
    chosen = others.condition(parameter=2)
    before = _to_status_runs(
        bulk.fetch(
            f"""
            SELECT r.store_key, r.first_poll_at, r.last_poll_at, r.is_active, r.polls
            FROM (SELECT store_key FROM ({POLLED_STORES_SQL}) p WHERE {chosen.sql}) s
            CROSS JOIN LATERAL (
                SELECT * FROM status_runs r
                WHERE r.store_key = s.store_key AND r.first_poll_at <= $1
                ORDER BY r.first_poll_at DESC LIMIT 1
            ) r
            """,  # noqa: S608  (as above)
            (since, *chosen.parameters),
        ),
        stores,
    )
    return before.merge(touching)


def read_status_runs_of_store(bulk: Bulk, stores: StoreIndex) -> StatusRuns:
    """All status runs of an index with one store."""
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        return read_back_to(
            of_lake.folder,
            of_lake.manifest,
            stores,
            lambda found: np.zeros(len(found), np.bool_),
            since_us=-NEVER,
        )
    return _to_status_runs(
        bulk.fetch(
            """
            SELECT store_key, first_poll_at, last_poll_at, is_active, polls
            FROM status_runs WHERE store_key = $1
            """,
            (int(stores.store_keys[0]),),
        ),
        stores,
    )


def read_status_runs_of_open_incidents(bulk: Bulk, stores: StoreIndex) -> StatusRuns:
    """For each store whose last status run is inactive: all from the last active one on."""
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        last = read_last(of_lake.folder, of_lake.manifest, stores)
        down = last.store[~last.is_active]
        own = read_back_to(
            of_lake.folder,
            of_lake.manifest,
            stores.take(down),
            lambda found: found.is_active,
            since_us=NEVER,
        )
        return replace(own, store=down[own.store])
    chosen = stores.condition()
    return _to_status_runs(
        bulk.fetch(
            f"""
            SELECT r.store_key, r.first_poll_at, r.last_poll_at, r.is_active, r.polls
            FROM (SELECT store_key FROM ({POLLED_STORES_SQL}) p WHERE {chosen.sql}) s
            CROSS JOIN LATERAL (
                SELECT is_active FROM status_runs r WHERE r.store_key = s.store_key
                ORDER BY r.first_poll_at DESC LIMIT 1
            ) newest
            CROSS JOIN LATERAL (
                SELECT coalesce(max(first_poll_at), '-infinity') AS first_poll_at
                FROM status_runs r WHERE r.store_key = s.store_key AND r.is_active
            ) active
            JOIN status_runs r ON r.store_key = s.store_key
             AND r.first_poll_at >= active.first_poll_at
            WHERE NOT newest.is_active
            """,  # noqa: S608  (as above)
            chosen.parameters,
        ),
        stores,
    )


def read_status_runs_of_incidents_since(
    bulk: Bulk, stores: StoreIndex, *, since: datetime, until: datetime
) -> StatusRuns:
    """For each store: the last active status run that begins by `since`, and all up to `until`."""
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        since_us, until_us = microseconds(since), microseconds(until)
        read = read_back_to(
            of_lake.folder,
            of_lake.manifest,
            stores,
            lambda found: found.is_active & (found.first_poll_us <= since_us),
            since_us=since_us,
            until_us=max(since_us, until_us),
        )
        return read.take(read.first_poll_us <= until_us)
    chosen = stores.condition(parameter=3)
    return _to_status_runs(
        bulk.fetch(
            f"""
            SELECT r.store_key, r.first_poll_at, r.last_poll_at, r.is_active, r.polls
            FROM (SELECT store_key FROM ({POLLED_STORES_SQL}) p WHERE {chosen.sql}) s
            CROSS JOIN LATERAL (
                SELECT coalesce(max(first_poll_at), '-infinity') AS first_poll_at
                FROM status_runs r
                WHERE r.store_key = s.store_key AND r.is_active AND r.first_poll_at <= $1
            ) active
            JOIN status_runs r ON r.store_key = s.store_key
             AND r.first_poll_at >= active.first_poll_at AND r.first_poll_at <= $2
            """,  # noqa: S608  (as above)
            (since, until, *chosen.parameters),
        ),
        stores,
    )


def read_first_poll(bulk: Bulk) -> datetime | None:
    """The instant of the first poll of all stores, or None without polls."""
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        first_us = first_poll_us_of_all(of_lake.folder, of_lake.manifest)
        return None if first_us is None else instant(first_us)
    first: datetime | None = bulk.scalar("SELECT min(first_poll_at) FROM status_runs")
    return first


def read_first_polls(bulk: Bulk, stores: StoreIndex) -> IntArray:
    """The instant of each store's first poll, shape `(stores,)`; `NEVER` without polls."""
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        return read_first_polls_us(of_lake.folder, of_lake.manifest, stores)
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        SELECT s.store_key, r.first_poll_at
        FROM (SELECT store_key FROM ({POLLED_STORES_SQL}) p WHERE {chosen.sql}) s
        CROSS JOIN LATERAL (
            SELECT first_poll_at FROM status_runs r WHERE r.store_key = s.store_key
            ORDER BY r.first_poll_at LIMIT 1
        ) r
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    first = np.full(len(stores), NEVER)
    first[stores.positions(rows["store_key"].to_numpy())] = microseconds_of(rows["first_poll_at"])
    return first


def read_keys_with_polls(bulk: Bulk, stores: StoreIndex) -> IntArray:
    """The keys of those of these stores whose own id has polls."""
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        return stores.store_keys[read_last(of_lake.folder, of_lake.manifest, stores).store]
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        SELECT store_key FROM stores s
        WHERE {chosen.sql}
          AND EXISTS (SELECT FROM status_runs r WHERE r.store_key = s.store_key)
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    keys: IntArray = rows["store_key"].to_numpy()
    return keys


def read_raw_polls(bulk: Bulk, stores: StoreIndex, *, start: datetime, end: datetime) -> RawPolls:
    """The raw polls in `[start, end]` of all these stores together.

    Those that are in the lake alone come from there. Raises NoLakeError and UnreachableError.
    """
    rows = bulk.fetch(
        """
        SELECT polled_at, is_active FROM store_status
        WHERE store_key = ANY ($1) AND polled_at >= $2 AND polled_at <= $3
        ORDER BY polled_at, store_key
        """,
        (stores.store_keys.tolist(), start, end),
    )
    older = read_dropped_polls(bulk, stores, start_us=microseconds(start), end_us=microseconds(end))
    older = older.take(np.lexsort((older.store_key, older.at_us)))
    return RawPolls(
        np.append(older.at_us, microseconds_of(rows["polled_at"])),
        np.append(older.is_active, rows["is_active"].to_numpy()),
    )


_PACKED: Final = """
    ((store_key::bigint << 32) | (polls::bigint << 1) | is_active::int) AS packed,
    first_poll_at, last_poll_at
"""
"""What `_unpacked` takes: three columns are fetched in two thirds of the time of five."""


def _unpacked(rows: pa.Table, stores: StoreIndex) -> StatusRuns:
    packed = rows["packed"].to_numpy()
    return StatusRuns(
        stores.positions(packed >> 32),
        microseconds_of(rows["first_poll_at"]),
        microseconds_of(rows["last_poll_at"]),
        (packed & 1).astype(np.bool_),
        (packed >> 1) & 0x7FFFFFFF,
    ).in_order()


def _to_status_runs(rows: pa.Table, stores: StoreIndex) -> StatusRuns:
    return status_runs_from_rows(rows, stores.positions(rows["store_key"].to_numpy()))


LOOKBACK: Final = timedelta(microseconds=LOOKBACK_US)


def read_newest_poll_of(bulk: Bulk, stores: StoreIndex) -> datetime | None:
    """The newest poll of these stores, or None without any."""
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        last_us = read_last(of_lake.folder, of_lake.manifest, stores).last_poll_us
        return instant(int(last_us.max())) if len(last_us) else None
    chosen = stores.condition()
    newest: datetime | None = bulk.scalar(
        f"SELECT max(last_poll_at) FROM status_runs WHERE {chosen.sql}",  # noqa: S608  (as above)
        chosen.parameters,
    )
    return newest


def read_status_runs(
    bulk: Bulk, stores: StoreIndex, *, as_of: datetime, look_back: timedelta = LOOKBACK
) -> StatusRuns:
    """The status runs with a poll in `(as_of - look_back, as_of]`, whole."""
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        return read_touching(
            of_lake.folder,
            of_lake.manifest,
            stores,
            since_us=microseconds(as_of) - look_back // timedelta(microseconds=1),
            until_us=microseconds(as_of),
        )
    chosen = stores.condition(parameter=3)
    rows = bulk.fetch(
        f"""
        SELECT {_PACKED} FROM status_runs
        WHERE first_poll_at <= $1 AND last_poll_at > $1 - $2 AND {chosen.sql}
        """,  # noqa: S608  (conditions are made of names and numbers)
        (as_of, look_back, *chosen.parameters),
    )
    return _unpacked(rows, stores)


def read_polled_keys(bulk: Bulk) -> IntArray:
    """The keys of stores, without storefronts, with a poll in the look-back before the newest."""
    of_lake = read_lake_of_polls(bulk)
    if of_lake is not None:
        stores = read_stores(bulk)
        last = read_last(of_lake.folder, of_lake.manifest, stores)
        is_recent = last.last_poll_us > (of_lake.manifest.newest_poll_us or 0) - LOOKBACK_US
        recent: IntArray = stores.store_keys[last.store[is_recent]]
        fronts = bulk.fetch("SELECT storefront_key FROM storefronts")
        return np.setdiff1d(recent, fronts["storefront_key"].to_numpy())
    rows = bulk.fetch(
        """
        SELECT DISTINCT store_key FROM status_runs
        WHERE last_poll_at > (SELECT polled_at FROM newest_poll) - $1
          AND store_key NOT IN (SELECT storefront_key FROM storefronts)
        """,
        (LOOKBACK,),
    )
    polled: IntArray = rows["store_key"].to_numpy().astype(np.int64)
    return polled
