"""Sales of groups of stores, in each currency."""

from dataclasses import dataclass

import numpy as np

from storemon_api.fleet.group_sums import GroupSums
from storemon_api.sales.sales_responses import sales_of
from storemon_api.sales.sales_schemas import Sales, SalesLost
from storemon_pipeline.demand.expected_sales import FloatArray
from storemon_pipeline.demand.money import Money, rounded
from storemon_pipeline.domain.windows import IntArray, Window
from storemon_pipeline.likelihood.likely_figures import ranges_of_totals
from storemon_pipeline.views.fleet_view import Fleet


@dataclass(frozen=True, slots=True)
class GroupSales:
    """Sales by group, then window; and by group those lost in open incidents."""

    windows: list[list[list[Sales]]]
    open_incidents: list[list[SalesLost]]


def sales_of_groups(fleet: Fleet, code: IntArray, groups: int) -> GroupSales:
    """Return the sales of each group; `code` is the group number of each store, or -1."""
    result = GroupSales([[[] for _ in Window] for _ in range(groups)], [[] for _ in range(groups)])
    sales = fleet.sales
    if sales is None:
        return result
    currencies = sorted({one for one in sales.currency if one is not None})
    number = {currency: place for place, currency in enumerate(currencies)}
    currency = np.array([number.get(one or "", -1) for one in sales.currency], np.int64)
    part = np.where((code >= 0) & (currency >= 0), code * len(currencies) + currency, -1)
    parts = groups * len(currencies)
    sums = GroupSums(part, parts)

    figures, of_row = fleet.figures, part[fleet.figures.store]
    of_figures = GroupSums(of_row, parts)
    rows = np.flatnonzero(of_row >= 0)
    lowest, highest = ranges_of_totals(figures.take(rows), of_row[rows], parts)
    stores = sums.of(part >= 0)
    open_lost = Money(np.zeros(len(code), np.int64), np.zeros(len(code), np.int64))
    open_lost.whole[fleet.incidents.store] = sales.incidents.lost.whole
    open_lost.part[fleet.incidents.store] = sales.incidents.lost.part
    lost_now = _exact(sums, open_lost)
    for column, amounts in enumerate(sales.windows):
        lost, up = _exact(sums, amounts.lost), _exact(sums, amounts.up)
        uptime_us = of_figures.of(figures.uptime_us[:, column])
        downtime_us = of_figures.of(figures.downtime_us[:, column])
        below, above = (_root_of_squares(part, parts, away) for away in amounts.distances())
        for one in np.flatnonzero(stores).tolist():
            result.windows[one // len(currencies)][column].append(
                sales_of(
                    currencies[one % len(currencies)],
                    lost=lost[one],
                    up=up[one],
                    uptime_us=int(uptime_us[one]),
                    downtime_us=int(downtime_us[one]),
                    likely_us=(int(lowest[one, column]), int(highest[one, column])),
                    distances=(float(below[one]), float(above[one])),
                )
            )
    for one in np.flatnonzero(stores).tolist():
        name = currencies[one % len(currencies)]
        result.open_incidents[one // len(currencies)].append(
            SalesLost(currency=name, lost=rounded(lost_now[one]), lowest=None, highest=None)
        )
    return result


def _root_of_squares(part: IntArray, parts: int, distance: FloatArray) -> FloatArray:
    """Return the distance of each sum: the rates of one store tell nothing of another's."""
    kept = part >= 0
    squares = np.bincount(part[kept], weights=distance[kept] ** 2, minlength=parts)
    root: FloatArray = np.sqrt(squares)
    return root


def _exact(sums: GroupSums, amounts: Money) -> list[int]:
    """Return the sum of each group, in the unit of `Money.exact`."""
    return Money.of(sums.of(amounts.whole), sums.of(amounts.part)).exact()
