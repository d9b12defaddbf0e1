"""The response with a complete report's CSV: headers, caching, streamed content."""

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Final

import sqlalchemy as sa
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from storemon_api.http.negotiation import has_entity_tag
from storemon_api.reports.group_filter import NO_FILTER, GroupFilter
from storemon_api.reports.report_status import ReportStatus
from storemon_pipeline.reports.requests import Report
from storemon_pipeline.reports.rows import read_csv_chunk, read_report_csv

CSV_MEDIA_TYPE: Final = "text/csv; charset=utf-8"

# A complete report never changes. AccessControl replaces `public` by `private` once keys exist.
CACHE_FOR_EVER: Final = "public, max-age=31536000, immutable"


def csv_response(
    request: Request,
    reader: sa.Engine,
    report: Report,
    headers: Mapping[str, str] | None = None,
    group_filter: GroupFilter = NO_FILTER,
) -> Response:
    """Return the CSV of a complete report: 304 if `If-None-Match` has it, headers only for HEAD.

    For a group, or a key that is limited to some stores, it has their rows. A group's stores may
    change, so that response is not cached forever. Otherwise the whole CSV is streamed. The first
    chunk is read before the response starts, so that a failure is still a 503; each chunk is read
    on a connection that is returned at once.
    """
    visible = group_filter.visible_stores(request, reader)
    content = None if visible is None else _filtered(reader, report, visible)
    sha256 = report.csv_sha256 if content is None else hashlib.sha256(content).hexdigest()
    entity_tag = f'"{sha256}"'
    response_headers = {
        "ETag": entity_tag,
        "Cache-Control": CACHE_FOR_EVER if group_filter == NO_FILTER else "private, no-cache",
        "Link": f'</reports/{report.report_id}.csv>; rel="canonical"',
        "Report-Status": ReportStatus.COMPLETE.value,
        **(headers or {}),
    }
    if has_entity_tag(request.headers.get("If-None-Match"), entity_tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=response_headers)
    response_headers["Content-Length"] = str(report.csv_bytes if content is None else len(content))
    response_headers["Content-Disposition"] = (
        f'attachment; filename="{file_name(report, "csv", group_filter)}"'
    )
    if request.method == "HEAD":
        return Response(headers=response_headers, media_type=CSV_MEDIA_TYPE)
    if content is not None:
        return Response(content, headers=response_headers, media_type=CSV_MEDIA_TYPE)
    first = _read_chunk(reader, report, 0)
    return StreamingResponse(
        _chunks(reader, report, first), headers=response_headers, media_type=CSV_MEDIA_TYPE
    )


async def _chunks(reader: sa.Engine, report: Report, first: bytes) -> AsyncIterator[bytes]:
    yield first
    for chunk in range(1, report.csv_chunks or 1):
        yield await run_in_threadpool(_read_chunk, reader, report, chunk)


def _read_chunk(reader: sa.Engine, report: Report, chunk: int) -> bytes:
    with reader.connect() as connection:
        return read_csv_chunk(connection, _result_id(report), chunk)


def _filtered(reader: sa.Engine, report: Report, store_ids: AbstractSet[str]) -> bytes:
    with reader.connect() as connection:
        return read_report_csv(connection, _result_id(report), store_ids)


def _result_id(report: Report) -> int:
    if report.result_id is None:
        raise ValueError(f"report {report.report_id} has no result")
    return report.result_id


def file_name(report: Report, extension: str, group_filter: GroupFilter) -> str:
    """Return the download's file name, in ASCII; names sort by `as_of`."""
    as_of = "" if report.as_of is None else f"{report.as_of.isoformat(timespec='seconds')[:19]}Z-"
    group_words = "".join(
        f"{word}-"
        for name in (group_filter.group, group_filter.region)
        if name and (word := re.sub("[^a-z0-9]+", "-", name.lower()).strip("-"))
    )
    as_of = as_of.replace(":", "").replace("-", "", 2)
    return f"report-{as_of}{group_words}{report.report_id[:8]}.{extension}"
