"""Keep the author of a closure."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody knows the authors of earlier closures for certain."""
    op.add_column(
        "closures",
        sa.Column("author", sa.Text(), comment="name of the key or account; NULL: without either"),
    )
