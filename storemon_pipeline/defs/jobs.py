"""The jobs, and when they start by themselves."""

from typing import Final

import dagster as dg

from storemon_pipeline.contract import REFRESH_JOB, REPORT_JOB
from storemon_pipeline.defs.asset_specs import REFRESH_TAGS

_UNDER_WAY: Final = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)

REPORT = dg.AssetSelection.assets("uptime_report")

refresh_job = dg.define_asset_job(
    REFRESH_JOB,
    selection=dg.AssetSelection.all() - REPORT,
    description="Loads what is new in the data folder and brings the newest figures forward.",
    tags=REFRESH_TAGS,
)

report_job = dg.define_asset_job(
    REPORT_JOB,
    selection=REPORT,
    description="Makes every report that waits. Reads no files.",
)


def is_refresh_under_way(instance: dg.DagsterInstance) -> bool:
    """Tell whether a refresh has been launched and has not ended."""
    return is_under_way(instance, REFRESH_JOB)


def is_under_way(instance: dg.DagsterInstance, job: str) -> bool:
    """Tell whether a run of this job has been launched and has not ended."""
    return bool(
        instance.get_runs_count(
            dg.RunsFilter(job_name=job, statuses=[*_UNDER_WAY]),
        )
    )


@dg.schedule(
    job=refresh_job,
    cron_schedule="0 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def hourly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start a refresh at every full hour, unless one is still under way."""
    if is_refresh_under_way(context.instance):
        return dg.SkipReason("a refresh is under way")
    return dg.RunRequest()
