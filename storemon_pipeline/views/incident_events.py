"""The events that cover parts of incidents, with the business time lost in each part."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.events.event_texts import EventText, read_event_texts
from storemon_pipeline.events.evidence_queries import read_told_stretches
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.event_stretches import EventStretches, what_holds
from storemon_pipeline.uptime.incidents import Incidents


@dataclass(frozen=True, slots=True)
class IncidentPart:
    """The part `[start_us, end_us)` of an incident, which an event covers."""

    start_us: int
    end_us: int
    lost_us: int
    text: EventText


@dataclass(frozen=True, slots=True)
class IncidentEvents:
    """Stretches of events that say down, with the business time in each, shape `(n,)`."""

    stretches: EventStretches
    lost_us: IntArray
    texts: Mapping[int, EventText]

    def during(self, store: int, start_us: int, end_us: int) -> list[IncidentPart]:
        """The parts of a store's incident, in order of time."""
        down = self.stretches
        first, last = np.searchsorted(down.store, [store, store + 1]).tolist()
        first += int(np.searchsorted(down.end_us[first:last], start_us, side="right"))
        rows = range(first, last)
        return [
            IncidentPart(
                int(down.start_us[row]),
                int(down.end_us[row]),
                int(self.lost_us[row]),
                self.texts[int(down.event[row])],
            )
            for row in rows
            if down.start_us[row] < end_us
        ]

    def subset(self, new_position: IntArray) -> "IncidentEvents":
        """The events of some stores, by their new positions; -1 stands for the other stores."""
        store = new_position[self.stretches.store]
        kept = np.flatnonzero(store >= 0)
        own = self.stretches.take(kept)
        return replace(self, stretches=replace(own, store=store[kept]), lost_us=self.lost_us[kept])


def read_incident_events(
    bulk: Bulk, stores: StoreIndex, incidents: Incidents, *, until: datetime
) -> IncidentEvents | None:
    """The events of incidents that were found up to `until`; None where there are none."""
    if len(incidents) == 0:
        return None
    until_us = microseconds(until)
    position = np.unique(incidents.store)
    since = instant(int(incidents.start_us.min()))
    down = what_holds(read_told_stretches(bulk, stores.take(position), since=since, until=until))
    down = down.take(~down.is_up).clip(microseconds(since), until_us)
    if len(down) == 0:
        return None
    own, store = np.unique(down.store, return_inverse=True)
    position = position[own]
    calendar = read_calendar(
        bulk, stores.take(position), start_us=int(down.start_us.min()), end_us=until_us
    )
    lost_us = calendar.business_us(store, down.end_us) - calendar.business_us(store, down.start_us)
    return IncidentEvents(
        replace(down, store=position[store]), lost_us, read_event_texts(bulk, down)
    )
