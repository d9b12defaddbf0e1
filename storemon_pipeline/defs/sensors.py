"""The sensor that starts a refresh when files in the data folder or the rules of zones change."""

import json
from datetime import UTC, datetime

import dagster as dg

from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.defs.jobs import is_refresh_active, refresh_job
from storemon_pipeline.defs.resources import Database, DataFolder
from storemon_pipeline.ingestion.watch_files import is_all_read, list_files
from storemon_pipeline.sources.source_settings import SettingsError

_SECONDS_BETWEEN_CHECKS = 15


@dg.sensor(
    job=refresh_job,
    minimum_interval_seconds=_SECONDS_BETWEEN_CHECKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Starts a refresh when a file in the data folder is new or has changed, or the time zones' "
        "rules have."
    ),
)
def new_files(
    context: dg.SensorEvaluationContext, database: Database, data: DataFolder
) -> dg.SensorResult | dg.SkipReason:
    """Start a refresh when a file is unread and has changed, or the zones' rules have changed.

    The cursor holds the digest of the files and the release of the rules at the last check, and the
    number of changes so far. A change during a refresh is found after it. Dagster never starts two
    runs with one run key, so the key has the number, too: when files return to an earlier state,
    that is a change as well.
    """
    if is_refresh_active(context.instance):
        return dg.SkipReason("a refresh is running")
    if not context.cursor:
        # The first refresh of a new installation is started by `storemon up`.
        first = json.dumps({"digest": "", "changes": 0, "zone_rules": RULES_RELEASE})
        return dg.SensorResult(skip_reason="watching from now on", cursor=first)
    try:
        listing = list_files(data.path, now=datetime.now(UTC))
    except SettingsError as error:
        return dg.SkipReason(str(error))
    seen = json.loads(context.cursor)
    has_new_rules = seen.get("zone_rules") != RULES_RELEASE
    if seen["digest"] == listing.digest and not has_new_rules:
        return dg.SkipReason("no file has changed")
    changes = seen["changes"] + 1
    cursor = json.dumps({"digest": listing.digest, "changes": changes, "zone_rules": RULES_RELEASE})
    if not has_new_rules and is_all_read(database.url, listing):
        return dg.SensorResult(skip_reason="every file has been read", cursor=cursor)
    request = dg.RunRequest(run_key=f"{changes}-{listing.digest}")
    return dg.SensorResult(run_requests=[request], cursor=cursor)
