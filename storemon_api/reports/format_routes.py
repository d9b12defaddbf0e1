"""A complete report as JSON, NDJSON, Parquet or XLSX, with the extended columns."""

import hashlib
from collections.abc import Set as AbstractSet
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Path, Request, Response

from storemon_api.http.negotiation import has_entity_tag, preferred
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    REPORT_PROBLEMS,
    UNKNOWN_REPORT,
    ProblemError,
)
from storemon_api.http.routing import Router
from storemon_api.http.services import Services, ServicesDep
from storemon_api.reports.csv_response import CACHE_FOR_EVER, csv_response, file_name
from storemon_api.reports.examples import REPORT_ID
from storemon_api.reports.group_filter import NO_FILTER, GroupFilter, GroupFilterDep
from storemon_api.reports.report_routes import complete_report
from storemon_api.stores.store_filters import Objective
from storemon_pipeline.reports.formats import (
    MEDIA_TYPES,
    ReportFormat,
    encode_report,
    extended,
    mark_rejected_hours,
)
from storemon_pipeline.reports.requests import Report
from storemon_pipeline.reports.rows import read_report_table

router = Router(tag="reports")

_CSV: Final = "text/csv"
_ReportId = Annotated[str, Path(examples=[REPORT_ID])]
_PROBLEMS: Final = problem_responses(*REPORT_PROBLEMS)
_CONTENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The report with exact amounts, bounds and observed time as extra columns.",
        "content": {media_type: {} for media_type in MEDIA_TYPES.values()},
    },
    304: {"description": "Not modified: `If-None-Match` contains the `ETag`."},
}


@router.get(
    "/reports/{report_id}.{extension}",
    summary="The extended report as JSON, NDJSON, Parquet or XLSX",
    response_class=Response,
    responses={**_CONTENT, **_PROBLEMS},
)
def get_report_as(
    request: Request,
    services: ServicesDep,
    report_id: _ReportId,
    extension: Annotated[str, Path(description="json, ndjson, parquet or xlsx.")],
    group_filter: GroupFilterDep,
    objective: Objective = None,
) -> Response:
    """Return the report in the format of the extension; an unknown extension is 404.

    `group` and `region` select the stores that belong there now.
    """
    try:
        report_format = ReportFormat(extension)
    except ValueError as error:
        raise ProblemError(UNKNOWN_REPORT) from error
    return _format_response(
        request,
        services,
        complete_report(services, report_id),
        report_format,
        group_filter,
        objective,
    )


@router.get(
    "/reports/{report_id}",
    summary="The report in the format that `Accept` prefers",
    response_class=Response,
    responses={**_CONTENT, **_PROBLEMS},
)
def get_report_accepted(
    request: Request,
    services: ServicesDep,
    report_id: _ReportId,
    group_filter: GroupFilterDep,
    objective: Objective = None,
) -> Response:
    """Return the CSV, or the format that `Accept` ranks above it."""
    report = complete_report(services, report_id)
    accept = ", ".join(request.headers.getlist("Accept"))
    media_type = preferred(accept, (_CSV, *MEDIA_TYPES.values()))
    if media_type == _CSV:
        return csv_response(request, services.reader, report, {"Vary": "Accept"}, group_filter)
    report_format = next(
        report_format for report_format, name in MEDIA_TYPES.items() if name == media_type
    )
    response = _format_response(request, services, report, report_format, group_filter, objective)
    response.headers["Vary"] = "Accept"
    return response


def _format_response(
    request: Request,
    services: Services,
    report: Report,
    report_format: ReportFormat,
    group_filter: GroupFilter,
    objective: Decimal | None,
) -> Response:
    """Return a complete report in this format, or 304 if `If-None-Match` has it."""
    if report.result_id is None or report.as_of is None:
        raise ValueError(f"the complete report {report.report_id} has no result")
    visible = group_filter.visible_stores(request, services.reader)
    # Weak: another version of a library may encode the same rows as other bytes.
    content_key = report.csv_sha256 if visible is None else _digest(report, visible)
    of_objective = "" if objective is None else f"-{objective.normalize():f}"
    tag = f'"{content_key}-{report_format.value}{of_objective}"'
    name = file_name(report, report_format.value, group_filter)
    headers = {
        "ETag": f"W/{tag}",
        "Cache-Control": CACHE_FOR_EVER if group_filter == NO_FILTER else "private, no-cache",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    if has_entity_tag(request.headers.get("If-None-Match"), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    with services.reader.connect() as connection:
        rows = read_report_table(connection, report.result_id, visible)
    content = encode_report(
        mark_rejected_hours(extended(rows, objective), report.rejected_hours_stores),
        report_format,
        report_id=report.report_id,
        as_of=report.as_of,
        policy=report.policy,
        zone_rules=report.zone_rules,
        status_model_id=report.status_model_id,
    )
    return Response(content, headers=headers, media_type=MEDIA_TYPES[report_format])


def _digest(report: Report, store_ids: AbstractSet[str]) -> str:
    """Return a digest that identifies these stores' rows of this report."""
    content_key = "\0".join([str(report.csv_sha256), *sorted(store_ids)])
    return hashlib.sha256(content_key.encode("utf-8", "surrogatepass")).hexdigest()
