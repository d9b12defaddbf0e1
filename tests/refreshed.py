"""Makes the figures of what is loaded, and reads their downtime."""

from datetime import UTC, datetime

from stored import fetch
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime


def refresh_figures(url: str) -> None:
    """Make the figures of all stores, of windows and of days.

    A service tells a refresh by its time: at one time, it would keep what it read before it.
    """
    refresh_daily(url)
    refresh_uptime(url, refreshed_at=datetime.now(UTC))


def downtime_minutes(url: str) -> dict[str, float]:
    """The downtime of the last day of each store, as the newest figures have it."""
    return _minutes(url, "downtime_last_day_us", "store_uptime")


def days_downtime_minutes(url: str) -> dict[str, float]:
    """The downtime of all days of each store."""
    return _minutes(url, "downtime_us", "store_uptime_daily")


def _minutes(url: str, amount: str, table: str) -> dict[str, float]:
    rows = fetch(
        url,
        f"SELECT store_id, sum({amount}) / 60000000.0 AS minutes"
        f" FROM {table} JOIN stores USING (store_key) GROUP BY 1",
    )
    return {row["store_id"]: float(row["minutes"]) for row in rows}
