"""Keep with each day what the likely ranges of totals are made of.

The next refresh with a status model computes all days again, as after a change of zones' rules.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, empty for the days that are stored."""
    for name, column_type, comment in (
        ("likely_apart_s", sa.Integer(), "estimated mean above uptime; NULL: no range"),
        ("likely_own_deviation_s", sa.Integer(), "independent of other days"),
        ("likely_shared_deviation_s", sa.Integer(), "common to the store's days"),
        ("likely_reach_minutes", sa.SmallInteger(), "of a store that is switched off"),
        ("likely_doubt", sa.SmallInteger(), "reasons to doubt the range; 0: none"),
        (
            "status_model_id",
            sa.Integer(),
            "version that the likely range comes from, which may be dropped since",
        ),
    ):
        op.add_column("store_uptime_daily", sa.Column(name, column_type, comment=comment))
    op.add_column(
        "store_uptime_daily_state",
        sa.Column(
            "likely_recipe",
            sa.Integer(),
            comment="recipe of the status models of the days; NULL: days without likely ranges",
        ),
    )
