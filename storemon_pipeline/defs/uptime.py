"""The assets that compute: normalised weeks, the newest figures, and reports."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from storemon_pipeline.checks.table_checks import (
    count_interval_faults,
    count_uptime_faults,
)
from storemon_pipeline.contract import REQUESTED_TAG
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.previews import read_preview
from storemon_pipeline.defs.asset_specs import FRESHNESS, OWNERS, told_apart
from storemon_pipeline.defs.metadata import Metadata, as_of_metadata, preview
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.defs.shards import fan_out
from storemon_pipeline.figures.refresh_daily import compare_daily, refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.figures.uptime_table import UptimeState
from storemon_pipeline.reports.make_reports import ReportsMade, make_waiting_reports
from storemon_pipeline.reports.make_shards import (
    finish_reports,
    finish_uptime,
    plan_reports,
    plan_uptime,
)
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks
from storemon_pipeline.settings import Settings

UPTIME_DESCRIPTION: Final = (
    "The newest figures of every store, with their bounds and what was observed of them."
)
UPTIME_ADDS_UP: Final = dg.AssetCheckSpec(
    "uptime_adds_up",
    asset="store_uptime",
    description="Uptime + downtime = business time, for every store and window.",
)
REPORT_DESCRIPTION: Final = (
    "Reports as they were asked for: their rows never change. Makes all that wait."
)
REPORT_COMPLETE: Final = dg.AssetCheckSpec(
    "report_complete",
    asset="uptime_report",
    description="Every known store is in the report or counted as silent.",
)

Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]


@dg.asset(
    # Stores that only polls know are always open, and have their row here as well.
    deps=["business_hours", "store_status"],
    group_name="normalised",
    kinds={"postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    check_specs=[
        dg.AssetCheckSpec(
            "intervals_merged",
            asset="business_hour_intervals",
            description="Intervals lie inside the week and apart; every store has one.",
        )
    ],
)
def business_hour_intervals(database: Database) -> Results:
    """The local week of each store: merged intervals from Monday 00:00, overnight ones split."""
    with told_apart():
        counts = refresh_weeks(database.url)
    with told_apart(), bulk_transaction(database.url) as bulk:
        faults = count_interval_faults(bulk)
        rows = preview(read_preview(bulk, "business_hour_intervals"))
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": counts.intervals,
            "stores_rebuilt": counts.stores_rebuilt,
            "stores_without_hours": counts.stores_without_hours,
            "preview": rows,
        }
    )
    yield dg.AssetCheckResult(
        check_name="intervals_merged", passed=faults == 0, metadata={"faults": faults}
    )


@dg.asset(
    deps=["status_runs", "business_hour_intervals", "store_timezones", "closures"],
    group_name="uptime",
    kinds={"postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    description=UPTIME_DESCRIPTION,
    check_specs=[UPTIME_ADDS_UP],
)
def store_uptime(database: Database) -> Results:
    """The newest figures, made in one step."""
    with told_apart():
        state = refresh_uptime(database.url, refreshed_at=datetime.now(UTC))
    metadata, checked = uptime_said(database, state)
    yield dg.MaterializeResult(metadata=metadata)
    yield checked


def uptime_said(database: Database, state: UptimeState) -> tuple[Metadata, dg.AssetCheckResult]:
    """What is to be said of the newest figures, and whether they add up."""
    with told_apart(), bulk_transaction(database.url) as bulk:
        faults = count_uptime_faults(bulk)
        rows = preview(read_preview(bulk, "store_uptime"))
    metadata: Metadata = {
        "dagster/row_count": state.stores,
        "silent_stores": state.silent_stores,
        "preview": rows,
    }
    return metadata | as_of_metadata(state.as_of), dg.AssetCheckResult(
        asset_key=UPTIME_ADDS_UP.asset_key,
        check_name=UPTIME_ADDS_UP.name,
        passed=faults == 0,
        metadata={"faults": faults},
    )


@dg.asset(
    deps=["status_runs", "business_hour_intervals", "store_timezones", "closures"],
    group_name="uptime",
    kinds={"postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    check_specs=[
        dg.AssetCheckSpec(
            "days_match_runs",
            asset="store_uptime_daily",
            description="Made again from all runs, the days of some stores are the same.",
        )
    ],
)
def store_uptime_daily(context: dg.AssetExecutionContext, database: Database) -> Results:
    """History, one row per store and local day: business time up, down, unknown, uncertain."""
    with told_apart():
        refreshed = refresh_daily(database.url)
        # Another draw of stores in each run.
        comparison = compare_daily(database.url, seed=int(context.run.run_id[:8], 16))
    with told_apart(), bulk_transaction(database.url) as bulk:
        rows = preview(read_preview(bulk, "store_uptime_daily"))
    metadata: Metadata = {
        "days_written": refreshed.days_written,
        "stores_mended": refreshed.stores_mended,
        "preview": rows,
    }
    yield dg.MaterializeResult(metadata=metadata | as_of_metadata(refreshed.as_of))
    yield dg.AssetCheckResult(
        check_name="days_match_runs",
        passed=comparison.different == 0,
        metadata={"compared": comparison.compared, "different": comparison.different},
    )


@dg.asset(
    deps=["status_runs", "business_hour_intervals", "store_timezones", "closures"],
    group_name="uptime",
    kinds={"postgres", "csv"},
    owners=OWNERS,
    description=REPORT_DESCRIPTION,
    check_specs=[REPORT_COMPLETE],
)
def uptime_report(context: dg.AssetExecutionContext, database: Database) -> Results:
    """Reports, made in one step."""
    with told_apart():
        done = make_waiting_reports(
            database.url,
            run_id=context.run.run_id,
            is_asked_by_hand=REQUESTED_TAG not in context.run.tags,
        )
    metadata, checked = reports_said(done)
    yield dg.MaterializeResult(metadata=metadata)
    yield checked


def reports_said(done: ReportsMade) -> tuple[Metadata, dg.AssetCheckResult]:
    """What a run that made reports has to say of them, and whether they are whole."""
    faults = sum(made.faults for made in done.made)
    last = done.made[-1] if done.made else None
    metadata: Metadata = {
        "reports": sum(made.reports for made in done.made),
        "results": len(done.made),
        "failed": done.failed,
        "dagster/row_count": last.result.stores if last else 0,
        "silent_stores": last.result.silent_stores if last else 0,
    }
    return metadata | as_of_metadata(last.as_of if last else None), dg.AssetCheckResult(
        asset_key=REPORT_COMPLETE.asset_key,
        check_name=REPORT_COMPLETE.name,
        passed=faults == 0,
        metadata={"faults": faults},
    )


def _plan_reports(context: dg.OpExecutionContext, database: Database, shards: int) -> int:
    return plan_reports(
        database.url,
        run_id=context.run_id,
        is_asked_by_hand=REQUESTED_TAG not in context.run.tags,
        shards=shards,
    )


def _finish_reports(
    context: dg.OpExecutionContext, database: Database
) -> tuple[Metadata, dg.AssetCheckResult]:
    return reports_said(finish_reports(database.url, run_id=context.run_id))


def _plan_uptime(context: dg.OpExecutionContext, database: Database, shards: int) -> int:
    return plan_uptime(database.url, run_id=context.run_id, shards=shards)


def _finish_uptime(
    context: dg.OpExecutionContext, database: Database
) -> tuple[Metadata, dg.AssetCheckResult]:
    state = finish_uptime(database.url, run_id=context.run_id, refreshed_at=datetime.now(UTC))
    return uptime_said(database, state)


def figure_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The newest figures and the reports, each in one step or in as many as there are shards."""
    if settings.shards == 1:
        return [store_uptime, uptime_report]
    sharded_uptime = fan_out(
        settings,
        name="store_uptime",
        description=UPTIME_DESCRIPTION,
        kinds={"postgres"},
        check=UPTIME_ADDS_UP,
        is_report=False,
        plan=_plan_uptime,
        finish=_finish_uptime,
    ).map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=FRESHNESS))
    sharded_report = fan_out(
        settings,
        name="uptime_report",
        description=REPORT_DESCRIPTION,
        kinds={"postgres", "csv"},
        check=REPORT_COMPLETE,
        is_report=True,
        plan=_plan_reports,
        finish=_finish_reports,
    )
    return [sharded_uptime, sharded_report]
