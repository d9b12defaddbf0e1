"""SQLAlchemy engines for small statements, database URLs, and creating databases.

Bulk rows belong to `bulk`.
"""

import select
import time
from contextlib import suppress
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection

from storemon_pipeline.database.locks import AdvisoryLock

CONNECT_TIMEOUT_SECONDS: Final = 5

_IDLE_SECONDS: Final = 15.0
_RETURNED_AT: Final = "storemon returned at"

_DISK_FULL: Final = "53100"
"""SQLSTATE of PostgreSQL for a full disk."""

_NO_PRIVILEGE: Final = "42501"
"""PostgreSQL's code for a missing privilege."""


def sqlalchemy_url(url: str) -> URL:
    """The URL with an explicit driver: SQLAlchemy's default differs between versions."""
    return make_url(url).set(drivername="postgresql+psycopg")


def libpq_url(url: str) -> str:
    """The URL for libpq, which ADBC and PostgreSQL's command-line tools use.

    Adds a connect timeout if the URL has none.
    """
    wanted = make_url(url).set(drivername="postgresql")
    if "connect_timeout" not in wanted.query:
        wanted = wanted.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT_SECONDS)})
    return wanted.render_as_string(hide_password=False)


def url_of(connection: sa.Connection) -> str:
    """The URL of the connection's database, for a bulk transaction beside it."""
    return connection.engine.url.render_as_string(hide_password=False)


DAGSTER_SCHEMA: Final = "storemon_dagster"
"""Where Dagster's tables are when it has no database of its own."""


def dagster_url(url: str, *, is_schema: bool = False) -> str:
    """The URL of Dagster's own database on the same server, or of its schema in storemon's.

    The driver is psycopg2, because dagster-postgres loses connections through psycopg 3. Commits do
    not wait for the disk: a Dagster run has about thirty events. If a crash of the server loses the
    last ones, the run counts as failed and is launched again.
    """
    storemon = make_url(url).set(drivername="postgresql+psycopg2")
    options = f"{storemon.query.get('options', '')} -c synchronous_commit=off".strip()
    if is_schema:
        options += f" -c search_path={DAGSTER_SCHEMA}"
    else:
        storemon = storemon.set(database=f"{storemon.database}_dagster")
    return storemon.update_query_dict({"options": options}).render_as_string(hide_password=False)


def create_engine(
    url: str, *, application_name: str, pool_size: int = 5, max_overflow: int = 10
) -> sa.Engine:
    """An engine with sessions in UTC, which replaces dead connections on checkout."""
    wanted = sqlalchemy_url(url)
    engine = sa.create_engine(
        wanted,
        pool_size=pool_size,
        max_overflow=max_overflow,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": application_name,
            "options": f"{wanted.query.get('options', '')} -c timezone=UTC".strip(),
        },
    )
    replace_dead_connections(engine)
    return engine


