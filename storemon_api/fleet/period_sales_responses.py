"""Sales of periods, as bodies of responses and columns of files."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from typing import Annotated, Final, TypeVar

from fastapi import Query

from storemon_api.downloads.table_file import Column
from storemon_api.http.problems import invalid_field
from storemon_api.http.services import Services
from storemon_api.sales.sales_columns import sales_columns
from storemon_api.sales.sales_responses import sales_of
from storemon_api.sales.sales_schemas import Sales
from storemon_api.stores.store_filters import StoreFilter
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.fleet_days.daily_sums import Split, read_fleet_periods
from storemon_pipeline.likelihood.spreads import range_of_total
from storemon_pipeline.stores.store_details import StoreDetails
from storemon_pipeline.views.fleet_history import FleetHours
from storemon_pipeline.views.period_sales import read_sales_of_days, read_sales_of_hours

Row = TypeVar("Row")

MOST_DAYS: Final = 100
"""Sales of more days would take too long to compute for one request."""

WithSales = Annotated[
    bool,
    Query(alias="sales", description=f"Also the sales, of at most {MOST_DAYS} days."),
]
"""Whether sales are computed as well."""


def names_by(split: Split | None) -> Callable[[list[str], StoreDetails], list[str | None]]:
    """Return how stores are named when sums are split."""

    def names(store_ids: list[str], details: StoreDetails) -> list[str | None]:
        match split:
            case None:
                return [None] * len(store_ids)
            case Split.GROUP:
                return details.groups
            case Split.REGION:
                return details.regions

    return names


def sales_of_days(
    services: Services,
    store_filter: StoreFilter,
    *,
    by: Period | None,
    split: Split | None,
    start: date,
    end: date,
    until: datetime | None,
) -> Callable[[date, str | None], list[Sales]]:
    """Return how to get the sales of a period by its begin and name; empty without demand.

    Raises a 422 problem for more than MOST_DAYS days.
    """
    if (end - start).days > MOST_DAYS:
        raise invalid_field(
            "sales", f"Sales can be had for at most {MOST_DAYS} days: give `from`, `to` or `limit`."
        )
    found = read_sales_of_days(
        services.settings.database_url.get_secret_value(),
        by=by,
        start=start,
        end=end,
        until=until,
        wanted=store_filter.matches,
        names=names_by(split),
    )
    if found is None:
        return lambda begin, name: []  # noqa: ARG005
    with services.reader.connect() as connection:
        likely = {
            (currency, row.begin, row.group): row
            for currency, store_ids in found.stores.items()
            for row in read_fleet_periods(
                connection,
                by=by,
                split=split,
                group=None,
                region=None,
                start=start,
                end=end,
                only=store_ids,
            )
        }

    def of(begin: date, name: str | None) -> list[Sales]:
        return [
            sales_of(
                currency,
                lost=sums.lost,
                up=sums.up,
                uptime_us=row.uptime_us,
                downtime_us=row.downtime_us,
                likely_us=row.likely_us or (UNKNOWN, UNKNOWN),
                distances=(sums.below, sums.above),
            )
            for currency, sums in found.of(datetime.combine(begin, time()), name)
            if (row := likely.get((currency, begin, name))) is not None
        ]

    return of


def sales_of_hours(
    url: str,
    store_filter: StoreFilter,
    hours: FleetHours,
    *,
    split: Split | None,
    start: datetime,
    end: datetime,
) -> Callable[[int, str | None, IntArray], list[Sales]]:
    """Return how to get the sales of an hour by its number, name and stores; as above."""
    found = read_sales_of_hours(
        url, start=start, end=end, wanted=store_filter.matches, names=names_by(split)
    )
    if found is None:
        return lambda hour, name, members: []  # noqa: ARG005
    amounts, spreads = hours.amounts, hours.spreads
    has_currency = {
        currency: hours.stores.marked(store_ids) for currency, store_ids in found.stores.items()
    }

    def of(hour: int, name: str | None, members: IntArray) -> list[Sales]:
        begin = instant(int(hours.start_us[hour])).replace(tzinfo=None)
        sales = []
        for currency, sums in found.of(begin, name):
            own = members[has_currency[currency][members]]
            rows = hour * len(hours.stores) + own
            likely_us = (UNKNOWN, UNKNOWN)
            if spreads is not None:
                likely_us, _ = range_of_total(spreads, rows, amounts)
            sales.append(
                sales_of(
                    currency,
                    lost=sums.lost,
                    up=sums.up,
                    uptime_us=int(amounts.uptime_us[rows].sum()),
                    downtime_us=int(amounts.downtime_us[rows].sum()),
                    likely_us=likely_us,
                    distances=(sums.below, sums.above),
                )
            )
        return sales

    return of


def columns_by_currency(
    rows: Sequence[Row], sales_of_row: Callable[[Row], Sequence[Sales]], prefix: str = ""
) -> list[Column[Row]]:
    """Return the columns of sales in each currency that a row has, named with the currency."""
    currencies = sorted({one.currency for row in rows for one in sales_of_row(row)})

    def only(currency: str) -> Callable[[Row], Sales | None]:
        return lambda row: next(
            (one for one in sales_of_row(row) if one.currency == currency), None
        )

    return [
        Column(f"{prefix}{column.name}", column.cell)
        for currency in currencies
        for column in sales_columns(only(currency), f"_{currency.lower()}")
        if not column.name.startswith("currency")
    ]


def only_stores(
    store_ids: AbstractSet[str] | None, *, group: str | None, region: str | None
) -> StoreFilter:
    """Return the filter of these stores of a group and a region."""
    return StoreFilter(None, group, region, None, store_ids)
