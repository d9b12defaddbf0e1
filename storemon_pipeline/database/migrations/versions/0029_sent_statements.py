"""Keep the statements that were sent, so that nothing can change them later."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, with triggers that refuse to change or delete a row."""
    op.create_table(
        "sent_statements",
        sa.Column("statement_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "subject",
            sa.Text(collation="C"),
            nullable=False,
            comment="the same for all revisions",
        ),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.Text(), comment="NULL: not of one store"),
        sa.Column("group_name", sa.Text()),
        sa.Column("region", sa.Text()),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("objective_percent", sa.Numeric(7, 4), comment="NULL: the stored objectives"),
        sa.Column(
            "only_stores",
            postgresql.ARRAY(sa.Text()),
            comment="stores of the key that asked; NULL: every store",
        ),
        sa.Column("store_ids", postgresql.ARRAY(sa.Text()), nullable=False, comment="stores in it"),
        sa.Column("as_of", _INSTANT, nullable=False),
        sa.Column("sent_at", _INSTANT, nullable=False),
        sa.Column(
            "sent_by", sa.Text(), comment="name of the key; NULL: without a key, or a schedule"
        ),
        sa.Column(
            "last_load_id", sa.Integer(), nullable=False, comment="last load before it was made"
        ),
        sa.Column("statement", sa.LargeBinary(), nullable=False, comment="figures, as JSON"),
        sa.Column("changes", sa.LargeBinary(), nullable=False, comment="revision, as JSON"),
        sa.CheckConstraint("revision > 0", name=op.f("ck_sent_statements_revision")),
        sa.PrimaryKeyConstraint("statement_id", name=op.f("pk_sent_statements")),
        sa.UniqueConstraint(
            "subject", "revision", name=op.f("uq_sent_statements_subject_revision")
        ),
        comment=(
            "Statements as they were sent, with their revisions; a trigger keeps rows unchanged."
        ),
    )
    op.create_table(
        "sent_statement_files",
        sa.Column("statement_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("statement_id", "name", name=op.f("pk_sent_statement_files")),
        comment="Files of sent statements; a trigger keeps rows unchanged.",
    )
    op.execute(_FUNCTION)
    for table in ("sent_statements", "sent_statement_files"):
        op.execute(
            f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change_of_sent()"
        )


_FUNCTION = """
    CREATE FUNCTION refuse_change_of_sent() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'a statement that was sent is never changed';
    END $$
"""
