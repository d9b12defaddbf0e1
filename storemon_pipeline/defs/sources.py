"""The assets that load files: polls with their status runs, and the sources that are snapshots."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from storemon_pipeline.channels.keep_rule import keep_channel_rule
from storemon_pipeline.checks.table_checks import (
    compare_status_runs,
    count_lost_polls,
    read_rejected,
)
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.database.previews import read_preview
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.metadata import (
    Metadata,
    load_metadata,
    log_progress,
    preview,
    was_made_of,
)
from storemon_pipeline.defs.resources import Database, DataFolder
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.data_version import read_load_version
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.ingestion.ingest_files import ingest_source, record_missing_source
from storemon_pipeline.ingestion.source_load import SourceLoad
from storemon_pipeline.ingestion.watch_files import (
    is_all_read,
    list_files,
    record_passed_over,
    record_unchanged,
)
from storemon_pipeline.loads.load_log import read_first_polled_at
from storemon_pipeline.loads.unread_files import read_refused_files
from storemon_pipeline.polls.poll_previews import read_poll_preview
from storemon_pipeline.sources.find_files import MissingSourceError
from storemon_pipeline.sources.registry import SNAPSHOTS, Snapshot

Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]

_FILES: Final = {"csv", "postgres"}


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            "new_data",
            # Without new data it is skipped, and so is everything after it.
            skippable=True,
            description=(
                "Whether anything came since the last refresh: unread files, pushed rows, undone "
                "loads. When nothing did, the refresh ends here and adds no materialization."
            ),
        )
    ]
)
def new_data(
    context: dg.AssetExecutionContext, database: Database, data: DataFolder
) -> Iterator[dg.MaterializeResult[None]]:
    """Continue the refresh only when there is something to do."""
    now = datetime.now(UTC)
    with map_failures():
        if keep_channel_rule(database.url, ChannelRule(data.channel_rule), now=now):
            context.log.info("a store with several storefronts is now up by %s", data.channel_rule)
        listing = list_files(data.path, now=now)
        record_passed_over(database.url, listing, now=now)
        if listing.passed_over:
            names = "; ".join(str(file) for file in listing.passed_over)
            context.log.warning("%d files are not read: %s", len(listing.passed_over), names)
        with bulk_transaction(database.url) as bulk:
            version = read_load_version(bulk)
            has_refused = bool(read_refused_files(bulk))
        # A file that was refused may be corrected or gone, so that its check passes again.
        unread = has_refused or not is_all_read(database.url, listing)
        is_missing = any(
            not files and not _is_optional(source) for source, files in listing.files.items()
        )
        if not unread and not is_missing and was_made_of(context.instance, version):
            record_unchanged(database.url, listing, now=now)
            context.log.info("nothing new: all figures are up to date")
            return
    yield dg.MaterializeResult(
        metadata={
            "files": sum(map(len, listing.files.values())),
            "has_unread_files": unread,
            "load_version": version,
        }
    )


def _is_optional(source: Source) -> bool:
    return source in SNAPSHOTS and SNAPSHOTS[source].is_optional


def _files_check_spec(source: Source) -> dg.AssetCheckSpec:
    """The check that names refused files. It blocks nothing: the other files' data is loaded."""
    return dg.AssetCheckSpec(
        "files_usable",
        asset=source.value,
        description="No file was refused. A refused file does not stop the others.",
    )


@dg.multi_asset(
    name="polls_and_runs",
    specs=[
        dg.AssetSpec(
            "store_status",
            deps=["new_data"],
            kinds=_FILES,
            description="Polls: whether a store was active or inactive at an instant.",
        ),
        dg.AssetSpec(
            "status_runs",
            deps=["store_status"],
            kinds={"postgres"},
            description=(
                "Status runs: consecutive equal polls of a store, compressed into one row. Written "
                "in the same transaction as the polls."
            ),
        ),
    ],
    check_specs=[
        _files_check_spec(Source.STORE_STATUS),
        dg.AssetCheckSpec(
            "no_poll_lost",
            asset="store_status",
            description="Every poll that this run's loads counted as new is in the table.",
        ),
        dg.AssetCheckSpec(
            "runs_match_polls",
            asset="status_runs",
            description="Status runs around the new polls, computed again from them, are the same.",
        ),
    ],
)
def polls_and_runs(
    context: dg.AssetExecutionContext, database: Database, data: DataFolder
) -> Results:
    """Load new polls, and update the status runs with them."""
    with map_failures():
        load = _load(context, database, data, Source.STORE_STATUS)
    with map_failures(), bulk_transaction(database.url) as bulk:
        newest = read_newest_poll(bulk)
        since = read_first_polled_at(bulk, load.load_ids)
        lost = count_lost_polls(bulk, load.load_ids)
        rejected, _ = read_rejected(bulk, Source.STORE_STATUS)
        runs = compare_status_runs(
            bulk,
            since=since or (newest or datetime.now(UTC)) - timedelta(hours=24),
            max_gap_us=read_max_gap_us(bulk),
        )
        status_preview = preview(read_poll_preview(bulk, "store_status"))
        runs_preview = preview(read_poll_preview(bulk, "status_runs"))
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
    yield _files_check(Source.STORE_STATUS, load)


