"""What live data needs: loads that undo others, whole rejected rows, the border of retention."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table; what is there stays as it is."""
    op.add_column(
        "loads",
        sa.Column(
            "undoes_load_id",
            sa.Integer(),
            nullable=True,
            comment="this load is the undoing of that one",
        ),
    )
    op.add_column(
        "loads",
        sa.Column(
            "rows_removed",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="polls that an undoing took out of the table",
        ),
    )
    op.add_column(
        "loads",
        sa.Column(
            "header",
            sa.Text(),
            nullable=True,
            comment="the columns under which rejected rows can be read again",
        ),
    )
    op.add_column(
        "rejected_rows",
        sa.Column(
            "row_bytes",
            sa.LargeBinary(),
            nullable=True,
            comment="the row, where row_text does not show it whole",
        ),
    )
    op.add_column(
        "report_results",
        sa.Column(
            "newest_poll_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the newest poll when it was computed",
        ),
    )
    op.create_index("ix_report_results_as_of_policy", "report_results", ["as_of", "policy"])
    op.create_table(
        "retention_state",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("polls_kept_from", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("is_only_row", name=op.f("ck_retention_state_is_only_row")),
        sa.PrimaryKeyConstraint("is_only_row", name=op.f("pk_retention_state")),
        comment="Polls before polls_kept_from are refused: what they would change is gone.",
    )
