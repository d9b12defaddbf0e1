"""Keep the release of the zones' rules with reports and days.

The next refresh computes all days again, because the release that made them is unknown. That includes
the days of first polls.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, without a release for what is stored."""
    op.add_column(
        "report_results",
        sa.Column("zone_rules", sa.Text(), comment="release of tzdata, such as 2026f"),
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
