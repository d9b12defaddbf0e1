"""Migrating a database to the newest schema."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from storemon_pipeline.database.connections import create_engine, run_statements
from storemon_pipeline.database.locks import AdvisoryLock
from storemon_pipeline.database.schema_version import has_version, is_current

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS: Final = Path(__file__).parent / "migrations"

SNAPSHOT: Final = _MIGRATIONS / "snapshot.sql"
"""What the migrations make of an empty database, in a twentieth of their time.

It may be some migrations behind; these are then run. `tests/schema_snapshot.py` writes it.
"""


def alembic_config() -> "Config":
    """Alembic's configuration without a connection."""
    from alembic.config import Config  # noqa: PLC0415 - takes long; a new database needs none of it

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def migrate(url: str) -> None:
    """Migrate the database to the newest schema; one process at a time.

    All steps run in one transaction: a step that fails leaves the schema unchanged.
    """
    engine = create_engine(url, application_name="storemon migrate", pool_size=1)
    try:
        with engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(AdvisoryLock.MIGRATE))))
            if not has_version(connection):
                run_statements(connection, SNAPSHOT.read_text())
            if not is_current(connection):
                _upgrade(connection)
    finally:
        engine.dispose()


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415 - as above

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
