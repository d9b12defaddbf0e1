"""Query parameters that limit a report to a group or region."""

from dataclasses import dataclass
from typing import Annotated, Final

import sqlalchemy as sa
from fastapi import Depends, Query, Request

from storemon_api.security.request_access import visible_stores
from storemon_api.stores.store_filters import check_texts
from storemon_pipeline.stores.groups import read_group_store_ids


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Limits a report to a group and a region; None means any."""

    group: str | None
    region: str | None

    def visible_stores(self, request: Request, reader: sa.Engine) -> frozenset[str] | None:
        """Return the ids of the matching stores that the request may see; None for all."""
        visible = visible_stores(request)
        if self.group is None and self.region is None:
            return visible
        with reader.connect() as connection:
            members = read_group_store_ids(connection, group=self.group, region=self.region)
        return members if visible is None else members & visible


NO_FILTER: Final = GroupFilter(None, None)


async def _group_filter(
    group: Annotated[str | None, Query(description="Only stores of this group.")] = None,
    region: Annotated[str | None, Query(description="Only stores of this region.")] = None,
) -> GroupFilter:
    check_texts(group=group, region=region)
    return GroupFilter(group, region)


GroupFilterDep = Annotated[GroupFilter, Depends(_group_filter)]
