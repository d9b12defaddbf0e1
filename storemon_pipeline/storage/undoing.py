"""The list of loads, and what becomes of one that is undone, whatever its source.

What its polls leave behind is the matter of `polls`.
"""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from storemon_pipeline.ingest.sources import Source
from storemon_pipeline.storage.bulk import Bulk
from storemon_pipeline.storage.versions import VersionTable


@dataclass(frozen=True, slots=True)
class StoredLoad:
    """A load as it stands in the book; `undoes_load_id` names the load that it took back."""

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


_COLUMNS = ", ".join(StoredLoad.__dataclass_fields__)


def read_loads(bulk: Bulk, *, limit: int) -> list[StoredLoad]:
    """The newest loads, newest first."""
    return _loads(bulk, "ORDER BY load_id DESC LIMIT $1", limit)


def read_load(bulk: Bulk, load_id: int) -> StoredLoad | None:
    """The load of this number, or None."""
    loads = _loads(bulk, "WHERE load_id = $1", load_id)
    return loads[0] if loads else None


def _loads(bulk: Bulk, which: str, number: int) -> list[StoredLoad]:
    rows = bulk.fetch(f"SELECT {_COLUMNS} FROM loads {which}", (number,)).to_pylist()  # noqa: S608
    return [StoredLoad(**row | {"source": Source(row["source"])}) for row in rows]


def record_undoing(bulk: Bulk, load: StoredLoad, *, undone_at: datetime, rows_removed: int) -> int:
    """The load is undone; returns the number of its undoing, which is a load as well.

    Rows that the load had replayed are rejected rows again.
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


def take_back_versions(bulk: Bulk, load_id: int, table: VersionTable) -> None:
    """The table is as if this load had never written a version.

    A store whose first version goes has another first one, which then holds always where its source
    gave no `valid_from`.
    """
    stores = bulk.fetch(
        f"DELETE FROM {table.name} WHERE load_id = $1 RETURNING store_key",  # noqa: S608
        (load_id,),
    )
    bulk.stage("undone_stores", pa.table({"store_key": stores["store_key"]}))
    bulk.execute(
        f"""
        UPDATE {table.name} v SET valid_from = '-infinity'
        FROM (
            SELECT store_key, min(load_id) AS load_id FROM {table.name}
            WHERE store_key IN (SELECT store_key FROM pg_temp.undone_stores) GROUP BY store_key
        ) f
        WHERE v.store_key = f.store_key AND v.load_id = f.load_id AND NOT v.is_dated
          AND NOT EXISTS (
            SELECT FROM {table.name} a
            WHERE a.store_key = f.store_key AND a.load_id = f.load_id
              AND a.valid_from = '-infinity'
          )
        """  # noqa: S608  (names of tables are constants of `versions`)
    )


def take_back_closures(bulk: Bulk, load_id: int) -> None:
    """What the load cancelled holds again, and what it brought is gone."""
    bulk.execute(
        "UPDATE closures SET cancelled_by_load_id = NULL WHERE cancelled_by_load_id = $1",
        (load_id,),
    )
    bulk.execute("DELETE FROM closures WHERE load_id = $1", (load_id,))


def forget_file(bulk: Bulk, load: StoredLoad) -> bool:
    """The file of a load will be read as if for the first time; False when it is not known."""
    rows = bulk.fetch(
        "DELETE FROM ingested_files WHERE source = $1 AND file_path = $2 RETURNING file_path",
        (load.source.value, load.file_path or ""),
    )
    return bool(rows.num_rows)


def has_later_statement(bulk: Bulk, load: StoredLoad) -> bool:
    """Whether a later load of the same file, not undone, brought anything."""
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
