"""The job that sends the statements that are due, and the sensor that starts it."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from storemon_pipeline.contract import STATEMENT_JOB
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.defs.jobs import is_active
from storemon_pipeline.defs.resources import Database, MailServer
from storemon_pipeline.sent_statements.deliver_statements import (
    deliver_statements,
    is_statement_due,
)

_SECONDS_BETWEEN_CHECKS: Final = 30


@dg.op(out=dg.Out(dg.Nothing))
def send_statements(
    context: dg.OpExecutionContext, database: Database, mail_server: MailServer
) -> None:
    """Queue what schedules make due, keep its figures, and send it by mail."""
    with map_failures():
        delivered = deliver_statements(database.url, mail_server.mailing, now=datetime.now(UTC))
    context.log.info(
        "sent %d statements; %d failed, %d wait for polls",
        delivered.sent,
        delivered.failed,
        delivered.waiting,
    )


@dg.job(name=STATEMENT_JOB, description="Sends the statements that are due, by mail.")
def statement_job() -> None:
    """Send them."""
    send_statements()


@dg.sensor(
    # By its name: Dagster copies a sensor that holds a job with resources, and warns about that.
    job_name=STATEMENT_JOB,
    minimum_interval_seconds=_SECONDS_BETWEEN_CHECKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the statement job when a statement is due by its schedule, or waits.",
)
def statements(
    context: dg.SensorEvaluationContext, database: Database
) -> dg.RunRequest | dg.SkipReason:
    """Start the statement job when it would do something. Its state is in the database."""
    if is_active(context.instance, STATEMENT_JOB):
        return dg.SkipReason("the statement job is running")
    if is_statement_due(database.url, now=datetime.now(UTC)):
        return dg.RunRequest()
    return dg.SkipReason("no statement is due")
