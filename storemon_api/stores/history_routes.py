"""Routes about a store's history by local period and its incidents."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Final

import numpy as np
from fastapi import Request, Response

from storemon_api.downloads.table_file import Column, table_file
from storemon_api.downloads.table_format import ListingDep, listing_responses, page_response
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.live.fleet_cache import FleetCacheDep
from storemon_api.sales.sales_columns import sales_columns
from storemon_api.sales.sales_responses import sales_of
from storemon_api.sales.sales_schemas import Sales
from storemon_api.security.request_access import visible_stores
from storemon_api.stores.store_in_path import STORE_PROBLEMS, StoreIdPath, store_view_of, zone_of
from storemon_api.stores.store_responses import (
    AMOUNT_COLUMNS,
    history_amounts,
    incidents_response,
    wall_clock,
)
from storemon_api.stores.store_schemas import (
    HistoryPage,
    HistoryRow,
    IncidentsPage,
)
from storemon_api.stores.time_params import FromBound, ToBound, check_length
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.instants import instant
from storemon_pipeline.demand.expected_sales import SalesAmounts
from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.domain.windows import (
    DAY_US,
    WEEK_US,
    IntArray,
)
from storemon_pipeline.uptime.daily import Days
from storemon_pipeline.uptime.history import Amounts, PeriodAmounts
from storemon_pipeline.uptime.incidents import Ending
from storemon_pipeline.views.store_view import (
    StoreView,
)

router = Router(tag="stores")

_LONGEST_HOURS: Final = timedelta(days=92)


_LONGEST_HISTORY: Final = timedelta(days=3660)


_DEFAULT_LENGTH_US: Final = {
    Period.HOUR: WEEK_US,
    Period.DAY: 90 * DAY_US,
    Period.WEEK: 364 * DAY_US,
    Period.MONTH: 731 * DAY_US,
}


_HISTORY_COLUMNS: Final[Sequence[Column[HistoryRow]]] = (
    Column("begin_local", lambda row: row.begin_local),
    Column("start_utc", lambda row: row.start),
    Column("end_utc", lambda row: row.end),
    *AMOUNT_COLUMNS,
    Column("outages", lambda row: row.incidents),
)


_SALES_COLUMNS: Final[Sequence[Column[HistoryRow]]] = sales_columns(lambda row: row.sales)


@router.get(
    f"/stores/{STORE_ID}/uptime",
    summary="A store's history by local hour, day, week or month",
    responses={**listing_responses(HistoryPage), **STORE_PROBLEMS},
)
def get_store_uptime(
    services: ServicesDep,
    listing: ListingDep,
    store_id: StoreIdPath,
    begin: FromBound = None,
    end: ToBound = None,
    by: Period = Period.DAY,
) -> Response:
    """Return a row per local period, oldest first, and their sum.

    The first and the last period are clipped to `from` and `to`. History uses all polls up to the
    newest, so a past day may differ from an earlier report. Without `from`, history begins with
    the day of the first poll, at most 90 days before its end (hours: 7, weeks: 364, months: 731).
    """
    paging = listing.paging
    with store_view_of(services, store_id) as view:
        start_us, end_us = view.period(begin, end, _DEFAULT_LENGTH_US[by])
        if begin is None:
            start_us = _first_day(view, start_us, end_us)
        longest = _LONGEST_HOURS if by is Period.HOUR else _LONGEST_HISTORY
        check_length(timedelta(microseconds=end_us - start_us), longest, f"by {by}")
        history = view.history(start_us, end_us, by) if start_us < end_us else None
        days = view.days(start_us, end_us) if by is Period.DAY and history else None
        likely = None if history is None else _likely_ranges(view, history, paging.rows)
        sales = None if history is None else view.sales(history)
        name = zone_of(view)
    rows = []
    total = 0
    if history is not None and likely is not None:
        rows = _history_rows(history, paging.rows, days, likely, sales)
        total = len(history.store)
    if listing.is_file:
        columns = _HISTORY_COLUMNS if by is Period.DAY else _HISTORY_COLUMNS[:-1]
        if sales is not None:
            columns = (*columns, *_SALES_COLUMNS)
        return table_file(
            listing.format, f"by-{by}", columns, rows, total=total, as_of=instant(end_us)
        )
    return page_response(
        HistoryPage(
            store_id=store_id,
            timezone=name,
            by=by,
            start=instant(start_us),
            end=instant(end_us),
            total=total,
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(total),
            sum=history_amounts(
                history.amounts if history else _ZERO_AMOUNTS,
                slice(None),
                likely.of_sum_us if likely else (UNKNOWN, UNKNOWN),
            ),
            sales=_sum_of_sales(history, likely, sales),
            periods=rows,
        )
    )


@router.get(
    f"/stores/{STORE_ID}/incidents",
    summary="A store's incidents",
    responses={**listing_responses(IncidentsPage), **STORE_PROBLEMS},
)
def get_store_incidents(
    request: Request,
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    listing: ListingDep,
    store_id: StoreIdPath,
    begin: FromBound = None,
    end: ToBound = None,
) -> Response:
    """Return the incidents that overlap the period; without `from` and `to`, all of them."""
    with store_view_of(services, store_id) as view:
        incidents, sales, events = view.incidents()
        if begin is not None or end is not None:
            start_us, end_us = view.period(begin, end, 10 * 366 * DAY_US)
            overlaps = (incidents.end_us > start_us) & (incidents.start_us < end_us)
            incidents, sales = incidents.take(overlaps), sales and sales.take(overlaps)
        as_of, name = view.as_of, view.details.names[0]
    is_open = incidents.ending == Ending.OPEN
    order = np.lexsort((-incidents.start_us, ~is_open))
    compared = fleet_cache.compared_incidents(visible_stores(request))
    return incidents_response(
        listing,
        as_of,
        incidents.take(order),
        [store_id],
        [name],
        compared,
        sales and sales.take(order),
        events,
    )


def _first_day(view: StoreView, start_us: int, end_us: int) -> int:
    """Return the local midnight before the first poll, but at least `start_us`."""
    spans = view.calendar(view.first_poll_us, view.first_poll_us + 1).local_spans()
    day = wall_clock(view.first_poll_us + int(spans.offset_us[0])).date()
    midnight_us, _ = view.period(day, None, 0)
    return min(max(start_us, midnight_us), end_us)


@dataclass(frozen=True, slots=True)
class _LikelyRanges:
    """The likely ranges of the rows of one page, and of the whole history."""

    lowest_us: IntArray
    highest_us: IntArray
    of_sum_us: tuple[int, int]


def _likely_ranges(view: StoreView, history: PeriodAmounts, rows: slice) -> _LikelyRanges:
    """Return the likely ranges of the rows of one page, and of the sum of all rows."""
    sums = (getattr(history.amounts, field.name) for field in fields(Amounts))
    whole = Amounts(*(amount.sum(keepdims=True) for amount in sums))
    page = np.arange(*rows.indices(len(history.store)))
    shown = history.amounts.take(page)
    lowest, highest = view.likely_ranges(
        np.append(history.start_us[page], history.start_us.min()),
        np.append(history.end_us[page], history.end_us.max()),
        Amounts(
            *(
                np.append(getattr(shown, field.name), getattr(whole, field.name))
                for field in fields(Amounts)
            )
        ),
    )
    return _LikelyRanges(lowest[:-1], highest[:-1], (int(lowest[-1]), int(highest[-1])))


def _history_rows(
    history: PeriodAmounts,
    rows: slice,
    days: Days | None,
    likely: _LikelyRanges,
    sales: tuple[str, SalesAmounts] | None,
) -> list[HistoryRow]:
    """Return the rows of one page; `sales` are those of all rows, with their currency."""
    incidents: dict[int, int] = {}
    below, above = ([], []) if sales is None else map(list, sales[1].distances())
    if days is not None:
        incidents = dict(zip(days.begin_local_us.tolist(), days.incidents.tolist(), strict=True))
    return [
        HistoryRow(
            **dict(
                history_amounts(
                    history.amounts,
                    np.array([row]),
                    (int(likely.lowest_us[number]), int(likely.highest_us[number])),
                )
            ),
            begin_local=wall_clock(int(history.begin_local_us[row])),
            start=instant(int(history.start_us[row])),
            end=instant(int(history.end_us[row])),
            incidents=incidents.get(int(history.begin_local_us[row]), 0)
            if days is not None
            else None,
            sales=None
            if sales is None
            else sales_of(
                sales[0],
                lost=sales[1].lost.at(row),
                up=sales[1].up.at(row),
                uptime_us=int(history.amounts.uptime_us[row]),
                downtime_us=int(history.amounts.downtime_us[row]),
                likely_us=(int(likely.lowest_us[number]), int(likely.highest_us[number])),
                distances=(below[row], above[row]),
            ),
        )
        for number, row in enumerate(range(*rows.indices(len(history.store))))
    ]


def _sum_of_sales(
    history: PeriodAmounts | None,
    likely: _LikelyRanges | None,
    sales: tuple[str, SalesAmounts] | None,
) -> Sales | None:
    """Return the sales of all rows."""
    if history is None or likely is None or sales is None:
        return None
    below, above = sales[1].distances()
    return sales_of(
        sales[0],
        lost=sales[1].lost.total(),
        up=sales[1].up.total(),
        uptime_us=int(history.amounts.uptime_us.sum()),
        downtime_us=int(history.amounts.downtime_us.sum()),
        likely_us=likely.of_sum_us,
        # The doubt of one store's rates is the same in all of its hours.
        distances=(float(below.sum()), float(above.sum())),
    )


_ZERO: Final = np.zeros(1, np.int64)


_ZERO_AMOUNTS: Final = Amounts(_ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO)
