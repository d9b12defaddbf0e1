"""An audit line is written with its deed, so that it has no status of an answer any more."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database from the schema before to this one."""
    op.drop_column("audit_events", "status")
