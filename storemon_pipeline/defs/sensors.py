"""What starts a job when something outside has happened."""

import json
from datetime import UTC, datetime

import dagster as dg

from storemon_pipeline.defs.jobs import is_refresh_under_way, refresh_job
from storemon_pipeline.defs.resources import Database, DataFolder
from storemon_pipeline.ingestion.watch_files import is_all_read, look_at_files

_SECONDS_BETWEEN_LOOKS = 15


@dg.sensor(
    job=refresh_job,
    minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def new_files(
    context: dg.SensorEvaluationContext, database: Database, data: DataFolder
) -> dg.SensorResult | dg.SkipReason:
    """Start a refresh when files have changed and nobody has read them yet.

    The cursor holds the digest of what was last seen and counts the changes. A change that comes
    while a refresh is under way is seen after it. Dagster never starts two runs with one key, so
    the key is made of both: files that are again as they were some time ago are a change like any
    other.
    """
    if is_refresh_under_way(context.instance):
        return dg.SkipReason("a refresh is under way")
    if not context.cursor:
        # Whoever has just started the daemon may be about to ask for a first refresh.
        first = json.dumps({"digest": "", "changes": 0})
        return dg.SensorResult(skip_reason="watching from now on", cursor=first)
    sighting = look_at_files(data.path, now=datetime.now(UTC))
    seen = json.loads(context.cursor)
    if seen["digest"] == sighting.digest:
        return dg.SkipReason("no file has changed")
    changes = seen["changes"] + 1
    cursor = json.dumps({"digest": sighting.digest, "changes": changes})
    if is_all_read(database.url, sighting):
        return dg.SensorResult(skip_reason="everything has been read", cursor=cursor)
    request = dg.RunRequest(run_key=f"{changes}-{sighting.digest}")
    return dg.SensorResult(run_requests=[request], cursor=cursor)
