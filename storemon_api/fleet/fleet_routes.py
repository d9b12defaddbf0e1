"""Routes about all stores: current totals, history, incidents, events about new data."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import numpy as np
from fastapi import Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_file import Column, table_file
from storemon_api.downloads.table_format import (
    Listing,
    ListingDep,
    TableFormatDep,
    listing_responses,
    page_response,
)
from storemon_api.fleet.fleet_responses import group_totals, totals_of
from storemon_api.fleet.fleet_schemas import FleetHistory, FleetHistoryRow, FleetNow, GroupTotals
from storemon_api.fleet.group_columns import FleetTable, group_columns, worst_first
from storemon_api.fleet.period_sales_responses import (
    WithSales,
    columns_by_currency,
    sales_of_days,
    sales_of_hours,
)
from storemon_api.http.openapi import problem_responses
from storemon_api.http.paging import Paging
from storemon_api.http.problems import DATABASE_UNAVAILABLE, INVALID_REQUEST, invalid_field
from storemon_api.http.routing import Router
from storemon_api.http.services import Services, ServicesDep
from storemon_api.live.data_events import DataEventsDep
from storemon_api.live.fleet_cache import FleetCache, FleetCacheDep
from storemon_api.sales.sales_schemas import Sales
from storemon_api.security.request_access import is_still_allowed, visible_stores
from storemon_api.stores.store_filters import Objective, StoreFilter, StoreFilterDep
from storemon_api.stores.store_responses import (
    AMOUNT_COLUMNS,
    history_amounts,
    incidents_response,
    now_utc,
    wall_clock,
)
from storemon_api.stores.store_schemas import IncidentsPage
from storemon_api.stores.time_params import (
    FromBound,
    FromInstant,
    TimeBound,
    ToBound,
    ToInstant,
    check_length,
)
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.domain.windows import DEFAULT_ZONE, IntArray
from storemon_pipeline.fleet_days.daily_sums import Split, read_days_as_of, read_fleet_periods
from storemon_pipeline.likelihood.likely_figures import flags_of
from storemon_pipeline.likelihood.spreads import range_of_total
from storemon_pipeline.uptime.incidents import Ending, Incidents
from storemon_pipeline.uptime.percentages import share_percent
from storemon_pipeline.uptime.store_state import StoreState
from storemon_pipeline.views.fleet_history import (
    FleetHours,
    read_fleet_hours,
    read_fleet_incidents,
)

router = Router(tag="fleet")

_PROBLEMS: Final = problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE)
_LONGEST_HOURS: Final = timedelta(days=8)
_LONGEST_INCIDENTS: Final = timedelta(days=31)

_HISTORY_COLUMNS: Final[Sequence[Column[FleetHistoryRow]]] = (
    Column("begin_local", lambda row: row.begin_local),
    Column("group", lambda row: row.group),
    Column("stores", lambda row: row.stores),
    *AMOUNT_COLUMNS,
    Column("outages", lambda row: row.incidents),
)


@router.get(
    "/fleet/now",
    summary="Totals of all stores at the newest poll",
    responses={**listing_responses(FleetNow), **_PROBLEMS},
)
def get_fleet_now(
    fleet_cache: FleetCacheDep,
    table_format: TableFormatDep,
    store_filter: StoreFilterDep,
    objective: Objective = None,
    table: Annotated[
        FleetTable, Query(description="The table of a file; JSON has all.")
    ] = FleetTable.GROUPS,
) -> Response:
    """Return totals of the stores that match the filters, also by group, region and zone.

    A file has those of the lowest uptime in the last week first.
    """
    fleet = fleet_cache.fleet(store_filter.only)
    if fleet is None:
        empty = FleetNow(
            as_of=None,
            computed_at=now_utc(),
            stores=0,
            standing=dict.fromkeys(StoreState, 0),
            open_incidents=0,
            lost_us=0,
            windows={},
            groups=[],
            regions=[],
            timezones=[],
        )
        return body_response(table_format, empty, table, group_columns(table, []))
    details = fleet.details
    kept = store_filter.matches(fleet.store_ids, details)
    zones = [zone or DEFAULT_ZONE for zone in details.timezones]

    def by(names: Sequence[str | None]) -> list[GroupTotals]:
        return group_totals(fleet, names, kept, objective)

    now = FleetNow(
        as_of=fleet.as_of,
        computed_at=now_utc(),
        **dict(totals_of(fleet, kept, objective)),
        groups=by(details.groups) if any(details.groups) else [],
        regions=by(details.regions) if any(details.regions) else [],
        timezones=by(zones),
    )
    if not table_format.is_file:
        return page_response(now)
    rows = worst_first(getattr(now, table))
    columns = group_columns(table, rows, has_verdict=objective is not None)
    return body_response(table_format, now, table, columns, rows=rows, as_of=fleet.as_of)


@router.get(
    "/incidents",
    summary="Incidents of all stores",
    responses={**listing_responses(IncidentsPage), **_PROBLEMS},
)
def get_incidents(
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    listing: ListingDep,
    store_filter: StoreFilterDep,
    is_open: Annotated[bool | None, Query(alias="open")] = None,
    begin: FromInstant = None,
    end: ToInstant = None,
) -> Response:
    """Return incidents: open ones first, by the time lost, then the others, newest first.

    With `open=true`, all open incidents. Otherwise the incidents that overlap a period of up to
    31 days; without `from`, the 24 hours up to the newest poll.
    """
    fleet = fleet_cache.fleet(store_filter.only)
    if fleet is None:
        return incidents_response(listing, None, _no_incidents(), [], [], None, None, None)
    if is_open:
        incidents, store_ids, details = fleet.incidents, fleet.store_ids, fleet.details
        sales, events = fleet.incident_sales, fleet.incident_events
    else:
        until = min(end or fleet.as_of, fleet.as_of)
        since = begin or until - timedelta(hours=24)
        check_length(until - since, _LONGEST_INCIDENTS, "for incidents")
        url = services.settings.database_url.get_secret_value()
        found = read_fleet_incidents(url, start=since, end=until)
        if found is None:
            return incidents_response(listing, None, _no_incidents(), [], [], None, None, None)
        incidents, details = found.incidents, found.details
        sales, events = found.sales, found.events
        store_ids = found.stores.store_ids.to_pylist()
        if is_open is False:
            has_ended = incidents.ending != Ending.OPEN
            incidents, sales = incidents.take(has_ended), sales and sales.take(has_ended)
    is_wanted = store_filter.matches(store_ids, details)[incidents.store]
    incidents, sales = incidents.take(is_wanted), sales and sales.take(is_wanted)
    is_open_now = incidents.ending == Ending.OPEN
    order = np.lexsort(
        (np.where(is_open_now, -incidents.lost_us, -incidents.start_us), ~is_open_now)
    )
    return incidents_response(
        listing,
        fleet.as_of,
        incidents.take(order),
        store_ids,
        details.names,
        fleet_cache.compared_incidents(store_filter.only),
        sales and sales.take(order),
        events,
    )


@router.get(
    "/fleet/uptime",
    summary="The history of all stores, or of a group",
    responses={**listing_responses(FleetHistory), **_PROBLEMS},
)
def get_fleet_uptime(  # noqa: PLR0913 - one parameter for each of the query
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    listing: ListingDep,
    store_filter: StoreFilterDep,
    *,
    split: Annotated[Split | None, Query(description="One row per group or region.")] = None,
    begin: FromBound = None,
    end: ToBound = None,
    by: Period = Period.DAY,
    has_sales: WithSales = False,
) -> Response:
    """Return sums over stores, newest period first.

    Days, weeks and months follow each store's own clock; `from` and `to` are dates. Hours are in
    UTC, at most 8 days of them; without `from`, the last 48. `timezone` and `q` can only be used
    by hour. Days, weeks and months are those of the last refresh, and reach to its newest poll,
    `as_of`; hours reach to the newest poll of all.
    """
    paging = listing.paging
    if by is Period.HOUR:
        hourly = _hours(
            services, fleet_cache, paging, store_filter, split, begin, end, has_sales=has_sales
        )
        return _history_response(listing, hourly)
    for name, value in (("timezone", store_filter.timezone), ("q", store_filter.q)):
        if value is not None:
            raise invalid_field(name, f"`{name}` can only be used with `by=hour`.")
    with services.reader.connect() as connection:
        as_of = read_days_as_of(connection)
        periods = read_fleet_periods(
            connection,
            by=by,
            split=split,
            group=store_filter.group,
            region=store_filter.region,
            start=_date(begin, "from"),
            end=_date(end, "to"),
            only=store_filter.only,
        )
    shown = periods[paging.rows]
    sales = None
    if has_sales and shown:
        first, last = shown[-1].begin, _end_of(shown[0].begin, by)
        sales = sales_of_days(
            services,
            store_filter,
            by=by,
            split=split,
            start=max(_date(begin, "from") or first, first),
            end=min(_date(end, "to") or last, last),
            until=as_of,
        )
    return _history_response(
        listing,
        FleetHistory(
            as_of=as_of,
            by=by,
            total=len(periods),
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(len(periods)),
            periods=[
                FleetHistoryRow(
                    begin_local=datetime.combine(row.begin, datetime.min.time()),
                    group=row.group,
                    stores=row.stores,
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
                    likely_flags=flags_of(row.doubt),
                    sales=[] if sales is None else sales(row.begin, row.group),
                )
                for row in shown
            ],
        ),
    )


@router.get(
    "/events",
    summary="Server-sent events about new data",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "An event `data` at once, and another whenever newer data is loaded.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'event: data\ndata: {"load_id": 7, "refreshed_at": null}\n\n',
                }
            },
        }
    },
)
async def get_events(
    request: Request, data_events: DataEventsDep
) -> AsyncIterator[ServerSentEvent]:
    """Stream events for some minutes, or until the key is revoked or expires.

    The stream holds no database connection.

    `load_id` counts the loads of all stores, so it is null for a key that is limited to some.
    """
    stream = data_events.stream(
        has_load_ids=visible_stores(request) is None,
        is_allowed=lambda: is_still_allowed(request),
    )
    async for event in stream:
        yield event


def _hours(
    services: Services,
    fleet_cache: FleetCache,
    paging: Paging,
    store_filter: StoreFilter,
    split: Split | None,
    begin: TimeBound | None,
    end: TimeBound | None,
    *,
    has_sales: bool,
) -> FleetHistory:
    """Return the fleet's history by hours in UTC."""
    fleet = fleet_cache.fleet(store_filter.only)
    until = _instant(end) or (fleet.as_of if fleet else now_utc())
    since = _instant(begin) or until - timedelta(hours=48)
    check_length(until - since, _LONGEST_HOURS, "by hour")
    url = services.settings.database_url.get_secret_value()
    found = read_fleet_hours(url, start=since, end=until)
    if found is None:
        return FleetHistory(
            as_of=None,
            by=Period.HOUR,
            total=0,
            offset=paging.offset,
            limit=paging.limit,
            next=None,
            periods=[],
        )
    details = found.details
    kept = store_filter.matches(found.stores.store_ids.to_pylist(), details)
    names: Sequence[str | None] = [None] * len(kept)
    if split is not None:
        names = details.groups if split is Split.GROUP else details.regions
    members = {
        name: np.flatnonzero(kept & np.array([other == name for other in names], np.bool_))
        for name in sorted(set(names), key=lambda name: (name is None, name or ""))
    }
    rows = [
        (hour, name)
        for hour in range(len(found.start_us) - 1, -1, -1)
        for name in members
        if len(members[name])
    ]
    sales = None
    if has_sales:
        sales = sales_of_hours(url, store_filter, found, split=split, start=since, end=until)
    return FleetHistory(
        as_of=fleet and fleet.as_of,
        by=Period.HOUR,
        total=len(rows),
        offset=paging.offset,
        limit=paging.limit,
        next=paging.next_address(len(rows)),
        periods=[
            _hour(
                *(found, hour, name, hour * len(kept) + members[name]),
                [] if sales is None else sales(hour, name, members[name]),
            )
            for hour, name in rows[paging.rows]
        ],
    )


