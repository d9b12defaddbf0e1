"""The version of a database's schema, known without Alembic, which takes long to import."""

from functools import cache
from importlib.resources import files

import sqlalchemy as sa

from storemon_pipeline.database.connections import create_engine


@cache
def newest_version() -> str:
    """The newest version, which the last migration's file is named after."""
    folder = files("storemon_pipeline.database") / "migrations" / "versions"
    return max(path.name for path in folder.iterdir() if path.name[:1].isdigit())[:4]


def has_version(connection: sa.Connection) -> bool:
    """Whether the database has any version of the schema."""
    return connection.scalar(sa.text("SELECT to_regclass('alembic_version')")) is not None


def is_current(connection: sa.Connection) -> bool:
    """Whether the database has the newest schema."""
    if not has_version(connection):
        return False
    version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return bool(version == newest_version())


def has_newest_schema(url: str) -> bool:
    """As `is_current`, on a connection of its own. Raises sqlalchemy.exc.OperationalError."""
    engine = create_engine(url, application_name="storemon schema", pool_size=1)
    try:
        with engine.connect() as connection:
            return is_current(connection)
    finally:
        engine.dispose()
