"""The daily job that drops what is too old, and checks all that stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from storemon_pipeline.contract import RETENTION_JOB
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.figures.refresh_daily import compare_all_days
from storemon_pipeline.retention.enforce import check_all_status_runs, drop_old_data
from storemon_pipeline.settings import Settings

KEEP_DAGSTER_RUNS: Final = timedelta(days=7)
MOST_RUNS_PURGED: Final = 5_000
"""So many at a time; a run is deleted in some hundredths of a second."""

_ENDED: Final = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_PAGE: Final = 500

# A reader that holds the polls for long, or a server that is away, is gone after a while.
_RETRIES: Final = dg.RetryPolicy(max_retries=2, delay=30)


@dg.op(retry_policy=_RETRIES, out=dg.Out(dg.Nothing))
def drop_what_is_old(context: dg.OpExecutionContext, database: Database) -> None:
    """Raw polls, reports and closed alerts older than STOREMON_KEEP_…_DAYS are gone."""
    settings = Settings()
    dropped = drop_old_data(
        database.url,
        keep_polls=timedelta(days=settings.keep_polls_days),
        keep_reports=timedelta(days=settings.keep_reports_days),
    )
    context.log.info(
        "dropped %d weeks of polls and %d superseded ones, expired %d reports, dropped %d "
        "closed alerts; polls are kept from %s",
        dropped.poll_partitions,
        dropped.superseded_polls,
        dropped.reports,
        dropped.alerts,
        dropped.polls_kept_from,
    )


@dg.op(retry_policy=_RETRIES, ins={"start": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def purge_dagster_runs(context: dg.OpExecutionContext) -> None:
    """Dagster's ended runs of more than a week ago are gone, with their events.

    The newest run of each job stays, so that its assets keep what they say of themselves.
    """
    before = datetime.now(UTC) - KEEP_DAGSTER_RUNS
    purged = 0
    for run_id in list(old_runs(context.instance, before))[:MOST_RUNS_PURGED]:
        context.instance.delete_run(run_id)
        purged += 1
    context.log.info("deleted %d runs that were created before %s", purged, before)


def old_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[str]:
    """The ids of ended runs that were created before an instant, without each job's newest."""
    seen: set[str] = set()
    cursor: str | None = None
    filters = dg.RunsFilter(statuses=_ENDED)
    while records := instance.get_run_records(filters, limit=_PAGE, cursor=cursor):
        for record in records:
            run = record.dagster_run
            if run.job_name in seen and record.create_timestamp < before:
                yield run.run_id
            seen.add(run.job_name)
        cursor = records[-1].dagster_run.run_id


@dg.op(retry_policy=_RETRIES, ins={"start": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def compare_every_run(context: dg.OpExecutionContext, database: Database) -> None:
    """Every status run is what the polls make. Fails where one is not."""
    runs = check_all_status_runs(database.url)
    if runs.different:
        raise dg.Failure(
            f"{runs.different} of {runs.compared} status runs are not what their polls make",
            allow_retries=False,
        )
    context.log.info("%d status runs are what their polls make", runs.compared)


@dg.op(retry_policy=_RETRIES, ins={"start": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def compare_every_day(context: dg.OpExecutionContext, database: Database) -> None:
    """Every day of every store is what the runs make. Fails where one is not."""
    days = compare_all_days(database.url)
    if days.different:
        raise dg.Failure(
            f"{days.different} of {days.compared} days are not what their status runs make",
            allow_retries=False,
        )
    context.log.info("%d days are what their status runs make", days.compared)


@dg.job(
    name=RETENTION_JOB,
    description="Drops polls, reports and Dagster's runs that are too old; checks all that stays.",
)
def retention_job() -> None:
    """Drop first, then purge and check what is left."""
    dropped = drop_what_is_old()
    purge_dagster_runs(start=dropped)
    compare_every_run(start=dropped)
    compare_every_day(start=dropped)


daily_retention = dg.ScheduleDefinition(
    job=retention_job,
    cron_schedule="30 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
