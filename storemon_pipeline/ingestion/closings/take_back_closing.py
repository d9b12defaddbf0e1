"""Closings of many stores: listing them, and taking one back as a whole, with a preview."""

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from functools import partial

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.business_time.calendar import OPEN_END
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.ingestion.closings.closing_preview import ClosingPreview, preview_of
from storemon_pipeline.ingestion.forget_stores import forget_stores
from storemon_pipeline.loads.load_undo import read_load, record_undo
from storemon_pipeline.loads.snapshot_rows import undo_cancellable_rows
from storemon_pipeline.schedules.closings import (
    Closing,
    read_closing,
    read_closings,
    read_stores_of_closing,
)
from storemon_pipeline.stores.store_index import read_stores
from storemon_pipeline.views.store_view import NoPollsError


class NoClosingError(Exception):
    """There is no closing of many stores in force with this load, of stores that may be seen."""


def list_closings(url: str, *, only_stores: AbstractSet[str] | None, limit: int) -> list[Closing]:
    """See `schedules.closings.read_closings`."""
    with bulk_transaction(url) as bulk:
        return read_closings(bulk, only_stores=only_stores, limit=limit)


def take_back_closing(
    url: str,
    load_id: int,
    *,
    now: datetime,
    patience: timedelta,
    only_stores: AbstractSet[str] | None = None,
    audit: AuditEvent | None = None,
) -> None:
    """Undo the load of a closing of many stores, and write `audit`.

    Raises NoClosingError, also when some of its stores are not of `only_stores`, and BusyError as
    `push_polls` does.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        _find(bulk, load_id, only_stores)
        _take_back(bulk, load_id, now=now)
        append_event(bulk, audit)


def preview_taking_back(
    url: str,
    load_id: int,
    *,
    now: datetime,
    patience: timedelta,
    only_stores: AbstractSet[str] | None = None,
) -> ClosingPreview:
    """The opening time that `take_back_closing` would bring back; nothing is kept.

    Raises NoPollsError, and as it does.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience, is_kept=False) as bulk:
        closing = _find(bulk, load_id, only_stores)
        as_of = read_newest_poll(bulk)
        if as_of is None:
            raise NoPollsError
        stores = read_stores(bulk)
        if closing.closure_id is None:
            stores = stores.take(read_stores_of_closing(bulk, stores, load_id))
        return preview_of(
            bulk,
            stores,
            as_of,
            start_local_us=_us(closing.start_local),
            end_local_us=OPEN_END if closing.end_local is None else _us(closing.end_local),
            change=partial(_take_back, bulk, load_id, now=now),
        )


def _find(bulk: Bulk, load_id: int, only_stores: AbstractSet[str] | None) -> Closing:
    closing = read_closing(bulk, load_id, only_stores=only_stores)
    if closing is None:
        raise NoClosingError(f"no closing of many stores in force has the load {load_id}")
    return closing


def _take_back(bulk: Bulk, load_id: int, *, now: datetime) -> None:
    load = read_load(bulk, load_id)
    if load is None:
        raise NoClosingError
    forget_stores(bulk, undo_cancellable_rows(bulk, load_id, Source.CLOSURES))
    record_undo(bulk, load, undone_at=now, rows_removed=0)


def _us(local: datetime) -> int:
    """Microseconds of a local time, as if it were in UTC."""
    return microseconds(local.replace(tzinfo=UTC))
