"""Keep objectives for uptime, with their versions."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "objectives",
        sa.Column("objective_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("applies_to", sa.Text(), nullable=False),
        sa.Column("store_key", sa.Integer(), comment="NULL: not of one store"),
        sa.Column(
            "name", sa.Text(), nullable=False, comment="of the group or region; otherwise empty"
        ),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column(
            "valid_from", sa.DateTime(timezone=True), nullable=False, comment="-infinity: always"
        ),
        sa.Column(
            "is_dated", sa.Boolean(), nullable=False, comment="whether the source gave valid_from"
        ),
        sa.Column("objective_percent", sa.Numeric(7, 4), comment="NULL: no objective from then on"),
        sa.Column("load_id", sa.Integer(), nullable=False),
        sa.Column("cancelled_by_load_id", sa.Integer()),
        sa.CheckConstraint(
            "applies_to IN ('store', 'group', 'region', 'all')",
            name=op.f("ck_objectives_applies_to"),
        ),
        sa.CheckConstraint(
            "(applies_to = 'store') = (store_key IS NOT NULL)",
            name=op.f("ck_objectives_store_key"),
        ),
        sa.CheckConstraint(
            "(applies_to IN ('group', 'region')) = (name <> '')", name=op.f("ck_objectives_name")
        ),
        sa.CheckConstraint("period IN ('week', 'month')", name=op.f("ck_objectives_period")),
        sa.CheckConstraint(
            "objective_percent BETWEEN 0 AND 100", name=op.f("ck_objectives_objective_percent")
        ),
        sa.PrimaryKeyConstraint("objective_id", name=op.f("pk_objectives")),
        comment="Objectives for uptime, with all their versions.",
    )
    op.create_index("ix_objectives_store_key", "objectives", ["store_key"])
