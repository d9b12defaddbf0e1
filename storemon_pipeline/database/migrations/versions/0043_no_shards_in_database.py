"""Drop what reports and newest figures in shards kept in the database."""

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the tables, and the rows of reports that a dead run had not finished."""
    op.execute(
        """
        DELETE FROM report_columns c USING result_shards s
        WHERE c.result_id = s.result_id
          AND NOT EXISTS (SELECT FROM report_results r WHERE r.result_id = c.result_id)
        """
    )
    op.drop_table("result_shards")
    op.drop_table("staged_uptime")
