"""The daily job that enforces retention, and compares everything that stays with the polls."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from storemon_pipeline.contract import RETENTION_JOB
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.resources import Database, Lake, Retention
from storemon_pipeline.figures.refresh_daily import compare_all_days
from storemon_pipeline.retention.enforce import check_all_status_runs, drop_old_data

KEEP_DAGSTER_RUNS: Final = timedelta(days=7)
MOST_RUNS_PURGED: Final = 5_000
"""Per day; deleting a run takes some hundredths of a second."""

_ENDED: Final = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_PAGE: Final = 500

# A long reader of the polls, or a server that is down, usually passes within a minute.
_RETRIES: Final = dg.RetryPolicy(max_retries=2, delay=30)


@dg.op(retry_policy=_RETRIES, out=dg.Out(dg.Nothing))
def drop_what_is_old(
    context: dg.OpExecutionContext, database: Database, retention: Retention, lake: Lake
) -> None:
    """Drop raw polls, reports and closed alerts older than STOREMON_KEEP_…_DAYS.

    Polls go to STOREMON_POLL_ARCHIVE and STOREMON_LAKE before, if these are set.
    """
    with map_failures():
        dropped = drop_old_data(
            database.url,
            keep_polls=retention.keep_polls,
            keep_reports=retention.keep_reports,
            now=datetime.now(UTC),
            archive=retention.archive,
            lake=lake.folder,
        )
    for week in dropped.archived:
        context.log.info(
            "archived %s polls of the week of %s in %s, %.2f bytes each",
            f"{week.polls:,}",
            week.week.monday,
            week.name,
            week.size_bytes / week.polls,
        )
    context.log.info(
        "dropped %d weeks of polls and %d superseded ones, expired %d reports, dropped %d "
        "closed alerts, %d versions of the status model and %d ids of webhook messages; polls are "
        "kept from %s",
        dropped.poll_partitions,
        dropped.superseded_polls,
        dropped.reports,
        dropped.alerts,
        dropped.status_models,
        dropped.messages,
        dropped.polls_kept_from,
    )


@dg.op(retry_policy=_RETRIES, ins={"start": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def purge_dagster_runs(context: dg.OpExecutionContext) -> None:
    """Delete ended runs of more than a week ago, with their events.

    The newest run of each job and the newest materialization of each asset stay.
    """
    before = datetime.now(UTC) - KEEP_DAGSTER_RUNS
    purged = 0
    for run_id in list(old_runs(context.instance, before))[:MOST_RUNS_PURGED]:
        context.instance.delete_run(run_id)
        purged += 1
    context.log.info("deleted %d runs that were created before %s", purged, before)


def old_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[str]:
    """The ids of ended runs that were created before an instant and that nothing still needs."""
    seen: set[str] = set()
    materializations = map(instance.get_latest_materialization_event, instance.all_asset_keys())
    kept = {event.run_id for event in materializations if event is not None}
    cursor: str | None = None
    filters = dg.RunsFilter(statuses=_ENDED)
    while records := instance.get_run_records(filters, limit=_PAGE, cursor=cursor):
        for record in records:
            run = record.dagster_run
            is_old = record.create_timestamp < before
            if is_old and run.job_name in seen and run.run_id not in kept:
                yield run.run_id
            seen.add(run.job_name)
        cursor = records[-1].dagster_run.run_id


@dg.op(retry_policy=_RETRIES, ins={"start": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def compare_every_run(context: dg.OpExecutionContext, database: Database) -> None:
    """Compute every status run again from the polls, and fail when one differs."""
    runs = check_all_status_runs(database.url)
    if runs.different:
        raise dg.Failure(
            f"{runs.different} of {runs.compared} status runs differ from their polls",
            allow_retries=False,
        )
    context.log.info("%d status runs agree with their polls", runs.compared)


@dg.op(retry_policy=_RETRIES, ins={"start": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def compare_every_day(context: dg.OpExecutionContext, database: Database) -> None:
    """Compute every day of every store again from the status runs, and fail when one differs."""
    days = compare_all_days(database.url)
    if days.different:
        raise dg.Failure(
            f"{days.different} of {days.compared} days differ from their status runs",
            allow_retries=False,
        )
    context.log.info("%d days agree with their status runs", days.compared)


@dg.job(
    name=RETENTION_JOB,
    description=(
        "Drops polls, reports, closed alerts and Dagster runs that are past their retention; then "
        "computes all status runs and days again and compares them."
    ),
)
def retention_job() -> None:
    """Drop first, then purge runs and compare the rest."""
    dropped = drop_what_is_old()
    purge_dagster_runs(start=dropped)
    compare_every_run(start=dropped)
    compare_every_day(start=dropped)


daily_retention = dg.ScheduleDefinition(
    job=retention_job,
    cron_schedule="30 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Enforces retention once a day, at a quiet hour.",
)
