"""Widespread outages of the last four weeks: what the pages and the API say about each incident."""

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.channels.channel_outages import (
    StorefrontIncidents,
    add_channel_outages,
    time_in_outages,
)
from storemon_pipeline.channels.storefront_index import OWN_CHANNEL, read_storefronts
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import DEFAULT_ZONE, LOOKBACK_US, IntArray
from storemon_pipeline.events.evidence_queries import (
    read_first_evidence,
    read_storefronts_of_incidents,
    with_events_of_incidents,
)
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.polls.status_run_queries import (
    read_status_runs_of_incidents_since,
)
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_details import read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.incidents import Incidents, find_incidents
from storemon_pipeline.uptime.status_runs import StatusRuns
from storemon_pipeline.uptime.widespread_outages import (
    PeerCounts,
    WidespreadOutages,
    find_widespread_outages,
)

COMPARED: Final = timedelta(days=28)
"""How far back incidents are compared with those of other stores."""

PeerKind = Literal["group", "region", "timezone", "channel"]

_SET_KINDS: Final[tuple[PeerKind, ...]] = ("group", "region", "timezone")
"""The kinds of sets that stores are compared in, in the order of `WidespreadOutages.peers`."""


_WORDS: Final[dict[PeerKind, str]] = {
    "group": "group",
    "region": "region",
    "timezone": "time zone",
    "channel": "channel",
}


@dataclass(frozen=True, slots=True)
class Peers:
    """The others of one set during an incident: stores, or storefronts of the same channel.

    The numbers are those of `counts` at this row.
    """

    kind: PeerKind
    name: str
    counts: PeerCounts
    row: int

    @property
    def is_widespread(self) -> bool:
        """Whether the incident was part of a widespread outage of the set."""
        return bool(self.counts.until_us[self.row] > 0)


def sets_text(sets: Iterable[tuple[PeerKind, str]]) -> str:
    """Sets by kind and name as one text: "region West; channel DoorDash"."""
    return "; ".join(f"{_WORDS[kind]} {name}" for kind, name in sets)


@dataclass(frozen=True, slots=True)
class ComparedIncidents:
    """The incidents since `COMPARED` before the newest poll, compared with those of other stores.

    Those of storefronts are compared with others of the same channel. Without storefronts, `fronts`
    is None.
    """

    incidents: Incidents
    found: WidespreadOutages
    fronts: StorefrontIncidents | None
    _row: dict[tuple[str, int], int]
    _inputs: "_Inputs"

    def row(self, store_id: str, start_us: int) -> int:
        """The row of the store's incident with this start; -1 if it was not compared."""
        return self._row.get((store_id, start_us), -1)

    def subset(self, store_ids: AbstractSet[str]) -> "ComparedIncidents":
        """The comparison as if there were no other stores than these."""
        found, fronts = self._inputs.compare(self.incidents, store_ids)
        return replace(self, found=found, fronts=fronts)

    def peers(self, row: int) -> list[Peers]:
        """The sets that the store of an incident is in, with what the others in them did.

        A channel is one if one of the store's storefronts there was down during the incident.
        """
        store = int(self.incidents.store[row])
        sets = [
            Peers(kind, name, counts, row)
            for kind, names, counts in zip(
                _SET_KINDS, self._inputs.names, self.found.peers, strict=True
            )
            if (name := names[store]) is not None
        ]
        return sets + self._channels(row)

    def shared_us(self, rows: IntArray, start_us: IntArray, end_us: IntArray) -> IntArray:
        """The opening time of these incidents in widespread outages, within `[start, end)` of each.

        Every array has shape `(n,)`.
        """
        found, inputs = self.found, self._inputs
        own = self.incidents.take(rows)
        own = replace(
            own,
            start_us=np.clip(own.start_us, start_us, end_us),
            end_us=np.clip(own.end_us, start_us, end_us),
        )
        from_us = np.clip(found.from_us[rows], own.start_us, own.end_us)
        until_us = np.clip(found.until_us[rows], from_us, own.end_us)
        if self.fronts is None or inputs.fronts is None:
            business_us = inputs.calendar.business_us
            lost_us: IntArray = business_us(own.store, until_us) - business_us(own.store, from_us)
            return lost_us
        return time_in_outages(
            own, (from_us, until_us), inputs.calendar, self.fronts, rule=inputs.fronts.rule
        )

    def widespread_text(self, row: int) -> str:
        """The sets in whose widespread outages an incident was; empty for none, or for row -1."""
        if row < 0 or not self.found.with_others_us[row]:
            return ""
        return sets_text((one.kind, one.name) for one in self.peers(row) if one.is_widespread)

    def _channels(self, row: int) -> list[Peers]:
        if self.fronts is None or self._inputs.fronts is None:
            return []
        start_us, end_us = int(self.incidents.start_us[row]), int(self.incidents.end_us[row])
        of_fronts, (counts,) = self.fronts.incidents, self.fronts.found.peers
        best: dict[str, tuple[tuple[bool, int], int]] = {}
        for own in self.fronts.during(int(self.incidents.store[row]), start_us, end_us):
            name = self._inputs.fronts.channels[int(of_fronts.store[own])]
            shared_us = min(int(of_fronts.end_us[own]), end_us) - max(
                int(of_fronts.start_us[own]), start_us
            )
            weight = (int(counts.until_us[own]) > start_us, shared_us)
            if name != OWN_CHANNEL and weight > best.get(name, ((False, 0), 0))[0]:
                best[name] = weight, own
        return [Peers("channel", name, counts, own) for name, (_, own) in sorted(best.items())]


