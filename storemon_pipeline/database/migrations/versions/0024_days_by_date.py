"""Find the newest days of all stores without reading the older ones."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index of dates. It is small: it has one entry for each 16 pages."""
    op.create_index(
        op.f("ix_store_uptime_daily_local_date"),
        "store_uptime_daily",
        ["local_date"],
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 16},
    )
