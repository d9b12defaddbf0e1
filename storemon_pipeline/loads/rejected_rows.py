"""Rejected rows that are pending: listing them, and marking them as replayed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.sources import Source


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A rejected row that was not replayed: `row` is the original, `text` is printable."""

    rejected_row_id: int
    load_id: int
    source: Source
    file_path: str | None
    header: str | None
    loaded_at: datetime
    line: int
    reason: str
    text: str
    row: bytes


def read_pending_rows(
    bulk: Bulk, *, load_id: int | None = None, limit: int | None = None
) -> list[PendingRow]:
    """Rejected rows that were not replayed, of loads that are not undone, in order of arrival."""
    rows = bulk.fetch(
        """
        SELECT r.rejected_row_id, r.load_id, l.source, l.file_path, l.header, l.loaded_at, r.line,
               r.reason, r.row_text AS text, r.row_bytes
        FROM rejected_rows r JOIN loads l USING (load_id)
        WHERE r.replayed_by_load_id IS NULL AND l.undone_at IS NULL AND ($1 = 0 OR load_id = $1)
        ORDER BY r.load_id, r.rejected_row_id LIMIT $2
        """,
        (load_id or 0, limit if limit is not None else 2**62),
    ).to_pylist()
    for row in rows:
        whole = row.pop("row_bytes")
        row["row"] = row["text"].encode() if whole is None else whole
        row["source"] = Source(row["source"])
    return [PendingRow(**row) for row in rows]


def group_by_load(rows: Sequence[PendingRow]) -> list[list[PendingRow]]:
    """The rows of each load, in order of the loads."""
    return [list(group) for _, group in groupby(rows, lambda row: row.load_id)]


def mark_load_replayed(bulk: Bulk, load_id: int, *, by_load_id: int) -> None:
    """Mark the rejected rows of a load as replayed by another one."""
    bulk.execute(
        "UPDATE rejected_rows SET replayed_by_load_id = $1 WHERE load_id = $2",
        (by_load_id, load_id),
    )


def mark_replayed(bulk: Bulk, rejected_row_ids: Sequence[int], load_id: int) -> None:
    """Mark these rejected rows as replayed by this load."""
    bulk.stage(
        "replayed_rows",
        pa.table({"rejected_row_id": pa.array(rejected_row_ids, pa.int64())}),
    )
    bulk.execute(
        """
        UPDATE rejected_rows r SET replayed_by_load_id = $1
        FROM pg_temp.replayed_rows s WHERE s.rejected_row_id = r.rejected_row_id
        """,
        (load_id,),
    )
