"""Keep corrections: time that somebody takes out, or counts as up or down."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the triggers that mark the days that its rows change."""
    op.create_table(
        "corrections",
        sa.Column("correction_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("store_key", sa.Integer(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), comment="name of the key or account; NULL: without either"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("load_id", sa.Integer(), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled_by", sa.Text(), comment="name of the key or account"),
        sa.Column("cancelled_by_load_id", sa.Integer(), comment="NULL: in force"),
        sa.CheckConstraint("from_at < to_at", name=op.f("ck_corrections_order")),
        sa.CheckConstraint("kind IN ('taken_out', 'up', 'down')", name=op.f("ck_corrections_kind")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_corrections_reason")),
        sa.PrimaryKeyConstraint("correction_id", name=op.f("pk_corrections")),
        comment="Time of stores that is taken out, or counts as up or down whatever polls say.",
    )
    op.create_index("ix_corrections_store_key", "corrections", ["store_key", "from_at"])
    op.create_index("ix_corrections_load_id", "corrections", ["load_id"])
    for statement in _STALENESS:
        op.execute(statement)


# As for events: which polls count before it may change, up to 192 hours before.
_MARK = """
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(from_at) - interval '192 hours' FROM {rows} GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
"""
_TRIGGERS = (
    ("corrections_added", "INSERT", "NEW TABLE AS added", "added"),
    ("corrections_changed", "UPDATE", "OLD TABLE AS removed", "removed"),
    ("corrections_removed", "DELETE", "OLD TABLE AS removed", "removed"),
)
_STALENESS = (
    *(
        f"CREATE FUNCTION daily_stale_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {_MARK.format(rows=rows)}; RETURN NULL; END $$"
        for name, _, _, rows in _TRIGGERS
    ),
    *(
        f"CREATE TRIGGER daily_stale_{name} AFTER {event} ON corrections"
        f" REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_{name}()"
        for name, event, tables, _ in _TRIGGERS
    ),
)
