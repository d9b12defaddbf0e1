"""Routes about stores at the newest poll: the list and one store."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum, unique
from typing import Annotated, Any, Final

import numpy as np
from fastapi import Query, Request, Response

from storemon_api.downloads.body_tables import body_response, columns_of
from storemon_api.downloads.table_file import Column, hours, table_file
from storemon_api.downloads.table_format import (
    ListingDep,
    TableFormatDep,
    listing_responses,
    page_response,
)
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import INVALID_REQUEST
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.live.fleet_cache import FleetCacheDep
from storemon_api.sales.sales_columns import lost_columns, sales_columns
from storemon_api.sales.sales_schemas import Sales, SalesLost
from storemon_api.security.request_access import visible_stores
from storemon_api.stores.store_filters import (
    Direction,
    Objective,
    StoreFilterDep,
    StoreOrder,
    WeekFilterDep,
    is_in_state,
    ordered,
)
from storemon_api.stores.store_in_path import (
    STORE_PROBLEMS,
    StoreIdPath,
    fleet_with,
    store_view_of,
)
from storemon_api.stores.store_responses import (
    incident_response,
    store_summary,
    storefront_responses,
    window_columns,
)
from storemon_api.stores.store_schemas import (
    OpenInterval,
    StorefrontResponse,
    StoreResponse,
    StoresPage,
    StoreSummary,
    WindowFigures,
)
from storemon_api.stores.week_responses import (
    SPECIAL_HOURS_COLUMNS,
    open_intervals,
    special_hours_response,
)
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.uptime.store_state import StoreState

router = Router(tag="stores")

_COLUMNS: Final[Sequence[Column[StoreSummary]]] = (
    Column("store_id", lambda store: store.store_id),
    Column("name", lambda store: store.name),
    Column("group", lambda store: store.group),
    Column("region", lambda store: store.region),
    Column("timezone", lambda store: store.timezone),
    Column("status", lambda store: store.standing.value),
    Column("offline_since_utc", lambda store: store.down_since),
    Column("open_hours_lost", lambda store: hours(store.lost_us)),
    Column("last_check_utc", lambda store: store.last_poll_at),
)


def _figures(store: StoreSummary) -> Mapping[Window, WindowFigures] | None:
    return store.figures


def _sales(window: Window) -> Callable[[StoreSummary], Sales | None]:
    return lambda store: None if store.sales is None else store.sales[window]


def _sales_lost(store: StoreSummary) -> SalesLost | None:
    return store.sales_lost


_SALES_COLUMNS: Final[Sequence[Column[StoreSummary]]] = [
    *lost_columns(_sales_lost),
    *(
        column
        for window in Window
        for column in sales_columns(_sales(window), f"_last_{window}")
        if not column.name.startswith("currency")
    ),
]
"""Only where there is demand. A store has one currency."""


def _storefront_figures(storefront: StorefrontResponse) -> Mapping[Window, WindowFigures] | None:
    return storefront.figures


@unique
class StoreTable(StrEnum):
    """The tables of a store; the value is the field."""

    CHANNELS = "channels"
    HOURS = "hours"
    SPECIAL_HOURS = "special_hours"


_TABLES: Final[Mapping[StoreTable, Sequence[Column[Any]]]] = {
    StoreTable.CHANNELS: (
        *columns_of(StorefrontResponse, "figures"),
        *window_columns(_storefront_figures),
    ),
    StoreTable.HOURS: columns_of(OpenInterval),
    StoreTable.SPECIAL_HOURS: SPECIAL_HOURS_COLUMNS,
}


@router.get(
    "/stores",
    summary="All stores at the newest poll",
    responses={**listing_responses(StoresPage), **problem_responses(INVALID_REQUEST)},
)
def get_stores(
    fleet_cache: FleetCacheDep,
    listing: ListingDep,
    store_filter: StoreFilterDep,
    week_filter: WeekFilterDep,
    standing: Annotated[list[StoreState] | None, Query()] = None,
    sort: StoreOrder = StoreOrder.STORE_ID,
    order: Direction = Direction.ASCENDING,
    objective: Objective = None,
) -> Response:
    """Return the stores that match the filters, with their figures and open incidents.

    Stores whose sort value is unknown come last. Ties of downtime are in the order of its share,
    those of the share in the order of downtime, all others by id. By standing, stores that are
    down come first, then those that are up, closed and silent.
    """
    fleet = fleet_cache.fleet(store_filter.only)
    paging = listing.paging
    columns = (*_COLUMNS, *window_columns(_figures, has_verdict=objective is not None))
    if fleet is None:
        if listing.is_file:
            return table_file(listing.format, "stores", columns, (), total=0)
        empty = StoresPage(
            as_of=None, total=0, offset=paging.offset, limit=paging.limit, next=None, stores=[]
        )
        return page_response(empty)
    if fleet.sales is not None:
        columns = (*columns, *_SALES_COLUMNS)
    kept = store_filter.matches(fleet.store_ids, fleet.details)
    if standing:
        kept &= is_in_state(fleet, standing)
    kept &= week_filter.matches(fleet)
    found = ordered(fleet, np.flatnonzero(kept), sort, order)
    if listing.is_file:
        rows = (store_summary(fleet, position, objective) for position in found.tolist())
        return table_file(
            listing.format, "stores", columns, rows, total=len(found), as_of=fleet.as_of
        )
    return page_response(
        StoresPage(
            as_of=fleet.as_of,
            total=len(found),
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(len(found)),
            stores=[
                store_summary(fleet, position, objective)
                for position in found[paging.rows].tolist()
            ],
        )
    )


@router.get(
    f"/stores/{STORE_ID}",
    summary="One store at the newest poll",
    responses={**listing_responses(StoreResponse), **STORE_PROBLEMS},
)
def get_store(
    request: Request,
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    table_format: TableFormatDep,
    store_id: StoreIdPath,
    objective: Objective = None,
    table: Annotated[
        StoreTable, Query(description="The table of a file; JSON has all.")
    ] = StoreTable.CHANNELS,
) -> Response:
    """Return the store's figures, weekly hours and open incident."""
    fleet = fleet_with(request, fleet_cache, store_id)
    position = fleet.position[store_id]
    row = int(fleet.incident_row[position])
    summary = store_summary(fleet, position, objective)
    with store_view_of(services, store_id) as view:
        starts, ends = view.week()
        special_hours = view.special_hours()
        objectives = {str(by): float(percent) for by, percent in view.objectives().items()}
        first_poll_us, polls = view.polls_kept()
        storefronts = view.storefronts()
    return body_response(
        table_format,
        StoreResponse(
            **dict(summary),
            as_of=fleet.as_of,
            hours=open_intervals(starts, ends),
            special_hours=[special_hours_response(one) for one in special_hours],
            first_poll_at=None if first_poll_us is None else instant(first_poll_us),
            polls=polls,
            channel_rule=None if storefronts is None else storefronts.rule,
            channels=[] if storefronts is None else storefront_responses(storefronts, objective),
            objectives=objectives,
            open_incident=None
            if row < 0
            else incident_response(
                fleet.incidents,
                row,
                store_id=store_id,
                name=fleet.details.names[position],
                compared=fleet_cache.compared_incidents(visible_stores(request)),
                sales=fleet.incident_sales,
                events=fleet.incident_events,
            ),
        ),
        table,
        _TABLES[table],
        as_of=fleet.as_of,
    )
