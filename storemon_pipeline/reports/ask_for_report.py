"""Requesting a report: one transaction writes the request and its line in the audit log."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa

from storemon_pipeline.access.audit_log import AuditEvent, record_event
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.requests import read_report, request_report


def ask_for_report(
    engine: sa.Engine,
    *,
    as_of: datetime | None,
    policy: Policy,
    status_model_id: int | None = None,
    request_id: str | None = None,
    audit: AuditEvent | None = None,
) -> str:
    """Request a report; return its id, which is also the subject of `audit`.

    `as_of` None means the newest poll when the report is made, `status_model_id` None the newest
    version of the status model. `request_id` is the id of the HTTP request.
    """
    report_id = str(uuid4())
    with engine.begin() as connection:
        request_report(
            connection,
            report_id=report_id,
            as_of=as_of,
            policy=policy,
            status_model_id=status_model_id,
            request_id=request_id,
        )
        if audit is not None:
            record_event(connection, replace(audit, subject=report_id))
    return report_id


def request_for_run(
    url: str,
    run_id: str,
    *,
    as_of: datetime | None,
    policy: Policy,
    status_model_id: int | None = None,
) -> str:
    """Request the report that a Dagster run was configured to make; return its id.

    The report has the id of the run, so that a retried step finds its first request.
    """
    engine = create_engine(url, application_name="storemon report", pool_size=1)
    try:
        with engine.begin() as connection:
            if read_report(connection, run_id) is None:
                request_report(
                    connection,
                    report_id=run_id,
                    as_of=as_of,
                    policy=policy,
                    status_model_id=status_model_id,
                )
    finally:
        engine.dispose()
    return run_id
