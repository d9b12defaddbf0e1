"""What large chains need: distinct weeks, and results that are made in shards."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables; find the distinct weeks among those that are there."""
    op.create_table(
        "week_patterns",
        sa.Column("week_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("start_us_of_week", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("end_us_of_week", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("week_id", name=op.f("pk_week_patterns")),
        sa.UniqueConstraint("digest", name=op.f("uq_week_patterns_digest")),
        comment="Distinct weeks among business_hour_intervals; one that nobody has any more stays.",
    )
    op.create_table(
        "store_weeks",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("valid_from", _INSTANT, nullable=False, comment="-infinity: always"),
        sa.Column("week_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("store_key", "valid_from", name=op.f("pk_store_weeks")),
        comment="The pattern of each week of business_hour_intervals that hours were loaded for.",
    )
    for statement in _DISTINCT_WEEKS:
        op.execute(statement)
    op.create_table(
        "intervals_state",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("is_only_row", name=op.f("ck_intervals_state_is_only_row")),
        sa.PrimaryKeyConstraint("is_only_row", name=op.f("pk_intervals_state")),
        comment="How often business_hour_intervals have changed.",
    )
    op.create_table(
        "staged_uptime",
        sa.Column("result_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uptime_last_hour_minutes", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("uptime_last_day_hours", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("uptime_last_week_hours", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("downtime_last_hour_minutes", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("downtime_last_day_hours", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("downtime_last_week_hours", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("business_last_hour_us", sa.BigInteger(), nullable=False),
        sa.Column("business_last_day_us", sa.BigInteger(), nullable=False),
        sa.Column("business_last_week_us", sa.BigInteger(), nullable=False),
        sa.Column("uptime_last_hour_us", sa.BigInteger(), nullable=False),
        sa.Column("uptime_last_day_us", sa.BigInteger(), nullable=False),
        sa.Column("uptime_last_week_us", sa.BigInteger(), nullable=False),
        sa.Column("downtime_last_hour_us", sa.BigInteger(), nullable=False),
        sa.Column("downtime_last_day_us", sa.BigInteger(), nullable=False),
        sa.Column("downtime_last_week_us", sa.BigInteger(), nullable=False),
        sa.Column("lowest_uptime_last_hour_us", sa.BigInteger(), nullable=False),
        sa.Column("lowest_uptime_last_day_us", sa.BigInteger(), nullable=False),
        sa.Column("lowest_uptime_last_week_us", sa.BigInteger(), nullable=False),
        sa.Column("highest_uptime_last_hour_us", sa.BigInteger(), nullable=False),
        sa.Column("highest_uptime_last_day_us", sa.BigInteger(), nullable=False),
        sa.Column("highest_uptime_last_week_us", sa.BigInteger(), nullable=False),
        sa.Column("observed_last_hour_us", sa.BigInteger(), nullable=False),
        sa.Column("observed_last_day_us", sa.BigInteger(), nullable=False),
        sa.Column("observed_last_week_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("result_id", "store_key", name=op.f("pk_staged_uptime")),
        prefixes=["UNLOGGED"],
        comment="Rows that are to become those of store_uptime, while their shards are made.",
    )
    op.create_table(
        "result_shards",
        sa.Column("result_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("is_report", sa.Boolean(), nullable=False, comment="false: store_uptime"),
        sa.Column("as_of", _INSTANT, nullable=False),
        sa.Column("is_newest", sa.Boolean(), nullable=False, comment="as_of is the newest poll"),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("first_store_id", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "before_store_id", sa.Text(collation="C"), nullable=True, comment="NULL: the end of all"
        ),
        sa.Column("planned_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "data_version",
            sa.Text(),
            nullable=True,
            comment="what it was made of; NULL: not made yet",
        ),
        sa.Column("stores", sa.Integer(), nullable=True),
        sa.Column("silent_stores", sa.Integer(), nullable=True),
        sa.Column("csv_chunks", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("result_id", "shard", name=op.f("pk_result_shards")),
        comment="Results that are made in shards, until they are finished.",
    )
    op.create_index(op.f("ix_result_shards_run_id"), "result_shards", ["run_id"])


_DISTINCT_WEEKS = (
    """
    CREATE TEMPORARY TABLE weeks ON COMMIT DROP AS
    SELECT store_key, valid_from, start_us_of_week, end_us_of_week,
           sha256(content) AS digest
    FROM (
        SELECT store_key, valid_from,
               array_agg(start_us_of_week ORDER BY start_us_of_week) AS start_us_of_week,
               array_agg(end_us_of_week ORDER BY start_us_of_week) AS end_us_of_week,
               string_agg(int8send(start_us_of_week) || int8send(end_us_of_week), ''
                          ORDER BY start_us_of_week) AS content
        FROM business_hour_intervals WHERE load_id IS NOT NULL GROUP BY store_key, valid_from
    ) AS each
    """,
    """
    INSERT INTO week_patterns (digest, start_us_of_week, end_us_of_week)
    SELECT DISTINCT ON (digest) digest, start_us_of_week, end_us_of_week FROM weeks
    """,
    """
    INSERT INTO store_weeks (store_key, valid_from, week_id)
    SELECT store_key, valid_from, week_id FROM weeks JOIN week_patterns USING (digest)
    """,
)
