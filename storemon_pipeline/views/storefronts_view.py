"""The figures of storefronts beside those of their stores."""

from dataclasses import dataclass, fields, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.channels.joined_status import over_storefronts
from storemon_pipeline.channels.storefront_index import Storefronts, read_storefronts
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.amounts import DOWNTIME, UPTIME
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import LOOKBACK_US, WEEK_US, IntArray, Policy, Window
from storemon_pipeline.events.evidence_queries import read_storefronts_of_report, read_stretches
from storemon_pipeline.schedules.calendars import read_calendar, read_report_calendar
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.event_stretches import EventStretches
from storemon_pipeline.uptime.evidence import add_events_of_report
from storemon_pipeline.uptime.figures import Figures, compute_figures
from storemon_pipeline.uptime.status_runs import StatusRuns
from storemon_pipeline.uptime.store_state import STORE_STATES, StoreState, states_at


@dataclass(frozen=True, slots=True)
class Storefront:
    """A storefront at the newest poll of all; `figures` has one row, or none when it is silent."""

    channel: str
    channel_store_id: str
    state: StoreState
    last_poll_us: int | None
    figures: Figures


@dataclass(frozen=True, slots=True)
class StorefrontsView:
    """The storefronts of a store by id, and the rule that joins them."""

    rule: ChannelRule
    storefronts: tuple[Storefront, ...]


@dataclass(frozen=True, slots=True)
class StorefrontFigures:
    """What a report says of storefronts, and their state; arrays by position of the storefront.

    `figures` have rows for those that a report would include; `row` is -1 for the others.
    """

    state: npt.NDArray[np.int8]
    last_poll_us: IntArray
    figures: Figures
    row: IntArray


def read_storefront_figures(
    bulk: Bulk,
    stores: StoreIndex,
    fronts: Storefronts,
    calendar: Calendar,
    *,
    as_of: datetime,
    policy: Policy,
) -> StorefrontFigures:
    """The figures of the storefronts of these stores.

    They have the hours, zone and closures of their store, and its events hold for all of them. For
    states the calendar covers the microsecond from `as_of`.
    """
    as_of_us = microseconds(as_of)
    return storefront_figures(
        read_storefronts_of_report(bulk, fronts, as_of=as_of, policy=policy),
        fronts,
        read_stretches(bulk, stores, until=as_of, since=instant(as_of_us - LOOKBACK_US)),
        calendar,
        as_of_us=as_of_us,
        policy=policy,
        max_gap_us=read_max_gap_us(bulk),
    )


def storefront_figures(
    evidence: StatusRuns,
    fronts: Storefronts,
    stretches: EventStretches,
    calendar: Calendar,
    *,
    as_of_us: int,
    policy: Policy,
    max_gap_us: int,
) -> StorefrontFigures:
    """As `read_storefront_figures`, from the storefronts' evidence and the stores' events."""
    over = over_storefronts(stretches, fronts.stores)
    every = np.arange(len(fronts.store))
    state = np.zeros(len(every), np.int8)
    parts = []
    # The first one of each store, then the second one of each, and so on.
    number = every - np.searchsorted(fronts.store, fronts.store)
    for turn in range(int(number.max(initial=-1)) + 1):
        front = np.full(calendar.stores, -1)
        front[fronts.store[number == turn]] = every[number == turn]
        own = evidence.take(number[evidence.store] == turn)
        own = replace(own, store=fronts.store[own.store])
        own = add_events_of_report(
            own, over.take(np.isin(over.store, own.store)), as_of_us=as_of_us, policy=policy
        )
        state[number == turn] = states_at(own, calendar, as_of_us=as_of_us)[front >= 0]
        figures = compute_figures(
            own, calendar, as_of_us=as_of_us, policy=policy, max_gap_us=max_gap_us
        )
        parts.append(replace(figures, store=front[figures.store]))
    figures = Figures(
        *(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Figures))
    )
    figures = figures.take(np.argsort(figures.store))
    row = np.full(len(every), -1)
    row[figures.store] = np.arange(len(figures.store))
    last_poll_us = np.zeros(len(every), np.int64)
    np.maximum.at(last_poll_us, evidence.store, evidence.last_poll_us)
    return StorefrontFigures(state, last_poll_us, figures, row)


