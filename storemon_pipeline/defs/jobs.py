"""The jobs of assets with their schedules, and the job that computes a day again."""

from datetime import date
from typing import Final

import dagster as dg
from pydantic import Field

from storemon_pipeline.contract import (
    POLL_PLAN_JOB,
    REBUILD_DAY_JOB,
    REFRESH_JOB,
    REPORT_JOB,
    STATUS_MODEL_JOB,
)
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.defs.uptime import POLL_PLAN, STATUS_MODEL
from storemon_pipeline.figures.rebuild_day import DayNotRebuiltError, rebuild_day

_ACTIVE: Final = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)

REPORT = dg.AssetSelection.assets("uptime_report")
MODEL = dg.AssetSelection.assets(STATUS_MODEL)
PLAN = dg.AssetSelection.assets(POLL_PLAN)

refresh_job = dg.define_asset_job(
    REFRESH_JOB,
    selection=dg.AssetSelection.all() - REPORT - MODEL - PLAN,
    description="Loads new files and brings all figures up to the newest poll.",
    tags={
        "dagster/max_retries": "2",
        # A failed step was retried within its run; a run whose process died was not.
        "dagster/retry_on_asset_or_op_failure": "false",
    },
)

report_job = dg.define_asset_job(
    REPORT_JOB,
    selection=REPORT,
    description=(
        "Makes every report that waits. With `as_of` or `policy` in the run config it makes one "
        "more; without, and when none waits, it makes a report of the newest poll."
    ),
)

status_model_job = dg.define_asset_job(
    STATUS_MODEL_JOB,
    selection=dg.AssetSelection.assets(STATUS_MODEL, "store_uptime"),
    description="Fits a new version of the status model, and computes the newest figures with it.",
)

poll_plan_job = dg.define_asset_job(
    POLL_PLAN_JOB,
    selection=PLAN,
    description="Plans the polls of the hour after the newest poll.",
)


class DayConfig(dg.Config):
    """The day to compute again."""

    day: str = Field(
        description="A local date such as 2023-01-24: that day on each store's own clock."
    )


@dg.op(out=dg.Out(dg.Nothing))
def rebuild_day_of_all_stores(
    context: dg.OpExecutionContext, config: DayConfig, database: Database
) -> None:
    """Compute one local day of `store_uptime_daily` again; all other days stay as they are."""
    with map_failures():
        rows = rebuild_day(database.url, _parse_day(config.day))
    context.log_event(
        dg.AssetObservation(
            "store_uptime_daily",
            description="A day was computed again.",
            metadata={"day": config.day, "rows": rows},
        )
    )


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DayNotRebuiltError(
            f"day is {text!r}, which is not a date: write it as YYYY-MM-DD, such as 2023-01-24."
        ) from error


@dg.job(
    name=REBUILD_DAY_JOB,
    description=(
        "Computes one local day of `store_uptime_daily` again, for all stores. The refresh does so "
        "by itself for days that late data changes."
    ),
)
def rebuild_day_job() -> None:
    """Rebuild the configured day."""
    rebuild_day_of_all_stores()


def is_refresh_active(instance: dg.DagsterInstance) -> bool:
    """Tell whether a refresh has been launched and has not ended."""
    return is_active(instance, REFRESH_JOB)


def is_active(instance: dg.DagsterInstance, job: str) -> bool:
    """Tell whether a run of this job has been launched and has not ended."""
    return bool(instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=[*_ACTIVE])))


@dg.schedule(
    job=refresh_job,
    cron_schedule="0 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Starts a refresh every full hour, unless one is still running.",
)
def hourly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start a refresh every full hour, unless one is still running."""
    if is_refresh_active(context.instance):
        return dg.SkipReason("a refresh is running")
    return dg.RunRequest()


daily_status_model = dg.ScheduleDefinition(
    name="daily_status_model",
    job=status_model_job,
    cron_schedule="30 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Fits the status model once a day, at a quiet hour.",
)

hourly_poll_plan = dg.ScheduleDefinition(
    name="hourly_poll_plan",
    job=poll_plan_job,
    cron_schedule="5 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Plans the polls of each hour. Turn it on when a poller follows the plan.",
)
