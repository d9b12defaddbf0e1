"""Keep events: what sources know of the status of stores beside polls."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the triggers that mark the days that its rows change."""
    op.create_table(
        "store_events",
        sa.Column("event_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("store_key", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "to_at",
            sa.DateTime(timezone=True),
            comment="NULL: until the source's next event of the store",
        ),
        sa.Column("is_up", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("load_id", sa.Integer(), nullable=False),
        sa.Column(
            "cancelled_by_load_id", sa.Integer(), comment="load that replaced or cancelled it"
        ),
        sa.CheckConstraint("from_at < to_at", name=op.f("ck_store_events_order")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_store_events")),
        comment="Known status of stores from an instant on, beside polls; with all versions.",
    )
    op.create_index("ix_store_events_store_key", "store_events", ["store_key", "source", "from_at"])
    op.create_index("ix_store_events_load_id", "store_events", ["load_id"])
    for statement in _STALENESS:
        op.execute(statement)


# An event decides which polls count before it, up to 192 hours before. Of days that were never
# computed none is stale.
_MARK = """
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(from_at) - interval '192 hours' FROM {rows} GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
"""
_TRIGGERS = (
    ("events_added", "INSERT", "NEW TABLE AS added", "added"),
    ("events_changed", "UPDATE", "OLD TABLE AS removed", "removed"),
    ("events_removed", "DELETE", "OLD TABLE AS removed", "removed"),
)
_STALENESS = (
    *(
        f"CREATE FUNCTION daily_stale_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {_MARK.format(rows=rows)}; RETURN NULL; END $$"
        for name, _, _, rows in _TRIGGERS
    ),
    *(
        f"CREATE TRIGGER daily_stale_{name} AFTER {event} ON store_events"
        f" REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_{name}()"
        for name, event, tables, _ in _TRIGGERS
    ),
)
