"""Of which group or region a report is asked for, and who belongs there."""

from dataclasses import dataclass
from typing import Annotated, Final

import sqlalchemy as sa
from fastapi import Depends, Query, Request

from storemon_api.security.access_control import visible_stores
from storemon_api.stores.store_filters import check_texts
from storemon_pipeline.stores.groups import read_members


@dataclass(frozen=True, slots=True)
class Members:
    """The stores of a group, of a region, or of both; None leaves it open."""

    group: str | None
    region: str | None

    def visible(self, request: Request, reader: sa.Engine) -> frozenset[str] | None:
        """The ids of those that the request may see; None for every store."""
        some = visible_stores(request)
        if self.group is None and self.region is None:
            return some
        with reader.connect() as connection:
            members = read_members(connection, group=self.group, region=self.region)
        return members if some is None else members & some


EVERY_STORE: Final = Members(None, None)


async def _members(
    group: Annotated[str | None, Query(description="Only stores of this group.")] = None,
    region: Annotated[str | None, Query(description="Only stores of this region.")] = None,
) -> Members:
    check_texts(group=group, region=region)
    return Members(group, region)


MembersDep = Annotated[Members, Depends(_members)]
