"""Sales of all stores in the windows of a report, and those lost in open incidents."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.demand.demand_table import read_demand
from storemon_pipeline.demand.expected_sales import (
    DemandCurves,
    SalesAmounts,
    sales_history,
)
from storemon_pipeline.demand.lost_sales import IncidentSales, sales_of_incidents
from storemon_pipeline.demand.money import Money
from storemon_pipeline.domain.windows import WEEK_US, WINDOW_US, IntArray
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.estimates import counted_status_runs, estimate_status
from storemon_pipeline.uptime.incidents import NO_POLL, Incidents
from storemon_pipeline.uptime.status_runs import StatusRuns

_STORES_PER_CALENDAR: Final = 2_000
"""A calendar begins with the first of its incidents: a year takes 300 MB."""


@dataclass(frozen=True, slots=True)
class FleetSales:
    """Sales by position of the store, for each window of a report, and by row of open incident.

    `currency` is None for a store without demand.
    """

    currency: list[str | None]
    windows: tuple[SalesAmounts, ...]
    incidents: IncidentSales

    def subset(self, kept: IntArray, incidents: IntArray) -> Self:
        """The sales of these stores and of these rows of incidents."""
        return replace(
            self,
            currency=[self.currency[position] for position in kept.tolist()],
            windows=tuple(amounts.take(kept) for amounts in self.windows),
            incidents=self.incidents.take(incidents),
        )


def read_fleet_sales(
    bulk: Bulk,
    stores: StoreIndex,
    status_runs: StatusRuns,
    calendar: Calendar,
    incidents: Incidents,
    *,
    as_of_us: int,
) -> FleetSales | None:
    """The sales of some stores; None while no demand is loaded.

    The calendar covers the last week; `incidents` are the open ones.
    """
    curves = read_demand(bulk, stores)
    if curves is None:
        return None
    estimates = estimate_status(
        counted_status_runs(status_runs, as_of_us=as_of_us),
        stores=len(stores),
        start_us=as_of_us - WEEK_US,
        end_us=as_of_us,
        has_status_before_first_poll=True,
    )
    history = sales_history(curves, calendar, estimates)
    every = np.arange(len(stores))
    windows = tuple(
        history.amounts(
            every, np.full(len(every), as_of_us - length_us), np.full(len(every), as_of_us)
        )
        for length_us in WINDOW_US.values()
    )
    own = np.unique(incidents.store)
    of_incidents = _incident_sales(bulk, stores, own, curves.take(own), incidents)
    return FleetSales(curves.currency, windows, of_incidents)


def read_incident_sales(
    bulk: Bulk, stores: StoreIndex, incidents: Incidents
) -> IncidentSales | None:
    """The sales lost in incidents, sorted by store; None while no demand is loaded."""
    own = np.unique(incidents.store)
    curves = read_demand(bulk, stores.take(own))
    return None if curves is None else _incident_sales(bulk, stores, own, curves, incidents)


def _incident_sales(
    bulk: Bulk, stores: StoreIndex, own: IntArray, curves: DemandCurves, incidents: Incidents
) -> IncidentSales:
    """The sales lost in the incidents of the stores `own`, which the curves are of."""
    number = np.searchsorted(own, incidents.store)
    parts = []
    for first in range(0, max(len(own), 1), _STORES_PER_CALENDAR):
        positions = np.arange(first, min(first + _STORES_PER_CALENDAR, len(own)))
        rows = slice(*np.searchsorted(number, [first, first + _STORES_PER_CALENDAR]).tolist())
        chunk = incidents.take(np.arange(len(incidents))[rows])
        first_us = np.where(chunk.last_active_us == NO_POLL, chunk.start_us, chunk.last_active_us)
        end_us = int(np.maximum(chunk.end_us, chunk.next_active_us).max(initial=0))
        calendar = read_calendar(
            bulk,
            stores.take(own[positions]),
            start_us=int(first_us.min(initial=end_us)),
            end_us=end_us,
        )
        parts.append(
            sales_of_incidents(
                replace(chunk, store=number[rows] - first), curves.take(positions), calendar
            )
        )
    return _joined_incidents(parts)


def joined_sales(parts: Sequence[FleetSales | None]) -> FleetSales | None:
    """The sales of all chunks of stores, in their order."""
    found = [part for part in parts if part is not None]
    if not found:
        return None
    return FleetSales(
        [one for part in found for one in part.currency],
        tuple(
            _joined_amounts(of_window)
            for of_window in zip(*(part.windows for part in found), strict=True)
        ),
        _joined_incidents([part.incidents for part in found]),
    )


def _joined_amounts(parts: Sequence[SalesAmounts]) -> SalesAmounts:
    lost_at = None
    if any(one.lost_at is not None for one in parts):
        # Without learned curves the sales lost are the same at any rate.
        ranges = [one.lost_at or (one.lost, one.lost) for one in parts]
        lowest, highest = zip(*ranges, strict=True)
        lost_at = _concatenated(lowest), _concatenated(highest)
    return SalesAmounts(
        _concatenated([one.up for one in parts]),
        _concatenated([one.lost for one in parts]),
        lost_at,
    )


def _joined_incidents(parts: Sequence[IncidentSales]) -> IncidentSales:
    return IncidentSales(
        [one for part in parts for one in part.currency],
        _concatenated([part.lost for part in parts]),
        _concatenated([part.lowest for part in parts]),
        _concatenated([part.highest for part in parts]),
    )


def _concatenated(parts: Sequence[Money]) -> Money:
    return Money(
        np.concatenate([part.whole for part in parts]),
        np.concatenate([part.part for part in parts]),
    )
