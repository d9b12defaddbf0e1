"""The route that compares two periods of a store, a group, a region or all stores."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from fastapi import Query, Request, Response

from storemon_api.downloads.table_file import Cell, Column, hours, table_file
from storemon_api.downloads.table_format import ListingDep, listing_responses, page_response
from storemon_api.fleet.comparison_schemas import (
    ComparedPeriod,
    Comparison,
    ComparisonResponse,
    DifferenceResponse,
    PeriodFigures,
)
from storemon_api.fleet.period_sales_responses import (
    WithSales,
    columns_by_currency,
    only_stores,
    sales_of_days,
)
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
from storemon_api.sales.sales_schemas import Sales
from storemon_api.security.request_access import visible_stores
from storemon_api.stores.store_filters import check_texts
from storemon_api.stores.store_in_path import fleet_with
from storemon_api.stores.store_responses import AMOUNT_COLUMNS
from storemon_pipeline.fleet_days.daily_sums import (
    FleetPeriod,
    Split,
    read_days_as_of,
    read_fleet_periods,
)
from storemon_pipeline.uptime.percentages import share_percent
from storemon_pipeline.views.period_comparison import Dates, Preset, dates_of, difference

router = Router(tag="fleet")

_LATEST_MIDNIGHT: Final = timedelta(hours=12)
"""A day has begun everywhere this long after UTC midnight."""


def _columns(
    prefix: str, period: Callable[[Comparison], PeriodFigures]
) -> list[Column[Comparison]]:
    def column(name: str, cell: Callable[[PeriodFigures], Cell]) -> Column[Comparison]:
        return Column(f"{prefix}_{name}", lambda row: cell(period(row)))

    return [
        column("stores", lambda figures: figures.stores),
        *(column(amount.name, amount.cell) for amount in AMOUNT_COLUMNS),
        column("outages", lambda figures: figures.incidents),
    ]


_COLUMNS: Final[Sequence[Column[Comparison]]] = (
    Column("group", lambda row: row.group),
    *_columns("later", lambda row: row.later),
    *_columns("earlier", lambda row: row.earlier),
    Column("difference_points", lambda row: row.difference.points),
    Column("likely_lowest_points", lambda row: row.difference.lowest_points),
    Column("likely_highest_points", lambda row: row.difference.highest_points),
    Column("trend", lambda row: row.difference.trend.value),
    Column("difference_downtime_hours", lambda row: hours(row.difference.downtime_us)),
    Column("difference_outages", lambda row: row.difference.incidents),
)

_Day = Annotated[DateOnly | None, Query(examples=["2023-01-16"])]


@router.get(
    "/fleet/comparison",
    summary="Two periods of a store, a group, a region or all stores",
    responses={
        **listing_responses(ComparisonResponse),
        **problem_responses(UNKNOWN_STORE, INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_comparison(  # noqa: PLR0913 - one parameter for each of the query
    request: Request,
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    listing: ListingDep,
    *,
    period: Annotated[
        Preset,
        Query(
            description="`this-week` and `this-month` reach to the newest poll, and are compared "
            "with as many days of the week or month before."
        ),
    ] = Preset.THIS_WEEK,
    store_id: Annotated[str | None, Query(description="Only this store.")] = None,
    group: Annotated[str | None, Query(description="Only stores of this group.")] = None,
    region: Annotated[str | None, Query(description="Only stores of this region.")] = None,
    split: Annotated[Split | None, Query(description="One row per group or region.")] = None,
    begin: Annotated[_Day, Query(alias="from", description="Instead of `period`.")] = None,
    end: Annotated[_Day, Query(alias="to", description="Exclusive.")] = None,
    earlier_from: _Day = None,
    earlier_to: Annotated[_Day, Query(description="Exclusive.")] = None,
    has_sales: WithSales = False,
) -> Response:
    """Return the sums of both periods, and by how much they differ.

    Give all of `from`, `to`, `earlier_from` and `earlier_to` for periods of your own. Days are
    those of each store's clock, as of the last refresh. The range of the difference spans from the
    later lowest minus the earlier highest uptime to the opposite.
    """
    check_texts(store_id=store_id, group=group, region=region)
    only = visible_stores(request)
    if store_id is not None:
        fleet_with(request, fleet_cache, store_id)
        only = frozenset({store_id})
    with services.reader.connect() as connection:
        as_of = read_days_as_of(connection)
        today = ((as_of or datetime.now(UTC)) - _LATEST_MIDNIGHT).date()
        later, earlier = _custom(begin, end, earlier_from, earlier_to) or dates_of(period, today)

        def sums(dates: Dates) -> dict[str | None, FleetPeriod]:
            rows = read_fleet_periods(
                connection,
                by=None,
                split=split,
                group=group,
                region=region,
                start=dates.start,
                end=dates.end,
                only=only,
            )
            return {row.group: row for row in rows}

        of_later, of_earlier = sums(later), sums(earlier)
    sales = [
        sales_of_days(
            services,
            only_stores(only, group=group, region=region),
            by=None,
            split=split,
            start=dates.start,
            end=dates.end,
            until=as_of,
        )
        if has_sales
        else _no_sales
        for dates in (later, earlier)
    ]
    names = sorted({*of_later, *of_earlier}, key=lambda name: (name is None, name or ""))
    comparisons = [
        _comparison(
            *(name, of_later.get(name), of_earlier.get(name)),
            (sales[0](later.start, name), sales[1](earlier.start, name)),
        )
        for name in names
    ]
    if listing.is_file:
        columns = (
            *_COLUMNS,
            *columns_by_currency(comparisons, lambda row: row.later.sales, "later_"),
            *columns_by_currency(comparisons, lambda row: row.earlier.sales, "earlier_"),
        )
        return table_file(
            listing.format, "comparison", columns, comparisons, total=len(names), as_of=as_of
        )
    return page_response(
        ComparisonResponse(
            as_of=as_of,
            later=ComparedPeriod(start=later.start, end=later.end),
            earlier=ComparedPeriod(start=earlier.start, end=earlier.end),
            total=len(comparisons),
            comparisons=comparisons,
        )
    )


def _custom(
    begin: date | None, end: date | None, earlier_from: date | None, earlier_to: date | None
) -> tuple[Dates, Dates] | None:
    if begin is end is earlier_from is earlier_to is None:
        return None
    if begin is None or end is None or earlier_from is None or earlier_to is None:
        raise invalid_field("from", "Give `from`, `to`, `earlier_from` and `earlier_to` together.")
    for name, first, last in (("to", begin, end), ("earlier_to", earlier_from, earlier_to)):
        if last <= first:
            raise invalid_field(name, "A period ends after it begins.")
    return Dates(begin, end), Dates(earlier_from, earlier_to)


def _no_sales(begin: date, name: str | None) -> list[Sales]:  # noqa: ARG001
    return []


def _comparison(
    name: str | None,
    later: FleetPeriod | None,
    earlier: FleetPeriod | None,
    sales: tuple[list[Sales], list[Sales]],
) -> Comparison:
    found = difference(later, earlier)
    figures, before = _figures(later, sales[0]), _figures(earlier, sales[1])
    return Comparison(
        group=name,
        later=figures,
        earlier=before,
        difference=DifferenceResponse(
            points=found.points,
            lowest_points=found.lowest_points,
            highest_points=found.highest_points,
            trend=found.trend,
            downtime_us=figures.downtime_us - before.downtime_us,
            incidents=figures.incidents - before.incidents,
        ),
    )


def _figures(row: FleetPeriod | None, sales: list[Sales]) -> PeriodFigures:
    if row is None:
        return PeriodFigures(
            stores=0,
            incidents=0,
            business_us=0,
            uptime_us=0,
            downtime_us=0,
            unknown_us=0,
            uncertain_us=0,
            lowest_uptime_us=0,
            highest_uptime_us=0,
            uptime_percent=None,
        )
    return PeriodFigures(
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
        sales=sales,
    )
