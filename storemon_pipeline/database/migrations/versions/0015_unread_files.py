"""Keep which files of the data folder are not read, and why, and allow alerts about them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and the kind of alert."""
    op.create_table(
        "unread_files",
        sa.Column("file_path", sa.Text(collation="C"), nullable=False),
        sa.Column("source", sa.Text(), comment="NULL: the file has the name of no source"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "is_refused",
            sa.Boolean(),
            nullable=False,
            comment="false: its name is not one that is read",
        ),
        sa.Column(
            "found_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when it was first found so",
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            comment="when it was last written; NULL: unknown",
        ),
        sa.PrimaryKeyConstraint("file_path", name=op.f("pk_unread_files")),
        comment="Files of the data folder that are not read, with the reasons.",
    )
    op.drop_constraint(op.f("ck_alerts_kind"), "alerts")
    op.create_check_constraint(
        op.f("ck_alerts_kind"),
        "alerts",
        "kind IN ('down', 'silent', 'source', 'platform', 'data')",
    )
    op.alter_column(
        "alerts",
        "subject",
        existing_type=sa.Text(collation="C"),
        existing_nullable=False,
        comment="id of the store, or name of the zone, group, source or file",
    )
