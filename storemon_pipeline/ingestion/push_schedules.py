"""Pushing hours, zones and closures: one request is one load."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.domain.rejections import Reason, RejectedRow, Verdict
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_log import RowCounts, close_load, open_load
from storemon_pipeline.loads.pushed_load import BadRowsError, PushedLoad
from storemon_pipeline.schedules.closures import (
    StoredClosure,
    cancel_closure,
    find_closure,
    read_closures,
    write_author,
)
from storemon_pipeline.schedules.special_hours import (
    StoredSpecialHours,
    read_special_hours,
    withdraw_special_hours,
)
from storemon_pipeline.sources.registry import SNAPSHOTS


class NoClosureError(Exception):
    """There is no closure in force with this id."""


class NoSpecialHoursError(Exception):
    """The store has no special hours on this date."""


def push_rows(
    url: str,
    source: Source,
    rows: Sequence[Mapping[str, str]],
    *,
    now: datetime,
    patience: timedelta,
    audit: AuditEvent | None = None,
) -> PushedLoad:
    """Load the rows of hours, zones or closures as one load, and write the `audit` event.

    Each row has the columns of the source's file, as text. If a row cannot be read, raises
    BadRowsError and loads nothing. Raises BusyError as `push_polls` does.
    """
    frame = parse_rows(source, rows)
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        pushed = write_rows(bulk, source, frame, now=now)
        append_event(bulk, audit)
    return pushed


def write_rows(bulk: Bulk, source: Source, frame: pd.DataFrame, *, now: datetime) -> PushedLoad:
    """Write parsed rows as one load."""
    snapshot = SNAPSHOTS[source]
    load = open_load(bulk, source, file_path=None, run_id=None, loaded_at=now)
    (row_counts,) = snapshot.write(bulk, [load], [frame])
    if snapshot.after_change is not None:
        snapshot.after_change(bulk)
    close_load(bulk, load, row_counts, ())
    return PushedLoad(load.load_id, row_counts, ())


def push_closure(
    url: str,
    row: Mapping[str, str],
    *,
    now: datetime,
    patience: timedelta,
    author: str | None = None,
    audit: AuditEvent | None = None,
) -> tuple[StoredClosure, bool]:
    """Add a closure; return it, and whether it is new. Raises as `push_rows` does."""
    frame = parse_rows(Source.CLOSURES, [row])
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        pushed = write_rows(bulk, Source.CLOSURES, frame, now=now)
        write_author(bulk, pushed.load_id, author)
        closure = find_closure(bulk, frame)
        append_event(bulk, audit)
    return closure, pushed.row_counts.loaded > 0


def cancel_pushed_closure(
    url: str,
    closure_id: int,
    *,
    now: datetime,
    patience: timedelta,
    only_stores: AbstractSet[str] | None = None,
    audit: AuditEvent | None = None,
) -> None:
    """Cancel the closure with this id.

    Raises NoClosureError when it is not in force, or is not of one of `only_stores`.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        write_cancellation(bulk, closure_id, now=now, only_stores=only_stores)
        append_event(bulk, audit)


def write_cancellation(
    bulk: Bulk, closure_id: int, *, now: datetime, only_stores: AbstractSet[str] | None
) -> None:
    """Cancel a closure as one load. Raises as `cancel_pushed_closure` does."""
    load = open_load(bulk, Source.CLOSURES, file_path=None, run_id=None, loaded_at=now)
    if not cancel_closure(bulk, load, closure_id, only_stores=only_stores):
        raise NoClosureError(f"there is no closure {closure_id} in force")
    close_load(bulk, load, RowCounts(0, 1, 0, 0), ())


def list_special_hours(
    url: str, store_id: str, *, first: date, last: date, as_of: datetime
) -> list[StoredSpecialHours]:
    """See `schedules.special_hours.read_special_hours`."""
    with bulk_transaction(url) as bulk:
        return read_special_hours(bulk, store_id, first=first, last=last, as_of=as_of)


def withdraw_pushed_special_hours(
    url: str,
    store_id: str,
    day: date,
    *,
    now: datetime,
    patience: timedelta,
    audit: AuditEvent | None = None,
) -> None:
    """Let the weekly hours hold on a date again, as one load.

    Raises NoSpecialHoursError, and BusyError as `push_polls` does.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        write_withdrawal(bulk, store_id, day, now=now)
        append_event(bulk, audit)


def write_withdrawal(bulk: Bulk, store_id: str, day: date, *, now: datetime) -> None:
    """Take back the hours of a date as one load. Raises NoSpecialHoursError."""
    load = open_load(bulk, Source.SPECIAL_HOURS, file_path=None, run_id=None, loaded_at=now)
    if not withdraw_special_hours(bulk, load, store_id, day):
        raise NoSpecialHoursError(f"the store {store_id} has no special hours on {day}")
    close_load(bulk, load, RowCounts(0, 1, 0, 0), ())


def list_closures(
    url: str, *, only_stores: AbstractSet[str] | None, after: int, limit: int
) -> list[StoredClosure]:
    """See `schedules.closures.read_closures`."""
    with bulk_transaction(url) as bulk:
        return read_closures(bulk, only_stores=only_stores, after=after, limit=limit)


def parse_rows(source: Source, rows: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """The frame of pushed rows; raises BadRowsError."""
    verdict = Verdict(len(rows))
    verdict.reject(
        np.array(["\0" in "".join(row.values()) for row in rows], np.bool_), Reason.NUL_BYTE
    )
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]}
    frame = SNAPSHOTS[source].parse(columns, verdict)
    if not verdict.is_good.all():
        rejected = tuple(
            RejectedRow.of(index, ",".join(rows[index].values()).encode(), reason)
            for index, reason in verdict.findings()
        )
        raise BadRowsError(rejected, len(rows))
    return frame
