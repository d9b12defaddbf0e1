"""What figures are recomputed from: polls, events, hours, zones, closures. No database."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.channels.joined_status import join_storefronts, over_storefronts
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import BoolArray, IntArray, Policy
from storemon_pipeline.schedules.calendars import CalendarRows
from storemon_pipeline.uptime.event_stretches import EventStretches, with_single_events
from storemon_pipeline.uptime.evidence import add_events
from storemon_pipeline.uptime.status_runs import StatusRuns, compress


@dataclass(frozen=True, slots=True)
class PackedPolls:
    """Raw polls, sorted by store and instant; every array has shape `(n,)`."""

    store: IntArray
    polled_at_us: IntArray
    is_active: BoolArray


@dataclass(frozen=True, slots=True)
class PackedEvents:
    """Events and corrections: the time that they cover, and each with its reason.

    `listed` has the source of each event, and `corrections` the author of each correction; it is
    None in packs of versions that did not have them.
    """

    stretches: EventStretches
    listed: list[dict[str, Any]]
    corrections: list[dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class PackedStorefronts:
    """The storefronts of stores, by store.

    `store` and `polled` are the positions of the store and of the storefront in `polled_ids`; they
    are the same for a storefront that has the store's own id.
    """

    rule: ChannelRule
    store: IntArray
    polled: IntArray
    channels: list[str]

    @property
    def several(self) -> IntArray:
        """The positions of the stores that have more than one."""
        store, count = np.unique(self.store, return_counts=True)
        found: IntArray = store[count > 1]
        return found


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of some stores; `store` in calendars is the position in `store_ids`.

    In polls, status runs and events it is that in `polled_ids`: the stores, and after them the
    storefronts that have ids of their own. `[since_us, horizon_us]` holds all that counts. Status
    runs may begin before it; raw polls are those in it that are still kept.
    """

    store_ids: list[str]
    polled_ids: list[str]
    since_us: int
    horizon_us: int
    as_of_us: int
    max_gap_us: int
    zone_rules: str
    polls: PackedPolls
    status_runs: StatusRuns
    """Of polls alone."""
    events: PackedEvents
    calendar_rows: CalendarRows
    closures: list[dict[str, Any]] | None
    """Those in force, each with reason and author; None in packs of versions without them."""
    fronts: PackedStorefronts | None = None

    def known_status(self) -> StatusRuns:
        """What polls and events say together, which the figures are made of."""
        status_runs, stretches, fronts = self.status_runs, self.events.stretches, self.fronts
        if fronts is None:
            return add_events(status_runs, stretches, until_us=self.as_of_us)
        # A storefront's place among the storefronts, or -1.
        number = np.full(len(self.polled_ids), -1)
        number[fronts.polled] = np.arange(len(fronts.polled))
        is_front = number[status_runs.store] >= 0
        polled = status_runs.take(is_front)
        of_fronts = self._events_of_fronts(fronts)
        joined = join_storefronts(
            add_events(
                replace(polled, store=number[polled.store]).in_order(),
                of_fronts,
                until_us=self.as_of_us,
            ),
            fronts.store,
            rule=fronts.rule,
            policy=Policy.NEAREST,
            until_us=self.as_of_us,
            is_report=False,
        )
        return add_events(
            status_runs.take(~is_front).merge(joined),
            over_storefronts(self._events_of_stores(), fronts.several),
            until_us=self.as_of_us,
        )

    def told_events(self) -> EventStretches:
        """The events that tell of the stores: where they have none, those of an only storefront."""
        fronts = self.fronts
        if fronts is None:
            return self.events.stretches
        of_fronts = self._events_of_fronts(fronts)
        store = fronts.store[of_fronts.store]
        is_single = ~np.isin(store, fronts.several)
        return with_single_events(
            self._events_of_stores(), replace(of_fronts, store=store).take(is_single)
        )

    def _events_of_stores(self) -> EventStretches:
        stretches = self.events.stretches
        return stretches.take(stretches.store < len(self.store_ids))

    def _events_of_fronts(self, fronts: PackedStorefronts) -> EventStretches:
        """Those of storefronts, by their place among these, without those of the stores' ids."""
        others = np.flatnonzero(fronts.polled >= len(self.store_ids))
        number = np.full(len(self.polled_ids), -1)
        number[fronts.polled[others]] = others
        stretches = self.events.stretches
        place = number[stretches.store]
        return replace(stretches, store=place).take(place >= 0)

    def calendar(self, end_us: int) -> Calendar:
        """The business time of the stores up to an instant."""
        return self.calendar_rows.build(len(self.store_ids), start_us=self.since_us, end_us=end_us)

    def unlike_polls(self) -> list[int]:
        """Who has status runs that are not those of the raw polls, as far as both reach."""
        polls = self.polls
        made = compress(
            polls.store, polls.polled_at_us, polls.is_active, max_gap_us=self.max_gap_us
        )
        count = len(self.polled_ids)
        first = np.full(count, np.iinfo(np.int64).max)
        last = np.full(count, np.iinfo(np.int64).min)
        np.minimum.at(first, polls.store, polls.polled_at_us)
        np.maximum.at(last, polls.store, polls.polled_at_us)
        runs = self.status_runs
        touching = (runs.last_poll_us >= first[runs.store]) & (
            runs.first_poll_us <= last[runs.store]
        )
        runs = runs.take(touching)
        known = _rows(
            runs.store,
            np.maximum(runs.first_poll_us, first[runs.store]),
            np.minimum(runs.last_poll_us, last[runs.store]),
            runs.is_active,
        )
        found = _rows(made.store, made.first_poll_us, made.last_poll_us, made.is_active)
        return sorted({row[0] for row in known ^ found})


def _rows(
    store: IntArray, first_us: IntArray, last_us: IntArray, is_active: BoolArray
) -> set[tuple[int, int, int, bool]]:
    return set(
        zip(store.tolist(), first_us.tolist(), last_us.tolist(), is_active.tolist(), strict=True)
    )
