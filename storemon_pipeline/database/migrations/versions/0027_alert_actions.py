"""Keep what people do about alerts: acknowledge, silence, note."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the columns that it sets."""
    op.add_column(
        "alerts",
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), comment="NULL: not acknowledged"),
    )
    op.add_column(
        "alerts",
        sa.Column(
            "silenced_until",
            sa.DateTime(timezone=True),
            comment="no message is sent before, also of later alerts of this kind and subject",
        ),
    )
    op.create_table(
        "alert_actions",
        sa.Column("action_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("silenced_until", sa.DateTime(timezone=True), comment="end of a silence"),
        sa.Column("acted_by", sa.Text(), comment="name of the key; NULL: without a key"),
        sa.Column("acted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "action IN ('acknowledge', 'unacknowledge', 'silence', 'unsilence', 'note')",
            name=op.f("ck_alert_actions_action"),
        ),
        sa.CheckConstraint(
            "(action = 'silence') = (silenced_until IS NOT NULL)",
            name=op.f("ck_alert_actions_silenced_until"),
        ),
        sa.PrimaryKeyConstraint("action_id", name=op.f("pk_alert_actions")),
        comment="What people did about alerts, with their notes.",
    )
    op.create_index("ix_alert_actions_alert_id", "alert_actions", ["alert_id"])
