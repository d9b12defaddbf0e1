"""The asset of the lake, which a refresh brings up to the database."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.resources import Database, Lake
from storemon_pipeline.defs.uptime import INPUTS, LAKE
from storemon_pipeline.lake.clean_lake import clean_lake
from storemon_pipeline.lake.follow_database import refresh_lake


@dg.asset(name=LAKE, deps=[*INPUTS, "store_events"], kinds={"parquet"})
def lake_files(
    context: dg.AssetExecutionContext, database: Database, lake: Lake
) -> Iterator[dg.MaterializeResult[None]]:
    """The lake: polls, status runs and weeks in files, from which reports are made.

    A refresh appends what came; a report does so too before it begins. Files that no version needs
    are deleted after a day.
    """
    with map_failures():
        folder = lake.needed_folder
        manifest = refresh_lake(database.url, folder)
        cleaned = clean_lake(folder, counting=manifest.version, now=datetime.now(UTC))
    context.log.info("deleted %d versions and %d files", cleaned.versions, cleaned.files)
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": manifest.polls,
            "version": manifest.version,
            "stores": manifest.stores,
            "status_runs": manifest.status_runs,
            "bytes": manifest.bytes,
        }
    )
