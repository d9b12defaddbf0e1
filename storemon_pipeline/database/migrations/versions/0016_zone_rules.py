"""Keep the release of the zones' rules with reports, status models and days.

The next refresh computes all days again, because the release that made them is unknown. That includes
the days of first polls.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, without a release for what is stored."""
    for table in ("report_results", "status_models"):
        op.add_column(
            table, sa.Column("zone_rules", sa.Text(), comment="release of tzdata, such as 2026f")
        )
    op.add_column(
        "store_uptime_daily_state",
        sa.Column(
            "zone_rules",
            sa.Text(),
            comment="release of tzdata that made the days; NULL: they must be computed again",
        ),
    )
    op.drop_column("store_uptime_daily_state", "begins_at_first_poll")
