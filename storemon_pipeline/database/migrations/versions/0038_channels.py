"""Keep the channels of stores: several storefronts of one store."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "channels",
        sa.Column("channel_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("channel_store_id", sa.Text(collation="C"), nullable=False),
        sa.Column("store_key", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("load_id", sa.Integer(), nullable=False),
        sa.Column("cancelled_by_load_id", sa.Integer(), comment="load that replaced it"),
        sa.PrimaryKeyConstraint("channel_id", name=op.f("pk_channels")),
        comment="What sources say of the storefronts of stores, with all versions.",
    )
    op.create_index("ix_channels_channel_store_id", "channels", ["channel_store_id"])
    op.create_index("ix_channels_store_key", "channels", ["store_key"])
    op.create_table(
        "storefronts",
        sa.Column("storefront_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("storefront_id", sa.Text(collation="C"), nullable=False),
        sa.Column("store_key", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("storefront_key", name=op.f("pk_storefronts")),
        sa.UniqueConstraint("storefront_id", name=op.f("uq_storefronts_storefront_id")),
        comment=(
            "Storefronts of stores: in place of a row in stores, unless the id is the store's own."
        ),
    )
    op.create_index("ix_storefronts_store_key", "storefronts", ["store_key"])
    op.create_table(
        "channel_rule",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.CheckConstraint("is_only_row", name=op.f("ck_channel_rule_is_only_row")),
        sa.PrimaryKeyConstraint("is_only_row", name=op.f("pk_channel_rule")),
        comment="When a store with several storefronts is up; without a row: any_up.",
    )
