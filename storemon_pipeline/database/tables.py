"""Definitions of all tables. Queries belong to the rooms that own the tables.

Every store has a small integer key (`stores`), which begins the primary key of each larger table,
so that all of them can be distributed by store. Instants are `timestamptz`. Amounts of time are
whole microseconds (`_us`) unless the column's name says otherwise.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storemon_pipeline.domain.amounts import AMOUNTS, DOUBT_COLUMN, ROUNDED_COLUMNS
from storemon_pipeline.domain.windows import Window

NAMING_CONVENTION: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata: Final = sa.MetaData(naming_convention=NAMING_CONVENTION)

_INSTANT: Final = sa.DateTime(timezone=True)
_NOW: Final = sa.func.now()
_BY_TIME: Final[dict[str, Any]] = {
    # Rows are written in order of time, so the bounds of page ranges make a small index. An update
    # of last_poll_at changes no other index.
    "postgresql_using": "brin",
    "postgresql_with": {"autosummarize": "on", "pages_per_range": 16},
}


def _key(name: str = "store_key") -> "sa.Column[int]":
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=False)


database_parameters: Final = sa.Table(
    "database_parameters",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("max_gap_us", sa.BigInteger, nullable=False),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    sa.CheckConstraint("max_gap_us > 0 AND max_gap_us < 86400000000", name="max_gap_us"),
    comment="Settings that never change in a database, because all status runs depend on them.",
)

stores: Final = sa.Table(
    "stores",
    metadata,
    sa.Column("store_key", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("store_id", sa.Text(collation="C"), nullable=False, unique=True),
    comment="Every store that any source has mentioned; ids sort by their bytes.",
)

former_stores: Final = sa.Table(
    "former_stores",
    metadata,
    _key(),
    sa.Column("store_id", sa.Text(collation="C"), nullable=False, unique=True),
    comment="Stores that only undone loads named. Older reports and alerts refer to them.",
)

channels: Final = sa.Table(
    "channels",
    metadata,
    sa.Column("channel_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("channel_store_id", sa.Text(collation="C"), nullable=False),
    sa.Column("store_key", sa.Integer, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("load_id", sa.Integer, nullable=False),
    sa.Column("cancelled_by_load_id", sa.Integer, comment="load that replaced it"),
    sa.Index("ix_channels_channel_store_id", "channel_store_id"),
    sa.Index("ix_channels_store_key", "store_key"),
    comment="What sources say of the storefronts of stores, with all versions.",
)

storefronts: Final = sa.Table(
    "storefronts",
    metadata,
    _key("storefront_key"),
    sa.Column("storefront_id", sa.Text(collation="C"), nullable=False, unique=True),
    sa.Column("store_key", sa.Integer, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Index("ix_storefronts_store_key", "store_key"),
    comment="Storefronts of stores: in place of a row in stores, unless the id is the store's own.",
)

channel_rule: Final = sa.Table(
    "channel_rule",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("rule", sa.Text, nullable=False),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="When a store with several storefronts is up; without a row: any_up.",
)

store_details: Final = sa.Table(
    "store_details",
    metadata,
    _key(),
    sa.Column("name", sa.Text),
    sa.Column("group_name", sa.Text),
    sa.Column("region", sa.Text),
    sa.Column("load_id", sa.Integer, nullable=False),
    comment="Name, group and region of stores.",
)

loads: Final = sa.Table(
    "loads",
    metadata,
    sa.Column("load_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("file_path", sa.Text, comment="NULL: pushed rows"),
    sa.Column("run_id", sa.Text, comment="Dagster run that made the load"),
    sa.Column("loaded_at", _INSTANT, nullable=False),
    sa.Column("rows_read", sa.BigInteger, nullable=False),
    sa.Column("rows_loaded", sa.BigInteger, nullable=False),
    sa.Column("rows_replaced", sa.BigInteger, nullable=False),
    sa.Column("rows_unchanged", sa.BigInteger, nullable=False),
    sa.Column("rows_rejected", sa.BigInteger, nullable=False),
    sa.Column("first_polled_at", _INSTANT),
    sa.Column("last_polled_at", _INSTANT),
    sa.Column("undone_at", _INSTANT),
    sa.Column("undoes_load_id", sa.Integer, comment="load that this load undoes"),
    sa.Column(
        "rows_removed",
        sa.BigInteger,
        nullable=False,
        server_default=sa.text("0"),
        comment="polls that an undo deleted",
    ),
    sa.Column("header", sa.Text, comment="CSV header for reading the rejected rows again"),
    sa.CheckConstraint(
        "rows_read = rows_loaded + rows_replaced + rows_unchanged + rows_rejected",
        name="rows_balance",
    ),
    sa.Index("ix_loads_source_file_path", "source", "file_path"),
    comment="One row per file read or batch pushed; load_id ascends in order of arrival.",
)

ingested_files: Final = sa.Table(
    "ingested_files",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("file_path", sa.Text, primary_key=True),
    sa.Column("load_id", sa.Integer, comment="last load of this file"),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("modified_ns", sa.BigInteger, nullable=False),
    sa.Column("etag", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("bytes_read", sa.BigInteger, nullable=False),
    sa.Column(
        "lines_read",
        sa.BigInteger,
        nullable=False,
        server_default=sa.text("0"),
        comment="lines in the first bytes_read bytes",
    ),
    sa.Column(
        "fingerprint", sa.Text, nullable=False, comment="digest of the first bytes_read bytes"
    ),
    sa.Column(
        "header",
        sa.Text,
        comment="CSV header for reading appended lines; NULL: the file is always read whole",
    ),
    sa.Column(
        "tail_load_id",
        sa.Integer,
        comment="load of a last line without a line end, after bytes_read",
    ),
    comment="How far each file was read, so that unchanged files are not read again.",
)

rejected_rows: Final = sa.Table(
    "rejected_rows",
    metadata,
    sa.Column("rejected_row_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("load_id", sa.Integer, nullable=False, index=True),
    sa.Column("line", sa.BigInteger, nullable=False),
    sa.Column("row_text", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("replayed_by_load_id", sa.Integer),
    sa.Column(
        "row_bytes", sa.LargeBinary, comment="original bytes, where row_text differs from them"
    ),
    comment="Rows that could not be read, with the reason.",
)

store_status: Final = sa.Table(
    "store_status",
    metadata,
    _key(),
    sa.Column("polled_at", _INSTANT, primary_key=True),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("load_id", sa.Integer, nullable=False, comment="load that wrote this row"),
    sa.Index("ix_store_status_polled_at", "polled_at", **_BY_TIME),
    postgresql_partition_by="RANGE (polled_at)",
    comment="Polls, one row per store and instant; the last arrival counts.",
)

retention_state: Final = sa.Table(
    "retention_state",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("polls_kept_from", _INSTANT, nullable=False),
    sa.Column("messages_kept_from", _INSTANT, comment="as polls_kept_from, for webhook_messages"),
    sa.Column("lake", sa.Text, comment="path or URL of the lake that has the dropped polls"),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="Polls before polls_kept_from are rejected, because older polls were dropped.",
)

lake_of_polls: Final = sa.Table(
    "lake_of_polls",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("place", sa.Text, nullable=False, comment="path or URL of the lake"),
    sa.Column(
        "version", sa.BigInteger, nullable=False, comment="number of the manifest that counts"
    ),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="The lake that has all polls and status runs; no row while the database has them.",
)

superseded_polls: Final = sa.Table(
    "superseded_polls",
    metadata,
    _key(),
    sa.Column("polled_at", _INSTANT, primary_key=True),
    sa.Column("load_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    comment="Polls of earlier loads that a later load replaced.",
)

status_runs: Final = sa.Table(
    "status_runs",
    metadata,
    _key(),
    sa.Column("first_poll_at", _INSTANT, primary_key=True),
    sa.Column("last_poll_at", _INSTANT, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("polls", sa.Integer, nullable=False),
    sa.Index("ix_status_runs_first_poll_at", "first_poll_at"),
    sa.Index(
        "ix_status_runs_first_poll_at_last_poll_at", "first_poll_at", "last_poll_at", **_BY_TIME
    ),
    comment="Status runs: maximal sequences of polls with equal status; written with the polls.",
    # The hourly refresh only updates last_poll_at; with free space in the page, no index changes.
    postgresql_with={"fillfactor": 70},
)

newest_poll: Final = sa.Table(
    "newest_poll",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("polled_at", _INSTANT, nullable=False),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="Instant of the newest poll; empty without polls. Maintained by triggers.",
)

business_hours: Final = sa.Table(
    "business_hours",
    metadata,
    _key(),
    sa.Column("valid_from", _INSTANT, primary_key=True, comment="-infinity: always"),
    sa.Column("load_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("row_number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day_of_week", sa.SmallInteger, nullable=False, comment="0: Monday"),
    sa.Column("start_us", sa.BigInteger, nullable=False, comment="since local midnight"),
    sa.Column("end_us", sa.BigInteger, nullable=False, comment="since local midnight"),
    sa.Column("is_dated", sa.Boolean, nullable=False, comment="whether the source gave valid_from"),
    comment="Weekly hours as read; the rows of one store, valid_from and load are one version.",
)

store_timezones: Final = sa.Table(
    "store_timezones",
    metadata,
    _key(),
    sa.Column("valid_from", _INSTANT, primary_key=True, comment="-infinity: always"),
    sa.Column("load_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("row_number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("timezone", sa.Text, nullable=False, comment="IANA key"),
    sa.Column("is_dated", sa.Boolean, nullable=False, comment="whether the source gave valid_from"),
    comment="Zones as read; the row with the greatest valid_from, load_id and row_number counts.",
)

closures: Final = sa.Table(
    "closures",
    metadata,
    sa.Column("closure_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("store_key", sa.Integer, comment="NULL: every store"),
    sa.Column("start_local", sa.DateTime, nullable=False, comment="local time of each store"),
    sa.Column("end_local", sa.DateTime, comment="NULL: open end"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("load_id", sa.Integer, nullable=False),
    sa.Column("cancelled_by_load_id", sa.Integer),
    sa.Column("author", sa.Text, comment="name of the key or account; NULL: without either"),
    sa.CheckConstraint("end_local > start_local", name="end_after_start"),
    comment="Planned closures, which do not count as business time.",
)

special_hours: Final = sa.Table(
    "special_hours",
    metadata,
    _key(),
    sa.Column("local_date", sa.Date, primary_key=True),
    sa.Column("valid_from", _INSTANT, primary_key=True, comment="-infinity: always"),
    sa.Column("load_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column(
        "is_dated", sa.Boolean, primary_key=True, comment="whether the source gave valid_from"
    ),
    sa.Column(
        "starts_us",
        sa.ARRAY(sa.BigInteger),
        comment="since local midnight; empty: closed; NULL: withdrawn, the weekly hours hold",
    ),
    sa.Column("ends_us", sa.ARRAY(sa.BigInteger), comment="since local midnight, after the start"),
    sa.CheckConstraint(
        "cardinality(starts_us) = cardinality(ends_us) AND (starts_us IS NULL) = (ends_us IS NULL)",
        name="one_end_for_each_start",
    ),
    sa.Index("ix_special_hours_local_date", "local_date"),
    comment="Hours of single local dates, which replace the weekly hours; with all versions.",
)

objectives: Final = sa.Table(
    "objectives",
    metadata,
    sa.Column("objective_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("applies_to", sa.Text, nullable=False),
    sa.Column("store_key", sa.Integer, comment="NULL: not of one store"),
    sa.Column("name", sa.Text, nullable=False, comment="of the group or region; otherwise empty"),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("valid_from", _INSTANT, nullable=False, comment="-infinity: always"),
    sa.Column("is_dated", sa.Boolean, nullable=False, comment="whether the source gave valid_from"),
    sa.Column("objective_percent", sa.Numeric(7, 4), comment="NULL: no objective from then on"),
    sa.Column("load_id", sa.Integer, nullable=False),
    sa.Column("cancelled_by_load_id", sa.Integer),
    sa.CheckConstraint("applies_to IN ('store', 'group', 'region', 'all')", name="applies_to"),
    sa.CheckConstraint("(applies_to = 'store') = (store_key IS NOT NULL)", name="store_key"),
    sa.CheckConstraint("(applies_to IN ('group', 'region')) = (name <> '')", name="name"),
    sa.CheckConstraint("period IN ('week', 'month')", name="period"),
    sa.CheckConstraint("objective_percent BETWEEN 0 AND 100", name="objective_percent"),
    sa.Index("ix_objectives_store_key", "store_key"),
    comment="Objectives for uptime, with all their versions.",
)

demand: Final = sa.Table(
    "demand",
    metadata,
    _key(),
    sa.Column("valid_from", _INSTANT, primary_key=True, comment="-infinity: always"),
    sa.Column("load_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("row_number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day_of_week", sa.SmallInteger, nullable=False, comment="0: Monday"),
    sa.Column("hour", sa.SmallInteger, nullable=False, comment="local time"),
    sa.Column(
        "sales_per_hour", sa.BigInteger, nullable=False, comment="hundredths of a currency unit"
    ),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("is_dated", sa.Boolean, nullable=False, comment="whether the source gave valid_from"),
    comment="Expected sales as read; the rows of one store, valid_from and load are one version.",
)

hourly_orders: Final = sa.Table(
    "hourly_orders",
    metadata,
    _key(),
    sa.Column("hour_start", _INSTANT, primary_key=True),
    sa.Column("currency", sa.Text, primary_key=True),
    sa.Column("load_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("orders", sa.Integer, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False, comment="hundredths of a currency unit"),
    sa.Column(
        "amount_squares",
        sa.Double,
        nullable=False,
        comment="sum of the squares of the amounts of the orders",
    ),
    comment="Orders by store and UTC hour; of several rows of an hour the last load counts.",
)

learned_demand: Final = sa.Table(
    "learned_demand",
    metadata,
    _key(),
    sa.Column("valid_from", _INSTANT, primary_key=True),
    sa.Column("load_id", sa.Integer, nullable=False, comment="newest load of orders"),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column(
        "rate",
        postgresql.ARRAY(sa.BigInteger),
        nullable=False,
        comment="hundredths per hour, from Monday 00:00 on, local time",
    ),
    sa.Column("lowest", postgresql.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("highest", postgresql.ARRAY(sa.BigInteger), nullable=False),
    comment="Expected sales learned from orders, in versions.",
)

store_events: Final = sa.Table(
    "store_events",
    metadata,
    sa.Column("event_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("store_key", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("from_at", _INSTANT, nullable=False),
    sa.Column("to_at", _INSTANT, comment="NULL: until the source's next event of the store"),
    sa.Column("is_up", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("load_id", sa.Integer, nullable=False),
    sa.Column("cancelled_by_load_id", sa.Integer, comment="load that replaced or cancelled it"),
    sa.CheckConstraint("from_at < to_at", name="order"),
    sa.Index("ix_store_events_store_key", "store_key", "source", "from_at"),
    sa.Index("ix_store_events_load_id", "load_id"),
    comment="Known status of stores from an instant on, beside polls; with all versions.",
)

webhook_messages: Final = sa.Table(
    "webhook_messages",
    metadata,
    sa.Column("source", sa.Text, primary_key=True, comment="name of the webhook"),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("load_id", sa.Integer, nullable=False),
    sa.Column("last_start_at", _INSTANT, comment="last start told; NULL: the id is never dropped"),
    comment="Ids of messages of webhooks, each of which counts once.",
)

corrections: Final = sa.Table(
    "corrections",
    metadata,
    sa.Column("correction_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("store_key", sa.Integer, nullable=False),
    sa.Column("from_at", _INSTANT, nullable=False),
    sa.Column("to_at", _INSTANT, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("author", sa.Text, comment="name of the key or account; NULL: without either"),
    sa.Column("recorded_at", _INSTANT, nullable=False),
    sa.Column("load_id", sa.Integer, nullable=False),
    sa.Column("cancelled_at", _INSTANT),
    sa.Column("cancelled_by", sa.Text, comment="name of the key or account"),
    sa.Column("cancelled_by_load_id", sa.Integer, comment="NULL: in force"),
    sa.CheckConstraint("from_at < to_at", name="order"),
    sa.CheckConstraint("kind IN ('taken_out', 'up', 'down')", name="kind"),
    sa.CheckConstraint("reason <> ''", name="reason"),
    sa.Index("ix_corrections_store_key", "store_key", "from_at"),
    sa.Index("ix_corrections_load_id", "load_id"),
    comment="Time of stores that is taken out, or counts as up or down whatever polls say.",
)

business_hour_intervals: Final = sa.Table(
    "business_hour_intervals",
    metadata,
    _key(),
    sa.Column("valid_from", _INSTANT, primary_key=True, comment="-infinity: always"),
    sa.Column("start_us_of_week", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("end_us_of_week", sa.BigInteger, nullable=False),
    sa.Column("load_id", sa.Integer, comment="NULL: no hours were ever loaded, so always open"),
    sa.CheckConstraint(
        "start_us_of_week >= 0 AND start_us_of_week < end_us_of_week"
        " AND end_us_of_week <= 604800000000",
        name="inside_week",
    ),
    comment="Normalised local week of each store and version: merged intervals since Monday 00:00.",
)


week_patterns: Final = sa.Table(
    "week_patterns",
    metadata,
    sa.Column("week_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("start_us_of_week", postgresql.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("end_us_of_week", postgresql.ARRAY(sa.BigInteger), nullable=False),
    comment="Distinct weeks of business_hour_intervals; unused ones stay.",
)

store_weeks: Final = sa.Table(
    "store_weeks",
    metadata,
    _key(),
    sa.Column("valid_from", _INSTANT, primary_key=True, comment="-infinity: always"),
    sa.Column("week_id", sa.Integer, nullable=False),
    comment="Week pattern of each store and version; stores without loaded hours have none.",
)


intervals_state: Final = sa.Table(
    "intervals_state",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("last_store_key", sa.Integer, comment="greatest key that has intervals"),
    sa.Column(
        "is_checked",
        sa.Boolean,
        nullable=False,
        server_default=sa.text("false"),
        comment="whether all weeks were once checked; since then unchecked_weeks has the rest",
    ),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="Number of changes of business_hour_intervals.",
)


stale_weeks: Final = sa.Table(
    "stale_weeks",
    metadata,
    _key(),
    comment="Stores whose week must be normalised again; written by triggers on its inputs.",
)


unchecked_weeks: Final = sa.Table(
    "unchecked_weeks",
    metadata,
    _key(),
    comment="Stores whose week has changed since its last check; written by triggers.",
)


def _figure_columns() -> "list[sa.Column[object]]":
    """The columns of one store's figures: rounded as in the report, then exact."""
    rounded: list[sa.Column[object]] = [
        sa.Column(name, sa.Numeric(12, 4), nullable=False) for name in ROUNDED_COLUMNS
    ]
    exact: list[sa.Column[object]] = [
        sa.Column(amount.column(window), sa.BigInteger, nullable=amount.is_optional)
        for amount in AMOUNTS
        for window in Window
    ]
    doubt: list[sa.Column[object]] = [
        sa.Column(DOUBT_COLUMN, sa.SmallInteger, comment="reasons to doubt the range; 0: none")
    ]
    return rounded + exact + doubt


