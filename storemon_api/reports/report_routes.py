"""Routes to request a report, poll its status and download its CSV."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, assert_never

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel

from storemon_api.http.negotiation import prefers_json
from storemon_api.http.openapi import json_content, problem_responses, report_links
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    DATABASE_UNAVAILABLE,
    EXPIRED_REPORT,
    FAILED_REPORT,
    INVALID_REQUEST,
    REPORT_PROBLEMS,
    RUNNING_REPORT,
    UNKNOWN_REPORT,
    ProblemError,
    invalid_field,
)
from storemon_api.http.routing import Router
from storemon_api.http.services import Services, ServicesDep
from storemon_api.reports import examples
from storemon_api.reports.csv_response import CSV_MEDIA_TYPE, csv_response
from storemon_api.reports.group_filter import GroupFilterDep
from storemon_api.reports.report_dispatcher import Dispatcher, DispatcherDep
from storemon_api.reports.report_status import ReportStatus
from storemon_api.reports.request_body import TriggerRequestDep, trigger_body
from storemon_api.reports.schemas import (
    CompleteReport,
    FailedReport,
    MessageStatusResponse,
    MessageTriggerResponse,
    RunningReport,
    RunningResponse,
    TriggerRequest,
    TriggerResponse,
)
from storemon_api.security.request_access import audit_event, request_id, visible_stores
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.status_models import has_status_model
from storemon_pipeline.reports.ask_for_report import ask_for_report
from storemon_pipeline.reports.requests import Report, ReportState, read_report
from storemon_pipeline.reports.rows import count_stores

router = Router(tag="reports")

# Allowed difference between the client's clock and the server's.
_CLOCK_TOLERANCE: Final = timedelta(minutes=5)
# A UUID as `trigger_report` returns it.
_REPORT_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_IdInQuery = Annotated[
    str,
    Query(
        description="The id that `trigger_report` returned.",
        examples=[examples.REPORT_ID],
        json_schema_extra={"format": "uuid"},
    ),
]
_IdInPath = Annotated[
    str,
    Path(
        description="The id that `trigger_report` returned.",
        examples=[examples.REPORT_ID],
        json_schema_extra={"format": "uuid"},
    ),
]

_TRIGGER_PROBLEMS: Final = problem_responses(
    BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, DATABASE_UNAVAILABLE
)
_READ_PROBLEMS: Final = problem_responses(UNKNOWN_REPORT, EXPIRED_REPORT, DATABASE_UNAVAILABLE)
_QUERY_PROBLEMS: Final = _READ_PROBLEMS | problem_responses(INVALID_REQUEST)

_CSV_CONTENT: Final[dict[str, Any]] = {
    CSV_MEDIA_TYPE: {"schema": {"type": "string"}, "example": examples.CSV}
}
_STATUS_CONTENT: Final = json_content(
    running=examples.RUNNING, complete=examples.COMPLETE, failed=examples.FAILED
)
_CSV_HEADERS: Final[dict[str, Any]] = {
    "ETag": {
        "description": "The SHA-256 of the bytes; only with the CSV.",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": "The report's permanent address; only with the CSV.",
        "schema": {"type": "string"},
        "example": f'</reports/{examples.REPORT_ID}.csv>; rel="canonical"',
    },
    "Report-Status": {"schema": {"type": "string", "enum": list(ReportStatus)}},
}
_NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "Not modified: `If-None-Match` contains the `ETag`."}
}


@router.post(
    "/trigger_report",
    summary="Request a report",
    responses={
        200: {
            "model": TriggerResponse,
            "content": json_content(accepted=examples.TRIGGERED),
            "links": report_links("get_report", "get_report_status", "get_report_csv"),
        },
        **_TRIGGER_PROBLEMS,
    },
    openapi_extra=trigger_body(),
)
def trigger_report(
    request: Request, services: ServicesDep, dispatcher: DispatcherDep, trigger: TriggerRequestDep
) -> Response:
    """Accept the request and return the report's id; the report is computed afterwards."""
    return _json(TriggerResponse(report_id=_request_report(request, services, dispatcher, trigger)))


