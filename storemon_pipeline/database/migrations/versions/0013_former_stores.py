"""Keep the ids of stores that no data names any more, so that older reports stay readable.

Earlier undone loads left such stores behind, as silent stores in every count.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and move what undone loads left behind."""
    op.create_table(
        "former_stores",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("store_id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("store_key", name=op.f("pk_former_stores")),
        sa.UniqueConstraint("store_id", name=op.f("uq_former_stores_store_id")),
        comment="Stores that only undone loads named. Older reports and alerts refer to them.",
    )
    for statement in (_LEFT_BEHIND, *_DELETIONS):
        op.execute(statement)


_NAMING = (
    "status_runs",
    "superseded_polls",
    "business_hours",
    "store_timezones",
    "closures",
    "store_details",
)
_UNNAMED = " AND ".join(
    f"NOT EXISTS (SELECT FROM {table} n WHERE n.store_key = s.store_key)" for table in _NAMING
)
_LEFT_BEHIND = f"""
    INSERT INTO former_stores SELECT store_key, store_id FROM stores s
    WHERE EXISTS (SELECT FROM loads WHERE undoes_load_id IS NOT NULL) AND {_UNNAMED}
"""  # noqa: S608  (made of constants)
_DELETIONS = tuple(
    f"DELETE FROM {table} t USING former_stores f WHERE t.store_key = f.store_key"  # noqa: S608
    for table in (
        "stores",
        "business_hour_intervals",
        "store_weeks",
        "store_uptime_daily",
        "store_uptime_daily_stale",
    )
)
