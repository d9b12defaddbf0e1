"""Alembic's scripts, one per released change of the schema."""
