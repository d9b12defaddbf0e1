"""Keep the poll plan that was made last."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "planned_polls",
        sa.Column("store_key", sa.Integer(), nullable=False),
        sa.Column("poll_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("store_key", "poll_at", name=op.f("pk_planned_polls")),
        comment="When to poll each store in one hour, within a budget; replaced as a whole.",
    )
