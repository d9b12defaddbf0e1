"""The route about the days of some chosen stores: a table to take into a spreadsheet."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import Query, Request, Response
from pydantic import Field

from storemon_api.downloads.table_file import Column, table_file
from storemon_api.downloads.table_format import ListingDep, listing_responses, page_response
from storemon_api.fleet.store_days_schemas import StoreDay, StoreDays
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
from storemon_api.stores.store_in_path import fleet_with
from storemon_api.stores.store_responses import AMOUNT_COLUMNS
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.fleet_days.daily_sums import FleetPeriod, read_days_as_of, read_fleet_periods
from storemon_pipeline.uptime.percentages import share_percent

router = Router(tag="fleet")

_MOST_STORES: Final = 100

_COLUMNS: Final[Sequence[Column[StoreDay]]] = (
    Column("store_id", lambda day: day.store_id),
    Column("name", lambda day: day.name),
    Column("group", lambda day: day.group),
    Column("local_date", lambda day: day.local_date.isoformat()),
    *AMOUNT_COLUMNS,
    Column("outages", lambda day: day.incidents),
)


@router.get(
    "/fleet/store-days",
    summary="The days of some chosen stores",
    responses={
        **listing_responses(StoreDays),
        **problem_responses(UNKNOWN_STORE, INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_store_days(
    request: Request,
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    listing: ListingDep,
    store_id: Annotated[
        list[Annotated[str, Field(examples=["7482936150293847561"])]],
        Query(min_length=1, max_length=_MOST_STORES, description="A store; up to 100 of them."),
    ],
    begin: Annotated[DateOnly | None, Query(alias="from")] = None,
    end: Annotated[DateOnly | None, Query(alias="to", description="Exclusive.")] = None,
) -> Response:
    """Return a row for each store and local day: stores as given, the earliest day first."""
    fleet = fleet_with(request, fleet_cache, *store_id)
    if begin is not None and end is not None and end <= begin:
        raise invalid_field("to", "A period ends after it begins.")
    with services.reader.connect() as connection:
        as_of = read_days_as_of(connection)
        rows = read_fleet_periods(
            connection,
            by=Period.DAY,
            split=None,
            group=None,
            region=None,
            start=begin,
            end=end,
            only=frozenset(store_id),
            is_by_store=True,
        )
    details, place = fleet.details, fleet.position
    order = {one: number for number, one in enumerate(dict.fromkeys(store_id))}
    rows.sort(key=lambda row: (order[row.group or ""], row.begin))
    days = [
        _day(row, details.names[place[row.group or ""]], details.groups[place[row.group or ""]])
        for row in rows[listing.paging.rows]
    ]
    if listing.is_file:
        return table_file(
            listing.format, "days-of-stores", _COLUMNS, days, total=len(rows), as_of=as_of
        )
    paging = listing.paging
    return page_response(
        StoreDays(
            as_of=as_of,
            total=len(rows),
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(len(rows)),
            days=days,
        )
    )


def _day(row: FleetPeriod, name: str | None, group: str | None) -> StoreDay:
    return StoreDay(
        store_id=row.group or "",
        name=name,
        group=group,
        local_date=row.begin,
        incidents=row.incidents,
        business_us=row.business_us,
        uptime_us=row.uptime_us,
        downtime_us=row.downtime_us,
        unknown_us=row.unknown_us,
        uncertain_us=row.uncertain_us,
        lowest_uptime_us=row.lowest_uptime_us,
        highest_uptime_us=row.lowest_uptime_us + row.uncertain_us,
        uptime_percent=share_percent(row.uptime_us, row.uptime_us + row.downtime_us),
        likely_lowest_uptime_us=row.likely_us and row.likely_us[0],
        likely_highest_uptime_us=row.likely_us and row.likely_us[1],
    )
