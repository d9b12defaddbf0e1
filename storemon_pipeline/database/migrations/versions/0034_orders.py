"""Keep orders by hour, and the demand that is learned from them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "hourly_orders",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("load_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column(
            "amount", sa.BigInteger(), nullable=False, comment="hundredths of a currency unit"
        ),
        sa.Column(
            "amount_squares",
            sa.Double(),
            nullable=False,
            comment="sum of the squares of the amounts of the orders",
        ),
        sa.PrimaryKeyConstraint(
            "store_key", "hour_start", "currency", "load_id", name=op.f("pk_hourly_orders")
        ),
        comment="Orders by store and UTC hour; of several rows of an hour the last load counts.",
    )
    op.create_table(
        "learned_demand",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("load_id", sa.Integer(), nullable=False, comment="newest load of orders"),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column(
            "rate",
            postgresql.ARRAY(sa.BigInteger()),
            nullable=False,
            comment="hundredths per hour, from Monday 00:00 on, local time",
        ),
        sa.Column("lowest", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("highest", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("store_key", "valid_from", name=op.f("pk_learned_demand")),
        comment="Expected sales learned from orders, in versions.",
    )
