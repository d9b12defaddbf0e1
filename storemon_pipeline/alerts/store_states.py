"""Reads the states of all stores and the age of the polls from one database snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np

from storemon_pipeline.alerts.conditions import Feed, StoreStates
from storemon_pipeline.alerts.messages import Recovery
from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import DEFAULT_ZONE, LOOKBACK_US, WEEK_US
from storemon_pipeline.events.evidence_queries import (
    with_events_of_incidents,
    with_events_since,
)
from storemon_pipeline.figures.open_incidents import read_open_incidents
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.polls.status_run_queries import (
    read_status_runs_of_incidents_since,
    read_status_runs_since,
)
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_details import StoreDetails, read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.incidents import Ending, find_incidents
from storemon_pipeline.uptime.store_state import (
    STORE_STATES,
    StoreState,
    last_status_runs,
    states_at,
)

_BEFORE_US: Final = 5 * WEEK_US
"""How far back the time without polls is counted; a longer silence has lasted longer."""


@dataclass(frozen=True, slots=True)
class FleetStates:
    """The stores, the states that alerts are judged by, and the calendar that they were made of."""

    as_of: datetime
    stores: StoreIndex
    details: StoreDetails
    states: StoreStates
    calendar: Calendar
    position: dict[str, int]


def read_store_states(bulk: Bulk) -> FleetStates | None:
    """All stores at the newest poll; None while there is no poll.

    Only last runs and those of open incidents are read, so that this costs little at any size.
    """
    as_of = read_newest_poll(bulk)
    if as_of is None:
        return None
    as_of_us = microseconds(as_of)
    stores = read_stores(bulk)
    details = read_details(bulk, stores, as_of=as_of)
    last = with_events_since(
        bulk,
        stores,
        read_status_runs_since(bulk, stores, since=as_of, until=as_of),
        since=as_of,
        until=as_of,
    )
    calendar = read_calendar(bulk, stores, start_us=as_of_us - _BEFORE_US, end_us=as_of_us + 1)
    every = np.arange(len(stores))
    now = np.full(len(stores), as_of_us)
    at_now_us = calendar.business_us(every, now)
    row, has_poll = last_status_runs(last, len(stores))
    last_poll_us = last.last_poll_us[row] if len(last) else row
    at_poll_us = calendar.business_us(every, last_poll_us)
    is_down = states_at(last, calendar, as_of_us=as_of_us) == STORE_STATES.index(StoreState.DOWN)
    incidents = read_open_incidents(bulk, stores, as_of_us=as_of_us)
    has_incident = np.zeros(len(stores), np.bool_)
    down_since_us, lost_us = np.zeros_like(now), np.zeros_like(now)
    has_incident[incidents.store] = True
    down_since_us[incidents.store] = incidents.start_us
    lost_us[incidents.store] = incidents.lost_us
    store_ids = stores.store_ids.to_pylist()
    states = StoreStates(
        as_of_us=as_of_us,
        store_ids=store_ids,
        zones=[zone or DEFAULT_ZONE for zone in details.timezones],
        groups=details.groups,
        is_open=calendar.business_us(every, now + 1) > at_now_us,
        is_down=is_down,
        is_seen_down=is_down & (calendar.business_us(every, last_poll_us + 1) > at_poll_us),
        has_incident=has_incident,
        down_since_us=down_since_us,
        lost_us=lost_us,
        has_poll=has_poll,
        last_poll_us=last_poll_us,
        silent_us=np.where(has_poll, at_now_us - at_poll_us, 0),
    )
    position = {store_id: number for number, store_id in enumerate(store_ids)}
    return FleetStates(as_of, stores, details, states, calendar, position)


def read_recoveries(
    bulk: Bulk, fleet: FleetStates, began_us: Sequence[tuple[int, int]]
) -> list[Recovery | None]:
    """How incidents have ended, each given by its store's position and when it began.

    An incident is known again by lying around that instant. None where there is none any more.
    """
    if not began_us:
        return []
    first_us = min(since_us for _, since_us in began_us)
    positions = np.unique([store for store, _ in began_us])
    stores, as_of_us = fleet.stores.take(positions), fleet.states.as_of_us
    since = instant(first_us)
    status_runs = with_events_of_incidents(
        bulk,
        stores,
        read_status_runs_of_incidents_since(bulk, stores, since=since, until=fleet.as_of),
        since=since,
        until=fleet.as_of,
    )
    earliest_us = int(status_runs.first_poll_us.min(initial=as_of_us)) - LOOKBACK_US
    calendar = read_calendar(bulk, stores, start_us=earliest_us, end_us=as_of_us)
    found = find_incidents(status_runs, calendar, as_of_us=as_of_us)
    found = replace(found, store=positions[found.store])
    recoveries: list[Recovery | None] = []
    for store, since_us in began_us:
        around = np.flatnonzero(
            (found.store == store) & (found.start_us <= since_us) & (since_us < found.end_us)
        )
        if len(around) == 0 or found.ending[around[-1]] == Ending.OPEN:
            recoveries.append(None)
            continue
        number = around[-1]
        is_ended = found.ending[number] == Ending.ENDED
        recoveries.append(
            Recovery(
                instant(int(found.start_us[number])),
                instant(int(found.end_us[number])) if is_ended else None,
                int(found.lost_us[number]),
            )
        )
    return recoveries


def read_feed(bulk: Bulk, *, now: datetime) -> Feed:
    """What the clock says of the polls and of business time."""
    newest = read_newest_poll(bulk)
    now_us = microseconds(now)
    newest_us = None if newest is None else microseconds(newest)
    is_alive = newest_us is not None and now_us - LOOKBACK_US < newest_us <= now_us
    stores = read_stores(bulk)
    start_us = newest_us if is_alive and newest_us is not None else now_us
    calendar = read_calendar(bulk, stores, start_us=start_us, end_us=now_us + 1)
    every = np.arange(len(stores))
    open_us = calendar.business_us(every, np.full(len(stores), now_us))
    is_open = calendar.business_us(every, np.full(len(stores), now_us + 1)) > open_us
    return Feed(newest_us, int(open_us.max(initial=0)) if is_alive else None, bool(is_open.any()))