def _note_return(_connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
    record.info[_RETURNED_AT] = time.monotonic()


def replace_dead_connections(engine: sa.Engine) -> None:
    """Have the engine's pool replace a dead connection on checkout.

    A connection closed by the server is readable; one dropped by the network was idle for some
    time. Only in these two cases is it pinged, so most checkouts need no round trip. The ping of
    `pool_pre_ping` at each checkout raised `GET /get_report` from 2.4 to 2.7 ms of CPU, and its
    median from 3.7 to 4.3 ms (2,000 requests of one client each, in turns).
    """
    failure = engine.dialect.loaded_dbapi.Error

    def refuse_dead(
        connection: DBAPIConnection, record: sa.pool.ConnectionPoolEntry, _proxy: object
    ) -> None:
        now = time.monotonic()
        is_idle = now - record.info.get(_RETURNED_AT, now) > _IDLE_SECONDS
        try:
            if is_idle or _is_readable(connection.fileno()):
                connection.cursor().execute("SELECT 1")
                connection.rollback()
        except failure as error:
            raise sa.exc.DisconnectionError from error

    sa.event.listen(engine, "checkin", _note_return)
    sa.event.listen(engine, "checkout", refuse_dead)


def _is_readable(descriptor: int) -> bool:
    """Whether bytes or end of file can be read without waiting."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


def ensure_database(url: str) -> None:
    """Create the database of the URL if it does not exist.

    Raises sqlalchemy.exc.OperationalError when the server is unreachable, and
    sqlalchemy.exc.ProgrammingError when the role may not create databases.
    """
    wanted = sqlalchemy_url(url)
    if _exists(wanted):
        return
    server = sa.create_engine(
        wanted.set(database="postgres"),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.pool.NullPool,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )
    with server.connect() as connection:
        name = sa.sql.quoted_name(str(wanted.database), quote=True)
        quoted = connection.dialect.identifier_preparer.quote(name)
        statement = f"CREATE DATABASE {quoted} ENCODING 'UTF8' TEMPLATE template0"
        try:
            connection.execute(sa.text(statement))
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError):
            # Another process may have created it meanwhile, which raises one error or the other.
            if not _exists(wanted):
                raise


def has_schema(url: str, name: str) -> bool:
    """Whether the database has this schema. Raises sqlalchemy.exc.OperationalError."""
    with _unpooled(sqlalchemy_url(url)).connect() as connection:
        return sa.inspect(connection).has_schema(name)


def ensure_schema(url: str, name: str) -> None:
    """The database has this schema.

    Raises sqlalchemy.exc.ProgrammingError when it is missing and may not be created.
    """
    with _unpooled(sqlalchemy_url(url)).begin() as connection:
        connection.execute(sa.schema.CreateSchema(name, if_not_exists=True))


def database_of(url: str) -> str:
    """The database that the URL names, quoted for a statement."""
    wanted = sqlalchemy_url(url)
    return _unpooled(wanted).dialect.identifier_preparer.quote(str(wanted.database))


def role_of(url: str) -> str:
    """The role that the URL connects as, quoted for a statement; "role" where it cannot connect."""
    wanted = sqlalchemy_url(url)
    for database in (wanted.database, "postgres"):
        server = _unpooled(wanted.set(database=database))
        with suppress(sa.exc.OperationalError), server.connect() as connection:
            return str(connection.scalar(sa.text("SELECT quote_ident(current_user)")))
    return "role"


def is_refused(error: BaseException) -> bool:
    """Whether a driver's error says that the role lacks a privilege."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) == _NO_PRIVILEGE


def is_disk_full(error: BaseException) -> bool:
    """Whether a driver's error says that the server's disk is full."""
    state = getattr(error, "sqlstate", None) or getattr(
        getattr(error, "orig", None), "sqlstate", None
    )
    return state == _DISK_FULL


def read_clock(connection: sa.Connection) -> datetime:
    """The current time of the server's clock."""
    now: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return now


def has_tables(url: str) -> bool:
    """Whether the database has any table. Raises sqlalchemy.exc.OperationalError."""
    with _unpooled(sqlalchemy_url(url)).connect() as connection:
        return bool(sa.inspect(connection).get_table_names())


def run_statements(connection: sa.Connection, text: str) -> None:
    """Run many statements at once, which take no parameters."""
    connection.execution_options(no_parameters=True).exec_driver_sql(text)


def fill_empty_database(url: str, text: str) -> None:
    """Run the statements in one transaction, unless the database has any table.

    Processes do so one at a time. Raises sqlalchemy.exc.DBAPIError.
    """
    with _unpooled(sqlalchemy_url(url)).begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(AdvisoryLock.MIGRATE))))
        if not sa.inspect(connection).get_table_names():
            run_statements(connection, text)


def _unpooled(url: URL) -> sa.Engine:
    return sa.create_engine(
        url,
        poolclass=sa.pool.NullPool,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )


def _exists(url: URL) -> bool:
    try:
        with _unpooled(url).connect():
            return True
    except sa.exc.OperationalError as error:
        # psycopg gives no SQLSTATE (3D000) for a failed connection, only the message.
        if f'database "{url.database}" does not exist' in str(error.orig):
            return False
        raise