@router.get(
    "/get_report",
    summary="The report's CSV, or its status",
    responses={
        200: {
            "description": (
                "The CSV once the report is complete, unless `Accept` ranks JSON above CSV; "
                "otherwise the status."
            ),
            "model": RunningResponse | RunningReport | CompleteReport | FailedReport,
            "content": _CSV_CONTENT | _STATUS_CONTENT,
            "headers": _CSV_HEADERS,
        },
        **_NOT_MODIFIED,
        **_QUERY_PROBLEMS,
    },
)
def get_report(request: Request, services: ServicesDep, report_id: _IdInQuery) -> Response:
    """Return the status until the report is complete, then the CSV."""
    report = find_report(services, report_id)
    vary = {"Vary": "Accept"}
    if prefers_json(", ".join(request.headers.getlist("Accept"))):
        return _json(_status_resource(request, services, report), vary)
    if report.state is ReportState.COMPLETE:
        return csv_response(request, services.reader, report, vary)
    if report.state is ReportState.WAITING:
        return _json(RunningResponse(report_id=report.report_id), vary)
    return _json(_status_resource(request, services, report), vary)


@router.get(
    "/get_report/{report_id}",
    summary="The report's status",
    responses={
        200: {
            "model": RunningReport | CompleteReport | FailedReport,
            "content": _STATUS_CONTENT,
        },
        **_READ_PROBLEMS,
    },
)
def get_report_status(request: Request, services: ServicesDep, report_id: _IdInPath) -> Response:
    """Return the status as JSON, whatever the report's state and the `Accept` header."""
    return _json(_status_resource(request, services, find_report(services, report_id)))


@router.get(
    "/reports/{report_id}.csv",
    summary="The report's CSV",
    response_class=Response,
    responses={
        200: {
            "description": "The CSV.",
            "content": _CSV_CONTENT,
            "headers": _CSV_HEADERS,
        },
        **_NOT_MODIFIED,
        **problem_responses(*REPORT_PROBLEMS),
    },
)
def get_report_csv(
    request: Request, services: ServicesDep, report_id: _IdInPath, group_filter: GroupFilterDep
) -> Response:
    """Return the CSV, or a problem while there is none.

    `group` and `region` select the stores that belong there now.
    """
    return csv_response(
        request, services.reader, complete_report(services, report_id), group_filter=group_filter
    )


@router.post(
    "/api/trigger_report",
    summary="Request a report, in the format of /api clients",
    responses={
        200: {
            "model": MessageTriggerResponse,
            "content": json_content(accepted=examples.API_TRIGGERED),
            "links": report_links("api_get_report"),
        },
        **_TRIGGER_PROBLEMS,
    },
    openapi_extra=trigger_body(),
)
def api_trigger_report(
    request: Request, services: ServicesDep, dispatcher: DispatcherDep, trigger: TriggerRequestDep
) -> Response:
    """Like `/trigger_report`; only the response body differs."""
    return _json(
        MessageTriggerResponse(report_id=_request_report(request, services, dispatcher, trigger))
    )


@router.get(
    "/api/get_report",
    summary="The report's CSV or status, in the format of /api clients",
    responses={
        200: {
            "description": "The CSV once the report is complete, otherwise the status.",
            "model": MessageStatusResponse,
            "content": _CSV_CONTENT
            | json_content(running=examples.API_RUNNING, failed=examples.API_FAILED),
            "headers": _CSV_HEADERS,
        },
        **_NOT_MODIFIED,
        **_QUERY_PROBLEMS,
    },
)
def api_get_report(request: Request, services: ServicesDep, report_id: _IdInQuery) -> Response:
    """Return the status with `message`, or the CSV; the `Accept` header is ignored."""
    report = find_report(services, report_id)
    match report.state:
        case ReportState.COMPLETE:
            return csv_response(request, services.reader, report)
        case ReportState.WAITING:
            status = ReportStatus.RUNNING
        case ReportState.FAILED:
            status = ReportStatus.FAILED
        case ReportState.EXPIRED:
            raise ProblemError(EXPIRED_REPORT)
        case _:
            assert_never(report.state)
    return _json(
        MessageStatusResponse(
            message=status, status=status, report_id=report.report_id, error=report.error
        )
    )


