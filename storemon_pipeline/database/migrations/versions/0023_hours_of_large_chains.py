"""Let an hour of polls cost less in a large chain.

An update of status runs marks stale days without joining all old rows with all new ones. Weeks that
have not changed since their last check are not checked again: triggers mark the others.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the triggers on updated status runs, and mark weeks once all have been checked."""
    for statement in _STALENESS:
        op.execute(statement)
    op.add_column(
        "intervals_state",
        sa.Column(
            "is_checked",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="whether all weeks were once checked; since then unchecked_weeks has the rest",
        ),
    )
    op.create_table(
        "unchecked_weeks",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("store_key", name=op.f("pk_unchecked_weeks")),
        comment="Stores whose week has changed since its last check; written by triggers.",
    )
    for statement in (_MARK_UNCHECKED, *_UNCHECKED_TRIGGERS):
        op.execute(statement)


# As in 0009, but a status run that only went on is found without its former version: the marks
# begin at the earlier of its two ends.
_STALENESS = (
    """
    CREATE OR REPLACE FUNCTION daily_stale_runs_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        settled timestamptz := (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state);
    BEGIN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(last_poll_at) FROM (
            SELECT store_key, last_poll_at FROM removed WHERE last_poll_at < settled
            UNION ALL
            SELECT store_key, last_poll_at FROM added WHERE last_poll_at < settled
        ) AS changes
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION daily_stale_run_turned() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        settled timestamptz := (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state);
        since timestamptz := greatest(
            new.first_poll_at - interval '192 hours',
            least(new.first_poll_at, coalesce((
                SELECT before.last_poll_at FROM status_runs before
                WHERE before.store_key = new.store_key
                  AND before.first_poll_at < new.first_poll_at
                ORDER BY before.first_poll_at DESC LIMIT 1
            ), '-infinity'))
        );
    BEGIN
        IF since < settled THEN
            INSERT INTO store_uptime_daily_stale AS s (store_key, since)
            VALUES (new.store_key, since)
            ON CONFLICT (store_key) DO UPDATE SET since = least(s.since, excluded.since);
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER daily_stale_run_turned AFTER UPDATE ON status_runs
    FOR EACH ROW WHEN (old.is_active <> new.is_active) EXECUTE FUNCTION daily_stale_run_turned()
    """,
)

# Before the first check nothing is marked: it reads all weeks.
_MARK_UNCHECKED = """
    CREATE FUNCTION mark_unchecked_weeks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM intervals_state WHERE is_checked) THEN
            INSERT INTO unchecked_weeks SELECT DISTINCT store_key FROM changed
            ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$
"""
_UNCHECKED_TRIGGERS = tuple(
    f"CREATE TRIGGER unchecked_weeks_{event.lower()} AFTER {event} ON {table}"
    f" REFERENCING {rows} TABLE AS changed"
    " FOR EACH STATEMENT EXECUTE FUNCTION mark_unchecked_weeks()"
    for event, table, rows in (
        ("INSERT", "stores", "NEW"),
        *(
            (event, table, rows)
            for table in ("business_hour_intervals", "store_weeks")
            for event, rows in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
        ),
    )
)
