"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "business_hour_intervals",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "valid_from", sa.DateTime(timezone=True), nullable=False, comment="-infinity: always"
        ),
        sa.Column("start_us_of_week", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_us_of_week", sa.BigInteger(), nullable=False),
        sa.Column(
            "load_id",
            sa.Integer(),
            nullable=True,
            comment="NULL: no hours were ever loaded, so always open",
        ),
        sa.CheckConstraint(
            "start_us_of_week >= 0 AND start_us_of_week < end_us_of_week AND end_us_of_week <= 604800000000",
            name=op.f("ck_business_hour_intervals_inside_week"),
        ),
        sa.PrimaryKeyConstraint(
            "store_key", "valid_from", "start_us_of_week", name=op.f("pk_business_hour_intervals")
        ),
        comment="The normalised local week of each store and version: merged, from Monday 00:00.",
    )
    op.create_table(
        "business_hours",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "valid_from", sa.DateTime(timezone=True), nullable=False, comment="-infinity: always"
        ),
        sa.Column("load_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day_of_week", sa.SmallInteger(), nullable=False, comment="0: Monday"),
        sa.Column("start_us", sa.BigInteger(), nullable=False, comment="since local midnight"),
        sa.Column("end_us", sa.BigInteger(), nullable=False, comment="since local midnight"),
        sa.Column("is_dated", sa.Boolean(), nullable=False, comment="the source gave valid_from"),
        sa.PrimaryKeyConstraint(
            "store_key", "valid_from", "load_id", "row_number", name=op.f("pk_business_hours")
        ),
        comment="Weekly hours as read; rows of one store, valid_from and load are one version.",
    )
    op.create_table(
        "closures",
        sa.Column("closure_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("store_key", sa.Integer(), nullable=True, comment="NULL: every store"),
        sa.Column("start_local", sa.DateTime(), nullable=False, comment="wall clock of each store"),
        sa.Column("end_local", sa.DateTime(), nullable=True, comment="NULL: open"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("load_id", sa.Integer(), nullable=False),
        sa.Column("cancelled_by_load_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("end_local > start_local", name=op.f("ck_closures_end_after_start")),
        sa.PrimaryKeyConstraint("closure_id", name=op.f("pk_closures")),
        comment="Planned time off: taken out of business time.",
    )
    op.create_table(
        "database_parameters",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("max_gap_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("is_only_row", name=op.f("ck_database_parameters_is_only_row")),
        sa.CheckConstraint(
            "max_gap_us > 0 AND max_gap_us < 86400000000",
            name=op.f("ck_database_parameters_max_gap_us"),
        ),
        sa.PrimaryKeyConstraint("is_only_row", name=op.f("pk_database_parameters")),
        comment="What is fixed for the life of this database: every status run was made with it.",
    )
    op.create_table(
        "ingested_files",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("file_path", sa.Text(), nullable=False),
        sa.Column("load_id", sa.Integer(), nullable=False, comment="the last load of this file"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("bytes_read", sa.BigInteger(), nullable=False),
        sa.Column(
            "fingerprint", sa.Text(), nullable=False, comment="of the first bytes_read bytes"
        ),
        sa.PrimaryKeyConstraint("source", "file_path", name=op.f("pk_ingested_files")),
        comment="What was read of each file, so that an unchanged one is not read again.",
    )
    op.create_table(
        "loads",
        sa.Column("load_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("file_path", sa.Text(), nullable=True, comment="NULL: the rows were pushed"),
        sa.Column("run_id", sa.Text(), nullable=True, comment="the Dagster run that made the load"),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("rows_loaded", sa.BigInteger(), nullable=False),
        sa.Column("rows_replaced", sa.BigInteger(), nullable=False),
        sa.Column("rows_unchanged", sa.BigInteger(), nullable=False),
        sa.Column("rows_rejected", sa.BigInteger(), nullable=False),
        sa.Column("first_polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "rows_read = rows_loaded + rows_replaced + rows_unchanged + rows_rejected",
            name=op.f("ck_loads_rows_balance"),
        ),
        sa.PrimaryKeyConstraint("load_id", name=op.f("pk_loads")),
        comment="One row per file read or batch pushed; the order of load_id is the order of arrival.",
    )
    op.create_index("ix_loads_source_file_path", "loads", ["source", "file_path"], unique=False)
    op.create_table(
        "rejected_rows",
        sa.Column("rejected_row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("load_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("row_text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("replayed_by_load_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("rejected_row_id", name=op.f("pk_rejected_rows")),
        comment="Rows that could not be read, whole, with the reason.",
    )
    op.create_index(op.f("ix_rejected_rows_load_id"), "rejected_rows", ["load_id"], unique=False)
    op.create_table(
        "report_csv",
        sa.Column("result_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("result_id", "chunk", name=op.f("pk_report_csv")),
        comment="The bytes of each result's CSV, cut into chunks.",
    )
    op.create_table(
        "report_results",
        sa.Column("result_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("stores", sa.Integer(), nullable=False),
        sa.Column("silent_stores", sa.Integer(), nullable=False),
        sa.Column(
            "computed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column(
            "last_load_id", sa.Integer(), nullable=True, comment="the newest load that it knew of"
        ),
        sa.Column("csv_bytes", sa.BigInteger(), nullable=False),
        sa.Column("csv_chunks", sa.Integer(), nullable=False),
        sa.Column("csv_sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("result_id", name=op.f("pk_report_results")),
        comment="What was computed; requests with one as_of and policy that wait together share it.",
    )
    op.create_table(
        "report_runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column(
            "launched_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "reading_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it began to take waiting reports",
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_success", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_report_runs")),
        comment="The Dagster runs that make reports.",
    )
    op.create_index(
        "ix_report_runs_open",
        "report_runs",
        ["launched_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "reports",
        sa.Column("report_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "requested_as_of",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="NULL: the newest poll when it is made",
        ),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("result_id", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'complete') = (result_id IS NOT NULL)", name=op.f("ck_reports_result")
        ),
        sa.CheckConstraint(
            "(state = 'failed') = (error IS NOT NULL)", name=op.f("ck_reports_error")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'complete', 'failed', 'expired')", name=op.f("ck_reports_state")
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_reports")),
        comment="What was asked for; the row exists before any run is launched.",
    )
    op.create_index(op.f("ix_reports_result_id"), "reports", ["result_id"], unique=False)
    op.create_index(
        "ix_reports_waiting",
        "reports",
        ["requested_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "status_runs",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_poll_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_poll_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("polls", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("store_key", "first_poll_at", name=op.f("pk_status_runs")),
        comment="Maximal sequences of polls with one status; written in the polls' transaction.",
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_status_runs_first_poll_at", "status_runs", ["first_poll_at"], unique=False)
    op.create_table(
        "store_status",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("load_id", sa.Integer(), nullable=False, comment="whose statement this is"),
        sa.PrimaryKeyConstraint("store_key", "polled_at", name=op.f("pk_store_status")),
        comment="The polls, one row per (store, instant): what the last arrival said.",
        postgresql_partition_by="RANGE (polled_at)",
    )
    op.create_table(
        "store_timezones",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "valid_from", sa.DateTime(timezone=True), nullable=False, comment="-infinity: always"
        ),
        sa.Column("load_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False, comment="IANA key"),
        sa.Column("is_dated", sa.Boolean(), nullable=False, comment="the source gave valid_from"),
        sa.PrimaryKeyConstraint(
            "store_key", "valid_from", "load_id", "row_number", name=op.f("pk_store_timezones")
        ),
        comment="Zones as read; the greatest valid_from, then load_id, then row_number counts.",
    )
    op.create_table(
        "store_uptime",
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
        sa.PrimaryKeyConstraint("store_key", name=op.f("pk_store_uptime")),
        comment="The newest figures of every store with a poll in 192 hours.",
    )
    op.create_table(
        "store_uptime_state",
        sa.Column("is_only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "as_of",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="NULL: no poll was ever loaded",
        ),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stores", sa.Integer(), nullable=False),
        sa.Column("silent_stores", sa.Integer(), nullable=False),
        sa.CheckConstraint("is_only_row", name=op.f("ck_store_uptime_state_is_only_row")),
        sa.PrimaryKeyConstraint("is_only_row", name=op.f("pk_store_uptime_state")),
        comment="What store_uptime speaks of.",
    )
    op.create_table(
        "stores",
        sa.Column("store_key", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("store_id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("store_key", name=op.f("pk_stores")),
        sa.UniqueConstraint("store_id", name=op.f("uq_stores_store_id")),
        comment="Every store that any source has named; ids sort by their bytes.",
    )
    op.create_table(
        "superseded_polls",
        sa.Column("store_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("load_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint(
            "store_key", "polled_at", "load_id", name=op.f("pk_superseded_polls")
        ),
        comment="What earlier loads said of polls whose row a later arrival took.",
    )
    op.create_table(
        "uptime_report",
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
        sa.PrimaryKeyConstraint("result_id", "store_key", name=op.f("pk_uptime_report")),
        comment="The rows of each result; never changed.",
    )
