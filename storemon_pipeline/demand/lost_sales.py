"""Sales lost in incidents, and the ranges of sales lost. Status and time come from `uptime`."""

from dataclasses import dataclass
from math import hypot
from typing import Self

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.demand.expected_sales import DemandCurves, expect_sales
from storemon_pipeline.demand.money import Money, share_of
from storemon_pipeline.domain.windows import HOUR_US, BoolArray, IntArray
from storemon_pipeline.uptime.incidents import NO_POLL, Incidents


@dataclass(frozen=True, slots=True)
class IncidentSales:
    """The sales lost in incidents, by row.

    `lowest` counts the time between the first and the last inactive poll only; `highest` all time
    up to the active polls on both sides. Where demand is learned, `lowest` is at the
    lowest rates of their range and `highest` at the highest. `currency` is
    None for a store without demand.
    """

    currency: list[str | None]
    lost: Money
    lowest: Money
    highest: Money

    def take(self, which: IntArray | BoolArray) -> Self:
        """The rows at these positions, or of this mask."""
        rows = np.flatnonzero(which) if which.dtype == np.bool_ else which
        return type(self)(
            [self.currency[row] for row in rows.tolist()],
            self.lost.take(rows),
            self.lowest.take(rows),
            self.highest.take(rows),
        )


def sales_of_incidents(
    incidents: Incidents, curves: DemandCurves, calendar: Calendar
) -> IncidentSales:
    """The sales lost in incidents, which the calendar covers up to their polls."""
    sales = expect_sales(curves, calendar)
    has_ranges = curves.lowest is not None
    at_lowest = expect_sales(curves.at_lowest(), calendar) if has_ranges else sales
    at_highest = expect_sales(curves.at_highest(), calendar) if has_ranges else sales
    earliest = np.where(
        incidents.last_active_us == NO_POLL, incidents.start_us, incidents.last_active_us
    )
    latest = np.where(
        incidents.next_active_us == NO_POLL, incidents.end_us, incidents.next_active_us
    )
    return IncidentSales(
        [curves.currency[store] for store in incidents.store.tolist()],
        sales.between(incidents.store, incidents.start_us, incidents.end_us),
        at_lowest.between(incidents.store, incidents.first_inactive_us, incidents.last_inactive_us),
        at_highest.between(incidents.store, earliest, latest),
    )


def likely_lost(
    lost: int,
    up: int,
    *,
    uptime_us: int,
    downtime_us: int,
    likely_lowest_uptime_us: int,
    likely_highest_uptime_us: int,
) -> tuple[int, int]:
    """The likely range of the sales lost, from the likely range of the uptime.

    Less downtime costs less in proportion. More of it is valued like the uptime that it takes.

    >>> likely_lost(
    ...     50, 300, uptime_us=10, downtime_us=5,
    ...     likely_lowest_uptime_us=8, likely_highest_uptime_us=11,
    ... )
    (40, 110)
    """
    less_us = max(likely_highest_uptime_us - uptime_us, 0)
    more_us = max(uptime_us - likely_lowest_uptime_us, 0)
    lowest = lost - min(share_of(lost, less_us, downtime_us), lost)
    return lowest, lost + min(share_of(up, more_us, uptime_us), up)


def with_doubt_of_rates(
    limits: tuple[int, int], lost: int, *, below: float, above: float
) -> tuple[int, int]:
    """The range of the sales lost, widened by how far they are from those at other rates.

    `limits` is the range by the likely downtime. The two doubts do not depend on each other, so
    their squares are added. `below` and `above` are in hundredths of a currency unit.

    >>> hour = HOUR_US
    >>> low, high = with_doubt_of_rates((70 * hour, 130 * hour), 100 * hour, below=40, above=0)
    >>> low // hour, high // hour
    (50, 130)
    """
    lowest, highest = limits
    if below:
        lowest = max(lost - round(hypot(lost - lowest, below * HOUR_US)), 0)
    if above:
        highest = lost + round(hypot(highest - lost, above * HOUR_US))
    return lowest, highest
