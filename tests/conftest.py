"""What tests share: one PostgreSQL server, and a fresh migrated database for each test."""

import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from storemon_pipeline.database.connections import create_engine, ensure_database, sqlalchemy_url
from storemon_pipeline.database.migrate import migrate
from storemon_pipeline.database.tables import metadata
from storemon_pipeline.host.embedded_postgres import embedded_postgres


def pytest_configure() -> None:
    """Let the processes that tests start be ended, also when the tests run in the background.

    There a shell has SIGINT ignored; Dagster does with SIGTERM what is done with SIGINT, and
    children inherit what is ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server for this test session."""
    home: Path = tmp_path_factory.mktemp("server")
    with embedded_postgres(home) as server:
        yield server.url


@pytest.fixture(scope="session")
def template_database(server_url: str) -> str:
    """The name of a migrated database that others are copies of."""
    name = "storemon_template"
    url = sqlalchemy_url(server_url).set(database=name).render_as_string(hide_password=False)
    ensure_database(url)
    migrate(url)
    return name


@pytest.fixture
def database_url(server_url: str, template_database: str) -> Iterator[str]:
    """The URL of a database with all tables and no rows, dropped after the test."""
    with _copied_database(server_url, template_database) as url:
        yield url


@pytest.fixture
def other_database_url(server_url: str, template_database: str) -> Iterator[str]:
    """As `database_url`, for a test that compares two."""
    with _copied_database(server_url, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(server_url: str, template_database: str) -> Iterator[str]:
    """The URL of a database that all tests of a module share."""
    with _copied_database(server_url, template_database) as url:
        yield url


@pytest.fixture
def emptied_database_url(module_database_url: str) -> str:
    """The URL of the module's database, without rows: cheaper than a new one for each test.

    Keys start from 1 again; partitions stay.
    """
    engine = sa.create_engine(sqlalchemy_url(module_database_url), poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        # No triggers: they would note what has changed.
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for table in metadata.tables.values():
            connection.execute(sa.delete(table))
        connection.execute(sa.text("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"))
    return module_database_url


@contextmanager
def _copied_database(server_url: str, template_database: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    server = sa.create_engine(
        sqlalchemy_url(server_url).set(database="postgres"),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.pool.NullPool,
    )
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template_database}"))
    yield sqlalchemy_url(server_url).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on the test's database."""
    engine = create_engine(database_url, application_name="test", pool_size=2)
    yield engine
    engine.dispose()
