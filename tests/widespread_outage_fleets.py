"""Made-up fleets with planted widespread outages, and how well the engine finds them.

Own outages and polls come from `outage_laws`. Whether an instant was lost to a widespread outage is
known: the store would have been up without it.
"""

from dataclasses import astuple, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from outage_laws import HISTORY_HOURS, Law, Outages, PollPlan, draw_outages, made_up_hours
from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.channels.channel_outages import StorefrontIncidents, add_channel_outages
from storemon_pipeline.channels.joined_status import join_storefronts
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US, BoolArray, IntArray, Policy
from storemon_pipeline.uptime.incidents import Incidents, find_incidents
from storemon_pipeline.uptime.status_runs import compress
from storemon_pipeline.uptime.widespread_outages import (
    LEAST_SHARE_WITH_OTHERS,
    WidespreadOutages,
    find_widespread_outages,
)

BEGIN_US: Final = 1_674_000_000_000_000
END_US: Final = BEGIN_US + HISTORY_HOURS * HOUR_US
LEAST_STORES: Final = 6
_STEP_US: Final = 5 * MINUTE_US
_CELLS: Final = HISTORY_HOURS * HOUR_US // _STEP_US


@dataclass(frozen=True, slots=True)
class PlantedFleet:
    """Incidents of a fleet as its polls show them, with the truth in steps of five minutes.

    `is_own` and `is_widespread` tell when each store is down by itself and by a planted outage;
    both have shape `(stores, steps)`. `is_left_out` marks planted outages that cost fewer than
    `LEAST_STORES` stores opening time: these are not widespread.
    """

    calendar: Calendar
    kinds: tuple[IntArray, ...]
    incidents: Incidents
    first_us: IntArray
    last_us: IntArray
    is_own: BoolArray
    is_widespread: BoolArray
    is_left_out: BoolArray

    def compare(self) -> WidespreadOutages:
        """What the engine makes of it."""
        return find_widespread_outages(
            self.incidents,
            self.calendar,
            first_us=self.first_us,
            last_us=self.last_us,
            kinds=self.kinds,
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """Numbers of incidents and of steps of lost time: planted, marked, and both.

    An instant at which a store was up counts for nothing, whatever its polls say.
    """

    planted: int
    marked: int
    both: int
    planted_steps: int
    marked_steps: int
    both_steps: int

    def __add__(self, other: "Scores") -> "Scores":
        """The scores of two fleets together."""
        mine, others = astuple(self), astuple(other)
        return Scores(*(one + another for one, another in zip(mine, others, strict=True)))

    def shares(self) -> dict[str, float]:
        """Precision and recall, by incidents and by time."""
        return {
            "precision of incidents": self.both / self.marked,
            "recall of incidents": self.both / self.planted,
            "precision of time": self.both_steps / self.marked_steps,
            "recall of time": self.both_steps / self.planted_steps,
        }


def plant_fleet(
    law: Law,
    plan: PollPlan,
    *,
    stores: int,
    outages: int,
    seed: int,
    set_sizes: tuple[int, ...] = (40, 15),
    hit_share: tuple[float, float] = (0.6, 1.0),
    hours: tuple[float, float] = (1.0, 8.0),
) -> PlantedFleet:
    """A fleet of several sets of stores of about these sizes, and zones; a set is hit at a time."""
    rng = np.random.default_rng(seed)
    calendar = made_up_hours(stores, BEGIN_US, END_US, rng)
    own = draw_outages(law, calendar, rng)
    kinds = (
        rng.integers(5, size=stores),
        *(rng.integers(max(stores // size, 1), size=stores) for size in set_sizes),
    )
    common: list[list[tuple[float, float]]] = [[] for _ in range(stores)]
    too_small: list[list[tuple[float, float]]] = [[] for _ in range(stores)]
    for _ in range(outages):
        numbers = kinds[rng.integers(1, len(kinds))]
        members = np.flatnonzero(numbers == rng.integers(numbers.max() + 1))
        start, length = rng.uniform(2, HISTORY_HOURS - 8), np.exp(rng.uniform(*np.log(hours)))
        hit = members[rng.random(len(members)) < rng.uniform(*hit_share)]
        bounds = BEGIN_US + np.rint(np.array([start, start + length]) * HOUR_US).astype(np.int64)
        lost_us = np.diff(calendar.position_us(hit[:, np.newaxis], bounds[np.newaxis]))
        for store in hit.tolist():
            # Stores notice it, and come back, some minutes apart.
            late, later = rng.uniform(0, 0.2, 2)
            stretch = (start + late, start + length + later)
            common[store].append(stretch)
            if (lost_us > 0).sum() < LEAST_STORES:
                too_small[store].append(stretch)
    planted = Outages.of(common, BEGIN_US)
    both = Outages.of(
        [own_of + common_of for own_of, common_of in zip(_stretches(own), common, strict=True)],
        BEGIN_US,
    )
    polls = plan.draw(both, BEGIN_US, END_US, rng)
    runs = compress(polls.store, polls.polled_at_us, polls.is_active, max_gap_us=3 * HOUR_US)
    as_of_us = int(polls.polled_at_us.max())
    first_us = np.full(stores, END_US)
    np.minimum.at(first_us, runs.store, runs.first_poll_us)
    return PlantedFleet(
        calendar,
        kinds,
        find_incidents(runs, calendar, as_of_us=as_of_us),
        first_us,
        np.full(stores, as_of_us),
        _steps(own),
        _steps(planted),
        _steps(Outages.of(too_small, BEGIN_US)),
    )


def score(fleet: PlantedFleet, found: WidespreadOutages) -> Scores:
    """Compare with the truth."""
    incidents = fleet.incidents
    scores = Scores(0, 0, 0, 0, 0, 0)
    is_open = _steps_of_calendar(fleet.calendar)
    for row in np.flatnonzero(found.is_compared).tolist():
        store = int(incidents.store[row])
        bounds = (int(incidents.start_us[row]), int(incidents.end_us[row]))
        lost = np.arange(*((at_us - BEGIN_US) // _STEP_US for at_us in bounds))
        lost = lost[is_open[store, lost]]
        was_down = lost[fleet.is_widespread[store, lost] | fleet.is_own[store, lost]]
        if len(was_down) == 0 or fleet.is_left_out[store, lost].any():
            continue
        is_widespread = ~fleet.is_own[store, was_down]
        at_us = BEGIN_US + was_down * _STEP_US
        is_marked = (at_us + _STEP_US > found.from_us[row]) & (at_us < found.until_us[row])
        is_planted = bool(is_widespread.mean() >= LEAST_SHARE_WITH_OTHERS)
        is_marked_so = bool(found.is_with_others[row])
        scores += Scores(
            is_planted,
            is_marked_so,
            is_planted and is_marked_so,
            int(is_widespread.sum()),
            int(is_marked.sum()),
            int((is_widespread & is_marked).sum()),
        )
    return scores


def _stretches(outages: Outages) -> list[list[tuple[float, float]]]:
    rows: list[list[tuple[float, float]]] = [[] for _ in range(outages.stores)]
    for store, start, end in zip(
        outages.store.tolist(), outages.start_us.tolist(), outages.end_us.tolist(), strict=True
    ):
        rows[store].append(((start - BEGIN_US) / HOUR_US, (end - BEGIN_US) / HOUR_US))
    return rows


def _steps(outages: Outages) -> BoolArray:
    steps = np.zeros((outages.stores, _CELLS), np.bool_)
    first, end = (
        np.clip((at - BEGIN_US) // _STEP_US, 0, _CELLS) for at in (outages.start_us, outages.end_us)
    )
    for store, begin, until in zip(outages.store, first, end, strict=True):
        steps[store, begin:until] = True
    return steps


def _steps_of_calendar(calendar: Calendar) -> npt.NDArray[np.bool_]:
    steps = np.zeros((calendar.stores, _CELLS), np.bool_)
    for store, start, end in zip(*calendar.all_open_intervals(), strict=True):
        begin, until = ((at - BEGIN_US) // _STEP_US for at in (int(start), int(end)))
        steps[store, begin:until] = True
    return steps


@dataclass(frozen=True, slots=True)
class PlantedChannels:
    """Incidents of stores with storefronts, and which time planted outages of channels cost them.

    `is_down` tells when each store is down, and `is_planted` when it would be up without the
    planted outages; both have shape `(stores, steps)`.
    """

    calendar: Calendar
    incidents: Incidents
    found: WidespreadOutages
    is_down: BoolArray
    is_planted: BoolArray

    def marks(self) -> tuple[BoolArray, BoolArray]:
        """Which compared incidents were with others, and which are marked so."""
        is_open = _steps_of_calendar(self.calendar)
        rows = []
        for row in np.flatnonzero(self.found.is_compared).tolist():
            store = int(self.incidents.store[row])
            bounds = (int(self.incidents.start_us[row]), int(self.incidents.end_us[row]))
            lost = np.arange(*((at_us - BEGIN_US) // _STEP_US for at_us in bounds))
            lost = lost[is_open[store, lost] & self.is_down[store, lost]]
            if len(lost):
                share = self.is_planted[store, lost].mean()
                rows.append((share >= LEAST_SHARE_WITH_OTHERS, self.found.is_with_others[row]))
        is_planted, is_marked = np.array(rows, np.bool_).reshape(-1, 2).T
        return is_planted, is_marked


def plant_channel_fleet(
    law: Law, plan: PollPlan, *, stores: int, outages: int, seed: int, rule: ChannelRule
) -> PlantedChannels:
    """A fleet whose stores have one to three storefronts on three channels; each fails at times."""
    rng = np.random.default_rng(seed)
    calendar = made_up_hours(stores, BEGIN_US, END_US, rng)
    store = np.repeat(np.arange(stores), rng.integers(1, 4, size=stores))
    first = np.searchsorted(store, store)
    channel = (rng.integers(3, size=stores)[store] + np.arange(len(store)) - first) % 3
    of_front = calendar.take(store)
    own = _stretches(draw_outages(law, of_front, rng))
    common: list[list[tuple[float, float]]] = [[] for _ in store]
    for _ in range(outages):
        hit = np.flatnonzero(channel == rng.integers(3))
        hit = hit[rng.random(len(hit)) < rng.uniform(0.6, 1.0)]
        start, length = rng.uniform(2, HISTORY_HOURS - 8), np.exp(rng.uniform(0, np.log(8)))
        for front in hit.tolist():
            late, later = rng.uniform(0, 0.2, 2)
            common[front].append((start + late, start + length + later))
    both = Outages.of([one + other for one, other in zip(own, common, strict=True)], BEGIN_US)
    polls = plan.draw(both, BEGIN_US, END_US, rng)
    runs = compress(polls.store, polls.polled_at_us, polls.is_active, max_gap_us=3 * HOUR_US)
    as_of_us = int(polls.polled_at_us.max())
    joined = join_storefronts(
        runs, store, rule=rule, policy=Policy.NEAREST, until_us=as_of_us, is_report=False
    )
    incidents = find_incidents(joined, calendar, as_of_us=as_of_us)
    nobody = np.arange(stores)
    found = find_widespread_outages(
        incidents,
        calendar,
        first_us=np.full(stores, BEGIN_US),
        last_us=np.full(stores, as_of_us),
        kinds=(nobody,),
    )
    of_fronts = find_incidents(runs, of_front, as_of_us=as_of_us)
    fronts = StorefrontIncidents(
        store,
        of_fronts,
        find_widespread_outages(
            of_fronts,
            of_front,
            first_us=np.full(len(store), BEGIN_US),
            last_us=np.full(len(store), as_of_us),
            kinds=(channel,),
        ),
    )
    join = np.logical_or if rule is ChannelRule.ALL_UP else np.logical_and
    rows = np.unique(store, return_index=True)[1]
    is_down, is_own = (
        join.reduceat(_steps(down), rows, axis=0) for down in (both, Outages.of(own, BEGIN_US))
    )
    return PlantedChannels(
        calendar,
        incidents,
        add_channel_outages(found, incidents, calendar, fronts, rule=rule),
        is_down,
        is_down & ~is_own,
    )