def _deps(source: Source) -> list[str]:
    """What is loaded before the source: closures and hours may have times that need zones."""
    needs_zones = source in {Source.CLOSURES, Source.BUSINESS_HOURS}
    return ["new_data", "store_timezones"] if needs_zones else ["new_data"]


def _snapshot_asset(source: Source, snapshot: Snapshot) -> dg.AssetsDefinition:
    @dg.asset(
        name=source.value,
        deps=_deps(source),
        kinds=_FILES,
        description=snapshot.description,
        check_specs=[_files_check_spec(source)],
    )
    def load_snapshot(
        context: dg.AssetExecutionContext, database: Database, data: DataFolder
    ) -> Results:
        """Load the source's files when one of them has changed."""
        yield from _results_of_snapshot(context, database, data, source)

    return load_snapshot


def _load(
    context: dg.AssetExecutionContext, database: Database, data: DataFolder, source: Source
) -> SourceLoad:
    now = datetime.now(UTC)
    try:
        return ingest_source(
            database.url,
            data.path,
            source,
            now=now,
            run_id=context.run.run_id,
            on_progress=None if source.is_snapshot else log_progress(context),
        )
    except MissingSourceError as error:
        return record_missing_source(database.url, error, is_optional=_is_optional(source), now=now)


def _files_check(source: Source, load: SourceLoad) -> dg.AssetCheckResult:
    refused = {file.file_path: file.reason for file in load.refused}
    return dg.AssetCheckResult(
        asset_key=source.value,
        check_name="files_usable",
        passed=not refused,
        description="; ".join(str(file) for file in load.refused) or None,
        metadata={"refused": dg.MetadataValue.json(refused)},
    )


def _together(name: str, *sources: Source) -> dg.AssetsDefinition:
    """Several sources in one step: a step costs more than to find that none has new files."""

    @dg.multi_asset(
        name=name,
        specs=[
            dg.AssetSpec(
                source.value,
                deps=_deps(source),
                kinds=_FILES,
                description=SNAPSHOTS[source].description,
            )
            for source in sources
        ],
        check_specs=[_files_check_spec(source) for source in sources],
    )
    def load_snapshots(
        context: dg.AssetExecutionContext, database: Database, data: DataFolder
    ) -> Results:
        """Load the files of each source when one of them has changed."""
        for source in sources:
            yield from _results_of_snapshot(context, database, data, source)

    return load_snapshots


def _results_of_snapshot(
    context: dg.AssetExecutionContext, database: Database, data: DataFolder, source: Source
) -> Results:
    with map_failures():
        load = _load(context, database, data, source)
    with map_failures(), bulk_transaction(database.url) as bulk:
        rows = preview(read_preview(bulk, source.value))
    yield dg.MaterializeResult(
        asset_key=source.value, metadata=load_metadata(load) | {"preview": rows}
    )
    yield _files_check(source, load)


SOURCE_ASSETS: Final = [
    new_data,
    polls_and_runs,
    *(
        _snapshot_asset(source, SNAPSHOTS[source])
        for source in (Source.BUSINESS_HOURS, Source.STORE_TIMEZONES)
    ),
    _together(
        "schedule_changes_events_and_channels",
        Source.CLOSURES,
        Source.SPECIAL_HOURS,
        Source.STORE_EVENTS,
        Source.CHANNELS,
    ),
    _together(
        "details_objectives_and_demand",
        Source.STORE_DETAILS,
        Source.OBJECTIVES,
        Source.DEMAND,
        Source.HOURLY_ORDERS,
    ),
]
