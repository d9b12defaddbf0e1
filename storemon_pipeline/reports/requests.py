"""Report requests with their results, as the API shows them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from storemon_pipeline.database.tables import report_results, reports
from storemon_pipeline.domain.windows import Policy

LONG_WAIT: Final = timedelta(minutes=1)
"""A request that has waited for longer is a warning: usually it takes a second."""


class ReportState(StrEnum):
    """A waiting report becomes complete or failed, and later expired."""

    WAITING = "waiting"
    COMPLETE = "complete"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Report:
    """A report request and, once it is complete, its result. Instants are aware, in UTC."""

    report_id: str
    state: ReportState
    requested_at: datetime
    requested_as_of: datetime | None
    policy: Policy
    completed_at: datetime | None
    error: str | None
    result_id: int | None
    as_of: datetime | None
    stores: int | None
    silent_stores: int | None
    csv_bytes: int | None
    csv_chunks: int | None
    csv_sha256: str | None
    revision: int | None
    """The result's number among those of its instant and policy, from 1."""
    status_model_id: int | None
    """The version of the status model that its likely ranges come from; None without ranges."""
    zone_rules: str | None
    """The release of tzdata that the result was made with; None for results of older versions."""
    rejected_hours_stores: tuple[str, ...] | None
    """Ids of the stores whose rows of hours were all rejected; None for older results."""


_others = report_results.alias("others")
_REVISION = (
    sa.select(sa.func.count())
    .where(
        _others.c.as_of == report_results.c.as_of,
        _others.c.policy == report_results.c.policy,
        _others.c.result_id <= report_results.c.result_id,
    )
    .scalar_subquery()
    .label("revision")
)

_REPORTS: Final = sa.select(
    reports.c.report_id,
    reports.c.state,
    reports.c.requested_at,
    reports.c.requested_as_of,
    reports.c.policy,
    reports.c.completed_at,
    reports.c.error,
    reports.c.result_id,
    report_results.c.as_of,
    report_results.c.stores,
    report_results.c.silent_stores,
    report_results.c.csv_bytes,
    report_results.c.csv_chunks,
    report_results.c.csv_sha256,
    report_results.c.status_model_id,
    report_results.c.zone_rules,
    report_results.c.rejected_hours_stores,
    sa.case((report_results.c.result_id.is_not(None), _REVISION)).label("revision"),
).select_from(reports.outerjoin(report_results, report_results.c.result_id == reports.c.result_id))
_BY_ID: Final = _REPORTS.where(reports.c.report_id == sa.bindparam("report_id"))
"""Built once, because clients poll reports many times per second."""


def request_report(
    connection: sa.Connection,
    *,
    report_id: str,
    as_of: datetime | None,
    policy: Policy,
    status_model_id: int | None = None,
    request_id: str | None = None,
) -> Report:
    """A new report waits to be made; `request_id` is that of the HTTP request for it.

    `status_model_id` is the version that its likely ranges are to come from; None: the newest.
    """
    requested_at = connection.execute(
        sa.insert(reports)
        .values(
            report_id=report_id,
            state=ReportState.WAITING.value,
            requested_as_of=as_of,
            policy=policy.value,
            requested_status_model_id=status_model_id,
            request_id=request_id,
        )
        .returning(reports.c.requested_at)
    ).scalar_one()
    return Report(
        report_id=report_id,
        state=ReportState.WAITING,
        requested_at=requested_at,
        requested_as_of=as_of,
        policy=policy,
        completed_at=None,
        error=None,
        result_id=None,
        as_of=None,
        stores=None,
        silent_stores=None,
        csv_bytes=None,
        csv_chunks=None,
        csv_sha256=None,
        revision=None,
        status_model_id=None,
        zone_rules=None,
        rejected_hours_stores=None,
    )


def read_report(connection: sa.Connection, report_id: str) -> Report | None:
    """The report of this id (a UUID's text), or None."""
    row = connection.execute(_BY_ID, {"report_id": report_id}).mappings().one_or_none()
    return None if row is None else _as_report(row)


def list_reports(connection: sa.Connection, *, offset: int, limit: int) -> tuple[int, list[Report]]:
    """How many reports there are, and a page of them, the newest request first."""
    total = connection.execute(sa.select(sa.func.count()).select_from(reports)).scalar_one()
    rows = connection.execute(
        _REPORTS.order_by(reports.c.requested_at.desc(), reports.c.report_id)
        .offset(offset)
        .limit(limit)
    )
    return total, [_as_report(row) for row in rows.mappings()]


def _as_report(row: sa.RowMapping) -> Report:
    values = {str(name): value for name, value in row.items()}
    values["state"] = ReportState(values["state"])
    values["policy"] = Policy(values["policy"])
    marked = values["rejected_hours_stores"]
    values["rejected_hours_stores"] = None if marked is None else tuple(marked)
    return Report(**values)


def read_longest_wait(connection: sa.Connection) -> timedelta | None:
    """How long the oldest waiting report has waited by the database's clock; None without one."""
    oldest = sa.select(sa.func.min(reports.c.requested_at)).where(
        reports.c.state == ReportState.WAITING.value
    )
    wait: timedelta | None = connection.scalar(
        sa.select(sa.func.clock_timestamp() - oldest.scalar_subquery())
    )
    return wait


def count_by_state(connection: sa.Connection) -> dict[ReportState, int]:
    """How many reports are in each state."""
    counts = connection.execute(
        sa.select(reports.c.state, sa.func.count()).group_by(reports.c.state)
    ).all()
    return dict.fromkeys(ReportState, 0) | {ReportState(state): count for state, count in counts}