def read_storefronts_view(
    bulk: Bulk, stores: StoreIndex, fronts: Storefronts, *, as_of_us: int
) -> StorefrontsView:
    """The newest figures of the storefronts of an index with one store."""
    # A status at an instant asks for the microsecond from there.
    calendar = read_calendar(bulk, stores, start_us=as_of_us - WEEK_US, end_us=as_of_us + 1)
    found = read_storefront_figures(
        bulk, stores, fronts, calendar, as_of=instant(as_of_us), policy=Policy.NEAREST
    )
    return StorefrontsView(
        fronts.rule,
        tuple(
            Storefront(
                channel,
                front_id,
                STORE_STATES[int(found.state[position])],
                int(found.last_poll_us[position]) or None,
                found.figures.take(found.row[[position]][found.row[[position]] >= 0]),
            )
            for position, (channel, front_id) in enumerate(
                zip(fronts.channels, fronts.index.store_ids.to_pylist(), strict=True)
            )
        ),
    )


def read_down_channels(
    bulk: Bulk, stores: StoreIndex, calendar: Calendar, *, as_of: datetime
) -> dict[int, list[str]]:
    """By position of a store the names of its storefronts that are down, if there are any.

    A storefront without a channel has its id.
    """
    fronts = read_storefronts(bulk, stores)
    if fronts is None:
        return {}
    found = read_storefront_figures(
        bulk, stores, fronts, calendar, as_of=as_of, policy=Policy.NEAREST
    )
    down: dict[int, list[str]] = {}
    for position in np.flatnonzero(found.state == STORE_STATES.index(StoreState.DOWN)).tolist():
        name = fronts.channels[position] or fronts.index.store_ids[position].as_py()
        down.setdefault(int(fronts.store[position]), []).append(name)
    return down


def read_storefronts_column(
    bulk: Bulk, stores: StoreIndex, rows: IntArray, *, as_of: datetime, policy: Policy
) -> pa.Array | None:
    """The storefronts of the stores at these ascending positions, as a column of a report.

    Each is a list, null for a store without storefronts. None where no store has any.
    """
    every = read_storefronts(bulk, stores)
    if every is None:
        return None
    positions = np.intersect1d(every.stores, rows)
    fronts, own = every.of_stores(positions), stores.take(positions)
    found = read_storefront_figures(
        bulk,
        own,
        fronts,
        read_report_calendar(bulk, own, as_of_us=microseconds(as_of)),
        as_of=as_of,
        policy=policy,
    )
    return storefronts_column(replace(fronts, store=positions[fronts.store]), found, rows)


def storefronts_column(
    fronts: Storefronts, found: StorefrontFigures, rows: IntArray
) -> pa.Array | None:
    """As `read_storefronts_column`, of figures of all storefronts of these stores, or of more."""
    which = np.flatnonzero(np.isin(fronts.store, rows))
    row = found.row[which]
    is_silent = row < 0
    columns: dict[str, pa.Array] = {
        "channel": pa.array([fronts.channels[number] for number in which.tolist()], pa.string()),
        "channel_store_id": fronts.index.store_ids.take(pa.array(which)),
    }
    for amount in (UPTIME, DOWNTIME):
        for number, window in enumerate(Window):
            amounts = np.append(getattr(found.figures, amount.field)[:, number], 0)[row]
            columns[amount.column(window)] = pa.array(amounts, pa.int64(), mask=is_silent)
    counts = np.bincount(np.searchsorted(rows, fronts.store[which]), minlength=len(rows))
    return pa.ListArray.from_arrays(
        pa.array(np.append(0, np.cumsum(counts)), pa.int32()),
        pa.StructArray.from_arrays(list(columns.values()), list(columns)),
        mask=pa.array(counts == 0),
    )
