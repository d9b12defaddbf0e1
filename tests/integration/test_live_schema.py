"""The migrations lead to the tables that SQLAlchemy knows."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from storemon_pipeline.storage.tables import metadata


def test_the_newest_schema_is_that_of_the_tables(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
