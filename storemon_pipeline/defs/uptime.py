"""The assets that compute: normalised weeks, the newest figures, and reports."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from storemon_pipeline.contract import REQUESTED_TAG
from storemon_pipeline.defs.metadata import Metadata, as_of_metadata, preview
from storemon_pipeline.defs.policies import FRESHNESS, OWNERS, told_apart
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.operations.make_reports import make_waiting_reports
from storemon_pipeline.operations.refresh_daily import compare_daily, refresh_daily
from storemon_pipeline.operations.refresh_uptime import refresh_uptime
from storemon_pipeline.storage.bulk import bulk_transaction
from storemon_pipeline.storage.checks import (
    count_interval_faults,
    count_uptime_faults,
)
from storemon_pipeline.storage.intervals import refresh_intervals
from storemon_pipeline.storage.previews import read_preview

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
    with told_apart(), bulk_transaction(database.url, is_writing_polls=True) as bulk:
        counts = refresh_intervals(bulk)
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
    check_specs=[
        dg.AssetCheckSpec(
            "uptime_adds_up",
            asset="store_uptime",
            description="Uptime + downtime = business time, for every store and window.",
        )
    ],
)
def store_uptime(database: Database) -> Results:
    """The newest figures of every store, with their bounds and what was observed of them."""
    with told_apart():
        state = refresh_uptime(database.url, refreshed_at=datetime.now(UTC))
    with told_apart(), bulk_transaction(database.url) as bulk:
        faults = count_uptime_faults(bulk)
        rows = preview(read_preview(bulk, "store_uptime"))
    metadata: Metadata = {
        "dagster/row_count": state.stores,
        "silent_stores": state.silent_stores,
        "preview": rows,
    }
    yield dg.MaterializeResult(metadata=metadata | as_of_metadata(state.as_of))
    yield dg.AssetCheckResult(
        check_name="uptime_adds_up", passed=faults == 0, metadata={"faults": faults}
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
    check_specs=[
        dg.AssetCheckSpec(
            "report_complete",
            asset="uptime_report",
            description="Every known store is in the report or counted as silent.",
        )
    ],
)
def uptime_report(context: dg.AssetExecutionContext, database: Database) -> Results:
    """Reports as they were asked for: their rows never change. Makes all that wait."""
    with told_apart():
        done = make_waiting_reports(
            database.url,
            run_id=context.run.run_id,
            is_asked_by_hand=REQUESTED_TAG not in context.run.tags,
        )
    faults = sum(made.faults for made in done.made)
    last = done.made[-1] if done.made else None
    metadata: Metadata = {
        "reports": sum(made.reports for made in done.made),
        "results": len(done.made),
        "failed": done.failed,
        "dagster/row_count": last.result.stores if last else 0,
        "silent_stores": last.result.silent_stores if last else 0,
    }
    yield dg.MaterializeResult(metadata=metadata | as_of_metadata(last.as_of if last else None))
    yield dg.AssetCheckResult(
        check_name="report_complete", passed=faults == 0, metadata={"faults": faults}
    )
