"""Alembic's environment: runs the scripts on the connection that `migrate` passes."""

from alembic import context

from storemon_pipeline.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
