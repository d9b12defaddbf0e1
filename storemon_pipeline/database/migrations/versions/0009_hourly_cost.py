"""What keeps the cost of an hour apart from the length of the history.

The newest poll is known without looking for it, and a new status run marks as stale only the days
since the run before it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table with its triggers, and replace the functions that mark days as stale."""
    op.create_table(
        "newest_poll",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("is_only_row", name=op.f("ck_newest_poll_is_only_row")),
        sa.PrimaryKeyConstraint("is_only_row", name=op.f("pk_newest_poll")),
        comment="The newest poll in the database; no row without polls. Written by triggers.",
    )
    op.execute(
        "INSERT INTO newest_poll (polled_at) SELECT max(last_poll_at) FROM status_runs"
        " HAVING max(last_poll_at) IS NOT NULL"
    )
    for statement in (*_NEWEST_POLL, *_STALENESS):
        op.execute(statement)


_RAISE = """
    INSERT INTO newest_poll (polled_at)
    SELECT max(last_poll_at) FROM added HAVING max(last_poll_at) IS NOT NULL
    ON CONFLICT (is_only_row) DO UPDATE SET polled_at = excluded.polled_at
    WHERE newest_poll.polled_at < excluded.polled_at
"""
# Only where the newest poll itself was taken is it looked for.
_LOWER = """
    IF (SELECT max(last_poll_at) FROM removed) >= (SELECT polled_at FROM newest_poll) THEN
        DELETE FROM newest_poll;
        INSERT INTO newest_poll (polled_at)
        SELECT max(last_poll_at) FROM status_runs HAVING max(last_poll_at) IS NOT NULL;
    END IF
"""
_CHANGE = f"""
    IF (SELECT max(last_poll_at) FROM added) >= (SELECT polled_at FROM newest_poll) THEN
        {_RAISE};
    ELSE
        {_LOWER};
    END IF
"""  # noqa: S608  (made of constants)
_NEWEST_TRIGGERS = (
    ("added", "INSERT", "NEW TABLE AS added", _RAISE),
    ("removed", "DELETE", "OLD TABLE AS removed", _LOWER),
    ("changed", "UPDATE", "OLD TABLE AS removed NEW TABLE AS added", _CHANGE),
)
_NEWEST_POLL = (
    *(
        f"CREATE FUNCTION newest_poll_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {body}; RETURN NULL; END $$"
        for name, _, _, body in _NEWEST_TRIGGERS
    ),
    *(
        f"CREATE TRIGGER newest_poll_{name} AFTER {event} ON status_runs"
        f" REFERENCING {rows} FOR EACH STATEMENT EXECUTE FUNCTION newest_poll_{name}()"
        for name, event, rows, _ in _NEWEST_TRIGGERS
    ),
)

# Of days that were never made none is stale. The days of the last four hours are made again anyway:
# polls that come every hour mark nothing.
_MARK = """
    IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, min(since) FROM ({changes}) AS changes
        WHERE since < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
        GROUP BY store_key
        ON CONFLICT (store_key) DO UPDATE
        SET since = least(store_uptime_daily_stale.since, excluded.since);
    END IF
"""
# A change of a poll reaches back as far as a poll can be looked for, which is 192 hours, and no
# further than the run before. A run that only went on has changed nothing before its former end.
_SINCE_RUN_BEFORE = """
    SELECT r.store_key, greatest(
        r.first_poll_at - interval '192 hours', least(r.first_poll_at, before.last_poll_at)
    ) AS since
    FROM {rows} r
    CROSS JOIN LATERAL (
        SELECT coalesce((
            SELECT b.last_poll_at FROM status_runs b
            WHERE b.store_key = r.store_key AND b.first_poll_at < r.first_poll_at
            ORDER BY b.first_poll_at DESC LIMIT 1
        ), '-infinity') AS last_poll_at
    ) before
"""
_ONLY_WENT_ON = """
    SELECT store_key, least(removed.last_poll_at, added.last_poll_at) AS since
    FROM removed JOIN added USING (store_key, first_poll_at)
    WHERE removed.is_active = added.is_active
"""
_TURNED = """(
    SELECT added.* FROM removed JOIN added USING (store_key, first_poll_at)
    WHERE removed.is_active <> added.is_active
)"""
_CHANGES = {
    "runs_added": _SINCE_RUN_BEFORE.format(rows="added"),
    "runs_removed": _SINCE_RUN_BEFORE.format(rows="removed"),
    "runs_changed": f"{_ONLY_WENT_ON} UNION ALL {_SINCE_RUN_BEFORE.format(rows=_TURNED)}",
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
_STALENESS = tuple(
    f"CREATE OR REPLACE FUNCTION daily_stale_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" {_MARK.format(changes=changes)}; RETURN NULL; END $$"
    for name, changes in _CHANGES.items()
)
