"""Pages of lists: how much of them is asked for, and the address of the next page."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Query, Request

_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Paging:
    """`limit` rows from number `offset` on."""

    offset: int
    limit: int
    _request: Request

    @property
    def rows(self) -> slice:
        """The rows of this page."""
        return slice(self.offset, self.offset + self.limit)

    def next_address(self, total: int) -> str | None:
        """The address of the next page of `total` rows, relative to the server; None at the end."""
        if self.offset + self.limit >= total:
            return None
        url = self._request.url.include_query_params(
            offset=self.offset + self.limit, limit=self.limit
        )
        return f"{url.path}?{url.query}"


async def _paging(
    request: Request,
    offset: Annotated[int, Query(ge=0, le=10**9, description="Rows before the page.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST, description="Rows of the page at most.")] = 100,
) -> Paging:
    return Paging(offset, limit, request)


PagingDep = Annotated[Paging, Depends(_paging)]
