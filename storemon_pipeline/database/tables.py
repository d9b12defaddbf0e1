"""The tables, as SQLAlchemy knows them. Statements over them belong to their own modules.

Every store has a small integer key (`stores`); each larger table carries it and begins its primary
key with it, so that all of them can be distributed by store. Instants are `timestamptz`, amounts of
time are whole microseconds (`_us`) unless a column's name says otherwise.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storemon_pipeline.domain.amounts import AMOUNTS, ROUNDED_COLUMNS
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
    # Rows come about in the order of time: a range of pages is known by its bounds, and a change of
    # last_poll_at touches no index.
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
    comment="What is fixed for the life of this database: every status run was made with it.",
)

stores: Final = sa.Table(
    "stores",
    metadata,
    sa.Column("store_key", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("store_id", sa.Text(collation="C"), nullable=False, unique=True),
    comment="Every store that any source has named; ids sort by their bytes.",
)

store_details: Final = sa.Table(
    "store_details",
    metadata,
    _key(),
    sa.Column("name", sa.Text),
    sa.Column("group_name", sa.Text),
    sa.Column("region", sa.Text),
    sa.Column("load_id", sa.Integer, nullable=False),
    comment="What people call a store, and the group and region that it is counted with.",
)

loads: Final = sa.Table(
    "loads",
    metadata,
    sa.Column("load_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("file_path", sa.Text, comment="NULL: the rows were pushed"),
    sa.Column("run_id", sa.Text, comment="the Dagster run that made the load"),
    sa.Column("loaded_at", _INSTANT, nullable=False),
    sa.Column("rows_read", sa.BigInteger, nullable=False),
    sa.Column("rows_loaded", sa.BigInteger, nullable=False),
    sa.Column("rows_replaced", sa.BigInteger, nullable=False),
    sa.Column("rows_unchanged", sa.BigInteger, nullable=False),
    sa.Column("rows_rejected", sa.BigInteger, nullable=False),
    sa.Column("first_polled_at", _INSTANT),
    sa.Column("last_polled_at", _INSTANT),
    sa.Column("undone_at", _INSTANT),
    sa.Column("undoes_load_id", sa.Integer, comment="this load is the undoing of that one"),
    sa.Column(
        "rows_removed",
        sa.BigInteger,
        nullable=False,
        server_default=sa.text("0"),
        comment="polls that an undoing took out of the table",
    ),
    sa.Column("header", sa.Text, comment="the columns under which rejected rows can be read again"),
    sa.CheckConstraint(
        "rows_read = rows_loaded + rows_replaced + rows_unchanged + rows_rejected",
        name="rows_balance",
    ),
    sa.Index("ix_loads_source_file_path", "source", "file_path"),
    comment="One row per file read or batch pushed; the order of load_id is the order of arrival.",
)

ingested_files: Final = sa.Table(
    "ingested_files",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("file_path", sa.Text, primary_key=True),
    sa.Column("load_id", sa.Integer, comment="the last load of this file"),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("modified_ns", sa.BigInteger, nullable=False),
    sa.Column("etag", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("bytes_read", sa.BigInteger, nullable=False),
    sa.Column(
        "lines_read",
        sa.BigInteger,
        nullable=False,
        server_default=sa.text("0"),
        comment="in the first bytes_read bytes",
    ),
    sa.Column("fingerprint", sa.Text, nullable=False, comment="of the first bytes_read bytes"),
    sa.Column(
        "header",
        sa.Text,
        comment="under which more lines can be read; NULL: read whole or not at all",
    ),
    sa.Column(
        "tail_load_id",
        sa.Integer,
        comment="the load of a last line without an end, behind bytes_read",
    ),
    comment="What was read of each file, so that an unchanged one is not read again.",
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
        "row_bytes", sa.LargeBinary, comment="the row, where row_text does not show it whole"
    ),
    comment="Rows that could not be read, whole, with the reason.",
)

store_status: Final = sa.Table(
    "store_status",
    metadata,
    _key(),
    sa.Column("polled_at", _INSTANT, primary_key=True),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("load_id", sa.Integer, nullable=False, comment="whose statement this is"),
    sa.Index("ix_store_status_polled_at", "polled_at", **_BY_TIME),
    postgresql_partition_by="RANGE (polled_at)",
    comment="The polls, one row per (store, instant): what the last arrival said.",
)

retention_state: Final = sa.Table(
    "retention_state",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("polls_kept_from", _INSTANT, nullable=False),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="Polls before polls_kept_from are refused: what they would change is gone.",
)

superseded_polls: Final = sa.Table(
    "superseded_polls",
    metadata,
    _key(),
    sa.Column("polled_at", _INSTANT, primary_key=True),
    sa.Column("load_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    comment="What earlier loads said of polls whose row a later arrival took.",
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
    comment="Maximal sequences of polls with one status; written in the polls' transaction.",
    # The hourly refresh only moves last_poll_at: with room in the page no index is touched.
    postgresql_with={"fillfactor": 70},
)

newest_poll: Final = sa.Table(
    "newest_poll",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("polled_at", _INSTANT, nullable=False),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="The newest poll in the database; no row without polls. Written by triggers.",
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
    sa.Column("is_dated", sa.Boolean, nullable=False, comment="the source gave valid_from"),
    comment="Weekly hours as read; rows of one store, valid_from and load are one version.",
)

store_timezones: Final = sa.Table(
    "store_timezones",
    metadata,
    _key(),
    sa.Column("valid_from", _INSTANT, primary_key=True, comment="-infinity: always"),
    sa.Column("load_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("row_number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("timezone", sa.Text, nullable=False, comment="IANA key"),
    sa.Column("is_dated", sa.Boolean, nullable=False, comment="the source gave valid_from"),
    comment="Zones as read; the greatest valid_from, then load_id, then row_number counts.",
)

closures: Final = sa.Table(
    "closures",
    metadata,
    sa.Column("closure_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("store_key", sa.Integer, comment="NULL: every store"),
    sa.Column("start_local", sa.DateTime, nullable=False, comment="wall clock of each store"),
    sa.Column("end_local", sa.DateTime, comment="NULL: open"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("load_id", sa.Integer, nullable=False),
    sa.Column("cancelled_by_load_id", sa.Integer),
    sa.CheckConstraint("end_local > start_local", name="end_after_start"),
    comment="Planned time off: taken out of business time.",
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
    comment="The normalised local week of each store and version: merged, from Monday 00:00.",
)


week_patterns: Final = sa.Table(
    "week_patterns",
    metadata,
    sa.Column("week_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("start_us_of_week", postgresql.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("end_us_of_week", postgresql.ARRAY(sa.BigInteger), nullable=False),
    comment="Distinct weeks among business_hour_intervals; one that nobody has any more stays.",
)

store_weeks: Final = sa.Table(
    "store_weeks",
    metadata,
    _key(),
    sa.Column("valid_from", _INSTANT, primary_key=True, comment="-infinity: always"),
    sa.Column("week_id", sa.Integer, nullable=False),
    comment="The pattern of each week of business_hour_intervals that hours were loaded for.",
)


intervals_state: Final = sa.Table(
    "intervals_state",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="How often business_hour_intervals have changed.",
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
    return rounded + exact


store_uptime: Final = sa.Table(
    "store_uptime",
    metadata,
    _key(),
    *_figure_columns(),
    comment="The newest figures of every store with a poll in 192 hours.",
)

store_uptime_state: Final = sa.Table(
    "store_uptime_state",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("as_of", _INSTANT, comment="NULL: no poll was ever loaded"),
    sa.Column("refreshed_at", _INSTANT, nullable=False),
    sa.Column("stores", sa.Integer, nullable=False),
    sa.Column("silent_stores", sa.Integer, nullable=False),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="What store_uptime speaks of.",
)

store_uptime_daily: Final = sa.Table(
    "store_uptime_daily",
    metadata,
    _key(),
    sa.Column("local_date", sa.Date, primary_key=True, comment="on the wall clock of the store"),
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
        comment="that cost business time on this day; one over midnight counts on both",
    ),
    sa.CheckConstraint("business_us = uptime_us + downtime_us + unknown_us", name="adds_up"),
    comment="History by local day, from the day of a store's first poll to the newest poll.",
)

store_uptime_daily_state: Final = sa.Table(
    "store_uptime_daily_state",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("as_of", _INSTANT, nullable=False),
    sa.Column("refreshed_at", _INSTANT, nullable=False),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="Up to which poll store_uptime_daily is made.",
)

store_uptime_daily_stale: Final = sa.Table(
    "store_uptime_daily_stale",
    metadata,
    _key(),
    sa.Column("since", _INSTANT, nullable=False, comment="-infinity: all of the store's days"),
    comment="Stores whose days must be made again; written by triggers on what days are made of.",
)

reports: Final = sa.Table(
    "reports",
    metadata,
    sa.Column("report_id", postgresql.UUID(as_uuid=False), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("requested_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("requested_as_of", _INSTANT, comment="NULL: the newest poll when it is made"),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("attempts", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("result_id", sa.BigInteger, index=True),
    sa.Column("completed_at", _INSTANT),
    sa.Column("error", sa.Text),
    sa.Column("request_id", sa.Text, comment="of the HTTP request that asked for it"),
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
    comment="What was asked for; the row exists before any run is launched.",
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
    sa.Column("last_load_id", sa.Integer, comment="the newest load that it knew of"),
    sa.Column("newest_poll_at", _INSTANT, comment="the newest poll when it was computed"),
    sa.Column("csv_bytes", sa.BigInteger, nullable=False),
    sa.Column("csv_chunks", sa.Integer, nullable=False),
    sa.Column("csv_sha256", sa.Text, nullable=False),
    sa.Index("ix_report_results_as_of_policy", "as_of", "policy"),
    comment="What was computed; requests with one as_of and policy that wait together share it.",
)

report_csv: Final = sa.Table(
    "report_csv",
    metadata,
    sa.Column("result_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    comment="The bytes of each result's CSV, cut into chunks.",
)

uptime_report: Final = sa.Table(
    "uptime_report",
    metadata,
    sa.Column("result_id", sa.BigInteger, primary_key=True, autoincrement=False),
    _key(),
    *_figure_columns(),
    comment="The rows of each result; never changed.",
)

staged_uptime: Final = sa.Table(
    "staged_uptime",
    metadata,
    sa.Column("result_id", sa.BigInteger, primary_key=True, autoincrement=False),
    _key(),
    *_figure_columns(),
    prefixes=["UNLOGGED"],
    comment="Rows that are to become those of store_uptime, while their shards are made.",
)

result_shards: Final = sa.Table(
    "result_shards",
    metadata,
    sa.Column("result_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.Text, nullable=False, index=True),
    sa.Column("is_report", sa.Boolean, nullable=False, comment="false: store_uptime"),
    sa.Column("as_of", _INSTANT, nullable=False),
    sa.Column("is_newest", sa.Boolean, nullable=False, comment="as_of is the newest poll"),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("first_store_id", sa.Text(collation="C"), nullable=False),
    sa.Column("before_store_id", sa.Text(collation="C"), comment="NULL: the end of all"),
    sa.Column("planned_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("data_version", sa.Text, comment="what it was made of; NULL: not made yet"),
    sa.Column("stores", sa.Integer),
    sa.Column("silent_stores", sa.Integer),
    sa.Column("csv_chunks", sa.Integer),
    comment="Results that are made in shards, until they are finished.",
)

report_runs: Final = sa.Table(
    "report_runs",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("launched_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("reading_at", _INSTANT, comment="when it began to take waiting reports"),
    sa.Column("ended_at", _INSTANT),
    sa.Column("is_success", sa.Boolean),
    sa.Index("ix_report_runs_open", "launched_at", postgresql_where=sa.text("ended_at IS NULL")),
    comment="The Dagster runs that make reports.",
)

api_keys: Final = sa.Table(
    "api_keys",
    metadata,
    sa.Column("key_id", sa.Text(collation="C"), primary_key=True, comment="the token's open part"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("secret_sha256", sa.LargeBinary, nullable=False),
    sa.Column("scopes", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Column("store_ids", postgresql.ARRAY(sa.Text), comment="NULL: every store"),
    sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("expires_at", _INSTANT),
    sa.Column("revoked_at", _INSTANT),
    sa.Column("last_used_at", _INSTANT, comment="to the minute"),
    sa.CheckConstraint("length(secret_sha256) = 32", name="secret_sha256"),
    sa.CheckConstraint(
        "scopes <@ ARRAY['read', 'trigger', 'ingest', 'admin'] AND scopes <> '{}'", name="scopes"
    ),
    sa.Index(
        "uq_api_keys_name", "name", unique=True, postgresql_where=sa.text("revoked_at IS NULL")
    ),
    comment="Who may use the API, and for what; never holds a token.",
)

audit_events: Final = sa.Table(
    "audit_events",
    metadata,
    sa.Column("event_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", _INSTANT, nullable=False, server_default=_NOW, index=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, comment="NULL: no key was needed, or the command line"),
    sa.Column("client", sa.Text, comment="address of the client, or the user of the command line"),
    sa.Column("request_id", sa.Text),
    sa.Column("subject", sa.Text, comment="what it was done to"),
    comment="Who triggered, pushed, changed keys, and when; only ever appended to.",
)

alert_watch: Final = sa.Table(
    "alert_watch",
    metadata,
    sa.Column("is_only_row", sa.Boolean, primary_key=True, server_default=sa.text("true")),
    sa.Column("looked_at", _INSTANT, nullable=False, comment="by the clock"),
    sa.Column(
        "watching_since", _INSTANT, nullable=False, comment="without a long pause between looks"
    ),
    sa.Column("seen", sa.Text, comment="the version of the data that stores were judged by"),
    sa.CheckConstraint("is_only_row", name="is_only_row"),
    comment="The last look for alerts.",
)

source_looks: Final = sa.Table(
    "source_looks",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("looked_at", _INSTANT, nullable=False),
    comment="When the files of each source were last looked at, and all of them could be used.",
)

alerts: Final = sa.Table(
    "alerts",
    metadata,
    sa.Column("alert_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text(collation="C"), nullable=False, comment="the id of a store, …"),
    sa.Column("store_key", sa.Integer, comment="NULL: it is not about one store"),
    sa.Column("opened_at", _INSTANT, nullable=False, comment="newest poll; of a source the clock"),
    sa.Column("since", _INSTANT, nullable=False, comment="when that began which it tells of"),
    sa.Column("closed_at", _INSTANT, comment="as opened_at; NULL: open"),
    sa.Column("ending", sa.Text, comment="in words, once it is closed"),
    sa.Column(
        "lost_us", sa.BigInteger, nullable=False, comment="business time down, or without a poll"
    ),
    sa.Column("stores", sa.Integer, comment="so many were meant when it was last looked at"),
    sa.Column("of_stores", sa.Integer, comment="of so many open ones"),
    sa.Column("is_told", sa.Boolean, nullable=False, comment="there were messages about it"),
    sa.Column("recorded_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.CheckConstraint("kind IN ('down', 'silent', 'source', 'platform')", name="kind"),
    sa.CheckConstraint("(kind IN ('down', 'silent')) = (store_key IS NOT NULL)", name="store_key"),
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
    comment="What was wrong from when to when; at most one open alert of a kind and subject.",
)

alert_deliveries: Final = sa.Table(
    "alert_deliveries",
    metadata,
    sa.Column("delivery_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("alert_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False, comment="label of an address; never the address"),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'waiting'")),
    sa.Column("is_held", sa.Boolean, nullable=False, comment="until its store's business time"),
    sa.Column("tries", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("next_try_at", _INSTANT, nullable=False),
    sa.Column("claimed_at", _INSTANT, comment="when the last try began"),
    sa.Column(
        "is_repeated",
        sa.Boolean,
        nullable=False,
        server_default=sa.text("false"),
        comment="a try was interrupted, so that this one may be the second to arrive",
    ),
    sa.Column("sent_at", _INSTANT),
    sa.Column("error", sa.Text, comment="of the last try; without any part of the address"),
    sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.CheckConstraint("change IN ('opened', 'closed')", name="change"),
    sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed')", name="state"),
    sa.UniqueConstraint("alert_id", "change", "target"),
    sa.Index(
        "ix_alert_deliveries_open",
        "next_try_at",
        postgresql_where=sa.text("state <> 'sent'"),
    ),
    comment="The messages about each alert, one for each address: those that wait and those sent.",
)
