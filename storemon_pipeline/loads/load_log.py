"""The table `loads` and the rejected rows of each load."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.rejections import RejectedRow
from storemon_pipeline.domain.sources import Source


@dataclass(frozen=True, slots=True)
class RowCounts:
    """The rows of a load by outcome: each row is counted once."""

    loaded: int
    replaced: int
    unchanged: int
    rejected: int

    @property
    def read(self) -> int:
        """All rows of the load."""
        return self.loaded + self.replaced + self.unchanged + self.rejected

    def __add__(self, other: "RowCounts") -> "RowCounts":
        return RowCounts(
            self.loaded + other.loaded,
            self.replaced + other.replaced,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
        )


NO_ROWS: Final = RowCounts(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Load:
    """A load in progress. `file_path` is None for pushed rows."""

    load_id: int
    source: Source
    file_path: str | None
    loaded_at: datetime


def open_load(
    bulk: Bulk, source: Source, *, file_path: str | None, run_id: str | None, loaded_at: datetime
) -> Load:
    """Insert a new load; its row counts are zero until it is closed."""
    load_id = bulk.scalar(
        """
        INSERT INTO loads (source, file_path, run_id, loaded_at,
                           rows_read, rows_loaded, rows_replaced, rows_unchanged, rows_rejected)
        VALUES ($1, $2, $3, $4, 0, 0, 0, 0, 0) RETURNING load_id
        """,
        (source.value, file_path, run_id, loaded_at),
    )
    return Load(int(load_id), source, file_path, loaded_at)


def close_load(
    bulk: Bulk,
    load: Load,
    written: RowCounts,
    rejected: Sequence[RejectedRow],
    *,
    polled_us: tuple[int, int] | None = None,
    header: str | None = None,
) -> RowCounts:
    """Write the load's row counts and rejected rows; return the counts of all its rows.

    `written` counts the rows that were not rejected; `polled_us` are the bounds of the polls.
    `header` is the CSV header for replaying the rejected rows. Reading a snapshot file again also
    reads its rejected rows again, so older records of them are marked as replayed by this load.
    """
    row_counts = replace(written, rejected=len(rejected))
    first, last = polled_us or (None, None)
    bulk.execute(
        """
        UPDATE loads SET rows_read = $2, rows_loaded = $3, rows_replaced = $4,
               rows_unchanged = $5, rows_rejected = $6,
               first_polled_at = $7, last_polled_at = $8, header = $9
        WHERE load_id = $1
        """,
        (
            load.load_id,
            row_counts.read,
            row_counts.loaded,
            row_counts.replaced,
            row_counts.unchanged,
            row_counts.rejected,
            None if first is None else instant(first),
            None if last is None else instant(last),
            header if rejected else None,
        ),
    )
    if load.file_path is not None and load.source.is_snapshot:
        bulk.execute(
            """
            UPDATE rejected_rows r SET replayed_by_load_id = $1 FROM loads l
            WHERE l.load_id = r.load_id AND l.source = $2 AND l.file_path = $3
              AND r.replayed_by_load_id IS NULL
            """,
            (load.load_id, load.source.value, load.file_path),
        )
    bulk.append(
        "rejected_rows",
        pa.table(
            {
                "load_id": pa.array([load.load_id] * len(rejected), pa.int32()),
                "line": pa.array([row.line for row in rejected], pa.int64()),
                "row_text": pa.array([row.text for row in rejected], pa.string()),
                "reason": pa.array([row.reason.value for row in rejected], pa.string()),
                "row_bytes": pa.array([row.original for row in rejected], pa.binary()),
            }
        ),
    )
    return row_counts


def read_first_polled_at(bulk: Bulk, load_ids: Sequence[int]) -> datetime | None:
    """The earliest poll of these loads; None without any."""
    if not load_ids:
        return None  # the driver cannot infer a type for an empty list
    first: datetime | None = bulk.scalar(
        "SELECT min(first_polled_at) FROM loads WHERE load_id = ANY ($1)", (list(load_ids),)
    )
    return first
