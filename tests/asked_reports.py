"""Requests and reads reports in the database, without the API."""

import hashlib
import uuid
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.requests import Report, ReportState, read_report, request_report
from storemon_pipeline.reports.rows import read_csv_chunk


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


def csv_of(engine: sa.Engine, report_id: str) -> str:
    """The report's CSV, after its counts and digest were compared."""
    report = read(engine, report_id)
    assert report.state is ReportState.COMPLETE
    assert report.result_id is not None
    assert report.csv_chunks is not None
    with engine.connect() as connection:
        content = b"".join(
            read_csv_chunk(connection, report.result_id, chunk)
            for chunk in range(report.csv_chunks)
        )
    assert len(content) == report.csv_bytes
    assert hashlib.sha256(content).hexdigest() == report.csv_sha256
    assert content.count(b"\n") == 1 + (report.stores or 0)
    return content.decode()
