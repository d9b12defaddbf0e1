"""Name the lake that has the polls that the database has dropped."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No lake is named yet."""
    op.add_column(
        "retention_state",
        sa.Column("lake", sa.Text(), comment="path or URL of the lake that has the dropped polls"),
    )