store_uptime: Final = sa.Table(
    "store_uptime",
    metadata,
    _key(),
    *_figure_columns(),
    comment="Current figures of every store with a poll in the last 192 hours.",
)

store_uptime_state: Final = sa.Table(
    "store_uptime_state",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("as_of", _INSTANT, comment="NULL: no polls were loaded"),
    sa.Column("refreshed_at", _INSTANT, nullable=False),
    sa.Column("stores", sa.Integer, nullable=False),
    sa.Column("silent_stores", sa.Integer, nullable=False),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="As-of instant and number of stores of store_uptime.",
)

store_uptime_daily: Final = sa.Table(
    "store_uptime_daily",
    metadata,
    _key(),
    sa.Column("local_date", sa.Date, primary_key=True, comment="in local time of the store"),
    sa.Column("business_us", sa.BigInteger, nullable=False),
    sa.Column("uptime_us", sa.BigInteger, nullable=False),
    sa.Column("downtime_us", sa.BigInteger, nullable=False),
    sa.Column("unknown_us", sa.BigInteger, nullable=False),
    sa.Column("uncertain_us", sa.BigInteger, nullable=False),
    sa.Column("lowest_uptime_us", sa.BigInteger, nullable=False),
    sa.Column(
        "incidents",
        sa.Integer,
        nullable=False,
        comment="that cost business time on this day; one across midnight counts on both days",
    ),
    sa.Column("likely_apart_s", sa.Integer, comment="estimated mean above uptime; NULL: no range"),
    sa.Column("likely_own_deviation_s", sa.Integer, comment="independent of other days"),
    sa.Column("likely_shared_deviation_s", sa.Integer, comment="common to the store's days"),
    sa.Column("likely_reach_minutes", sa.SmallInteger, comment="of a store that is switched off"),
    sa.Column("likely_doubt", sa.SmallInteger, comment="reasons to doubt the range; 0: none"),
    sa.Column(
        "status_model_id",
        sa.Integer,
        comment="version that the likely range comes from, which may be dropped since",
    ),
    sa.CheckConstraint("business_us = uptime_us + downtime_us + unknown_us", name="adds_up"),
    sa.Index("ix_store_uptime_daily_local_date", "local_date", **_BY_TIME),
    comment="Uptime history by local day, from a store's first poll to the newest poll.",
)

