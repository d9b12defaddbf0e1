"""The code location's only entry: everything that Dagster is to know of storemon."""

import dagster as dg

from storemon_pipeline.defs.alerts import alert_job, alerts
from storemon_pipeline.defs.executors import build_executor
from storemon_pipeline.defs.jobs import hourly_refresh, refresh_job, report_job
from storemon_pipeline.defs.resources import Database, DataFolder
from storemon_pipeline.defs.retention import daily_retention, retention_job
from storemon_pipeline.defs.sensors import new_files
from storemon_pipeline.defs.sources import (
    business_hours,
    closures,
    polls_and_runs,
    store_details,
    store_timezones,
)
from storemon_pipeline.defs.uptime import (
    business_hour_intervals,
    figure_assets,
    store_uptime_daily,
)
from storemon_pipeline.settings import Settings


def build_defs(settings: Settings) -> dg.Definitions:
    """The definitions with the executor and the number of shards that the settings ask for."""
    return dg.Definitions(
        assets=[
            polls_and_runs,
            business_hours,
            store_timezones,
            closures,
            store_details,
            business_hour_intervals,
            store_uptime_daily,
            *figure_assets(settings),
        ],
        jobs=[refresh_job, report_job, retention_job, alert_job],
        schedules=[hourly_refresh, daily_retention],
        sensors=[new_files, alerts],
        resources={
            "database": Database(url=dg.EnvVar("STOREMON_DATABASE_URL")),
            "data": DataFolder(path=dg.EnvVar("STOREMON_DATA")),
        },
        executor=build_executor(settings),
    )


defs = build_defs(Settings())
