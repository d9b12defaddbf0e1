"""Replaying rejected rows, after the cause of their rejection was removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_undo import forget_file, read_load
from storemon_pipeline.loads.rejected_rows import (
    PendingRow,
    group_by_load,
    mark_replayed,
    read_pending_rows,
)
from storemon_pipeline.polls.poll_bodies import BodyFormat, UnusableBodyError, parse_poll_body
from storemon_pipeline.polls.poll_table import write_poll_load
from storemon_pipeline.polls.retention import read_polls_kept_from_us


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The result of replaying the rejected rows of one load.

    `load_id` is the load of the rows that can be read now; None without any. The rows of a
    snapshot cannot be loaded alone: `is_file_forgotten` says that the next refresh reads their
    whole file again.
    """

    of_load_id: int
    source: Source
    file_path: str | None
    rows: int
    taken: int
    load_id: int | None
    is_file_forgotten: bool


def list_rejected(url: str, *, load_id: int | None, limit: int) -> list[PendingRow]:
    """Pending rejected rows, in order of arrival."""
    with bulk_transaction(url) as bulk:
        return read_pending_rows(bulk, load_id=load_id, limit=limit)


def replay_rejected(url: str, *, load_id: int | None, now: datetime) -> list[ReplayResult]:
    """Read all pending rejected rows again, or those of one load, in one transaction.

    Polls that can be read now are loaded as if they were pushed now, so that they replace polls of
    the same instant that were loaded since. Rows that still cannot be read stay as they are, and so
    do messages of webhooks, which have no file: see `webhooks.replay_messages`.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        return [
            _read_file_again(bulk, rows)
            if rows[0].source.is_snapshot
            else _replay_polls(bulk, rows, now=now)
            for rows in group_by_load(read_pending_rows(bulk, load_id=load_id))
            if rows[0].file_path is not None or not rows[0].source.is_snapshot
        ]


def _replay_polls(bulk: Bulk, rows: Sequence[PendingRow], *, now: datetime) -> ReplayResult:
    first = rows[0]
    # A row with a line end in it would become two rows, and a blank one none.
    lines = [row for row in rows if row.row.strip() and not {*b"\r\n"} & {*row.row}]
    body = b"\n".join([(first.header or "").encode(), *(row.row for row in lines)])
    try:
        pushed = parse_poll_body(
            body,
            BodyFormat.CSV,
            max_rows=len(lines),
            now_us=microseconds(now),
            kept_from_us=read_polls_kept_from_us(bulk),
        )
    except UnusableBodyError:  # a load of an age that kept no header
        return _replayed(rows, 0, None)
    taken = [lines[index].rejected_row_id for index in pushed.polls.line.tolist()]
    if not taken:
        return _replayed(rows, 0, None)
    new_load_id, _ = write_poll_load(
        bulk, pushed.polls, (), file_path=None, run_id=None, loaded_at=now, header=None
    )
    mark_replayed(bulk, taken, new_load_id)
    return _replayed(rows, len(taken), new_load_id)


def _read_file_again(bulk: Bulk, rows: Sequence[PendingRow]) -> ReplayResult:
    load = read_load(bulk, rows[0].load_id)
    is_forgotten = load is not None and forget_file(bulk, load)
    return _replayed(rows, 0, None, is_file_forgotten=is_forgotten)


def _replayed(
    rows: Sequence[PendingRow],
    taken: int,
    load_id: int | None,
    *,
    is_file_forgotten: bool = False,
) -> ReplayResult:
    first = rows[0]
    return ReplayResult(
        first.load_id,
        first.source,
        first.file_path,
        len(rows),
        taken,
        load_id,
        is_file_forgotten,
    )
