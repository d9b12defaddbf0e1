"""Keep with each result the stores whose rows of hours were all rejected."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, unknown for the results that are stored."""
    op.add_column(
        "report_results",
        sa.Column(
            "rejected_hours_stores",
            postgresql.ARRAY(sa.Text()),
            comment=(
                "ids of stores without hours because all their rows were rejected; NULL: unknown"
            ),
        ),
    )