@dataclass(frozen=True, slots=True)
class _FrontInputs:
    """What incidents of storefronts are compared by; by position of the storefront."""

    incidents: Incidents
    calendar: Calendar
    first_us: IntArray
    last_us: IntArray
    store: IntArray
    channels: list[str]
    rule: ChannelRule


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What incidents are compared by; the arrays and lists are by position of the store.

    `names` has the name of each store's set for each of `_SET_KINDS`, or None.
    """

    store_ids: list[str]
    names: tuple[Sequence[str | None], ...]
    calendar: Calendar
    first_us: IntArray
    last_us: IntArray
    fronts: _FrontInputs | None

    def compare(
        self, incidents: Incidents, only: AbstractSet[str] | None
    ) -> tuple[WidespreadOutages, StorefrontIncidents | None]:
        """Compare the incidents of these stores, or of all, with each other."""
        is_other = np.array([only is not None and one not in only for one in self.store_ids])
        found = find_widespread_outages(
            incidents,
            self.calendar,
            first_us=self.first_us,
            last_us=self.last_us,
            kinds=[np.where(is_other, -1, _numbers(of_store)) for of_store in self.names],
        )
        if self.fronts is None:
            return found, None
        fronts = self.fronts
        number = _numbers([name or None for name in fronts.channels])
        of_fronts = StorefrontIncidents(
            fronts.store,
            fronts.incidents,
            find_widespread_outages(
                fronts.incidents,
                fronts.calendar,
                first_us=fronts.first_us,
                last_us=fronts.last_us,
                kinds=[np.where(is_other[fronts.store], -1, number)],
            ),
        )
        return (
            add_channel_outages(found, incidents, self.calendar, of_fronts, rule=fronts.rule),
            of_fronts,
        )


def read_compared_incidents(
    url: str, *, since: datetime | None = None, until: datetime | None = None
) -> ComparedIncidents | None:
    """Compare the incidents of all stores with each other; None without polls.

    They are those of `[since, until)`, by default of `COMPARED` before the newest poll.
    """
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        stores = read_stores(bulk)
        since = since or as_of - COMPARED
        status_runs = with_events_of_incidents(
            bulk,
            stores,
            read_status_runs_of_incidents_since(bulk, stores, since=since, until=as_of),
            since=since,
            until=as_of,
        )
        since_us, as_of_us = microseconds(since), microseconds(as_of)
        until_us = min(microseconds(until or as_of), as_of_us)
        calendar = read_calendar(bulk, stores, start_us=since_us, end_us=until_us)
        details = read_details(bulk, stores, as_of=as_of)
        first_us = np.minimum(read_first_evidence(bulk, stores), as_of_us)
        fronts = _read_front_inputs(bulk, stores, status_runs, calendar, since=since, until=as_of)
    zones = [zone or DEFAULT_ZONE for zone in details.timezones]
    names = (details.groups, details.regions, zones)
    incidents = find_incidents(status_runs, calendar, as_of_us=as_of_us)
    store_ids = stores.store_ids.to_pylist()
    last_us = _known_until_us(status_runs, len(stores), since_us)
    inputs = _Inputs(store_ids, names, calendar, first_us, last_us, fronts)
    found, of_fronts = inputs.compare(incidents, None)
    rows = np.flatnonzero(found.is_compared).tolist()
    store, start_us = incidents.store.tolist(), incidents.start_us.tolist()
    row_of = {(store_ids[store[row]], start_us[row]): row for row in rows}
    return ComparedIncidents(incidents, found, of_fronts, row_of, inputs)


def _read_front_inputs(
    bulk: Bulk,
    stores: StoreIndex,
    status_runs: StatusRuns,
    calendar: Calendar,
    *,
    since: datetime,
    until: datetime,
) -> _FrontInputs | None:
    """The storefronts of these stores, whose status runs are given; None without any."""
    fronts = read_storefronts(bulk, stores)
    if fronts is None:
        return None
    own = read_storefronts_of_incidents(bulk, stores, fronts, status_runs, since=since, until=until)
    since_us, until_us = microseconds(since), microseconds(until)
    of_front = calendar.take(fronts.store)
    first_us = np.full(len(fronts.store), until_us)
    np.minimum.at(first_us, own.store, own.first_poll_us)
    return _FrontInputs(
        find_incidents(own, of_front, as_of_us=until_us),
        of_front,
        first_us,
        _known_until_us(own, len(fronts.store), since_us),
        fronts.store,
        fronts.channels,
        fronts.rule,
    )


def _known_until_us(status_runs: StatusRuns, stores: int, since_us: int) -> IntArray:
    """When the status of each store is no longer known, shape `(stores,)`."""
    last_us = np.full(stores, since_us)
    np.maximum.at(last_us, status_runs.store, status_runs.last_poll_us + LOOKBACK_US)
    return last_us


def _numbers(names: Sequence[str | None]) -> IntArray:
    """A number for each name of several; -1 for the others, and for None."""
    counts = Counter(names)
    several = sorted(name for name, count in counts.items() if name is not None and count > 1)
    number = {name: at for at, name in enumerate(several)}
    return np.array([-1 if name is None else number.get(name, -1) for name in names], np.int64)
