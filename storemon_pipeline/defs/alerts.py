"""The job that evaluates alerts and sends their messages, and the sensor that starts it."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from storemon_pipeline.alerts.deliver import deliver_alerts, is_delivery_due
from storemon_pipeline.alerts.evaluate import evaluate_rules, is_evaluation_due
from storemon_pipeline.contract import ALERT_JOB
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.jobs import is_active, is_refresh_active
from storemon_pipeline.defs.resources import Alerting, Database

_SECONDS_BETWEEN_CHECKS: Final = 30


@dg.op(out=dg.Out(dg.Nothing))
def evaluate_alerts(context: dg.OpExecutionContext, database: Database, alerting: Alerting) -> None:
    """Open and close alerts, and queue their messages, in one transaction."""
    with map_failures():
        counts = evaluate_rules(
            database.url,
            rules=alerting.rules,
            notification=alerting.notification,
            now=datetime.now(UTC),
            is_loading=is_refresh_active(context.instance),
        )
    if counts is None:
        context.log.info("another process is evaluating the alerts")
        return
    context.log.info(
        "%d alerts opened, %d closed, %d still firing; %d in cooldown, %d inhibited by others",
        counts.opened,
        counts.closed,
        counts.lasting,
        counts.in_cooldown,
        counts.inhibited,
    )


@dg.op(ins={"evaluated": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def send_messages(context: dg.OpExecutionContext, database: Database, alerting: Alerting) -> None:
    """Send every message that is due; those that fail are retried by a later run."""
    with map_failures():
        delivered = deliver_alerts(database.url, alerting.targets, now=datetime.now(UTC))
    context.log.info("sent %d messages; %d failed", delivered.sent, delivered.failed)


@dg.job(name=ALERT_JOB, description="Evaluates all alerts, and sends the messages that are due.")
def alert_job() -> None:
    """Evaluate, then send."""
    send_messages(evaluate_alerts())


@dg.sensor(
    # By its name: Dagster copies a sensor that holds a job with resources, and warns about that.
    job_name=ALERT_JOB,
    minimum_interval_seconds=_SECONDS_BETWEEN_CHECKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Starts the alert job when data or rules have changed, a source is late or back, a message "
        "is due, or nothing was evaluated for ten minutes."
    ),
)
def alerts(
    context: dg.SensorEvaluationContext, database: Database, alerting: Alerting
) -> dg.RunRequest | dg.SkipReason:
    """Start the alert job when it would do something.

    The state of the last evaluation is in the database, so there is no cursor. There is no run key
    either: Dagster would never start a second run with it after the first one failed.
    """
    if is_active(context.instance, ALERT_JOB):
        return dg.SkipReason("the alert job is running")
    now = datetime.now(UTC)
    if is_evaluation_due(
        database.url,
        rules=alerting.rules,
        now=now,
        is_loading=is_refresh_active(context.instance),
    ) or is_delivery_due(database.url, now=now):
        return dg.RunRequest()
    return dg.SkipReason("nothing has changed, and no message is due")
