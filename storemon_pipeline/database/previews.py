"""A few rows of each table, to show in the Dagster UI."""

from typing import Final

import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import metadata
from storemon_pipeline.domain.amounts import ROUNDED_COLUMNS

_PREVIEWS: Final = {
    "store_status": """
        SELECT store_id, p.polled_at, p.is_active
        FROM (SELECT * FROM status_runs ORDER BY first_poll_at DESC LIMIT 5) r
        JOIN stores USING (store_key)
        JOIN store_status p ON p.store_key = r.store_key AND p.polled_at = r.last_poll_at
    """,
    "status_runs": """
        SELECT store_id, first_poll_at, last_poll_at, is_active, polls
        FROM status_runs JOIN stores USING (store_key) ORDER BY first_poll_at DESC LIMIT 5
    """,
    "business_hours": """
        SELECT store_id, day_of_week, start_us / 3600e6 AS start_hour, end_us / 3600e6 AS end_hour
        FROM business_hours JOIN stores USING (store_key) LIMIT 5
    """,
    "store_timezones": """
        SELECT store_id, timezone FROM store_timezones JOIN stores USING (store_key) LIMIT 5
    """,
    "closures": """
        SELECT coalesce(store_id, '*') AS store_id, start_local, end_local, reason
        FROM closures LEFT JOIN stores USING (store_key)
        WHERE cancelled_by_load_id IS NULL ORDER BY closure_id DESC LIMIT 5
    """,
    "special_hours": """
        SELECT store_id, local_date::text, valid_from::text,
               ARRAY(SELECT h / 3600e6 FROM unnest(starts_us) h)::text AS start_hours,
               ARRAY(SELECT h / 3600e6 FROM unnest(ends_us) h)::text AS end_hours
        FROM special_hours JOIN stores USING (store_key)
        ORDER BY load_id DESC, local_date, store_id LIMIT 5
    """,
    "store_details": """
        SELECT store_id, name, group_name, region
        FROM store_details JOIN stores USING (store_key) ORDER BY store_id LIMIT 5
    """,
    "objectives": """
        SELECT applies_to, coalesce(store_id, o.name) AS name, objective_percent::text AS objective,
               period AS by, o.valid_from::text
        FROM objectives o LEFT JOIN stores USING (store_key)
        WHERE cancelled_by_load_id IS NULL ORDER BY objective_id DESC LIMIT 5
    """,
    "demand": """
        SELECT store_id, day_of_week, hour,
               (sales_per_hour / 100.0)::numeric(12, 2)::text AS sales_per_hour, currency
        FROM demand JOIN stores USING (store_key) LIMIT 5
    """,
    "hourly_orders": """
        SELECT store_id, hour_start::text, orders, (amount / 100.0)::numeric(20, 2)::text AS amount,
               currency
        FROM hourly_orders JOIN stores USING (store_key) LIMIT 5
    """,
    "channels": """
        SELECT store_id, channel, channel_store_id
        FROM channels JOIN stores USING (store_key)
        WHERE cancelled_by_load_id IS NULL ORDER BY store_id, channel LIMIT 5
    """,
    "store_events": """
        SELECT store_id, from_at::text AS from_utc, to_at::text AS to_utc,
               CASE WHEN is_up THEN 'up' ELSE 'down' END AS state, reason, source
        FROM store_events JOIN stores USING (store_key)
        WHERE cancelled_by_load_id IS NULL ORDER BY event_id DESC LIMIT 5
    """,
    "business_hour_intervals": """
        SELECT store_id, start_us_of_week / 3600e6 AS start_hour_of_week,
               end_us_of_week / 3600e6 AS end_hour_of_week
        FROM business_hour_intervals JOIN stores USING (store_key) LIMIT 5
    """,
    "store_uptime": f"""
        SELECT store_id, {", ".join(ROUNDED_COLUMNS)}
        FROM store_uptime JOIN stores USING (store_key)
        ORDER BY downtime_last_week_us DESC, store_id LIMIT 5
    """,  # noqa: S608  (names of columns are constants)
    "store_uptime_daily": """
        SELECT store_id, local_date, business_us / 3600e6 AS business_hours,
               uptime_us / 3600e6 AS uptime_hours, downtime_us / 3600e6 AS downtime_hours,
               unknown_us / 3600e6 AS unknown_hours, incidents
        FROM store_uptime_daily JOIN stores USING (store_key)
        ORDER BY local_date DESC, store_id LIMIT 5
    """,
}


def read_preview(bulk: Bulk, table: str) -> pa.Table:
    """Up to five rows of a table of stores, with store ids in place of keys."""
    return bulk.fetch(_PREVIEWS.get(table) or _first_rows(table))


def _first_rows(table: str) -> str:
    names = [column.name for column in metadata.tables[table].columns]
    columns = ", ".join(["store_id", *(name for name in names if name != "store_key")])
    return f"SELECT {columns} FROM {table} JOIN stores USING (store_key) LIMIT 5"  # noqa: S608
