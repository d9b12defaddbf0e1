"""The route about the reasons of downtime of a store, a group, a region or all stores."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final

from fastapi import Query, Request, Response

from storemon_api.downloads.table_file import Column, hours, table_file
from storemon_api.downloads.table_format import ListingDep, listing_responses, page_response
from storemon_api.events.reason_schemas import FleetReason, FleetReasons
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    UNKNOWN_STORE,
    invalid_field,
)
from storemon_api.http.routing import Router
from storemon_api.http.schemas import DateOnly
from storemon_api.http.services import ServicesDep
from storemon_api.live.fleet_cache import FleetCacheDep
from storemon_api.security.request_access import visible_stores
from storemon_api.stores.store_filters import check_texts
from storemon_api.stores.store_in_path import fleet_with
from storemon_pipeline.fleet_days.daily_sums import read_days_as_of
from storemon_pipeline.views.period_reasons import read_period_reasons

router = Router(tag="fleet")

_MOST_DAYS: Final = 366
_EARLIEST: Final = date(1970, 1, 1)
_LATEST: Final = date(9999, 1, 1)

_COLUMNS: Final[Sequence[Column[FleetReason]]] = (
    Column("source", lambda row: row.source),
    Column("reason", lambda row: row.reason),
    Column("stores", lambda row: row.stores),
    Column("lost_hours", lambda row: hours(row.lost_us)),
)


@router.get(
    "/fleet/reasons",
    summary="Reasons of downtime on some days",
    responses={
        **listing_responses(FleetReasons),
        **problem_responses(UNKNOWN_STORE, INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_reasons(  # noqa: PLR0913 - one parameter for each of the query
    request: Request,
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    listing: ListingDep,
    *,
    begin: Annotated[DateOnly, Query(alias="from", examples=["2023-01-16"])],
    end: Annotated[DateOnly, Query(alias="to", description="Exclusive.", examples=["2023-01-23"])],
    store_id: Annotated[str | None, Query(description="Only this store.")] = None,
    group: Annotated[str | None, Query(description="Only stores of this group.")] = None,
    region: Annotated[str | None, Query(description="Only stores of this region.")] = None,
) -> Response:
    """Return the business time lost for each reason that events and corrections give.

    Days are those of each store's clock, as of the last refresh, so that the sums are parts of the
    downtime of `GET /fleet/comparison`. Downtime that no event covers has no reason.
    """
    check_texts(store_id=store_id, group=group, region=region)
    days = (end - begin).days
    if not (begin >= _EARLIEST and end <= _LATEST and 0 < days <= _MOST_DAYS):
        raise invalid_field("to", f"A period has 1 to {_MOST_DAYS} days, from 1970 on.")
    only = visible_stores(request)
    if store_id is not None:
        fleet_with(request, fleet_cache, store_id)
        only = frozenset({store_id})
    with services.reader.connect() as connection:
        as_of = read_days_as_of(connection)
    found = []
    if as_of is not None:
        found = read_period_reasons(
            services.settings.database_url.get_secret_value(),
            start=begin,
            end=end,
            until=as_of,
            only=only,
            group=group,
            region=region,
        )
    rows = [
        FleetReason(source=one.source, reason=one.reason, stores=one.stores, lost_us=one.lost_us)
        for one in found[listing.paging.rows]
    ]
    if listing.is_file:
        return table_file(listing.format, "reasons", _COLUMNS, rows, total=len(found), as_of=as_of)
    paging = listing.paging
    return page_response(
        FleetReasons(
            as_of=as_of,
            total=len(found),
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(len(found)),
            lost_us=sum(one.lost_us for one in found),
            reasons=rows,
        )
    )
