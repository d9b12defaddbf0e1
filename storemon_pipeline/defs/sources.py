"""The assets that load files: polls with their status runs, hours, zones, closures, names."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from storemon_pipeline.checks.table_checks import (
    compare_status_runs,
    count_lost_polls,
    read_rejected,
)
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.database.previews import read_preview
from storemon_pipeline.defs.asset_specs import FRESHNESS, OWNERS, told_apart
from storemon_pipeline.defs.metadata import (
    Metadata,
    load_metadata,
    log_progress,
    preview,
)
from storemon_pipeline.defs.resources import Database, DataFolder
from storemon_pipeline.domain.rejections import Reason
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.ingestion.find_files import MissingSourceError
from storemon_pipeline.ingestion.ingest_files import SourceLoad, ingest_source, note_missing_source
from storemon_pipeline.loads.load_log import read_first_polled_at

_GROUP = "sources"


@dg.multi_asset(
    name="polls_and_runs",
    specs=[
        dg.AssetSpec(
            "store_status",
            group_name=_GROUP,
            kinds={"csv", "postgres"},
            owners=OWNERS,
            freshness_policy=FRESHNESS,
            description="The polls: at this instant this store was active or inactive.",
        ),
        dg.AssetSpec(
            "status_runs",
            deps=["store_status"],
            group_name=_GROUP,
            kinds={"postgres"},
            owners=OWNERS,
            freshness_policy=FRESHNESS,
            description="Polls of one store and status as runs, mended in the polls' transaction.",
        ),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "no_poll_lost",
            asset="store_status",
            description="Every poll that a load of this run has counted as new is in the table.",
        ),
        dg.AssetCheckSpec(
            "runs_match_polls",
            asset="status_runs",
            description="Made again from the polls around what arrived, the runs are the same.",
        ),
    ],
)
def polls_and_runs(
    context: dg.AssetExecutionContext, database: Database, data: DataFolder
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """New polls are in the database, and the status runs are what they compress into."""
    with told_apart():
        load = ingest_source(
            database.url,
            data.path,
            Source.STORE_STATUS,
            now=datetime.now(UTC),
            run_id=context.run.run_id,
            on_progress=log_progress(context),
        )
    with told_apart(), bulk_transaction(database.url) as bulk:
        newest = read_newest_poll(bulk)
        since = read_first_polled_at(bulk, load.load_ids)
        lost = count_lost_polls(bulk, load.load_ids)
        rejected, _ = read_rejected(bulk, Source.STORE_STATUS)
        runs = compare_status_runs(
            bulk,
            since=since or (newest or datetime.now(UTC)) - timedelta(hours=24),
            max_gap_us=read_max_gap_us(bulk),
        )
        status_preview = preview(read_preview(bulk, "store_status"))
        runs_preview = preview(read_preview(bulk, "status_runs"))
    newest_poll: Metadata = (
        {} if newest is None else {"newest_poll": dg.MetadataValue.timestamp(newest)}
    )
    yield dg.MaterializeResult(
        asset_key="store_status",
        metadata=load_metadata(load) | newest_poll | {"preview": status_preview},
    )
    yield dg.MaterializeResult(
        asset_key="status_runs",
        metadata=newest_poll | {"runs_compared": runs.compared, "preview": runs_preview},
    )
    yield dg.AssetCheckResult(
        asset_key="store_status",
        check_name="no_poll_lost",
        passed=lost == 0,
        metadata={"lost": lost, "rejected_in_last_load": rejected},
    )
    yield dg.AssetCheckResult(
        asset_key="status_runs",
        check_name="runs_match_polls",
        passed=runs.different == 0,
        metadata={"compared": runs.compared, "different": runs.different},
    )
    with told_apart():
        load.raise_unusable()


@dg.asset(
    group_name=_GROUP,
    kinds={"csv", "postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    check_specs=[
        dg.AssetCheckSpec(
            "hours_readable",
            asset="business_hours",
            description="No row of the hours' file was rejected: each would change a store's week.",
        )
    ],
)
def business_hours(
    context: dg.AssetExecutionContext, database: Database, data: DataFolder
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Weekly opening hours as their source gives them, with the versions that came before."""
    yield from _load_snapshot(context, database, data, Source.BUSINESS_HOURS, "hours_readable")


@dg.asset(
    group_name=_GROUP,
    kinds={"csv", "postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    check_specs=[
        dg.AssetCheckSpec(
            "zones_known",
            asset="store_timezones",
            description="Every time zone is in the IANA data; lists those that are not.",
        )
    ],
)
def store_timezones(
    context: dg.AssetExecutionContext, database: Database, data: DataFolder
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """The stores' IANA time zones, with the versions that came before."""
    yield from _load_snapshot(
        context, database, data, Source.STORE_TIMEZONES, "zones_known", Reason.UNKNOWN_ZONE
    )


@dg.asset(
    group_name=_GROUP,
    kinds={"csv", "postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    check_specs=[
        dg.AssetCheckSpec(
            "closures_readable",
            asset="closures",
            description="No row of the closures' file was rejected.",
        )
    ],
)
def closures(
    context: dg.AssetExecutionContext, database: Database, data: DataFolder
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Planned closures; without a file those that were pushed, and those that a file said last."""
    yield from _load_snapshot(
        context, database, data, Source.CLOSURES, "closures_readable", is_optional=True
    )


@dg.asset(
    group_name=_GROUP,
    kinds={"csv", "postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    check_specs=[
        dg.AssetCheckSpec(
            "details_readable",
            asset="store_details",
            description="No row of the stores' file was rejected.",
        )
    ],
)
def store_details(
    context: dg.AssetExecutionContext, database: Database, data: DataFolder
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Names, groups and regions of stores; without a file what it said last."""
    yield from _load_snapshot(
        context, database, data, Source.STORE_DETAILS, "details_readable", is_optional=True
    )


def _load_snapshot(
    context: dg.AssetExecutionContext,
    database: Database,
    data: DataFolder,
    source: Source,
    check_name: str,
    reason: Reason | None = None,
    *,
    is_optional: bool = False,
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Load a snapshot's file, and warn of rows that the last one rejected."""
    with told_apart():
        try:
            load = ingest_source(
                database.url, data.path, source, now=datetime.now(UTC), run_id=context.run.run_id
            )
        except MissingSourceError:
            if not is_optional:
                raise
            load = SourceLoad(files=0, loads=(), unusable=())
            note_missing_source(database.url, source, now=datetime.now(UTC))
    with told_apart(), bulk_transaction(database.url) as bulk:
        rejected, examples = read_rejected(bulk, source, reason=reason)
        rows = preview(read_preview(bulk, source.value))
    yield dg.MaterializeResult(
        asset_key=source.value, metadata=load_metadata(load) | {"preview": rows}
    )
    yield dg.AssetCheckResult(
        asset_key=source.value,
        check_name=check_name,
        passed=rejected == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "rejected": rejected,
            "rows": dg.MetadataValue.json(
                [f"line {example.line}: {example.row_text}" for example in examples]
            ),
        },
    )
    with told_apart():
        load.raise_unusable()
