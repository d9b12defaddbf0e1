"""What the owner's view needs: names of stores and days of history."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, and the triggers that remember which days are to be made again."""
    op.create_table(
        "store_details",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("group_name", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("load_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("store_key", name=op.f("pk_store_details")),
        comment="What people call a store, and the group and region that it is counted with.",
    )
    op.create_table(
        "store_uptime_daily",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "local_date", sa.Date(), nullable=False, comment="on the wall clock of the store"
        ),
        sa.Column("business_us", sa.BigInteger(), nullable=False),
        sa.Column("uptime_us", sa.BigInteger(), nullable=False),
        sa.Column("downtime_us", sa.BigInteger(), nullable=False),
        sa.Column("unknown_us", sa.BigInteger(), nullable=False),
        sa.Column("uncertain_us", sa.BigInteger(), nullable=False),
        sa.Column("lowest_uptime_us", sa.BigInteger(), nullable=False),
        sa.Column(
            "incidents",
            sa.Integer(),
            nullable=False,
            comment="that cost business time on this day; one over midnight counts on both",
        ),
        sa.CheckConstraint(
            "business_us = uptime_us + downtime_us + unknown_us",
            name=op.f("ck_store_uptime_daily_adds_up"),
        ),
        sa.PrimaryKeyConstraint("store_key", "local_date", name=op.f("pk_store_uptime_daily")),
        comment="History by local day, from the day of a store's first poll to the newest poll.",
    )
    op.create_table(
        "store_uptime_daily_state",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("as_of", _INSTANT, nullable=False),
        sa.Column("refreshed_at", _INSTANT, nullable=False),
        sa.CheckConstraint("is_only_row", name=op.f("ck_store_uptime_daily_state_is_only_row")),
        sa.PrimaryKeyConstraint("is_only_row", name=op.f("pk_store_uptime_daily_state")),
        comment="Up to which poll store_uptime_daily is made.",
    )
    op.create_table(
        "store_uptime_daily_stale",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", _INSTANT, nullable=False, comment="-infinity: all of the store's days"),
        sa.PrimaryKeyConstraint("store_key", name=op.f("pk_store_uptime_daily_stale")),
        comment="Stores whose days must be made again; written by triggers on what days are made of.",
    )
    for statement in _STALENESS:
        op.execute(statement)


# A change of a poll reaches back as far as a poll can be looked for: 192 hours. A run that only
# went on has changed nothing before its former end; the last 24 hours are made again anyway.
_MARK = """
    INSERT INTO store_uptime_daily_stale (store_key, since)
    SELECT store_key, min(since) FROM ({changes}) AS changes
    WHERE since < (SELECT as_of - interval '24 hours' FROM store_uptime_daily_state)
    GROUP BY store_key
    ON CONFLICT (store_key) DO UPDATE
    SET since = least(store_uptime_daily_stale.since, excluded.since)
"""
_CHANGES = {
    "runs_added": "SELECT store_key, first_poll_at - interval '192 hours' AS since FROM added",
    "runs_removed": "SELECT store_key, first_poll_at - interval '192 hours' AS since FROM removed",
    "runs_changed": (
        "SELECT store_key, CASE WHEN removed.is_active = added.is_active"
        " THEN least(removed.last_poll_at, added.last_poll_at)"
        " ELSE first_poll_at - interval '192 hours' END AS since"
        " FROM removed JOIN added USING (store_key, first_poll_at)"
    ),
    "hours_added": "SELECT store_key, valid_from AS since FROM added",
    "hours_removed": "SELECT store_key, valid_from AS since FROM removed",
    "zones_added": "SELECT store_key, '-infinity'::timestamptz AS since FROM added",
    "zones_removed": "SELECT store_key, '-infinity'::timestamptz AS since FROM removed",
    "closures_added": (
        "SELECT s.store_key, added.start_local - interval '26 hours' AS since"
        " FROM added JOIN stores s ON added.store_key IS NULL OR s.store_key = added.store_key"
    ),
    "closures_removed": (
        "SELECT s.store_key, removed.start_local - interval '26 hours' AS since"
        " FROM removed JOIN stores s ON removed.store_key IS NULL OR s.store_key = removed.store_key"
    ),
}
_TRIGGERS = (
    ("runs_added", "INSERT", "status_runs", "NEW TABLE AS added"),
    ("runs_removed", "DELETE", "status_runs", "OLD TABLE AS removed"),
    ("runs_changed", "UPDATE", "status_runs", "OLD TABLE AS removed NEW TABLE AS added"),
    ("hours_added", "INSERT", "business_hour_intervals", "NEW TABLE AS added"),
    ("hours_removed", "DELETE", "business_hour_intervals", "OLD TABLE AS removed"),
    ("zones_added", "INSERT", "store_timezones", "NEW TABLE AS added"),
    ("zones_removed", "DELETE", "store_timezones", "OLD TABLE AS removed"),
    ("closures_added", "INSERT", "closures", "NEW TABLE AS added"),
    ("closures_removed", "UPDATE", "closures", "OLD TABLE AS removed"),
    ("closures_removed", "DELETE", "closures", "OLD TABLE AS removed"),
)
_STALENESS = (
    *(
        f"CREATE FUNCTION daily_stale_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {_MARK.format(changes=changes)}; RETURN NULL; END $$"
        for name, changes in _CHANGES.items()
    ),
    *(
        f"CREATE TRIGGER daily_stale_{name}_{event.lower()} AFTER {event} ON {table}"
        f" REFERENCING {rows} FOR EACH STATEMENT EXECUTE FUNCTION daily_stale_{name}()"
        for name, event, table, rows in _TRIGGERS
    ),
)
