"""Filling an empty table with many rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import metadata

MANY_ROWS: Final = 100_000
"""Below this number the key costs less than the exclusive lock of its table is worth."""


def is_empty(bulk: Bulk, table: str) -> bool:
    """Whether the table has no rows."""
    return bool(bulk.scalar(f"SELECT NOT EXISTS (SELECT FROM {table}) AS is_empty"))  # noqa: S608


@contextmanager
def key_built_afterwards(bulk: Bulk, table: str, *, rows: int) -> Iterator[None]:
    """Within the block about this many rows are appended, and none is read.

    If they are many and the table is empty, its primary key is built at the end, in half the time,
    and readers of the table wait for the end of the transaction. Truncating lets PostgreSQL write
    no log of the rows where `wal_level` is minimal.
    """
    if rows < MANY_ROWS or not is_empty(bulk, table):
        yield
        return
    key = metadata.tables[table].primary_key
    columns = ", ".join(column.name for column in key.columns)
    bulk.execute(f"TRUNCATE {table}")
    bulk.execute(f"ALTER TABLE {table} DROP CONSTRAINT {key.name}")
    yield
    bulk.execute(f"ALTER TABLE {table} ADD CONSTRAINT {key.name} PRIMARY KEY ({columns})")
