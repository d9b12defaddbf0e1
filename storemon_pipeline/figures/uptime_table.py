"""The table `store_uptime` and its state: the instant that its figures are for."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import store_uptime_state
from storemon_pipeline.figures.figure_rows import figure_rows
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.figures import Figures


@dataclass(frozen=True, slots=True)
class UptimeState:
    """The state of `store_uptime`; `as_of` is None while no poll is loaded."""

    as_of: datetime | None
    refreshed_at: datetime
    stores: int
    silent_stores: int


def read_uptime_state(connection: sa.Connection) -> UptimeState | None:
    """The state of `store_uptime`; None before the first refresh."""
    table = store_uptime_state.c
    row = connection.execute(
        sa.select(table.as_of, table.refreshed_at, table.stores, table.silent_stores)
    ).one_or_none()
    return UptimeState(*row) if row else None


_NEWEST_POLL = "SELECT max(polled_at) FROM newest_poll"
"""Maintained by triggers on status runs: with an index, a long history would still be slow."""


def newest_poll(connection: sa.Connection) -> datetime | None:
    """The newest poll in the database, or None without any."""
    newest: datetime | None = connection.execute(sa.text(_NEWEST_POLL)).scalar_one()
    return newest


def read_newest_poll(bulk: Bulk) -> datetime | None:
    """As `newest_poll`, within a bulk transaction's snapshot."""
    newest: datetime | None = bulk.scalar(_NEWEST_POLL)
    return newest


def fetch_uptime_state(bulk: Bulk) -> UptimeState | None:
    """As `read_uptime_state`, within a bulk transaction's snapshot."""
    rows = bulk.fetch(
        "SELECT as_of, refreshed_at, stores, silent_stores FROM store_uptime_state"
    ).to_pylist()
    return UptimeState(**rows[0]) if rows else None


def read_as_of(bulk: Bulk) -> datetime | None:
    """The instant that `store_uptime` is for; None without polls."""
    state = fetch_uptime_state(bulk)
    return None if state is None else state.as_of


def clear_uptime(bulk: Bulk) -> None:
    """Delete all rows of `store_uptime`."""
    bulk.execute("DELETE FROM store_uptime")


def append_uptime(bulk: Bulk, stores: StoreIndex, figures: Figures) -> None:
    """Add the figures of stores that have no rows yet."""
    append_uptime_rows(bulk, figure_rows(stores.store_keys, figures))


def append_uptime_rows(bulk: Bulk, rows: pa.Table) -> None:
    """As `append_uptime`, with the rows of `figure_rows`."""
    bulk.append("store_uptime", rows)


def write_uptime_state(bulk: Bulk, state: UptimeState) -> None:
    """Write the state of `store_uptime`."""
    bulk.execute(
        """
        INSERT INTO store_uptime_state (as_of, refreshed_at, stores, silent_stores)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (is_only_row) DO UPDATE SET as_of = excluded.as_of,
               refreshed_at = excluded.refreshed_at, stores = excluded.stores,
               silent_stores = excluded.silent_stores
        """,
        (state.as_of, state.refreshed_at, state.stores, state.silent_stores),
    )


def touch_uptime_state(bulk: Bulk, *, refreshed_at: datetime) -> None:
    """`store_uptime` was still up to date at this instant."""
    bulk.execute("UPDATE store_uptime_state SET refreshed_at = $1", (refreshed_at,))
