"""The asset of reports, which its own job makes when somebody requests one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import dagster as dg
from pydantic import Field

from storemon_pipeline.contract import REQUESTED_TAG
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.lake.lake_asset import lake_files
from storemon_pipeline.defs.metadata import Metadata, as_of_metadata
from storemon_pipeline.defs.resources import Database, Lake
from storemon_pipeline.defs.shards import Graph, fan_out, runs_of
from storemon_pipeline.defs.uptime import INPUTS_WITH_MODEL
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.lake.make_lake_reports import (
    finish_lake_reports,
    make_lake_reports,
    plan_lake_reports,
)
from storemon_pipeline.lake.report_rows import make_share
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.reports.ask_for_report import request_for_run
from storemon_pipeline.reports.make_reports import ReportsMade, make_waiting_reports
from storemon_pipeline.settings import Settings

_MOST_AHEAD: Final = timedelta(minutes=5)

REPORT_DESCRIPTION: Final = (
    "Reports. A run makes every report that waits; a finished report never changes."
)
REPORT_COMPLETE: Final = dg.AssetCheckSpec(
    "report_complete",
    asset="uptime_report",
    description="Every known store is in the report or counted as silent.",
)

report_inputs = dg.AssetSpec(
    "report_inputs",
    deps=INPUTS_WITH_MODEL,
    kinds={"postgres"},
    description=(
        "The tables as one transaction of a report sees them. Dagster does not materialize this "
        "node, so newer data never marks a finished report as out of sync."
    ),
)


class ReportPolicy(StrEnum):
    """The policies by the names that the API uses: Dagster's run config takes members' names."""

    nearest = Policy.NEAREST.value
    previous = Policy.PREVIOUS.value


class ReportConfig(dg.Config):
    """A report that a run is to make beside those that wait. Without values there is none."""

    as_of: str | None = Field(
        default=None,
        description=(
            "The instant of the report with its offset from UTC, such as '2023-01-25T18:13:22Z'. "
            "Empty: the newest poll."
        ),
    )
    policy: ReportPolicy | None = Field(
        default=None,
        description="How the time between two polls is estimated. Empty: nearest.",
    )
    status_model: int | None = Field(
        default=None,
        description="Version of the status model for the likely ranges. Empty: the newest.",
    )


class ReportConfigError(Exception):
    """The run config asks for a report that cannot be made; `str()` says why."""


def parse_as_of(text: str, *, now: datetime) -> datetime:
    """Read an instant that has an offset and is at most 5 minutes ahead of `now`.

    Raises ReportConfigError.

    >>> parse_as_of("2023-01-25T12:13:22-06:00", now=datetime(2023, 2, 1, tzinfo=UTC))
    datetime.datetime(2023, 1, 25, 18, 13, 22, tzinfo=datetime.timezone.utc)
    """
    example = "write an instant with its offset from UTC, such as 2023-01-25T18:13:22Z."
    try:
        as_of = datetime.fromisoformat(text)
        if as_of.tzinfo is None:
            raise ReportConfigError(f"as_of is {text!r}, which has no offset: {example}")
        as_of = as_of.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ReportConfigError(f"as_of is {text!r}, which is not an instant: {example}") from error
    if as_of > now + _MOST_AHEAD:
        raise ReportConfigError(f"as_of is {text!r}: it must be at most 5 minutes in the future.")
    return as_of


def _request_own(
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
    database: Database,
    config: ReportConfig,
) -> bool:
    """Request the report of the run config, if there is one.

    Returns whether the run makes a report of the newest poll when none waits.
    """
    if config.as_of is None and config.policy is None and config.status_model is None:
        return REQUESTED_TAG not in context.run.tags
    try:
        as_of = config.as_of and parse_as_of(config.as_of, now=datetime.now(UTC))
    except ReportConfigError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    report_id = request_for_run(
        database.url,
        context.run.run_id,
        as_of=as_of or None,
        policy=Policy(config.policy or Policy.NEAREST),
        status_model_id=config.status_model,
    )
    context.log.info("requested the report %s", report_id)
    return False


@dg.asset(
    deps=["report_inputs"],
    kinds={"postgres", "csv"},
    description=REPORT_DESCRIPTION,
    check_specs=[REPORT_COMPLETE],
)
def uptime_report(
    context: dg.AssetExecutionContext, config: ReportConfig, database: Database, lake: Lake
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Make the reports in one step."""
    url, run_id = database.url, context.run.run_id
    with map_failures():
        is_manual = _request_own(context, database, config)
        folder = lake.folder
        if folder is None:
            made = make_waiting_reports(url, run_id=run_id, is_manual=is_manual)
        else:
            now = datetime.now(UTC)
            made = make_lake_reports(url, folder, run_id=run_id, is_manual=is_manual, now=now)
    yield dg.MaterializeResult(metadata=_report_metadata(made))
    yield _report_check(made)


def _report_metadata(made: ReportsMade) -> Metadata:
    last = made.made[-1] if made.made else None
    metadata: Metadata = {
        "reports": sum(one.reports for one in made.made),
        "results": len(made.made),
        "failed": made.failed,
        "dagster/row_count": last.result.stores if last else 0,
        "silent_stores": last.result.silent_stores if last else 0,
    }
    return metadata | as_of_metadata(last.question.as_of if last else None)


def _report_check(made: ReportsMade) -> dg.AssetCheckResult:
    faults = sum(one.faults for one in made.made)
    return dg.AssetCheckResult(
        asset_key=REPORT_COMPLETE.asset_key,
        check_name=REPORT_COMPLETE.name,
        passed=faults == 0,
        metadata={"faults": faults},
    )


def _plan_reports(
    context: dg.OpExecutionContext, database: Database, lake: LakeFolder, shards: int
) -> int:
    return plan_lake_reports(
        database.url,
        lake,
        run_id=context.run_id,
        is_manual=_request_own(context, database, ReportConfig(**context.op_config)),
        shares=shards,
        now=datetime.now(UTC),
    )


def _make_share(lake: LakeFolder, run_ids: tuple[str, ...], number: int) -> int:
    return make_share(lake, run_ids=run_ids, number=number)


def _finish_reports(
    context: dg.OpExecutionContext, database: Database, lake: LakeFolder
) -> Iterator[dg.Output[None] | dg.AssetCheckResult]:
    made = finish_lake_reports(database.url, lake, run_ids=runs_of(context))
    yield dg.Output(None, "result", metadata=_report_metadata(made))
    yield _report_check(made)


def report_assets(settings: Settings) -> list[Any]:
    """The reports, made in one step or in as many as there are shards, and their inputs."""
    inputs: list[Any] = [report_inputs, lake_files] if settings.lake else [report_inputs]
    if settings.shards == 1:
        return [*inputs, uptime_report]
    sharded = fan_out(
        settings,
        Graph(
            name="uptime_report",
            description=REPORT_DESCRIPTION,
            kinds={"postgres", "csv"},
            inputs=["report_inputs"],
            plan=_plan_reports,
            make=_make_share,
            finish=_finish_reports,
            check=REPORT_COMPLETE,
            config=ReportConfig,
        ),
    )
    return [*inputs, sharded]
