"""Let a schedule of statements have several addresses, each with a delivery of its own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the address of each schedule a list of one."""
    op.add_column(
        "statement_schedules",
        sa.Column("addresses", postgresql.ARRAY(sa.Text()), comment="email addresses"),
    )
    op.execute("UPDATE statement_schedules SET addresses = ARRAY[address]")
    op.alter_column("statement_schedules", "addresses", nullable=False)
    op.drop_column("statement_schedules", "address")
    op.drop_constraint(op.f("uq_statement_deliveries_schedule_id_period"), "statement_deliveries")
    op.create_unique_constraint(
        op.f("uq_statement_deliveries_schedule_id_period_address"),
        "statement_deliveries",
        ["schedule_id", "period", "address"],
    )
    op.create_table_comment(
        "statement_deliveries",
        "Statements by mail, with their state. A schedule sends a period once to an address.",
        existing_comment="Statements by mail: waiting, sent or failed. A schedule sends each "
        "period once.",
    )
