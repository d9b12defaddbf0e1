"""Requests and reads reports in the database, without the API."""

import uuid
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.requests import Report, read_report, request_report


def request(
    engine: sa.Engine, *, as_of: datetime | None = None, policy: Policy = Policy.NEAREST
) -> str:
    """Ask for a report in a transaction of its own; return its id."""
    report_id = str(uuid.uuid4())
    with engine.begin() as connection:
        request_report(connection, report_id=report_id, as_of=as_of, policy=policy)
    return report_id


def read(engine: sa.Engine, report_id: str) -> Report:
    """The report, which there is."""
    with engine.connect() as connection:
        report = read_report(connection, report_id)
    assert report is not None
    return report
