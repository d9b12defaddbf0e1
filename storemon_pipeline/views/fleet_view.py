"""The current view of all stores for the pages and the JSON API, from one snapshot."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.demand.lost_sales import IncidentSales
from storemon_pipeline.domain.windows import WEEK_US, WINDOW_US, IntArray, Policy
from storemon_pipeline.events.evidence_queries import (
    read_first_evidence,
    with_events_of_report,
    with_events_since,
)
from storemon_pipeline.figures.compute_uptime import STORES_PER_CHUNK, InvariantError
from storemon_pipeline.figures.open_incidents import read_open_incidents
from storemon_pipeline.figures.status_models import ModelVersion, read_status_model
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.likelihood.likely_figures import with_likely_ranges
from storemon_pipeline.polls.status_run_queries import (
    read_status_runs_since,
)
from storemon_pipeline.schedules.calendars import read_calendar, read_report_calendar
from storemon_pipeline.stores.store_details import StoreDetails, read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.figures import Figures, compute_figures
from storemon_pipeline.uptime.history import Amounts, build_history
from storemon_pipeline.uptime.incidents import Incidents
from storemon_pipeline.uptime.status_runs import StatusRuns
from storemon_pipeline.uptime.store_state import last_status_runs, states_at
from storemon_pipeline.views.fleet_sales import FleetSales, joined_sales, read_fleet_sales
from storemon_pipeline.views.incident_events import IncidentEvents, read_incident_events
from storemon_pipeline.views.storefronts_view import read_down_channels

_HISTORY_US: Final = 2 * WEEK_US


@dataclass(frozen=True, slots=True)
class Fleet:
    """All stores at the newest poll, `as_of`; arrays and lists are by position of the store.

    `figures` has rows only for the stores that a report would include; `figure_row` is -1 for the
    others. `previous` are the amounts of the window before each window of a report, or None where
    polls do not reach back that far. `incident_row` is the row of the store's open incident, or -1.
    `sales` is None while no demand is loaded, `incident_events` where no event says down.
    `down_channels` names the storefronts that are down, where any are.
    """

    as_of: datetime
    stores: StoreIndex
    store_ids: list[str]
    position: dict[str, int]
    details: StoreDetails
    state: npt.NDArray[np.int8]
    last_poll_us: IntArray
    has_poll: npt.NDArray[np.bool_]
    first_poll_us: IntArray
    figures: Figures
    figure_row: IntArray
    previous: "Previous"
    incidents: Incidents
    incident_row: IntArray
    incident_events: IncidentEvents | None
    sales: FleetSales | None
    down_channels: dict[int, list[str]]

    @property
    def incident_sales(self) -> IncidentSales | None:
        """The sales lost in the open incidents, by row."""
        return None if self.sales is None else self.sales.incidents

    def subset(self, store_ids: AbstractSet[str]) -> "Fleet":
        """The fleet with these stores only."""
        kept = np.array(
            sorted(self.position[one] for one in store_ids & self.position.keys()), np.int64
        )
        new_position = np.full(len(self.stores), -1)
        new_position[kept] = np.arange(len(kept))
        rows = self.figure_row[kept]
        rows = rows[rows >= 0]
        figures = self.figures.take(rows)
        figures = replace(figures, store=new_position[figures.store])
        own_incidents = np.flatnonzero(new_position[self.incidents.store] >= 0)
        incidents = self.incidents.take(own_incidents)
        incidents = replace(incidents, store=new_position[incidents.store])
        first_poll_us = self.first_poll_us[kept]
        own_ids = [self.store_ids[position] for position in kept.tolist()]
        return Fleet(
            as_of=self.as_of,
            stores=StoreIndex(self.stores.store_ids.take(kept), self.stores.store_keys[kept]),
            store_ids=own_ids,
            position={store_id: position for position, store_id in enumerate(own_ids)},
            details=self.details.take(kept),
            state=self.state[kept],
            last_poll_us=self.last_poll_us[kept],
            has_poll=self.has_poll[kept],
            first_poll_us=first_poll_us,
            figures=figures,
            figure_row=_rows(figures.store, len(kept)),
            previous=_reached(
                [before and before.take(kept) for before in self.previous],
                microseconds(self.as_of),
                first_poll_us,
            ),
            incidents=incidents,
            incident_row=_rows(incidents.store, len(kept)),
            incident_events=self.incident_events and self.incident_events.subset(new_position),
            sales=self.sales and self.sales.subset(kept, own_incidents),
            down_channels={
                int(new_position[position]): names
                for position, names in self.down_channels.items()
                if new_position[position] >= 0
            },
        )


Previous = tuple[Amounts | None, Amounts | None, Amounts | None]
"""Amounts of the windows before the windows of a report, in the same order."""


def read_fleet(url: str, *, stores_per_chunk: int = STORES_PER_CHUNK) -> Fleet | None:
    """Read the current fleet in chunks of stores; None without polls. Raises InvariantError."""
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        stores = read_stores(bulk)
        details = read_details(bulk, stores, as_of=as_of)
        model = read_status_model(bulk)
        parts = [
            _read_part(bulk, chunk, as_of=as_of, model=model)
            for chunk in stores.chunks(stores_per_chunk)
        ]
        incidents = _joined([part.incidents for part in parts], stores_per_chunk)
        incident_events = read_incident_events(bulk, stores, incidents, until=as_of)
    figures = _joined([part.figures for part in parts], stores_per_chunk)
    if not (figures.uptime_us + figures.downtime_us == figures.business_us).all():
        raise InvariantError(f"uptime + downtime = business time does not hold as of {as_of}")
    first_poll_us = np.concatenate([part.first_poll_us for part in parts])
    store_ids = stores.store_ids.to_pylist()
    return Fleet(
        as_of=as_of,
        stores=stores,
        store_ids=store_ids,
        position={store_id: position for position, store_id in enumerate(store_ids)},
        details=details,
        state=np.concatenate([part.state for part in parts]),
        last_poll_us=np.concatenate([part.last_poll_us for part in parts]),
        has_poll=np.concatenate([part.has_poll for part in parts]),
        first_poll_us=first_poll_us,
        figures=figures,
        figure_row=_rows(figures.store, len(stores)),
        previous=_reached(
            [
                _joined(list(window))
                for window in zip(*(part.previous for part in parts), strict=True)
            ],
            microseconds(as_of),
            first_poll_us,
        ),
        incidents=incidents,
        incident_row=_rows(incidents.store, len(stores)),
        incident_events=incident_events,
        sales=joined_sales([part.sales for part in parts]),
        down_channels={
            position + number * stores_per_chunk: names
            for number, part in enumerate(parts)
            for position, names in part.down_channels.items()
        },
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """The fleet's data for one chunk of stores, by position in the chunk."""

    state: npt.NDArray[np.int8]
    last_poll_us: IntArray
    has_poll: npt.NDArray[np.bool_]
    first_poll_us: IntArray
    figures: Figures
    previous: list[Amounts]
    incidents: Incidents
    sales: FleetSales | None
    down_channels: dict[int, list[str]]


