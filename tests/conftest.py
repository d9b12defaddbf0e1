"""What tests share: one PostgreSQL server, and a fresh migrated database for each test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from storemon_pipeline.service.postgres import embedded_postgres
from storemon_pipeline.storage.engine import create_engine, ensure_database, sqlalchemy_url
from storemon_pipeline.storage.migrate import migrate


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
