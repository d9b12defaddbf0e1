"""Migrating a database to the newest schema."""

from importlib.resources import files

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.database.locks import AdvisoryLock


def _config() -> Config:
    config = Config()
    config.set_main_option(
        "script_location", str(files("storemon_pipeline.database") / "migrations")
    )
    return config


def migrate(url: str) -> None:
    """Migrate the database to the newest schema; one process at a time.

    All steps run in one transaction: a step that fails leaves the schema unchanged.
    """
    engine = create_engine(url, application_name="storemon migrate", pool_size=1)
    config = _config()
    try:
        with engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(AdvisoryLock.MIGRATE))))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
