"""Let history begin at each store's first poll, also in days that are stored already.

The next refresh computes the day of each store's first poll again. Days and intervals say what they
include, so that checks leave out newer data. Alerts of stores that are no longer polled end with the
words that incidents end with.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, unknown or false for what is stored, and rename an ending."""
    op.add_column(
        "intervals_state",
        sa.Column("last_store_key", sa.Integer(), comment="greatest key that has intervals"),
    )
    op.add_column(
        "store_uptime_daily_state",
        sa.Column("last_load_id", sa.Integer(), comment="newest load that the days include"),
    )
    op.add_column(
        "store_uptime_daily_state",
        sa.Column(
            "begins_at_first_poll",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="false: the days of first polls must be computed again",
        ),
    )
    op.execute("UPDATE alerts SET ending = 'no longer polled' WHERE ending = 'lost sight of'")
