"""Keep hours of single dates, with their versions, and compute the days again that they change."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table with its triggers."""
    op.create_table(
        "special_hours",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column(
            "valid_from", sa.DateTime(timezone=True), nullable=False, comment="-infinity: always"
        ),
        sa.Column("load_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "is_dated", sa.Boolean(), nullable=False, comment="whether the source gave valid_from"
        ),
        sa.Column(
            "starts_us",
            sa.ARRAY(sa.BigInteger()),
            comment="since local midnight; empty: closed; NULL: withdrawn, the weekly hours hold",
        ),
        sa.Column(
            "ends_us", sa.ARRAY(sa.BigInteger()), comment="since local midnight, after the start"
        ),
        sa.CheckConstraint(
            "cardinality(starts_us) = cardinality(ends_us)"
            " AND (starts_us IS NULL) = (ends_us IS NULL)",
            name=op.f("ck_special_hours_one_end_for_each_start"),
        ),
        sa.PrimaryKeyConstraint(
            "store_key",
            "local_date",
            "valid_from",
            "load_id",
            "is_dated",
            name=op.f("pk_special_hours"),
        ),
        comment="Hours of single local dates, which replace the weekly hours; with all versions.",
    )
    op.create_index("ix_special_hours_local_date", "special_hours", ["local_date"])
    for statement in (_FUNCTION, *_TRIGGERS):
        op.execute(statement)


_FUNCTION = """
    CREATE FUNCTION daily_stale_special_hours() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM store_uptime_daily_state) THEN
            INSERT INTO store_uptime_daily_stale (store_key, since)
            SELECT store_key, min(local_date - interval '26 hours') FROM changed
            WHERE local_date - interval '26 hours'
                < (SELECT as_of - interval '4 hours' FROM store_uptime_daily_state)
            GROUP BY store_key
            ON CONFLICT (store_key) DO UPDATE
            SET since = least(store_uptime_daily_stale.since, excluded.since);
        END IF;
        RETURN NULL;
    END $$
"""
_TRIGGERS = tuple(
    f"CREATE TRIGGER daily_stale_special_hours_{event.lower()} AFTER {event} ON special_hours"
    f" REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT"
    " EXECUTE FUNCTION daily_stale_special_hours()"
    for event, rows in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
)
