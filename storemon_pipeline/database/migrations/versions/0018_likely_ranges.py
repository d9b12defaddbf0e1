"""Keep the likely ranges of the newest figures.

They are unknown until the next refresh.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for table in ("store_uptime", "staged_uptime"):
        for end in ("lowest", "highest"):
            for window in ("hour", "day", "week"):
                op.add_column(
                    table, sa.Column(f"likely_{end}_uptime_last_{window}_us", sa.BigInteger())
                )
        op.add_column(
            table,
            sa.Column(
                "likely_doubt", sa.SmallInteger(), comment="reasons to doubt the range; 0: none"
            ),
        )