def _read_part(
    bulk: Bulk, stores: StoreIndex, *, as_of: datetime, model: ModelVersion | None
) -> _Part:
    as_of_us = microseconds(as_of)
    since = as_of - timedelta(microseconds=_HISTORY_US)
    status_runs = read_status_runs_since(bulk, stores, since=since, until=as_of)
    calendar = read_calendar(bulk, stores, start_us=as_of_us - _HISTORY_US, end_us=as_of_us + 1)
    of_report = with_events_of_report(bulk, stores, status_runs, as_of=as_of, policy=Policy.NEAREST)
    status_runs = with_events_since(bulk, stores, status_runs, since=since, until=as_of)
    figures = compute_figures(
        of_report,
        calendar,
        as_of_us=as_of_us,
        policy=Policy.NEAREST,
        max_gap_us=read_max_gap_us(bulk),
    )
    if model is not None:
        figures = with_likely_ranges(
            figures,
            of_report,
            # Of the week alone, as for a report: the range depends on where the calendar begins.
            read_report_calendar(bulk, stores, as_of_us=as_of_us),
            model.model,
            model.parameters_of(stores),
            as_of_us=as_of_us,
        )
    incidents = read_open_incidents(bulk, stores, as_of_us=as_of_us)
    last_row, has_poll = last_status_runs(status_runs, len(stores))
    return _Part(
        state=states_at(status_runs, calendar, as_of_us=as_of_us),
        last_poll_us=np.where(has_poll, np.append(status_runs.last_poll_us, 0)[last_row], 0),
        has_poll=has_poll,
        first_poll_us=read_first_evidence(bulk, stores),
        figures=figures,
        previous=_previous(status_runs, calendar, as_of_us),
        incidents=incidents,
        sales=read_fleet_sales(bulk, stores, status_runs, calendar, incidents, as_of_us=as_of_us),
        down_channels=read_down_channels(bulk, stores, calendar, as_of=as_of),
    )


_Arrays = TypeVar("_Arrays", Figures, Amounts, Incidents)


def _joined(parts: Sequence[_Arrays], stores: int = 0) -> _Arrays:
    """Concatenate the rows of all chunks; `stores` is the number of stores in a chunk."""
    first = parts[0]
    return type(first)(
        **{
            field.name: np.concatenate(
                [
                    getattr(part, field.name) + (number * stores if field.name == "store" else 0)
                    for number, part in enumerate(parts)
                ]
            )
            for field in fields(first)
        }
    )


def _rows(store: IntArray, stores: int) -> IntArray:
    row = np.full(stores, -1)
    row[store] = np.arange(len(store))
    return row


def _previous(status_runs: StatusRuns, calendar: Calendar, as_of_us: int) -> list[Amounts]:
    """The amounts of the window before each window."""
    history = build_history(status_runs, calendar)
    every = np.arange(calendar.stores)
    return [
        history.amounts(
            every,
            np.full(len(every), as_of_us - 2 * length_us),
            np.full(len(every), as_of_us - length_us),
        )
        for length_us in WINDOW_US.values()
    ]


def _reached(
    amounts: Sequence[Amounts | None], as_of_us: int, first_poll_us: IntArray
) -> "Previous":
    """The amounts, with None for windows that begin before the first poll."""
    first_us = int(first_poll_us.min(initial=as_of_us))
    hour, day, week = (
        before if as_of_us - 2 * length_us >= first_us else None
        for before, length_us in zip(amounts, WINDOW_US.values(), strict=True)
    )
    return hour, day, week
