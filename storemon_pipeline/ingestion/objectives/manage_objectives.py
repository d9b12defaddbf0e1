"""Cancelling and listing versions of objectives. One is set with `push_schedules.push_rows`."""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_log import RowCounts, close_load, open_load
from storemon_pipeline.objectives.objective_table import (
    StoredObjective,
    cancel_objective,
    read_stored_objectives,
)


class NoObjectiveError(Exception):
    """There is no version of an objective with this id."""


def cancel_pushed_objective(
    url: str,
    objective_id: int,
    *,
    now: datetime,
    patience: timedelta,
    only_stores: AbstractSet[str] | None = None,
    audit: AuditEvent | None = None,
) -> None:
    """Cancel the version with this id.

    Raises NoObjectiveError when there is none, or it is not of one of `only_stores`.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        load = open_load(bulk, Source.OBJECTIVES, file_path=None, run_id=None, loaded_at=now)
        if not cancel_objective(bulk, load, objective_id, only_stores=only_stores):
            raise NoObjectiveError(f"there is no version {objective_id} of an objective")
        close_load(bulk, load, RowCounts(0, 1, 0, 0), ())
        append_event(bulk, audit)


def list_objectives(
    url: str, *, only_stores: AbstractSet[str] | None, after: int, limit: int
) -> list[StoredObjective]:
    """See `objectives.objective_table.read_stored_objectives`."""
    with bulk_transaction(url) as bulk:
        return read_stored_objectives(bulk, only_stores=only_stores, after=after, limit=limit)
