"""A complete report in other formats than CSV, with the extended columns."""

import hashlib
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Annotated, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Path, Request, Response

from storemon_api.http.negotiation import has_entity_tag, preferred
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    OF_A_REPORT,
    UNKNOWN_REPORT,
    ProblemError,
)
from storemon_api.http.services import Services, ServicesDep
from storemon_api.reports.csv_response import CACHE_FOR_EVER, csv_response, file_name
from storemon_api.reports.examples import REPORT_ID
from storemon_api.reports.report_routes import complete_report
from storemon_api.reports.store_scope import EVERY_STORE, Members, MembersDep
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.reports.columns import read_report_table
from storemon_pipeline.reports.formats import (
    MEDIA_TYPES,
    ReportFormat,
    encode_report,
    extended,
)
from storemon_pipeline.reports.requests import Report

router = APIRouter(tags=["reports"])

_CSV: Final = "text/csv"
_ReportId = Annotated[str, Path(examples=[REPORT_ID])]
_PROBLEMS: Final = problem_responses(*OF_A_REPORT)
_CONTENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The report, with exact amounts, bounds and observed time beside figures.",
        "content": {media_type: {} for media_type in MEDIA_TYPES.values()},
    },
    304: {"description": "The client has it: `If-None-Match` names its `ETag`."},
}


@router.head("/reports/{report_id}.{extension}", include_in_schema=False)
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
    wanted: MembersDep,
) -> Response:
    """Answer with the format that the extension names; an unknown one is 404.

    With `group` or `region` with the rows of the stores that belong there now.
    """
    try:
        form = ReportFormat(extension)
    except ValueError as error:
        raise ProblemError(UNKNOWN_REPORT) from error
    return _answer(request, services, complete_report(services, report_id), form, wanted)


@router.head("/reports/{report_id}", include_in_schema=False)
@router.get(
    "/reports/{report_id}",
    summary="The report in the format that `Accept` prefers",
    response_class=Response,
    responses={**_CONTENT, **_PROBLEMS},
)
def get_report_accepted(
    request: Request, services: ServicesDep, report_id: _ReportId, wanted: MembersDep
) -> Response:
    """Answer with the CSV, or with the format that `Accept` ranks above it."""
    report = complete_report(services, report_id)
    accept = ", ".join(request.headers.getlist("Accept"))
    media_type = preferred(accept, (_CSV, *MEDIA_TYPES.values()))
    if media_type == _CSV:
        return csv_response(request, services.reader, report, {"Vary": "Accept"}, wanted)
    form = next(form for form, name in MEDIA_TYPES.items() if name == media_type)
    answer = _answer(request, services, report, form, wanted)
    answer.headers["Vary"] = "Accept"
    return answer


def _answer(
    request: Request, services: Services, report: Report, form: ReportFormat, wanted: Members
) -> Response:
    """Return a complete report in a format, 304 for who has it."""
    if report.result_id is None or report.as_of is None:
        raise ValueError(f"the complete report {report.report_id} has no result")
    some = wanted.visible(request, services.reader)
    # Weak: the same rows may be written in other bytes by another release of a library.
    told = report.csv_sha256 if some is None else _digest(report, some)
    tag = f'"{told}-{form.value}"'
    headers = {
        "ETag": f"W/{tag}",
        "Cache-Control": CACHE_FOR_EVER if wanted == EVERY_STORE else "private, no-cache",
        "Content-Disposition": f'attachment; filename="{file_name(report, form.value, wanted)}"',
    }
    if has_entity_tag(request.headers.get("If-None-Match"), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    with bulk_transaction(services.settings.database_url.get_secret_value()) as bulk:
        rows = read_report_table(bulk, report.result_id)
    if some is not None:
        rows = rows.filter(pc.is_in(rows["store_id"], pa.array(sorted(some), pa.string())))
    content = encode_report(
        extended(rows), form, report_id=report.report_id, as_of=report.as_of, policy=report.policy
    )
    return Response(content, headers=headers, media_type=MEDIA_TYPES[form])


def _digest(report: Report, store_ids: AbstractSet[str]) -> str:
    """What tells apart the rows of these stores from other reports' and other stores' rows."""
    told = "\0".join([str(report.csv_sha256), *sorted(store_ids)])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
