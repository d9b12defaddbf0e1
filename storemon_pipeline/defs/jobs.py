"""The jobs, and when they start by themselves."""

import dagster as dg

from storemon_pipeline.contract import REFRESH_JOB, REPORT_JOB
from storemon_pipeline.defs.policies import REFRESH_TAGS

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


@dg.schedule(
    job=refresh_job,
    cron_schedule="0 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def hourly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start a refresh at every full hour, unless one is still under way."""
    under_way = context.instance.get_runs_count(
        dg.RunsFilter(
            job_name=REFRESH_JOB,
            statuses=[
                dg.DagsterRunStatus.QUEUED,
                dg.DagsterRunStatus.STARTING,
                dg.DagsterRunStatus.STARTED,
            ],
        )
    )
    if under_way:
        return dg.SkipReason("a refresh is under way")
    return dg.RunRequest()
