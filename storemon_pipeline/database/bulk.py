"""Transactions that move many rows, as Arrow tables in PostgreSQL's binary COPY format.

A transaction uses one driver: statements that belong together with bulk rows go through the same
`Bulk`. The meaning of the rows does not belong here.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import adbc_driver_manager
import adbc_driver_postgresql

from storemon_pipeline.database.connections import libpq_url
from storemon_pipeline.database.locks import AdvisoryLock

if TYPE_CHECKING:
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow as pa

_LOCK_NOT_AVAILABLE: Final = "55P03"
_SERIALIZATION_FAILURE: Final = "40001"
_TRIES: Final = 5

Result = TypeVar("Result")


class BusyError(Exception):
    """Another writer held the lock for longer than `patience`."""

    def __init__(self, patience: timedelta) -> None:
        super().__init__(f"another load was not finished within {patience.total_seconds():g} s")


@dataclass(frozen=True, slots=True)
class Bulk:
    """One open transaction. Parameters are `$1`, `$2`, … in order."""

    _connection: "adbc.Connection"
    _known: dict[Callable[["Bulk"], Any], Any] = field(default_factory=dict, compare=False)

    def once(self, read: Callable[["Bulk"], Result]) -> Result:
        """What `read` gives, which is read once: it does not change until `forget`."""
        if read not in self._known:
            self._known[read] = read(self)
        result: Result = self._known[read]
        return result

    def forget(self, read: Callable[["Bulk"], Any]) -> None:
        """The transaction has changed what `read` gives."""
        self._known.pop(read, None)

    def execute(self, statement: str, parameters: Sequence[object] | None = None) -> None:
        """Execute a statement that returns no rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)

    def fetch(self, query: str, parameters: Sequence[object] | None = None) -> "pa.Table":
        """The rows of a query. `numeric` columns come as strings: cast them in the query."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetch_arrow_table()

    def scalar(self, query: str, parameters: Sequence[object] | None = None) -> Any:  # noqa: ANN401
        """The value of a query that returns one row with one column."""
        (row,) = self.fetch(query, parameters).to_pylist()
        (value,) = row.values()
        return value

    @contextmanager
    def prefer_indexes(self) -> Iterator[None]:
        """Within the block the planner avoids sequential scans where there is an index.

        For queries of polls by time: polls of one load are stored together, but the planner cannot
        know that, because the first load was sorted by store.
        """
        self.execute("SET LOCAL enable_seqscan = off")
        yield
        self.execute("SET LOCAL enable_seqscan = DEFAULT")

    def append(self, table: str, rows: "pa.Table") -> None:
        """Copy rows into a table; column names match."""
        if rows.num_rows:
            with self._connection.cursor() as cursor:
                cursor.adbc_ingest(table, rows, mode="append")

    def stage(self, name: str, rows: "pa.Table") -> None:
        """Copy rows into a temporary table and analyze it.

        Without statistics the planner assumes that it is large, and scans the tables it is joined
        to.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{name}")
            cursor.adbc_ingest(name, rows, mode="create", temporary=True)
            cursor.execute(f"ANALYZE pg_temp.{name}")


@contextmanager
def bulk_transaction(
    url: str,
    *,
    is_writing_polls: bool = False,
    patience: timedelta | None = None,
    is_kept: bool = True,
) -> Iterator[Bulk]:
    """One transaction on its own connection: committed at the end, rolled back after an error.

    With `is_kept=False` it is rolled back in any case, for a preview of what a change would do.

    Readers see one snapshot (REPEATABLE READ). Writers of polls take turns: each waits for the
    advisory lock and then sees the rows of the writer before (READ COMMITTED). Raises BusyError
    after waiting for longer than `patience`.
    """
    with _connection(url) as connection:
        bulk = Bulk(connection)
        if is_writing_polls:
            bulk.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            _lock(bulk, patience)
        else:
            bulk.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _set_up(bulk)
        yield bulk
        if is_kept:
            connection.commit()


def _connection(url: str) -> "adbc.Connection":
    database = _database(libpq_url(url))
    return import_driver().Connection(database, adbc_driver_manager.AdbcConnection(database))


def _set_up(bulk: Bulk) -> None:
    bulk.execute("SET LOCAL TIME ZONE 'UTC'")
    # Recent rows are usually cached: looking up a few by key is cheaper than a sequential scan.
    bulk.execute("SET LOCAL random_page_cost = 1.1")
    # With the default of 4 MB, sorts and hashes of a million stores go to disk, some in so many
    # batches that they do not end.
    bulk.execute("SET LOCAL work_mem = '64MB'")


@contextmanager
def writer_and_reader(url: str, *, is_writing_polls: bool = False) -> Iterator[tuple[Bulk, Bulk]]:
    """As `bulk_transaction`, with a second one that can read meanwhile.

    The second sees what the first saw when it began, and no row that the first writes. What the
    second writes is rolled back.
    """
    with (
        bulk_transaction(url, is_writing_polls=is_writing_polls) as writer,
        _connection(url) as connection,
    ):
        snapshot = writer.scalar("SELECT pg_export_snapshot()")
        reader = Bulk(connection)
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        _set_up(reader)
        yield writer, reader


def retry_conflicts(url: str, work: Callable[[Bulk], Result]) -> Result:
    """The result of work that is a transaction of its own, tried again after a conflict.

    For work that locks rows which other processes update.
    """
    tries = 0
    while True:
        tries += 1
        try:
            with bulk_transaction(url) as bulk:
                return work(bulk)
        except adbc_driver_manager.Error as error:
            if tries == _TRIES or not is_conflict(error):
                raise


def is_conflict(error: adbc_driver_manager.Error) -> bool:
    """Whether a row was changed after the transaction's snapshot."""
    return error.sqlstate == _SERIALIZATION_FAILURE


def _lock(bulk: Bulk, patience: timedelta | None) -> None:
    """Take the lock of writers of polls for this transaction."""
    if patience is not None:
        milliseconds = max(1, round(patience / timedelta(milliseconds=1)))
        bulk.execute(f"SET LOCAL lock_timeout = {milliseconds}")
    try:
        # `fetch`, because an error that arrives with the result is raised only when it is read.
        bulk.fetch(f"SELECT 1 FROM pg_advisory_xact_lock({AdvisoryLock.WRITE_POLLS:d})")  # noqa: S608
    except adbc_driver_manager.Error as error:
        if patience is not None and error.sqlstate == _LOCK_NOT_AVAILABLE:
            raise BusyError(patience) from error
        raise
    bulk.execute("SET LOCAL lock_timeout = DEFAULT")


def import_driver() -> Any:  # noqa: ANN401 - a module
    """Import the driver, and with it Arrow and pandas.

    A process that opens no bulk transaction starts sooner without.
    """
    import adbc_driver_postgresql.dbapi  # noqa: PLC0415

    return adbc_driver_postgresql.dbapi


def load_type_catalogue(url: str) -> None:
    """Load and cache the database's types, so that the first transaction need not.

    No connection stays open. Raises adbc_driver_manager.Error when the database is unreachable.
    """
    _database(libpq_url(url))


class _LastingDatabase(adbc_driver_manager.AdbcDatabase):
    """A driver's database that stays open when a connection closes."""

    def close(self) -> None:
        """Do nothing. The object holds no connection, so forked processes may share it."""


@lru_cache(maxsize=8)
def _database(url: str) -> _LastingDatabase:
    """The driver's database, cached: loading the catalogue of types takes 40 ms."""
    driver = adbc_driver_postgresql._driver_path()  # noqa: SLF001 - there is no public function
    return _LastingDatabase(driver=driver, uri=url)
