"""The sensor that opens and closes alerts, and the job that sends their messages.

The sensor sends nothing itself: Dagster evaluates sensors one after the other and gives each one
minute, which an address that does not answer would take from all of them.
"""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.deliver import deliver_alerts, is_delivery_due
from storemon_pipeline.alerts.evaluate import Notice, watch_alerts
from storemon_pipeline.alerts.targets import labelled, split_urls
from storemon_pipeline.contract import ALERT_JOB
from storemon_pipeline.defs.asset_specs import told_apart
from storemon_pipeline.defs.jobs import is_refresh_under_way, is_under_way
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US
from storemon_pipeline.settings import Settings

_SECONDS_BETWEEN_LOOKS: Final = 30


def rules_of(settings: Settings) -> Rules:
    """From when on something is an alert."""
    return Rules(
        down_us=round(settings.alert_down_minutes * MINUTE_US),
        silent_us=round(settings.alert_silent_hours * HOUR_US),
        source_us=round(settings.alert_source_hours * HOUR_US),
        share_percent=settings.alert_share_percent,
        min_stores=settings.alert_min_stores,
        damp_us=round(settings.alert_damp_minutes * MINUTE_US),
    )


def targets_of(settings: Settings) -> dict[str, str]:
    """The addresses of the settings, by their labels."""
    urls = settings.alert_urls
    return {} if urls is None else labelled(split_urls(urls.get_secret_value()))


@dg.op(out=dg.Out(dg.Nothing))
def send_messages(context: dg.OpExecutionContext, database: Database) -> None:
    """Every message that is due was sent, or is to be tried again."""
    with told_apart():
        delivered = deliver_alerts(database.url, targets_of(Settings()), now=datetime.now(UTC))
    context.log.info("sent %d messages; %d were not taken", delivered.sent, delivered.failed)


@dg.job(name=ALERT_JOB, description="Sends the messages of alerts that wait.")
def alert_job() -> None:
    """Send what waits."""
    send_messages()


@dg.sensor(
    # By its name: Dagster makes anew a sensor that holds a job with resources, and warns of that.
    job_name=ALERT_JOB,
    minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def alerts(
    context: dg.SensorEvaluationContext, database: Database
) -> dg.RunRequest | dg.SkipReason:
    """Open alerts for what is wrong, close those for what is not any more; send the messages.

    What it has seen stands in the database with the alerts, in one transaction: no cursor.
    """
    settings, now = Settings(), datetime.now(UTC)
    watched = watch_alerts(
        database.url,
        rules=rules_of(settings),
        notice=Notice(tuple(targets_of(settings)), settings.public_url),
        now=now,
        is_loading=is_refresh_under_way(context.instance),
    )
    if watched is None:
        return dg.SkipReason("another look is under way")
    if is_delivery_due(database.url, now=now) and not is_under_way(context.instance, ALERT_JOB):
        return dg.RunRequest()
    return dg.SkipReason(
        f"{watched.opened} alerts opened, {watched.closed} closed, {watched.lasting} last; "
        f"{watched.damped} damped, {watched.covered} covered by others"
    )
