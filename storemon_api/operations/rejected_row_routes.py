"""The list of rejected rows that are not corrected yet."""

from collections.abc import Sequence
from typing import Final

from fastapi import Request, Response

from storemon_api.downloads.table_file import Column, table_file
from storemon_api.downloads.table_format import ListingDep, listing_responses, page_response
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import DATABASE_UNAVAILABLE, INVALID_REQUEST
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.operations.schemas import RejectedRow, RejectedRowsPage
from storemon_api.security.request_access import visible_stores
from storemon_pipeline.checks.data_health import read_rejected_rows
from storemon_pipeline.domain.rejections import Reason, shortened
from storemon_pipeline.domain.sources import Source

router = Router(tag="fleet")

_COLUMNS: Final[Sequence[Column[RejectedRow]]] = (
    Column("source", lambda row: row.source),
    Column("reason", lambda row: row.reason),
    Column("file", lambda row: row.file),
    Column("line", lambda row: row.line),
    Column("text", lambda row: row.text),
)


@router.get(
    "/rejected-rows",
    summary="Rejected rows that are not corrected yet",
    responses={
        **listing_responses(RejectedRowsPage),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_rejected_rows(
    request: Request,
    services: ServicesDep,
    listing: ListingDep,
    source: Source | None = None,
    reason: Reason | None = None,
) -> Response:
    """Return rejected rows, the newest first; a long text is cut after 4,000 characters.

    A key that is limited to some stores gets the rows of these.
    """
    paging = listing.paging
    with services.reader.connect() as connection:
        total, found = read_rejected_rows(
            connection,
            source=source,
            reason=reason,
            only=visible_stores(request),
            offset=paging.offset,
            limit=paging.limit,
        )
    rows = [
        RejectedRow(
            source=row.source,
            reason=row.reason,
            file=row.file_path,
            line=row.line,
            text=shortened(row.row_text),
        )
        for row in found
    ]
    if listing.is_file:
        return table_file(listing.format, "rejected-rows", _COLUMNS, rows, total=total)
    return page_response(
        RejectedRowsPage(
            total=total,
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(total),
            rows=rows,
        )
    )
