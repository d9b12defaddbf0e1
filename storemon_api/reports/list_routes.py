"""The list of requested reports."""

from dataclasses import replace
from typing import Final

from fastapi import Request, Response

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_format import ListingDep, listing_responses
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import DATABASE_UNAVAILABLE, INVALID_REQUEST
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.reports.schemas import ReportEntry, ReportsPage
from storemon_api.security.request_access import visible_stores
from storemon_pipeline.reports.requests import Report, ReportState, list_reports
from storemon_pipeline.reports.rows import count_stores

router = Router(tag="reports")

_STATUS: Final = {
    ReportState.WAITING: "Running",
    ReportState.COMPLETE: "Complete",
    ReportState.FAILED: "Failed",
    ReportState.EXPIRED: "Expired",
}


@router.get(
    "/reports",
    summary="All requested reports",
    responses={
        **listing_responses(ReportsPage),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_reports(request: Request, services: ServicesDep, listing: ListingDep) -> Response:
    """Return a page of reports, newest request first.

    Every report covers all stores. A key that is limited to some stores gets the counts of these.
    """
    visible, paging = visible_stores(request), listing.paging
    with services.reader.connect() as connection:
        total, reports = list_reports(connection, offset=paging.offset, limit=paging.limit)
        if visible is not None:
            made = {report.result_id for report in reports if report.result_id is not None}
            counts = count_stores(connection, made, visible)
            reports = [_counted(report, counts) for report in reports]
    page = ReportsPage(
        total=total,
        offset=paging.offset,
        limit=paging.limit,
        next=paging.next_address(total),
        reports=[_entry(report) for report in reports],
    )
    return body_response(listing.format, page, "reports")


def _counted(report: Report, counts: dict[int, tuple[int, int]]) -> Report:
    if report.result_id is None:
        return report
    stores, silent_stores = counts[report.result_id]
    return replace(report, stores=stores, silent_stores=silent_stores)


def _entry(report: Report) -> ReportEntry:
    done = report.completed_at
    return ReportEntry(
        report_id=report.report_id,
        status=_STATUS[report.state],
        requested_at=report.requested_at,
        as_of=report.as_of or report.requested_as_of,
        policy=report.policy,
        stores=report.stores,
        silent_stores=report.silent_stores,
        completed_at=done,
        seconds=None if done is None else (done - report.requested_at).total_seconds(),
        error=report.error,
    )
