"""Keep the schedules of statements, and each delivery with its result."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_FORMATS = "file_format IN ('pdf', 'xlsx', 'csv')"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "statement_schedules",
        sa.Column("schedule_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("store_id", sa.Text(), comment="NULL: not of one store"),
        sa.Column("group_name", sa.Text()),
        sa.Column("region", sa.Text()),
        sa.Column("objective_percent", sa.Numeric(7, 4), comment="NULL: the stored objectives"),
        sa.Column(
            "only_stores",
            postgresql.ARRAY(sa.Text()),
            comment="stores of the key that asked; NULL: every store",
        ),
        sa.Column("address", sa.Text(), nullable=False, comment="email address"),
        sa.Column("file_format", sa.Text(), nullable=False),
        sa.Column("every", sa.Text(), nullable=False, comment="a weekday, or month: its first day"),
        sa.Column("at_local", sa.Time(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False, comment="IANA key"),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), comment="name of the key; NULL: without a key"),
        sa.Column("cancelled_at", _INSTANT),
        sa.CheckConstraint(_FORMATS, name=op.f("ck_statement_schedules_file_format")),
        sa.PrimaryKeyConstraint("schedule_id", name=op.f("pk_statement_schedules")),
        comment="When statements are sent, and to whom.",
    )
    op.create_table(
        "statement_deliveries",
        sa.Column("delivery_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("schedule_id", sa.Integer(), comment="NULL: somebody sent it"),
        sa.Column("store_id", sa.Text(), comment="NULL: not of one store"),
        sa.Column("group_name", sa.Text()),
        sa.Column("region", sa.Text()),
        sa.Column("objective_percent", sa.Numeric(7, 4), comment="NULL: the stored objectives"),
        sa.Column(
            "only_stores",
            postgresql.ARRAY(sa.Text()),
            comment="stores of the key that asked; NULL: every store",
        ),
        sa.Column("address", sa.Text(), nullable=False, comment="email address"),
        sa.Column("file_format", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("statement_id", sa.BigInteger(), comment="NULL: its figures are not kept yet"),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", _INSTANT, nullable=False),
        sa.Column("claimed_at", _INSTANT, comment="start of the last try"),
        sa.Column(
            "is_repeated",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="whether a try was interrupted, so that it may arrive twice",
        ),
        sa.Column("sent_at", _INSTANT),
        sa.Column("error", sa.Text(), comment="error of the last try"),
        sa.CheckConstraint(_FORMATS, name=op.f("ck_statement_deliveries_file_format")),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'sent', 'failed')",
            name=op.f("ck_statement_deliveries_state"),
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_statement_deliveries")),
        sa.UniqueConstraint(
            "schedule_id", "period", name=op.f("uq_statement_deliveries_schedule_id_period")
        ),
        comment="Statements by mail: waiting, sent or failed. A schedule sends each period once.",
    )
    op.create_index(
        "ix_statement_deliveries_open",
        "statement_deliveries",
        ["next_try_at"],
        postgresql_where=sa.text("state IN ('waiting', 'sending')"),
    )
