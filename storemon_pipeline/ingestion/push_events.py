"""Cancelling and listing events. Some are pushed with `push_schedules.push_rows`."""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.events.event_table import StoredEvent, cancel_event, read_stored_events
from storemon_pipeline.loads.load_log import RowCounts, close_load, open_load


class NoEventError(Exception):
    """There is no event in force with this id."""


def cancel_pushed_event(
    url: str,
    event_id: int,
    *,
    now: datetime,
    patience: timedelta,
    only_stores: AbstractSet[str] | None = None,
    audit: AuditEvent | None = None,
) -> None:
    """Cancel the event with this id.

    Raises NoEventError when it is not in force, or is not of one of `only_stores`.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        load = open_load(bulk, Source.STORE_EVENTS, file_path=None, run_id=None, loaded_at=now)
        if not cancel_event(bulk, load, event_id, only_stores=only_stores):
            raise NoEventError(f"there is no event {event_id} in force")
        close_load(bulk, load, RowCounts(0, 1, 0, 0), ())
        append_event(bulk, audit)


def list_events(
    url: str, *, only_stores: AbstractSet[str] | None, after: int, limit: int
) -> list[StoredEvent]:
    """See `events.event_table.read_stored_events`."""
    with bulk_transaction(url) as bulk:
        return read_stored_events(bulk, only_stores=only_stores, after=after, limit=limit)