store_uptime_daily_state: Final = sa.Table(
    "store_uptime_daily_state",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("as_of", _INSTANT, nullable=False),
    sa.Column("refreshed_at", _INSTANT, nullable=False),
    sa.Column("last_load_id", sa.Integer, comment="newest load that the days include"),
    sa.Column(
        "zone_rules",
        sa.Text,
        comment="release of tzdata that made the days; NULL: they must be computed again",
    ),
    sa.Column(
        "likely_recipe",
        sa.Integer,
        comment="recipe of the status models of the days; NULL: days without likely ranges",
    ),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="Newest poll that store_uptime_daily includes.",
)

store_uptime_daily_stale: Final = sa.Table(
    "store_uptime_daily_stale",
    metadata,
    _key(),
    sa.Column("since", _INSTANT, nullable=False, comment="-infinity: all days of the store"),
    comment="Stores whose days must be computed again; written by triggers on the input tables.",
)

status_models: Final = sa.Table(
    "status_models",
    metadata,
    sa.Column("status_model_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("fitted_at", _INSTANT, nullable=False),
    sa.Column("as_of", _INSTANT, nullable=False, comment="newest poll that it was fitted to"),
    sa.Column("recipe", sa.Integer, nullable=False, comment="how it was fitted, by number"),
    sa.Column("stores", sa.Integer, nullable=False, comment="stores with polls in the period"),
    sa.Column("doubted_stores", sa.Integer, nullable=False, comment="whose ranges are flagged"),
    sa.Column("parameters", sa.LargeBinary, nullable=False, comment="NumPy arrays, compressed"),
    sa.Column("zone_rules", sa.Text, comment="release of tzdata, such as 2026f"),
    comment="Versions of the status model, which likely ranges are computed from; never changed.",
)

planned_polls: Final = sa.Table(
    "planned_polls",
    metadata,
    sa.Column("store_key", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("poll_at", _INSTANT, primary_key=True),
    comment="When to poll each store in one hour, within a budget; replaced as a whole.",
)

reports: Final = sa.Table(
    "reports",
    metadata,
    sa.Column("report_id", postgresql.UUID(as_uuid=False), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("requested_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column(
        "requested_as_of", _INSTANT, comment="NULL: the newest poll when the report is computed"
    ),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column(
        "requested_status_model_id",
        sa.Integer,
        comment="NULL: the newest version when the report is computed",
    ),
    sa.Column("attempts", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("result_id", sa.BigInteger, index=True),
    sa.Column("completed_at", _INSTANT),
    sa.Column("error", sa.Text),
    sa.Column("request_id", sa.Text, comment="id of the HTTP request"),
    sa.CheckConstraint(
        "state IN ('waiting', 'complete', 'failed', 'expired')",
        name="state",
    ),
    sa.CheckConstraint("(state = 'complete') = (result_id IS NOT NULL)", name="result"),
    sa.CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error"),
    sa.Index(
        "ix_reports_waiting",
        "requested_at",
        postgresql_where=sa.text("state = 'waiting'"),
    ),
    comment="Requested reports; a row is written before any run is launched.",
)

report_results: Final = sa.Table(
    "report_results",
    metadata,
    sa.Column("result_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("as_of", _INSTANT, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("stores", sa.Integer, nullable=False),
    sa.Column("silent_stores", sa.Integer, nullable=False),
    sa.Column("computed_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("last_load_id", sa.Integer, comment="newest load when the result was computed"),
    sa.Column("newest_poll_at", _INSTANT, comment="newest poll when the result was computed"),
    sa.Column("zone_rules", sa.Text, comment="release of tzdata, such as 2026f"),
    sa.Column("csv_bytes", sa.BigInteger, nullable=False),
    sa.Column("csv_chunks", sa.Integer, nullable=False),
    sa.Column("csv_sha256", sa.Text, nullable=False),
    sa.Column("status_model_id", sa.Integer, comment="NULL: made without likely ranges"),
    sa.Column(
        "rejected_hours_stores",
        postgresql.ARRAY(sa.Text),
        comment="ids of stores without hours because all their rows were rejected; NULL: unknown",
    ),
    sa.Index("ix_report_results_as_of_policy", "as_of", "policy"),
    comment="Computed results; waiting requests with equal as_of and policy share one.",
)

report_columns: Final = sa.Table(
    "report_columns",
    metadata,
    sa.Column("result_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("stores", sa.Integer, nullable=False),
    sa.Column("first_store_id", sa.Text(collation="C"), nullable=False),
    sa.Column("last_store_id", sa.Text(collation="C"), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False, comment="Parquet file, compressed"),
    comment="Rows of each result in columns, in parts of some stores each; never changed.",
)

report_csv: Final = sa.Table(
    "report_csv",
    metadata,
    sa.Column("result_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    comment="CSV of older results, where it does not follow from their columns.",
)

report_runs: Final = sa.Table(
    "report_runs",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("launched_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("reading_at", _INSTANT, comment="when the run began to take waiting reports"),
    sa.Column("ended_at", _INSTANT),
    sa.Column("is_success", sa.Boolean),
    sa.Index("ix_report_runs_open", "launched_at", postgresql_where=sa.text("ended_at IS NULL")),
    comment="Dagster runs that compute reports.",
)

api_keys: Final = sa.Table(
    "api_keys",
    metadata,
    sa.Column(
        "key_id", sa.Text(collation="C"), primary_key=True, comment="public part of the token"
    ),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("secret_sha256", sa.LargeBinary, nullable=False),
    sa.Column("scopes", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Column("store_ids", postgresql.ARRAY(sa.Text), comment="NULL: every store"),
    sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("expires_at", _INSTANT),
    sa.Column("revoked_at", _INSTANT),
    sa.Column("last_used_at", _INSTANT, comment="accurate to the minute"),
    sa.CheckConstraint("length(secret_sha256) = 32", name="secret_sha256"),
    sa.CheckConstraint(
        "scopes <@ ARRAY['read', 'trigger', 'edit', 'ingest', 'admin'] AND scopes <> '{}'",
        name="scopes",
    ),
    sa.Index(
        "uq_api_keys_name", "name", unique=True, postgresql_where=sa.text("revoked_at IS NULL")
    ),
    comment="API keys and their scopes; never holds a token.",
)

audit_events: Final = sa.Table(
    "audit_events",
    metadata,
    sa.Column("event_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", _INSTANT, nullable=False, server_default=_NOW, index=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, comment="NULL: no key needed, or the command line"),
    sa.Column("account_id", sa.BigInteger, comment="account whose session it was"),
    sa.Column("client", sa.Text, comment="address of the client, or user of the command line"),
    sa.Column("request_id", sa.Text),
    sa.Column("subject", sa.Text, comment="object of the action"),
    comment="Audit log of triggers, pushes and key changes; append-only.",
)

accounts: Final = sa.Table(
    "accounts",
    metadata,
    sa.Column("account_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("email", sa.Text(collation="C"), nullable=False, unique=True, comment="lower case"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column(
        "store_ids",
        postgresql.ARRAY(sa.Text),
        nullable=False,
        comment="stores of an owner, beside those of the groups",
    ),
    sa.Column("groups", postgresql.ARRAY(sa.Text), nullable=False, comment="groups of an owner"),
    sa.Column("password_hash", sa.Text, comment="Argon2; NULL: invited, or signs in at a provider"),
    sa.Column("issuer", sa.Text(collation="C"), comment="OpenID provider that knows the person"),
    sa.Column("subject", sa.Text(collation="C"), comment="id of the person at the provider"),
    sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("disabled_at", _INSTANT),
    sa.Column("last_sign_in_at", _INSTANT),
    sa.CheckConstraint("role IN ('owner', 'operator', 'admin')", name="role"),
    sa.CheckConstraint(
        "role = 'owner' OR (store_ids = '{}' AND groups = '{}')", name="stores_of_owners"
    ),
    sa.CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name="issuer"),
    sa.UniqueConstraint("issuer", "subject"),
    comment="People who sign in; never holds a password.",
)

account_links: Final = sa.Table(
    "account_links",
    metadata,
    sa.Column("token_sha256", sa.LargeBinary, primary_key=True),
    sa.Column(
        "account_id",
        sa.BigInteger,
        sa.ForeignKey("accounts.account_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("expires_at", _INSTANT, nullable=False),
    sa.CheckConstraint("length(token_sha256) = 32", name="token_sha256"),
    comment="Links with which a password is chosen: invitations and resets. Used ones are deleted.",
)

account_sessions: Final = sa.Table(
    "account_sessions",
    metadata,
    sa.Column("token_sha256", sa.LargeBinary, primary_key=True),
    sa.Column(
        "account_id",
        sa.BigInteger,
        sa.ForeignKey("accounts.account_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("last_used_at", _INSTANT, nullable=False, comment="accurate to the minute"),
    sa.Column("expires_at", _INSTANT, nullable=False),
    sa.CheckConstraint("length(token_sha256) = 32", name="token_sha256"),
    comment="Sessions of signed-in accounts; those that have ended are deleted.",
)

alert_watch: Final = sa.Table(
    "alert_watch",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("looked_at", _INSTANT, nullable=False, comment="time of the last evaluation"),
    sa.Column(
        "watching_since",
        _INSTANT,
        nullable=False,
        comment="start of the evaluations without a long pause in between",
    ),
    sa.Column("seen", sa.Text, comment="version of the data when stores were last evaluated"),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="State of the alert evaluation.",
)

source_looks: Final = sa.Table(
    "source_looks",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("looked_at", _INSTANT, nullable=False),
    comment="Last successful check of the files of each source.",
)

unread_files: Final = sa.Table(
    "unread_files",
    metadata,
    sa.Column("file_path", sa.Text(collation="C"), primary_key=True),
    sa.Column("source", sa.Text, comment="NULL: the file has the name of no source"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column(
        "is_refused", sa.Boolean, nullable=False, comment="false: its name is not one that is read"
    ),
    sa.Column("found_at", _INSTANT, nullable=False, comment="when it was first found so"),
    sa.Column("changed_at", _INSTANT, comment="when it was last written; NULL: unknown"),
    comment="Files of the data folder that are not read, with the reasons.",
)

alerts: Final = sa.Table(
    "alerts",
    metadata,
    sa.Column("alert_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column(
        "subject",
        sa.Text(collation="C"),
        nullable=False,
        comment="id of the store, or name of the zone, group, source or file",
    ),
    sa.Column("store_key", sa.Integer, comment="NULL: not about one store"),
    sa.Column(
        "opened_at", _INSTANT, nullable=False, comment="newest poll; for a source the clock time"
    ),
    sa.Column("since", _INSTANT, nullable=False, comment="when the condition began"),
    sa.Column("closed_at", _INSTANT, comment="like opened_at; NULL: still firing"),
    sa.Column("ending", sa.Text, comment="reason in words, once resolved"),
    sa.Column(
        "lost_us", sa.BigInteger, nullable=False, comment="business time down, or without polls"
    ),
    sa.Column("stores", sa.Integer, comment="stores affected at the last evaluation"),
    sa.Column("of_stores", sa.Integer, comment="open stores at the last evaluation"),
    sa.Column("is_told", sa.Boolean, nullable=False, comment="whether there were notifications"),
    sa.Column("recorded_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("acknowledged_at", _INSTANT, comment="NULL: not acknowledged"),
    sa.Column(
        "silenced_until",
        _INSTANT,
        comment="no message is sent before, also of later alerts of this kind and subject",
    ),
    sa.CheckConstraint(
        "kind IN ('down', 'silent', 'source', 'platform', 'data', 'burn', 'exhausted')",
        name="kind",
    ),
    sa.CheckConstraint(
        "(kind IN ('down', 'silent', 'burn', 'exhausted')) = (store_key IS NOT NULL)",
        name="store_key",
    ),
    sa.CheckConstraint("(closed_at IS NULL) = (ending IS NULL)", name="ending"),
    sa.Index(
        "uq_alerts_open",
        "kind",
        "subject",
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    ),
    sa.Index("ix_alerts_kind_subject_closed_at", "kind", "subject", "closed_at"),
    sa.Index("ix_alerts_closed_at", "closed_at"),
    sa.Index(
        "ix_alerts_listed",
        sa.text("(closed_at IS NOT NULL)"),
        sa.text("opened_at DESC"),
        "alert_id",
    ),
    comment="Alerts with start and end; at most one is open for a kind and subject.",
)

alert_actions: Final = sa.Table(
    "alert_actions",
    metadata,
    sa.Column("action_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("alert_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("silenced_until", _INSTANT, comment="end of a silence"),
    sa.Column("acted_by", sa.Text, comment="name of the key; NULL: without a key"),
    sa.Column("acted_at", _INSTANT, nullable=False),
    sa.CheckConstraint(
        "action IN ('acknowledge', 'unacknowledge', 'silence', 'unsilence', 'note')",
        name="action",
    ),
    sa.CheckConstraint(
        "(action = 'silence') = (silenced_until IS NOT NULL)", name="silenced_until"
    ),
    comment="What people did about alerts, with their notes.",
)

alert_deliveries: Final = sa.Table(
    "alert_deliveries",
    metadata,
    sa.Column("delivery_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("alert_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column(
        "target", sa.Text, nullable=False, comment="label of the address; never the address itself"
    ),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'waiting'")),
    sa.Column(
        "is_held", sa.Boolean, nullable=False, comment="held until the store's business time"
    ),
    sa.Column("tries", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("next_try_at", _INSTANT, nullable=False),
    sa.Column("claimed_at", _INSTANT, comment="start of the last try"),
    sa.Column(
        "is_repeated",
        sa.Boolean,
        nullable=False,
        server_default=sa.text("false"),
        comment="whether a try was interrupted, so that the message may arrive twice",
    ),
    sa.Column("sent_at", _INSTANT),
    sa.Column("error", sa.Text, comment="error of the last try, without any part of the address"),
    sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.CheckConstraint("change IN ('opened', 'closed')", name="change"),
    sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed')", name="state"),
    sa.UniqueConstraint("alert_id", "change", "target"),
    sa.Index(
        "ix_alert_deliveries_open",
        "next_try_at",
        postgresql_where=sa.text("state <> 'sent'"),
    ),
    comment="Notifications of alerts, one per alert, change and address: waiting, sent or failed.",
)

sent_statements: Final = sa.Table(
    "sent_statements",
    metadata,
    sa.Column("statement_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column(
        "subject", sa.Text(collation="C"), nullable=False, comment="the same for all revisions"
    ),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("store_id", sa.Text, comment="NULL: not of one store"),
    sa.Column("group_name", sa.Text),
    sa.Column("region", sa.Text),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("objective_percent", sa.Numeric(7, 4), comment="NULL: the stored objectives"),
    sa.Column(
        "only_stores",
        postgresql.ARRAY(sa.Text),
        comment="stores of the key that asked; NULL: every store",
    ),
    sa.Column("store_ids", postgresql.ARRAY(sa.Text), nullable=False, comment="stores in it"),
    sa.Column("as_of", _INSTANT, nullable=False),
    sa.Column("sent_at", _INSTANT, nullable=False),
    sa.Column("sent_by", sa.Text, comment="name of the key; NULL: without a key, or a schedule"),
    sa.Column("last_load_id", sa.Integer, nullable=False, comment="last load before it was made"),
    sa.Column("statement", sa.LargeBinary, nullable=False, comment="figures, as JSON"),
    sa.Column("changes", sa.LargeBinary, nullable=False, comment="revision, as JSON"),
    sa.CheckConstraint("revision > 0", name="revision"),
    sa.UniqueConstraint("subject", "revision"),
    comment="Statements as they were sent, with their revisions; a trigger keeps rows unchanged.",
)

sent_statement_files: Final = sa.Table(
    "sent_statement_files",
    metadata,
    sa.Column("statement_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    comment="Files of sent statements; a trigger keeps rows unchanged.",
)


def _statement_columns(addresses: sa.Column[Any]) -> list[sa.schema.SchemaItem]:
    """The stores and the objective of a statement that is to be made, and where it goes."""
    return [
        sa.Column("store_id", sa.Text, comment="NULL: not of one store"),
        sa.Column("group_name", sa.Text),
        sa.Column("region", sa.Text),
        sa.Column("objective_percent", sa.Numeric(7, 4), comment="NULL: the stored objectives"),
        sa.Column(
            "only_stores",
            postgresql.ARRAY(sa.Text),
            comment="stores of the key that asked; NULL: every store",
        ),
        addresses,
        sa.Column("file_format", sa.Text, nullable=False),
        sa.CheckConstraint("file_format IN ('pdf', 'xlsx', 'csv')", name="file_format"),
    ]


statement_schedules: Final = sa.Table(
    "statement_schedules",
    metadata,
    sa.Column("schedule_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    *_statement_columns(
        sa.Column("addresses", postgresql.ARRAY(sa.Text), nullable=False, comment="email addresses")
    ),
    sa.Column("every", sa.Text, nullable=False, comment="a weekday, or month: its first day"),
    sa.Column("at_local", sa.Time, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False, comment="IANA key"),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, comment="name of the key; NULL: without a key"),
    sa.Column("cancelled_at", _INSTANT),
    comment="When statements are sent, and to whom.",
)

statement_deliveries: Final = sa.Table(
    "statement_deliveries",
    metadata,
    sa.Column("delivery_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("schedule_id", sa.Integer, comment="NULL: somebody sent it"),
    *_statement_columns(sa.Column("address", sa.Text, nullable=False, comment="email address")),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("statement_id", sa.BigInteger, comment="NULL: its figures are not kept yet"),
    sa.Column("due_at", _INSTANT, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'waiting'")),
    sa.Column("tries", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("next_try_at", _INSTANT, nullable=False),
    sa.Column("claimed_at", _INSTANT, comment="start of the last try"),
    sa.Column(
        "is_repeated",
        sa.Boolean,
        nullable=False,
        server_default=sa.text("false"),
        comment="whether a try was interrupted, so that it may arrive twice",
    ),
    sa.Column("sent_at", _INSTANT),
    sa.Column("error", sa.Text, comment="error of the last try"),
    sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed')", name="state"),
    sa.UniqueConstraint("schedule_id", "period", "address"),
    sa.Index(
        "ix_statement_deliveries_open",
        "next_try_at",
        postgresql_where=sa.text("state IN ('waiting', 'sending')"),
    ),
    comment="Statements by mail, with their state. A schedule sends a period once to an address.",
)
