"""History of all stores: incidents and hourly uptime of a period."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.local_periods import Period, divide
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.demand.lost_sales import IncidentSales
from storemon_pipeline.domain.windows import DAY_US, HOUR_US, LOOKBACK_US, BoolArray, IntArray
from storemon_pipeline.events.evidence_queries import (
    read_first_evidence,
    with_events_of_incidents,
    with_events_since,
)
from storemon_pipeline.figures.status_models import read_status_model
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.likelihood.model import StatusModel, StoreParameters
from storemon_pipeline.likelihood.spreads import Spreads, compute_spreads
from storemon_pipeline.polls.status_run_queries import (
    read_status_runs_of_incidents_since,
    read_status_runs_since,
)
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_details import StoreDetails, read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.history import Amounts, build_history
from storemon_pipeline.uptime.incidents import Incidents, find_incidents
from storemon_pipeline.uptime.status_runs import StatusRuns
from storemon_pipeline.views.fleet_sales import read_incident_sales
from storemon_pipeline.views.incident_events import IncidentEvents, read_incident_events


@dataclass(frozen=True, slots=True)
class FleetIncidents:
    """Incidents that overlap a period, and the stores that their positions refer to.

    `sales` is None while no demand is loaded, `events` where no event says down.
    """

    stores: StoreIndex
    details: StoreDetails
    incidents: Incidents
    sales: IncidentSales | None
    events: IncidentEvents | None


@dataclass(frozen=True, slots=True)
class FleetHours:
    """Amounts of every store in every hour, shape `(hours, stores)`; `start_us` is `(hours,)`.

    `has_history`, of the amounts' shape, marks the hours from the local day of a store's first poll
    on. As in `store_uptime_daily`, earlier time is not business time. `spreads`,
    of that shape as well, are None without a status model.
    """

    stores: StoreIndex
    details: StoreDetails
    start_us: IntArray
    has_history: BoolArray
    amounts: Amounts
    spreads: Spreads | None


def read_fleet_incidents(url: str, *, start: datetime, end: datetime) -> FleetIncidents | None:
    """The incidents of all stores that overlap `[start, end)`; None without polls."""
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        as_of_us = microseconds(as_of)
        stores = read_stores(bulk)
        status_runs = with_events_of_incidents(
            bulk,
            stores,
            read_status_runs_of_incidents_since(bulk, stores, since=start, until=as_of),
            since=start,
            until=as_of,
        )
        earliest_us = int(status_runs.first_poll_us.min(initial=as_of_us)) - LOOKBACK_US
        calendar = read_calendar(bulk, stores, start_us=earliest_us, end_us=as_of_us)
        details = read_details(bulk, stores, as_of=as_of)
        found = find_incidents(status_runs, calendar, as_of_us=as_of_us)
        overlaps = (found.end_us > microseconds(start)) & (found.start_us < microseconds(end))
        found = found.take(overlaps)
        sales = read_incident_sales(bulk, stores, found)
        events = read_incident_events(bulk, stores, found, until=as_of)
    return FleetIncidents(stores, details, found, sales, events)


def read_fleet_hours(url: str, *, start: datetime, end: datetime) -> FleetHours | None:
    """The UTC hours that overlap `[start, end)`, up to the newest poll; None without polls."""
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        until = min(end, as_of)
        start_us, end_us = microseconds(start) // HOUR_US * HOUR_US, microseconds(until)
        stores = read_stores(bulk)
        details = read_details(bulk, stores, as_of=as_of)
        hours = np.arange(start_us, max(end_us, start_us), HOUR_US)
        end_us = max(end_us, start_us + 1)
        since = instant(start_us)
        status_runs = with_events_since(
            bulk,
            stores,
            read_status_runs_since(bulk, stores, since=since, until=as_of),
            since=since,
            until=as_of,
        )
        calendar = read_calendar(bulk, stores, start_us=start_us, end_us=end_us)
        first_day_us = _read_first_days(bulk, stores, start_us, end_us)
        model = read_status_model(bulk)
    history = build_history(status_runs, calendar)
    grid = (len(hours), len(stores))
    every = np.broadcast_to(np.arange(len(stores)), grid).ravel()
    begin = np.broadcast_to(hours[:, np.newaxis], grid).ravel()
    end_of_hour = begin + HOUR_US
    first_day = first_day_us[every]
    counted_from = np.minimum(np.maximum(begin, first_day), end_of_hour)
    amounts = history.amounts(every, counted_from, end_of_hour)
    spreads = None
    if model is not None:
        begun = status_runs.take(status_runs.first_poll_us < end_us)
        spreads = _spreads_of_grid(
            begun,
            calendar,
            model.model,
            model.parameters_of(stores),
            start_us=counted_from,
            end_us=end_of_hour,
            amounts=amounts,
        )
    return FleetHours(stores, details, hours, first_day < end_of_hour, amounts, spreads)


def _spreads_of_grid(
    status_runs: StatusRuns,
    calendar: Calendar,
    model: StatusModel,
    parameters: StoreParameters,
    *,
    start_us: IntArray,
    end_us: IntArray,
    amounts: Amounts,
) -> Spreads:
    """The spread of each stretch of a grid of hours and stores; zero without a status run.

    The arrays have shape `(hours * stores,)`.
    """
    polled = np.unique(status_runs.store)
    # In the order of stores, then hours.
    grid = np.arange(len(start_us)).reshape(-1, calendar.stores).T
    rows = grid[polled].ravel()
    of_polled = compute_spreads(
        status_runs,
        calendar,
        model,
        parameters,
        store=np.repeat(polled, grid.shape[1]),
        start_us=start_us[rows],
        end_us=end_us[rows],
        amounts=amounts.take(rows),
    )
    return of_polled.at_rows(rows, len(start_us))


def _read_first_days(bulk: Bulk, stores: StoreIndex, start_us: int, end_us: int) -> IntArray:
    """The local midnight before each store's first poll, shape `(stores,)`.

    For a first poll before `start_us` or two days after `end_us` it is the poll's own instant.
    """
    first_us = read_first_evidence(bulk, stores)
    young = np.flatnonzero((first_us > start_us) & (first_us < end_us + 2 * DAY_US))
    if len(young) == 0:
        return first_us
    calendar = read_calendar(
        bulk, stores.take(young), start_us=start_us - 2 * DAY_US, end_us=end_us + 2 * DAY_US
    )
    pieces = divide(calendar.local_spans(), Period.DAY)
    polled_us = first_us[young][pieces.store]
    is_polled = (pieces.start_us <= polled_us) & (polled_us < pieces.end_us)
    day = np.zeros(len(young), np.int64)
    day[pieces.store[is_polled]] = pieces.begin_local_us[is_polled]
    of_day = pieces.begin_local_us == day[pieces.store]
    np.minimum.at(first_us, young[pieces.store[of_day]], pieces.start_us[of_day])
    return first_us
