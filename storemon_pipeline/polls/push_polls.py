"""Pushing polls: one request is one load, which is written as a whole or not at all."""

from datetime import datetime, timedelta
from typing import Final

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.database.bulk import BusyError, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.rejections import store_id_of_row
from storemon_pipeline.loads.load_log import NO_ROWS
from storemon_pipeline.loads.pushed_load import BadRowsError, ForbiddenStoreError, PushedLoad
from storemon_pipeline.polls.poll_bodies import (
    BodyFormat,
    PushedPolls,
    TooManyRowsError,
    parse_poll_body,
)
from storemon_pipeline.polls.poll_table import write_poll_load
from storemon_pipeline.polls.retention import PollsNotKeptError, read_polls_kept_from_us

MAX_ROWS: Final = 50_000
"""The most polls in one push."""

__all__ = [
    "MAX_ROWS",
    "BadRowsError",
    "ForbiddenStoreError",
    "PushedLoad",
    "TooManyRowsError",
    "push_polls",
]


def push_polls(
    url: str,
    body: bytes,
    body_format: BodyFormat,
    *,
    now: datetime,
    is_rejecting: bool,
    patience: timedelta,
    only_stores: frozenset[str] | None = None,
    audit: AuditEvent | None = None,
) -> PushedLoad:
    """Load the polls of a body, update the status runs, and write the `audit` event.

    `now` is the current time. With `is_rejecting` bad rows are stored as rejected rows and the
    others are loaded; without it a bad row raises BadRowsError and nothing is loaded. Raises
    BusyError when another load takes longer than `patience`, UnusableBodyError, TooManyRowsError,
    and ForbiddenStoreError for rows of stores outside `only_stores`, even for bad rows, because
    they may be replayed later.
    """
    with bulk_transaction(url) as bulk:
        kept_from_us = read_polls_kept_from_us(bulk)
    pushed = parse_poll_body(
        body,
        body_format,
        max_rows=MAX_ROWS,
        now_us=microseconds(now),
        kept_from_us=kept_from_us,
    )
    if only_stores is not None and not only_stores.issuperset(_named_stores(pushed)):
        raise ForbiddenStoreError
    if pushed.rejected and not is_rejecting:
        raise BadRowsError(pushed.rejected, pushed.rows)
    if not pushed.rows:
        return PushedLoad(None, NO_ROWS, ())
    try:
        return _write(url, pushed, now=now, patience=patience, audit=audit)
    except PollsNotKeptError as error:
        # Old polls were dropped since the retention limit was read: a retry reads the new limit.
        raise BusyError(patience) from error


def _named_stores(pushed: PushedPolls) -> set[str]:
    """The ids of all stores in a body."""
    rejected = {
        store_id_of_row(
            pushed.header,
            row.text if row.original is None else row.original.decode("utf-8", "replace"),
        )
        for row in pushed.rejected
    }
    return {*pushed.polls.store_ids.tolist(), *rejected} - {None, ""}


def _write(
    url: str,
    pushed: PushedPolls,
    *,
    now: datetime,
    patience: timedelta,
    audit: AuditEvent | None,
) -> PushedLoad:
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        load_id, row_counts = write_poll_load(
            bulk,
            pushed.polls,
            pushed.rejected,
            file_path=None,
            run_id=None,
            loaded_at=now,
            header=pushed.header,
        )
        append_event(bulk, audit)
    return PushedLoad(load_id, row_counts, pushed.rejected)
