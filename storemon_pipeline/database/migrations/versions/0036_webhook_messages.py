"""Keep the ids of messages of webhooks, so that each counts once."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "webhook_messages",
        sa.Column("source", sa.Text(), nullable=False, comment="name of the webhook"),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("load_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "message_id", name=op.f("pk_webhook_messages")),
        comment="Ids of messages of webhooks, each of which counts once.",
    )
