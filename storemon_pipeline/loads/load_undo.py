"""Listing loads, and recording that a load was undone.

Undoing its rows belongs to the rooms that own them.
"""

from dataclasses import dataclass
from datetime import datetime

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.sources import Source


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """A row of `loads`; `undoes_load_id` is the load that this load undid."""

    load_id: int
    source: Source
    file_path: str | None
    loaded_at: datetime
    rows_loaded: int
    rows_replaced: int
    rows_unchanged: int
    rows_rejected: int
    rows_removed: int
    first_polled_at: datetime | None
    last_polled_at: datetime | None
    undone_at: datetime | None
    undoes_load_id: int | None


_COLUMNS = ", ".join(LoadRecord.__dataclass_fields__)


def read_loads(bulk: Bulk, *, limit: int) -> list[LoadRecord]:
    """The newest loads, newest first."""
    return _loads(bulk, "ORDER BY load_id DESC LIMIT $1", limit)


def read_load(bulk: Bulk, load_id: int) -> LoadRecord | None:
    """The load with this id, or None."""
    loads = _loads(bulk, "WHERE load_id = $1", load_id)
    return loads[0] if loads else None


def _loads(bulk: Bulk, which: str, number: int) -> list[LoadRecord]:
    rows = bulk.fetch(f"SELECT {_COLUMNS} FROM loads {which}", (number,)).to_pylist()  # noqa: S608
    return [LoadRecord(**row | {"source": Source(row["source"])}) for row in rows]


def has_undo_after(bulk: Bulk, load_id: int) -> bool:
    """Whether a load was undone since this load."""
    return bool(
        bulk.scalar(
            """
            SELECT EXISTS (
                SELECT FROM loads WHERE load_id > $1 AND undoes_load_id IS NOT NULL
            ) AS has_undo
            """,
            (load_id,),
        )
    )


def record_undo(bulk: Bulk, load: LoadRecord, *, undone_at: datetime, rows_removed: int) -> int:
    """Mark the load as undone; return the id of the undo, which is a load, too.

    Rejected rows that the load had replayed are pending again.
    """
    bulk.execute("UPDATE loads SET undone_at = $2 WHERE load_id = $1", (load.load_id, undone_at))
    bulk.execute(
        """
        UPDATE rejected_rows SET replayed_by_load_id = NULL
        WHERE replayed_by_load_id = $1 AND load_id <> $1
        """,
        (load.load_id,),
    )
    return int(
        bulk.scalar(
            """
            INSERT INTO loads (source, loaded_at, rows_read, rows_loaded, rows_replaced,
                               rows_unchanged, rows_rejected, rows_removed,
                               first_polled_at, last_polled_at, undoes_load_id)
            SELECT source, $2, 0, 0, 0, 0, 0, $3, first_polled_at, last_polled_at, load_id
            FROM loads WHERE load_id = $1 RETURNING load_id
            """,
            (load.load_id, undone_at, rows_removed),
        )
    )


def forget_file(bulk: Bulk, load: LoadRecord) -> bool:
    """Delete the state of the load's file, so that it is read again; False when there is none."""
    rows = bulk.fetch(
        "DELETE FROM ingested_files WHERE source = $1 AND file_path = $2 RETURNING file_path",
        (load.source.value, load.file_path or ""),
    )
    return bool(rows.num_rows)


def has_later_load(bulk: Bulk, load: LoadRecord) -> bool:
    """Whether a later load of the same file wrote rows and is not undone."""
    return bool(
        bulk.scalar(
            """
            SELECT EXISTS (
                SELECT FROM loads WHERE source = $1 AND file_path = $2 AND load_id > $3
                   AND undone_at IS NULL AND rows_loaded + rows_replaced > 0
            ) AS has_later
            """,
            (load.source.value, load.file_path or "", load.load_id),
        )
    )