def _hour(
    found: FleetHours, hour: int, name: str | None, rows: IntArray, sales: list[Sales]
) -> FleetHistoryRow:
    """Return the sum of some stores' rows of an hour."""
    likely_us, doubt = (UNKNOWN, UNKNOWN), 0
    if found.spreads is not None:
        likely_us, doubt = range_of_total(found.spreads, rows, found.amounts)
    return FleetHistoryRow(
        **dict(history_amounts(found.amounts, rows, likely_us)),
        begin_local=wall_clock(int(found.start_us[hour])),
        group=name,
        stores=int(found.has_history[rows].sum()),
        likely_flags=flags_of(doubt),
        sales=sales,
    )


def _end_of(begin: date, by: Period) -> date:
    """Return the first day after the day, week or month that begins on a day."""
    match by:
        case Period.WEEK:
            return begin + timedelta(days=7)
        case Period.MONTH:
            return (begin + timedelta(days=31)).replace(day=1)
        case _:
            return begin + timedelta(days=1)


def _history_response(listing: Listing, history: FleetHistory) -> Response:
    if not listing.is_file:
        return page_response(history)
    return table_file(
        listing.format,
        f"by-{history.by}",
        (*_HISTORY_COLUMNS, *columns_by_currency(history.periods, lambda row: row.sales)),
        history.periods,
        total=history.total,
        as_of=history.as_of,
    )


def _no_incidents() -> Incidents:
    none = np.empty(0, np.int64)
    is_polled = np.empty((0, 4), np.bool_)
    return Incidents(
        none, none, none, none, none, none, none, none.astype(np.int8), none, none, is_polled
    )


def _date(bound: TimeBound | None, name: str) -> date | None:
    if isinstance(bound, datetime):
        raise invalid_field(name, f"`{name}` must be a date, except with `by=hour`.")
    return bound


def _instant(bound: TimeBound | None) -> datetime | None:
    if bound is None or isinstance(bound, datetime):
        return bound
    return datetime.combine(bound, datetime.min.time(), UTC)
