"""Comments on tables and columns, and reasons of rejected rows, in plain words."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = {
    "database_parameters": "Settings that never change in a database, because all status runs depend on them.",
    "stores": "Every store that any source has mentioned; ids sort by their bytes.",
    "store_details": "Name, group and region of stores.",
    "loads": "One row per file read or batch pushed; load_id ascends in order of arrival.",
    "ingested_files": "How far each file was read, so that unchanged files are not read again.",
    "rejected_rows": "Rows that could not be read, with the reason.",
    "store_status": "Polls, one row per store and instant; the last arrival counts.",
    "retention_state": "Polls before polls_kept_from are rejected, because older polls were dropped.",
    "superseded_polls": "Polls of earlier loads that a later load replaced.",
    "status_runs": "Status runs: maximal sequences of polls with equal status; written with the polls.",
    "newest_poll": "Instant of the newest poll; empty without polls. Maintained by triggers.",
    "business_hours": "Weekly hours as read; the rows of one store, valid_from and load are one version.",
    "store_timezones": "Zones as read; the row with the greatest valid_from, load_id and row_number counts.",
    "closures": "Planned closures, which do not count as business time.",
    "business_hour_intervals": "Normalised local week of each store and version: merged intervals since Monday 00:00.",
    "week_patterns": "Distinct weeks of business_hour_intervals; unused ones stay.",
    "store_weeks": "Week pattern of each store and version; stores without loaded hours have none.",
    "intervals_state": "Number of changes of business_hour_intervals.",
    "store_uptime": "Current figures of every store with a poll in the last 192 hours.",
    "store_uptime_state": "As-of instant and number of stores of store_uptime.",
    "store_uptime_daily": "Uptime history by local day, from a store's first poll to the newest poll.",
    "store_uptime_daily_state": "Newest poll that store_uptime_daily includes.",
    "store_uptime_daily_stale": "Stores whose days must be computed again; written by triggers on the input tables.",
    "reports": "Requested reports; a row is written before any run is launched.",
    "report_results": "Computed results; waiting requests with equal as_of and policy share one.",
    "report_csv": "CSV file of each result, in chunks of bytes.",
    "uptime_report": "Rows of each result; never changed.",
    "staged_uptime": "Rows for store_uptime while their shards are computed.",
    "result_shards": "Shards of results that are being computed.",
    "report_runs": "Dagster runs that compute reports.",
    "api_keys": "API keys and their scopes; never holds a token.",
    "audit_events": "Audit log of triggers, pushes and key changes; append-only.",
    "alert_watch": "State of the alert evaluation.",
    "source_looks": "Last successful check of the files of each source.",
    "alerts": "Alerts with start and end; at most one is open for a kind and subject.",
    "alert_deliveries": "Notifications of alerts, one per alert, change and address: waiting, sent or failed.",
}

_COLUMNS = {
    "loads": {
        "file_path": "NULL: pushed rows",
        "run_id": "Dagster run that made the load",
        "undoes_load_id": "load that this load undoes",
        "rows_removed": "polls that an undo deleted",
        "header": "CSV header for reading the rejected rows again",
    },
    "ingested_files": {
        "load_id": "last load of this file",
        "lines_read": "lines in the first bytes_read bytes",
        "fingerprint": "digest of the first bytes_read bytes",
        "header": "CSV header for reading appended lines; NULL: the file is always read whole",
        "tail_load_id": "load of a last line without a line end, after bytes_read",
    },
    "rejected_rows": {"row_bytes": "original bytes, where row_text differs from them"},
    "store_status": {"load_id": "load that wrote this row"},
    "business_hours": {"is_dated": "whether the source gave valid_from"},
    "store_timezones": {"is_dated": "whether the source gave valid_from"},
    "closures": {"start_local": "local time of each store", "end_local": "NULL: open end"},
    "store_uptime_state": {"as_of": "NULL: no polls were loaded"},
    "store_uptime_daily": {
        "local_date": "in local time of the store",
        "incidents": "that cost business time on this day; one across midnight counts on both days",
    },
    "store_uptime_daily_stale": {"since": "-infinity: all days of the store"},
    "reports": {
        "requested_as_of": "NULL: the newest poll when the report is computed",
        "request_id": "id of the HTTP request",
    },
    "report_results": {
        "last_load_id": "newest load when the result was computed",
        "newest_poll_at": "newest poll when the result was computed",
    },
    "result_shards": {
        "is_report": "false: for store_uptime",
        "is_newest": "whether as_of is the newest poll",
        "before_store_id": "exclusive; NULL: no upper bound",
        "data_version": "version of the input data; NULL: not computed yet",
    },
    "report_runs": {"reading_at": "when the run began to take waiting reports"},
    "api_keys": {"key_id": "public part of the token", "last_used_at": "accurate to the minute"},
    "audit_events": {
        "key_id": "NULL: no key needed, or the command line",
        "client": "address of the client, or user of the command line",
        "subject": "object of the action",
    },
    "alert_watch": {
        "looked_at": "time of the last evaluation",
        "watching_since": "start of the evaluations without a long pause in between",
        "seen": "version of the data when stores were last evaluated",
    },
    "alerts": {
        "subject": "id of the store, or name of the zone, group or source",
        "store_key": "NULL: not about one store",
        "opened_at": "newest poll; for a source the clock time",
        "since": "when the condition began",
        "closed_at": "like opened_at; NULL: still firing",
        "ending": "reason in words, once resolved",
        "lost_us": "business time down, or without polls",
        "stores": "stores affected at the last evaluation",
        "of_stores": "open stores at the last evaluation",
        "is_told": "whether there were notifications",
    },
    "alert_deliveries": {
        "target": "label of the address; never the address itself",
        "is_held": "held until the store's business time",
        "claimed_at": "start of the last try",
        "is_repeated": "whether a try was interrupted, so that the message may arrive twice",
        "error": "error of the last try, without any part of the address",
    },
}

_REASONS = {
    "holds a NUL byte": "contains a NUL byte",
    "poll lies in the future": "poll is in the future",
    "poll is older than polls are kept": "poll is older than the retention period",
}


def upgrade() -> None:
    """Bring a database from the schema before to this one."""
    for table, comment in _TABLES.items():
        op.create_table_comment(table, comment)
    for table, columns in _COLUMNS.items():
        for column, comment in columns.items():
            op.alter_column(table, column, comment=comment)
    for before, after in _REASONS.items():
        op.execute(
            sa.text("UPDATE rejected_rows SET reason = :after WHERE reason = :before").bindparams(
                before=before, after=after
            )
        )
