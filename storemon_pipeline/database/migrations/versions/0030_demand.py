"""Keep the expected sales of each hour of the week, with their versions."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "demand",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "valid_from", sa.DateTime(timezone=True), nullable=False, comment="-infinity: always"
        ),
        sa.Column("load_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day_of_week", sa.SmallInteger(), nullable=False, comment="0: Monday"),
        sa.Column("hour", sa.SmallInteger(), nullable=False, comment="local time"),
        sa.Column(
            "sales_per_hour",
            sa.BigInteger(),
            nullable=False,
            comment="hundredths of a currency unit",
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column(
            "is_dated", sa.Boolean(), nullable=False, comment="whether the source gave valid_from"
        ),
        sa.PrimaryKeyConstraint(
            "store_key", "valid_from", "load_id", "row_number", name=op.f("pk_demand")
        ),
        comment=(
            "Expected sales as read; the rows of one store, valid_from and load are one version."
        ),
    )
