"""The table `report_runs`: Dagster runs that make reports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.locks import AdvisoryLock
from storemon_pipeline.database.tables import report_runs, reports
from storemon_pipeline.reports.requests import ReportState

ATTEMPTS: Final = 3
"""Runs that end without making a report before it fails."""


@dataclass(frozen=True, slots=True)
class ReportRun:
    """A run that has not ended; `reading_at` is None until it reads the waiting reports."""

    run_id: str
    launched_at: datetime
    reading_at: datetime | None


def take_dispatch_lock(connection: sa.Connection) -> bool:
    """Take the lock for launching report runs; False if another session holds it."""
    is_taken: bool = connection.execute(
        sa.select(sa.func.pg_try_advisory_lock(int(AdvisoryLock.DISPATCH_REPORTS)))
    ).scalar_one()
    return is_taken


def open_runs(connection: sa.Connection) -> list[ReportRun]:
    """The runs that have not ended, oldest first."""
    table = report_runs.c
    rows = connection.execute(
        sa.select(table.run_id, table.launched_at, table.reading_at)
        .where(table.ended_at.is_(None))
        .order_by(table.launched_at)
    )
    return [ReportRun(*row) for row in rows]


def record_launch(connection: sa.Connection, run_id: str) -> None:
    """Record the launch of a run, unless the run has recorded itself."""
    connection.execute(
        sa.text("INSERT INTO report_runs (run_id) VALUES (:run_id) ON CONFLICT DO NOTHING"),
        {"run_id": run_id},
    )


def record_reading(bulk: Bulk, run_id: str) -> None:
    """Record that the run reads the waiting reports now."""
    bulk.execute(
        """
        INSERT INTO report_runs AS r (run_id, reading_at) VALUES ($1, now())
        ON CONFLICT (run_id) DO UPDATE SET reading_at = coalesce(r.reading_at, excluded.reading_at)
        """,
        (run_id,),
    )


def record_end(connection: sa.Connection, run_id: str, *, is_success: bool, error: str) -> None:
    """Record the end of a run, and a lost attempt for each report that it did not make.

    These are the reports that were requested before it read the waiting ones (before now, if it
    never did) and are still waiting. After its last attempt a report fails with `error`.
    """
    reading_at = connection.execute(
        sa.update(report_runs)
        .where(report_runs.c.run_id == run_id, report_runs.c.ended_at.is_(None))
        .values(ended_at=sa.func.now(), is_success=is_success)
        .returning(sa.func.coalesce(report_runs.c.reading_at, sa.func.now()))
    ).scalar_one_or_none()
    if reading_at is None:
        return
    missed = reports.c.attempts + 1
    is_last = missed >= ATTEMPTS
    connection.execute(
        sa.update(reports)
        .where(reports.c.state == ReportState.WAITING.value, reports.c.requested_at < reading_at)
        .values(
            attempts=missed,
            state=sa.case((is_last, ReportState.FAILED.value), else_=reports.c.state),
            error=sa.case((is_last, error)),
            completed_at=sa.case((is_last, sa.func.now())),
        )
    )


def has_uncovered_request(connection: sa.Connection) -> bool:
    """Whether a report is waiting that no open run will make.

    A run makes the reports that are waiting when it reads them.
    """
    is_uncovered: bool = connection.execute(
        sa.text(
            """
            SELECT EXISTS (
                SELECT FROM reports r
                WHERE r.state = 'waiting' AND NOT EXISTS (
                    SELECT FROM report_runs u
                    WHERE u.ended_at IS NULL
                      AND (u.reading_at IS NULL OR u.reading_at >= r.requested_at)
                )
            )
            """
        )
    ).scalar_one()
    return is_uncovered


def waiting_request_ids(connection: sa.Connection, *, limit: int) -> list[str]:
    """The HTTP requests of the waiting reports, oldest first."""
    rows = connection.scalars(
        sa.select(reports.c.request_id)
        .where(reports.c.state == ReportState.WAITING.value, reports.c.request_id.is_not(None))
        .order_by(reports.c.requested_at)
        .limit(limit)
    )
    return [str(request_id) for request_id in rows]
