"""The code location's only entry: all definitions of storemon's Dagster."""

from datetime import timedelta
from typing import Final

import dagster as dg

from storemon_pipeline.defs.alerts import alert_job, alerts
from storemon_pipeline.defs.checks import table_checks
from storemon_pipeline.defs.executors import build_executor
from storemon_pipeline.defs.jobs import (
    daily_status_model,
    hourly_poll_plan,
    hourly_refresh,
    poll_plan_job,
    rebuild_day_job,
    refresh_job,
    report_job,
    status_model_job,
)
from storemon_pipeline.defs.reports import report_assets
from storemon_pipeline.defs.resources import (
    Alerting,
    Database,
    DataFolder,
    Lake,
    MailServer,
    Retention,
)
from storemon_pipeline.defs.retention import daily_retention, retention_job
from storemon_pipeline.defs.sensors import new_files
from storemon_pipeline.defs.sources import SOURCE_ASSETS
from storemon_pipeline.defs.statements.statement_job import statement_job, statements
from storemon_pipeline.defs.uptime import (
    POLL_PLAN,
    STATUS_MODEL,
    STATUS_MODEL_INPUTS,
    uptime_assets,
)
from storemon_pipeline.settings import Settings

_GROUPS: Final = {
    "business_hour_intervals": "normalised",
    "status_model": "uptime",
    "status_model_inputs": "uptime",
    "store_uptime": "uptime",
    "store_uptime_daily": "uptime",
    "poll_plan": "polls",
    "lake": "reports",
    "report_inputs": "reports",
    "uptime_report": "reports",
}
"""The groups of assets in the Dagster UI; all others are sources."""

_NEVER_OVERDUE: Final = {POLL_PLAN, STATUS_MODEL_INPUTS}
"""Assets beside reports that no refresh makes."""

_FRESHNESS: Final = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=1, minutes=30), fail_window=timedelta(hours=3)
)
"""Polls arrive hourly: one hour without new data is a warning, two are a failure."""

_DAILY: Final = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=50)
)


def _complete(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Add what all assets have in common. What is made on request, or never, is not overdue."""
    name = spec.key.to_user_string()
    group = _GROUPS.get(name, "sources")
    freshness = _DAILY if name == STATUS_MODEL else _FRESHNESS
    return spec.replace_attributes(
        owners=["team:storemon"],
        group_name=group,
        freshness_policy=None if group == "reports" or name in _NEVER_OVERDUE else freshness,
    )


def build_defs(settings: Settings) -> dg.Definitions:
    """The definitions with the executor, the shards and the resources of these settings."""
    assets = [*SOURCE_ASSETS, *uptime_assets(settings), *report_assets(settings)]
    return dg.Definitions(
        assets=dg.map_asset_specs(_complete, assets),
        asset_checks=[table_checks],
        jobs=[
            refresh_job,
            report_job,
            rebuild_day_job,
            retention_job,
            status_model_job,
            poll_plan_job,
            alert_job,
            statement_job,
        ],
        schedules=[hourly_refresh, daily_retention, daily_status_model, hourly_poll_plan],
        sensors=[new_files, alerts, statements],
        resources={
            "database": Database(url=dg.EnvVar("STOREMON_DATABASE_URL")),
            "data": DataFolder(
                path=dg.EnvVar("STOREMON_DATA"), channel_rule=settings.channel_rule.value
            ),
            "retention": Retention(
                keep_polls_days=settings.keep_polls_days,
                poll_archive=dg.EnvVar("STOREMON_POLL_ARCHIVE") if settings.poll_archive else None,
                keep_reports_days=settings.keep_reports_days,
            ),
            "lake": Lake(place=dg.EnvVar("STOREMON_LAKE") if settings.lake else None),
            "alerting": Alerting.from_settings(settings),
            "mail_server": MailServer.from_settings(settings),
        },
        executor=build_executor(settings),
    )


defs = build_defs(Settings())
