"""Creates the databases of a service and migrates them, or says in one line what to do."""

from importlib.metadata import version
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import URL

from storemon_pipeline.database.connections import (
    DAGSTER_SCHEMA,
    dagster_url,
    database_of,
    ensure_database,
    ensure_schema,
    fill_empty_database,
    has_schema,
    is_refused,
    role_of,
)
from storemon_pipeline.database.schema_version import has_newest_schema
from storemon_pipeline.host.errors import StartError

DAGSTER_SNAPSHOT: Final = Path(__file__).with_name("dagster_snapshot.sql")
"""What Dagster makes of an empty database; `tests/schema_snapshot.py` writes it.

Several of its processes would make their tables at once, and one of them might fail.
"""

DAGSTER_SNAPSHOT_VERSION: Final = "0.29.27"
"""The version of dagster-postgres that the snapshot is of. Another one makes its own tables."""

_BACKENDS = frozenset({"postgresql", "postgres"})


def check_database_url(url: str) -> None:
    """Raise StartError unless this is the URL of a PostgreSQL database."""
    _parse(url)


def make_databases(url: str) -> str:
    """Create storemon's and Dagster's databases if they are missing; return Dagster's URL.

    Where the role may not create a database, Dagster gets a schema of its own in storemon's
    database. Raises StartError when the server cannot be reached or refuses.
    """
    try:
        ensure_database(url)
        return _make_dagster_database(url)
    except sa.exc.DBAPIError as error:
        if is_refused(error):
            name, role = database_of(url), role_of(url)
            raise StartError(
                f"The role {role} may not create what {_shown(url)} lacks ({first_line(error)}): "
                f"as an administrator of the server run `CREATE DATABASE {name} OWNER {role};`, "
                f"or, if it exists, `GRANT CREATE ON DATABASE {name} TO {role};`."
            ) from error
        raise StartError(
            f"The database {_shown(url)} cannot be used ({first_line(error)}): check "
            "--database-url (STOREMON_DATABASE_URL)."
        ) from error


def _make_dagster_database(url: str) -> str:
    dagster = _ensure_dagster_database(url)
    if version("dagster-postgres") == DAGSTER_SNAPSHOT_VERSION:
        fill_empty_database(dagster, DAGSTER_SNAPSHOT.read_text())
    return dagster


def _ensure_dagster_database(url: str) -> str:
    own, schema = dagster_url(url), dagster_url(url, is_schema=True)
    if not has_schema(url, DAGSTER_SCHEMA):
        try:
            ensure_database(own)
        except sa.exc.ProgrammingError as error:
            if not is_refused(error):
                raise
            ensure_schema(url, DAGSTER_SCHEMA)
        else:
            return own
    return schema


def bring_to_newest_schema(url: str) -> None:
    """Run the migrations. Raises StartError when the schema is newer than this version knows."""
    if has_newest_schema(url):
        return
    from alembic.util import CommandError  # noqa: PLC0415 - most starts need no migration

    from storemon_pipeline.database.migrate import migrate  # noqa: PLC0415

    try:
        migrate(url)
    except CommandError as error:
        raise StartError(
            f"The database {_shown(url)} was written by a newer storemon ({first_line(error)}): "
            "install that one."
        ) from error
    except sa.exc.DBAPIError as error:
        if is_refused(error):
            role = role_of(url)
            raise StartError(
                f"The role {role} may not create tables in {_shown(url)} ({first_line(error)}): as "
                f"an administrator of it run `GRANT CREATE ON SCHEMA public TO {role};`."
            ) from error
        raise StartError(
            f"The database {_shown(url)} cannot be migrated ({first_line(error)}): run "
            "`storemon doctor`."
        ) from error


def _parse(url: str) -> URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise StartError(
            "--database-url (STOREMON_DATABASE_URL) is not a URL such as "
            "postgresql://user:password@host/name."
        ) from error
    if parsed.get_backend_name() not in _BACKENDS or not parsed.database:
        raise StartError(
            "--database-url (STOREMON_DATABASE_URL) must name a PostgreSQL database, such as "
            "postgresql://user:password@host/name."
        )
    return parsed


def _shown(url: str) -> str:
    return _parse(url).set(query={}).render_as_string(hide_password=True)


def first_line(error: Exception) -> str:
    """The first line of what the database's driver said."""
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
