"""Keep what retention of the ids of webhook messages needs."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. The ids of messages that arrived before stay."""
    op.add_column(
        "webhook_messages",
        sa.Column(
            "last_start_at",
            sa.TIMESTAMP(timezone=True),
            comment="last start told; NULL: the id is never dropped",
        ),
    )
    op.add_column(
        "retention_state",
        sa.Column(
            "messages_kept_from",
            sa.TIMESTAMP(timezone=True),
            comment="as polls_kept_from, for webhook_messages",
        ),
    )
