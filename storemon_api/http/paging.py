"""Ids of rows in addresses, and pagination by `offset` and `limit` or by the last id before."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Query, Request
from starlette.datastructures import URL

from storemon_api.http.problems import ProblemError, ProblemKind
from storemon_api.http.store_paths import SENT_TARGET

_MAX_LIMIT: Final = 1_000

LARGEST_ID: Final = 2**31 - 1
"""The largest id that the database can give a row of most tables."""
LARGEST_WIDE_ID: Final = 2**63 - 1
"""The largest id of tables that get rows with every run or delivery."""

AfterId = Annotated[
    int, Query(ge=0, le=LARGEST_ID, description="Value of `next_after` of the page before.")
]


def read_row_id(text: str, *, unknown: ProblemKind, largest: int = LARGEST_ID) -> int:
    """Return the id that stands in an address. Raises `unknown` for what no row can have."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(largest))
    if not is_number or not 0 < int(text) <= largest:
        raise ProblemError(unknown)
    return int(text)


@dataclass(frozen=True, slots=True)
class Paging:
    """One page: `limit` rows after the first `offset` ones."""

    offset: int
    limit: int
    _target: str

    @property
    def rows(self) -> slice:
        """The rows of this page."""
        return slice(self.offset, self.offset + self.limit)

    def next_address(self, total: int) -> str | None:
        """Return path and query of the next page of `total` rows; None on the last page."""
        if self.offset + self.limit >= total:
            return None
        url = URL(self._target).include_query_params(
            offset=self.offset + self.limit, limit=self.limit
        )
        return f"{url.path}?{url.query}"


async def _paging(
    request: Request,
    offset: Annotated[int, Query(ge=0, le=10**9, description="Rows to skip.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_MAX_LIMIT, description="Rows per page.")] = 100,
) -> Paging:
    url = request.url
    return Paging(offset, limit, request.scope.get(SENT_TARGET, f"{url.path}?{url.query}"))


PagingDep = Annotated[Paging, Depends(_paging)]
