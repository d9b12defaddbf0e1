"""What figures are recomputed from: polls, events, hours, zones and closures. No database."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.schedules.calendars import CalendarRows
from storemon_pipeline.uptime.event_stretches import EventStretches
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
class Evidence:
    """The evidence of some stores; `store` in the parts is the position in `store_ids`.

    `[since_us, horizon_us]` holds all that counts. Status runs may begin before it; raw polls are
    those in it that are still kept.
    """

    store_ids: list[str]
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

    def known_status(self) -> StatusRuns:
        """What polls and events say together, which the figures are made of."""
        return add_events(self.status_runs, self.events.stretches, until_us=self.as_of_us)

    def calendar(self, end_us: int) -> Calendar:
        """The business time of the stores up to an instant."""
        return self.calendar_rows.build(len(self.store_ids), start_us=self.since_us, end_us=end_us)

    def unlike_polls(self) -> list[int]:
        """The stores whose status runs are not those of their raw polls, as far as both reach."""
        polls = self.polls
        made = compress(
            polls.store, polls.polled_at_us, polls.is_active, max_gap_us=self.max_gap_us
        )
        count = len(self.store_ids)
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
