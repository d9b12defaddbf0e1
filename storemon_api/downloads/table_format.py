"""The format of a list: JSON in pages, or all of its rows as CSV or XLSX.

The query parameter `format` decides, and without it the `Accept` header.
"""

from collections.abc import Mapping
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

    @property
    def is_file(self) -> bool:
        """Whether the response is a file."""
        return self is not TableFormat.JSON

    def part(self, start: int, limit: int) -> tuple[int, int]:
        """Return where to begin in a list and how many rows to take: a file has all of them."""
        return (0, ALL_ROWS) if self.is_file else (start, limit)


MEDIA_TYPES: Final = {
    TableFormat.JSON: "application/json",
    TableFormat.CSV: "text/csv",
    TableFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

FILES: Final[Mapping[str, dict[str, Any]]] = {
    name: {} for form, name in MEDIA_TYPES.items() if form.is_file
}
"""What a declaration of a response has for files."""
ALL_ROWS: Final = 10**9
"""The limit of a list that becomes a file."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What of a list is requested: a page of it as JSON, or all of it as a file."""

    format: TableFormat
    paging: Paging

    @property
    def is_file(self) -> bool:
        """Whether the response is a file."""
        return self.format.is_file


AcceptHeader = Annotated[str | None, Header(include_in_schema=False)]


def preferred_format(accept: str | None) -> TableFormat:
    """Return the format that an `Accept` header prefers."""
    media_type = preferred(accept, tuple(MEDIA_TYPES.values()))
    return next(one for one, name in MEDIA_TYPES.items() if name == media_type)


async def _table_format(
    table_format: Annotated[
        TableFormat | None,
        Query(
            alias="format",
            description="`csv` or `xlsx`: all rows that match the filters as a file, not a page "
            "of them. Default: what `Accept` prefers, otherwise `json`.",
        ),
    ] = None,
    accept: AcceptHeader = None,
) -> TableFormat:
    return preferred_format(accept) if table_format is None else table_format


TableFormatDep = Annotated[TableFormat, Depends(_table_format)]
"""For lists without `offset` and `limit`."""


async def _listing(paging: PagingDep, table_format: TableFormatDep) -> Listing:
    return Listing(table_format, Paging(0, ALL_ROWS, "") if table_format.is_file else paging)


ListingDep = Annotated[Listing, Depends(_listing)]


def page_response(page: BaseModel, *, exclude_none: bool = False) -> Response:
    """Return a page of a list as JSON; `Accept` could have asked for a file."""
    response = json_response(page, exclude_none=exclude_none)
    response.headers["Vary"] = "Accept"
    return response


def listing_responses(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return the declaration of a list that is also given as a file."""
    return {200: {"model": model, "content": dict(FILES)}}