def _request_report(
    request: Request, services: Services, dispatcher: Dispatcher, trigger: TriggerRequest
) -> str:
    """Record a request for a report, wake the dispatcher and return the report's id."""
    if trigger.as_of is not None and trigger.as_of > datetime.now(UTC) + _CLOCK_TOLERANCE:
        raise invalid_field("as_of", "Pick a time that is not in the future.")
    if trigger.status_model is not None:
        with services.reader.connect() as connection:
            if not has_status_model(connection, trigger.status_model):
                raise invalid_field("status_model", "There is no such version, or no longer.")
    report_id = ask_for_report(
        services.engine,
        as_of=trigger.as_of,
        policy=trigger.policy or Policy.NEAREST,
        status_model_id=trigger.status_model,
        request_id=request_id(request),
        audit=audit_event(request),
    )
    dispatcher.wake()
    return report_id


def find_report(services: Services, report_id: str) -> Report:
    """Return the report. Raises a 404 problem, without a query for a malformed id."""
    if _REPORT_ID.fullmatch(report_id):
        with services.reader.connect() as connection:
            report = read_report(connection, report_id)
        if report is not None:
            return report
    raise ProblemError(UNKNOWN_REPORT)


def complete_report(services: Services, report_id: str) -> Report:
    """Return a complete report. Raises a 404, 409 or 410 problem."""
    report = find_report(services, report_id)
    match report.state:
        case ReportState.COMPLETE:
            return report
        case ReportState.WAITING:
            raise ProblemError(RUNNING_REPORT)
        case ReportState.FAILED:
            raise ProblemError(FAILED_REPORT, report.error)
        case ReportState.EXPIRED:
            raise ProblemError(EXPIRED_REPORT)
        case _:
            assert_never(report.state)


def _status_resource(
    request: Request, services: Services, report: Report
) -> RunningReport | CompleteReport | FailedReport:
    """Return the status of a report. Raises a 410 problem."""
    match report.state:
        case ReportState.WAITING:
            return RunningReport(report_id=report.report_id, requested_at=report.requested_at)
        case ReportState.COMPLETE:
            stores, silent_stores = _counts(request, services, report)
            return CompleteReport(
                report_id=report.report_id,
                requested_at=report.requested_at,
                report_url=f"{request.base_url}reports/{report.report_id}.csv",
                as_of=report.as_of,
                policy=report.policy,
                stores=stores,
                silent_stores=silent_stores,
                completed_at=report.completed_at,
                revision=report.revision,
                stores_with_rejected_hours=_count_rejected_hours(request, report),
                zone_rules=report.zone_rules,
                status_model=report.status_model_id,
            )
        case ReportState.FAILED:
            return FailedReport(
                report_id=report.report_id,
                requested_at=report.requested_at,
                error=report.error,
            )
        case ReportState.EXPIRED:
            raise ProblemError(EXPIRED_REPORT)
        case _:
            assert_never(report.state)


def _count_rejected_hours(request: Request, report: Report) -> int | None:
    """Return how many visible stores have no hours because all their rows were rejected."""
    visible, marked = visible_stores(request), report.rejected_hours_stores
    if marked is None or visible is None:
        return None if marked is None else len(marked)
    return len(visible.intersection(marked))


def _counts(request: Request, services: Services, report: Report) -> tuple[int | None, int | None]:
    """Return how many visible stores have a row and how many have none."""
    visible = visible_stores(request)
    if visible is None or report.result_id is None:
        return report.stores, report.silent_stores
    with services.reader.connect() as connection:
        return count_stores(connection, [report.result_id], visible)[report.result_id]


def _json(body: BaseModel, headers: dict[str, str] | None = None) -> Response:
    # FastAPI would validate and serialise a returned model in two more thread hops.
    return Response(
        body.model_dump_json(exclude_none=True), headers=headers, media_type="application/json"
    )
