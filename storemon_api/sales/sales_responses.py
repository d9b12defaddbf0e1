"""Serialise exact amounts of money to response bodies."""

from storemon_api.sales.sales_schemas import Sales, SalesLost
from storemon_pipeline.demand.lost_sales import (
    IncidentSales,
    likely_lost,
    with_doubt_of_rates,
)
from storemon_pipeline.demand.money import by_currency, rounded
from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.uptime.percentages import share_percent


def sales_of(
    currency: str,
    *,
    lost: int,
    up: int,
    uptime_us: int,
    downtime_us: int,
    likely_us: tuple[int, int] = (UNKNOWN, UNKNOWN),
    distances: tuple[float, float] = (0.0, 0.0),
) -> Sales:
    """Return the sales of some time; amounts are in the unit of `Money.exact`.

    `distances` are those of `SalesAmounts`: how far the sales lost are from those at other rates.
    """
    lowest = highest = None
    if UNKNOWN not in likely_us:
        limits = likely_lost(
            lost,
            up,
            uptime_us=uptime_us,
            downtime_us=downtime_us,
            likely_lowest_uptime_us=likely_us[0],
            likely_highest_uptime_us=likely_us[1],
        )
        below, above = distances
        limits = with_doubt_of_rates(limits, lost, below=below, above=above)
        lowest, highest = map(rounded, limits)
    return Sales(
        currency=currency,
        lost=rounded(lost),
        lowest=lowest,
        highest=highest,
        expected=rounded(up + lost),
        uptime_percent=share_percent(up, up + lost),
    )


def sales_of_incident(sales: IncidentSales | None, row: int) -> SalesLost | None:
    """Return the sales lost in one incident; None without demand."""
    currency = None if sales is None else sales.currency[row]
    if sales is None or currency is None:
        return None
    return SalesLost(
        currency=currency,
        lost=rounded(sales.lost.at(row)),
        lowest=rounded(sales.lowest.at(row)),
        highest=rounded(sales.highest.at(row)),
    )


def sums_of_incidents(sales: IncidentSales | None) -> list[SalesLost]:
    """Return the sales lost in all incidents together, in each currency."""
    if sales is None:
        return []
    return [
        SalesLost(currency=currency, lost=rounded(lost), lowest=None, highest=None)
        for currency, lost in by_currency(sales.lost.exact(), sales.currency).items()
    ]
