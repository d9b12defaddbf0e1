"""The sensor that starts a refresh when files in the data folder change."""

import json
from datetime import UTC, datetime

import dagster as dg

from storemon_pipeline.defs.jobs import is_refresh_active, refresh_job
from storemon_pipeline.defs.resources import Database, DataFolder
from storemon_pipeline.ingestion.watch_files import is_all_read, list_files

_SECONDS_BETWEEN_CHECKS = 15


@dg.sensor(
    job=refresh_job,
    minimum_interval_seconds=_SECONDS_BETWEEN_CHECKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a refresh when a file in the data folder is new or has changed.",
)
def new_files(
    context: dg.SensorEvaluationContext, database: Database, data: DataFolder
) -> dg.SensorResult | dg.SkipReason:
    """Start a refresh when files have changed that no refresh has read yet.

    The cursor holds the digest of the files at the last check and the number of changes so far. A
    change during a refresh is found after it. Dagster never starts two runs with one run key, so
    the key holds both: when files return to an earlier state, that is a change as well.
    """
    if is_refresh_active(context.instance):
        return dg.SkipReason("a refresh is running")
    if not context.cursor:
        # The first refresh of a new installation is started by `storemon up`.
        first = json.dumps({"digest": "", "changes": 0})
        return dg.SensorResult(skip_reason="watching from now on", cursor=first)
    listing = list_files(data.path, now=datetime.now(UTC))
    seen = json.loads(context.cursor)
    if seen["digest"] == listing.digest:
        return dg.SkipReason("no file has changed")
    changes = seen["changes"] + 1
    cursor = json.dumps({"digest": listing.digest, "changes": changes})
    if is_all_read(database.url, listing):
        return dg.SensorResult(skip_reason="every file has been read", cursor=cursor)
    request = dg.RunRequest(run_key=f"{changes}-{listing.digest}")
    return dg.SensorResult(run_requests=[request], cursor=cursor)
