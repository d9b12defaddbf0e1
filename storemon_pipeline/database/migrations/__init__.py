"""Alembic's migration scripts, one per release of the schema."""
