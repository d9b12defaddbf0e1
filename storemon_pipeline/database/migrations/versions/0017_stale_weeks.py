"""Mark the stores whose week must be normalised again, so that no refresh looks for them.

Looking for them compared all rows of hours with all intervals each hour.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table with its triggers, and mark all stores, since changes are not known."""
    op.create_table(
        "stale_weeks",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("store_key", name=op.f("pk_stale_weeks")),
        comment="Stores whose week must be normalised again; written by triggers on its inputs.",
    )
    for statement in (_FUNCTION, *_TRIGGERS):
        op.execute(statement)
    op.execute("INSERT INTO stale_weeks SELECT store_key FROM stores")


# Of weeks that were never made none is stale: the first refresh makes all.
_FUNCTION = """
    CREATE FUNCTION mark_stale_weeks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM intervals_state) THEN
            INSERT INTO stale_weeks SELECT DISTINCT store_key FROM changed ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$
"""
_TRIGGERS = tuple(
    f"CREATE TRIGGER stale_weeks_{name} AFTER {event} ON {table}"
    f" REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_stale_weeks()"
    for name, event, table, rows in (
        ("stores_added", "INSERT", "stores", "NEW"),
        ("hours_added", "INSERT", "business_hours", "NEW"),
        ("hours_removed", "DELETE", "business_hours", "OLD"),
    )
)
