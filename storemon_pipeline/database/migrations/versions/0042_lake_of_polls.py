"""Name the version of the lake that has the polls in place of the database."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table without its row: the polls are in the database."""
    op.create_table(
        "lake_of_polls",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("place", sa.Text(), nullable=False, comment="path or URL of the lake"),
        sa.Column(
            "version", sa.BigInteger(), nullable=False, comment="number of the manifest that counts"
        ),
        sa.CheckConstraint("is_only_row", name=op.f("ck_lake_of_polls_is_only_row")),
        sa.PrimaryKeyConstraint("is_only_row", name=op.f("pk_lake_of_polls")),
        comment="The lake that has all polls and status runs; no row while the database has them.",
    )
