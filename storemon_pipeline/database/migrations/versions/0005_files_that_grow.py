"""What is remembered of a file so that it can be read on, and what finds recent rows by time."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. A file without a header here is read whole when it changes."""
    op.alter_column("ingested_files", "load_id", existing_type=sa.Integer(), nullable=True)
    op.add_column(
        "ingested_files",
        sa.Column("etag", sa.Text(), server_default=sa.text("''"), nullable=False),
    )
    op.add_column(
        "ingested_files",
        sa.Column(
            "lines_read",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="in the first bytes_read bytes",
        ),
    )
    op.add_column(
        "ingested_files",
        sa.Column(
            "header",
            sa.Text(),
            nullable=True,
            comment="under which more lines can be read; NULL: read whole or not at all",
        ),
    )
    op.add_column(
        "ingested_files",
        sa.Column(
            "tail_load_id",
            sa.Integer(),
            nullable=True,
            comment="the load of a last line without an end, behind bytes_read",
        ),
    )
    recent: dict[str, Any] = {
        "postgresql_using": "brin",
        "postgresql_with": {"autosummarize": "on", "pages_per_range": 16},
    }
    op.create_index(
        "ix_status_runs_first_poll_at_last_poll_at",
        "status_runs",
        ["first_poll_at", "last_poll_at"],
        **recent,
    )
    op.create_index("ix_store_status_polled_at", "store_status", ["polled_at"], **recent)
