"""Databases on a server where storemon's role has few rights, as at a hosting provider."""

import re
import uuid
from collections.abc import Iterator
from importlib.metadata import version

import pytest
import sqlalchemy as sa
from dagster_postgres.storage import DagsterPostgresStorage

from databases import Databases
from schema_snapshot import dump, make_dagster_tables
from storemon_pipeline.database.connections import (
    dagster_url,
    fill_empty_database,
    sqlalchemy_url,
)
from storemon_pipeline.host.errors import StartError
from storemon_pipeline.service.databases import (
    DAGSTER_SNAPSHOT,
    DAGSTER_SNAPSHOT_VERSION,
    bring_to_newest_schema,
    make_databases,
)


@pytest.fixture
def limited(server_url: str) -> Iterator[tuple[sa.Engine, str]]:
    """An administrator's engine on an empty database, and the URL of a role without rights."""
    name = f"limited_{uuid.uuid4().hex}"
    server = sa.create_engine(
        sqlalchemy_url(server_url).set(database="postgres"),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.pool.NullPool,
    )
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        connection.execute(sa.text(f"CREATE ROLE {name}"))
    url = sqlalchemy_url(server_url).set(database=name)
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    of_role = url.update_query_dict({"options": f"-c role={name}"})
    yield admin, of_role.set(drivername="postgresql").render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        connection.execute(sa.text(f"DROP ROLE {name}"))


def grant(limited: tuple[sa.Engine, str], privilege: str) -> None:
    admin, _ = limited
    role = admin.url.database
    with admin.connect() as connection:
        connection.execute(sa.text(f"GRANT {privilege.format(database=role)} TO {role}"))


def test_the_error_for_a_role_that_may_create_nothing_has_the_statement_to_run(
    limited: tuple[sa.Engine, str],
) -> None:
    with pytest.raises(StartError) as refused:
        make_databases(limited[1])
    message = str(refused.value)
    # The role has the name of its database.
    name = limited[0].url.database
    assert f"`GRANT CREATE ON DATABASE {name} TO {name};`" in message
    assert "\n" not in message


def test_the_error_for_a_role_that_may_create_no_tables_has_the_statement_to_run(
    limited: tuple[sa.Engine, str],
) -> None:
    grant_line = f"`GRANT CREATE ON SCHEMA public TO {limited[0].url.database};`"
    with pytest.raises(StartError, match=grant_line) as refused:
        bring_to_newest_schema(limited[1])
    assert "\n" not in str(refused.value)


def test_dagster_gets_a_schema_where_the_role_may_create_no_database(
    limited: tuple[sa.Engine, str],
) -> None:
    grant(limited, "CREATE ON DATABASE {database}")
    grant(limited, "CREATE ON SCHEMA public")
    admin, url = limited
    made = make_databases(url)
    bring_to_newest_schema(url)
    assert made == dagster_url(url, is_schema=True)
    assert make_databases(url) == made
    storage = DagsterPostgresStorage(made, should_autocreate_tables=True)
    assert storage.run_storage.get_runs() == []
    tables = sa.inspect(admin)
    assert "runs" in tables.get_table_names("storemon_dagster")
    assert "runs" not in tables.get_table_names("public")
    assert "reports" in tables.get_table_names("public")


def test_dagster_keeps_the_database_that_it_has(server_url: str) -> None:
    name = f"own_{uuid.uuid4().hex}"
    url = sqlalchemy_url(server_url).set(database=name).render_as_string(hide_password=False)
    assert make_databases(url) == dagster_url(url)
    assert make_databases(url) == dagster_url(url)


def test_dagster_finds_its_tables_as_it_would_make_them(databases: Databases) -> None:
    assert version("dagster-postgres") == DAGSTER_SNAPSHOT_VERSION, "run tests/schema_snapshot.py"
    with databases.empty() as filled, databases.empty() as made:
        fill_empty_database(filled, DAGSTER_SNAPSHOT.read_text())
        make_dagster_tables(filled)  # which finds nothing to do
        make_dagster_tables(made)
        assert _without_times(dump(filled)) == _without_times(dump(made))


def test_a_database_with_tables_is_not_filled(databases: Databases) -> None:
    with databases.empty() as url:
        fill_empty_database(url, "CREATE TABLE one ()")
        fill_empty_database(url, "CREATE TABLE another ()")
        assert "another" not in dump(url)


def _without_times(text: str) -> str:
    return re.sub(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?'", "TIME", text)
