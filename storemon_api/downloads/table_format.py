"""The format of a list: JSON in pages, or all of its rows as CSV or XLSX.

The query parameter `format` decides, and without it the `Accept` header.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Query, Response
from pydantic import BaseModel

from storemon_api.http.negotiation import preferred
from storemon_api.http.paging import Paging, PagingDep
from storemon_api.http.schemas import json_response


class TableFormat(StrEnum):
    """A format of a list; the value is what `format` takes."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


MEDIA_TYPES: Final = {
    TableFormat.JSON: "application/json",
    TableFormat.CSV: "text/csv",
    TableFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

_ALL_ROWS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Listing:
    """What of a list is requested: a page of it as JSON, or all of it as a file."""

    format: TableFormat
    paging: Paging

    @property
    def is_file(self) -> bool:
        """Whether the response is a file."""
        return self.format is not TableFormat.JSON


async def _listing(
    paging: PagingDep,
    table_format: Annotated[
        TableFormat | None,
        Query(
            alias="format",
            description="`csv` or `xlsx`: all rows that match the filters, as a file, whatever "
            "`offset` and `limit` say. Default: what `Accept` prefers, otherwise `json`.",
        ),
    ] = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Listing:
    if table_format is None:
        media_type = preferred(accept, tuple(MEDIA_TYPES.values()))
        table_format = next(one for one, name in MEDIA_TYPES.items() if name == media_type)
    if table_format is not TableFormat.JSON:
        paging = Paging(0, _ALL_ROWS, "")
    return Listing(table_format, paging)


ListingDep = Annotated[Listing, Depends(_listing)]


def page_response(page: BaseModel) -> Response:
    """Return a page of a list as JSON; `Accept` could have asked for a file."""
    response = json_response(page)
    response.headers["Vary"] = "Accept"
    return response


def listing_responses(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return the declaration of a list that is also given as a file."""
    files: dict[str, dict[str, str]] = {
        name: {} for form, name in MEDIA_TYPES.items() if form is not TableFormat.JSON
    }
    return {200: {"model": model, "content": files}}
