"""Transactions that move many rows, as Arrow tables in PostgreSQL's binary COPY format.

What the rows mean is not known here. A transaction lives on one driver: what belongs together
with bulk rows is sent through the same `Bulk`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import adbc_driver_manager
import adbc_driver_postgresql
import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from storemon_pipeline.database.connections import libpq_url
from storemon_pipeline.database.locks import AdvisoryLock

_LOCK_NOT_AVAILABLE: Final = "55P03"


class BusyError(Exception):
    """Another writer held the lock for longer than the caller was ready to wait."""

    def __init__(self, patience: timedelta) -> None:
        super().__init__(
            f"another load is being written, and did not end within {patience.total_seconds():g} s"
        )


@dataclass(frozen=True, slots=True)
class Bulk:
    """One open transaction. Parameters are `$1`, `$2`, … in order."""

    _connection: adbc.Connection

    def execute(self, statement: str, parameters: Sequence[object] | None = None) -> None:
        """Run a statement for its effect."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)

    def fetch(self, query: str, parameters: Sequence[object] | None = None) -> pa.Table:
        """The rows of a query. `numeric` columns come as strings: cast them in the query."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetch_arrow_table()

    def scalar(self, query: str, parameters: Sequence[object] | None = None) -> Any:  # noqa: ANN401
        """The only value of a query's only row."""
        (row,) = self.fetch(query, parameters).to_pylist()
        (value,) = row.values()
        return value

    @contextmanager
    def prefer_indexes(self) -> Iterator[None]:
        """Statements inside read by an index where there is one, and no table as a whole.

        For polls by time: those that arrived together lie together, which the planner does not see
        in a table whose first load was sorted by store.
        """
        self.execute("SET LOCAL enable_seqscan = off")
        yield
        self.execute("SET LOCAL enable_seqscan = DEFAULT")

    def append(self, table: str, rows: pa.Table) -> None:
        """Copy rows into columns of the same names."""
        if rows.num_rows:
            with self._connection.cursor() as cursor:
                cursor.adbc_ingest(table, rows, mode="append")

    def stage(self, name: str, rows: pa.Table) -> None:
        """A temporary table of this transaction that holds the rows, with statistics.

        Without the statistics the planner takes it for large and reads whole tables beside it.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{name}")
            cursor.adbc_ingest(name, rows, mode="create", temporary=True)
            cursor.execute(f"ANALYZE pg_temp.{name}")


@contextmanager
def bulk_transaction(
    url: str, *, is_writing_polls: bool = False, patience: timedelta | None = None
) -> Iterator[Bulk]:
    """One transaction on a connection of its own: committed at the end, rolled back by an error.

    Readers see one snapshot (REPEATABLE READ). A writer of polls waits for the one before it and
    then sees all of its rows (READ COMMITTED under the advisory lock); it raises BusyError when it
    has waited for longer than `patience`.
    """
    database = _database(libpq_url(url))
    with adbc.Connection(database, adbc_driver_manager.AdbcConnection(database)) as connection:
        bulk = Bulk(connection)
        if is_writing_polls:
            bulk.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            _lock(bulk, patience)
        else:
            bulk.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        bulk.execute("SET LOCAL TIME ZONE 'UTC'")
        # Recent rows lie in memory: few of them by key cost less than a whole history in order.
        bulk.execute("SET LOCAL random_page_cost = 1.1")
        yield bulk
        connection.commit()


def _lock(bulk: Bulk, patience: timedelta | None) -> None:
    """This transaction is the only one that writes polls or runs."""
    if patience is not None:
        milliseconds = max(1, round(patience / timedelta(milliseconds=1)))
        bulk.execute(f"SET LOCAL lock_timeout = {milliseconds}")
    try:
        # Fetched: an error that comes with the result is not seen before.
        bulk.fetch(f"SELECT 1 FROM pg_advisory_xact_lock({AdvisoryLock.WRITE_POLLS:d})")  # noqa: S608
    except adbc_driver_manager.Error as error:
        if patience is not None and error.sqlstate == _LOCK_NOT_AVAILABLE:
            raise BusyError(patience) from error
        raise
    bulk.execute("SET LOCAL lock_timeout = DEFAULT")


def load_type_catalogue(url: str) -> None:
    """The driver knows the database, which the first transaction would see to otherwise.

    No connection stays open. Raises adbc_driver_manager.Error when it cannot be reached.
    """
    _database(libpq_url(url))


class _LastingDatabase(adbc_driver_manager.AdbcDatabase):
    """A database that outlives its connections, each of which would close it."""

    def close(self) -> None:
        """Stay open. It holds no connection of its own, so that forked processes may share it."""


@lru_cache(maxsize=8)
def _database(url: str) -> _LastingDatabase:
    """The driver's view of a database: to read its catalogue of types takes 40 ms, once."""
    driver = adbc_driver_postgresql._driver_path()  # noqa: SLF001 - told by nothing else
    return _LastingDatabase(driver=driver, uri=url)
