"""The databases of a service: made and brought to the newest schema, or a clear line why not.

Which statements that takes is the business of `storage`.
"""

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.engine import URL

from storemon_pipeline.database.connections import dagster_url, ensure_database
from storemon_pipeline.database.migrate import migrate
from storemon_pipeline.host.errors import StartError

_BACKENDS = frozenset({"postgresql", "postgres"})


def check_database_url(url: str) -> None:
    """Raise StartError unless this is the URL of a PostgreSQL database."""
    _parse(url)


def make_databases(url: str) -> None:
    """Create storemon's and Dagster's databases if they are missing.

    Raises StartError when the server cannot be reached or refuses.
    """
    for wanted in (url, dagster_url(url)):
        try:
            ensure_database(wanted)
        except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
            raise StartError(
                f"The database {_shown(wanted)} cannot be used ({_reason(error)}): check "
                "--database-url (STOREMON_DATABASE_URL)."
            ) from error


def bring_to_newest_schema(url: str) -> None:
    """Run the migrations. Raises StartError when the schema is newer than this version knows."""
    try:
        migrate(url)
    except CommandError as error:
        raise StartError(
            f"The database {_shown(url)} was written by a newer storemon ({_reason(error)}): "
            "install that one."
        ) from error
    except sa.exc.OperationalError as error:
        raise StartError(
            f"The database {_shown(url)} cannot be migrated ({_reason(error)})."
        ) from error


def _parse(url: str) -> URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StartError(
            "--database-url (STOREMON_DATABASE_URL) is no URL such as "
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


def _reason(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
