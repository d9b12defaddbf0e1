"""Widespread outages: planted ones are found, single ones are not, and the numbers are right."""

from dataclasses import astuple
from functools import reduce
from operator import add

import numpy as np
import pytest

import oracle_widespread_outages as oracle
from outage_laws import LAWS, PLANS, Law, PollPlan, Renewal, exponential
from storemon_pipeline.business_time.calendar import HoursVersions, ZoneVersions, build_calendar
from storemon_pipeline.business_time.weeks import WeekIntervals
from storemon_pipeline.domain.windows import DAY_US, MINUTE_US, IntArray
from storemon_pipeline.uptime.incidents import NO_POLL, Ending, Incidents
from storemon_pipeline.uptime.widespread_outages import BIN_US, find_widespread_outages
from widespread_outage_fleets import BEGIN_US, END_US, PlantedFleet, Scores, plant_fleet, score

BACKGROUNDS: dict[str, Law] = {
    **{law: LAWS[law] for law in ("base", "heavy tail", "short and long", "bursts")},
    "a third always down": Renewal(exponential, never_down=0.4, always_down=0.33),
}
HARD_BACKGROUNDS: dict[str, Law] = {
    "at opening and closing": LAWS["rush hours"],
    "off until opening": LAWS["switched off at night"],
    "half of the stores often down": Renewal(
        exponential, never_down=0.3, always_down=0.2, down_share=(-1.7, -0.7)
    ),
}


POLL_PLANS = ("hourly", "30 % missing")


def found_in_fleets(background: Law, plan: str) -> Scores:
    fleets = [
        plant_fleet(background, PLANS[plan], stores=stores, outages=outages, seed=seed)
        for stores, outages, seeds in ((120, 6, 6), (800, 12, 3))
        for seed in range(200, 200 + seeds)
    ]
    return reduce(add, (score(fleet, fleet.compare()) for fleet in fleets))


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_planted_widespread_outages_are_found_beside_outages_of_single_stores(
    background: str,
) -> None:
    of_plan = [found_in_fleets(BACKGROUNDS[background], plan) for plan in POLL_PLANS]
    both = reduce(add, of_plan)
    assert both.planted > 1_000
    assert min(both.shares().values()) >= 0.95, both.shares()
    # A single plan is only some ninety widespread outages.
    worst = [min(scores.shares().values()) for scores in of_plan]
    assert min(worst) >= 0.93, worst


@pytest.mark.parametrize("background", HARD_BACKGROUNDS)
def test_they_are_found_where_single_stores_go_down_at_the_same_hours_or_often(
    background: str,
) -> None:
    both = reduce(add, (found_in_fleets(HARD_BACKGROUNDS[background], plan) for plan in POLL_PLANS))
    shares = both.shares()
    assert both.planted > 1_000
    assert min(shares["precision of incidents"], shares["recall of incidents"]) >= 0.95, shares
    # Time in which a store was down for reasons of its own as well counts as wrong.
    assert min(shares.values()) >= 0.93, shares


@pytest.mark.parametrize("background", [*BACKGROUNDS, *HARD_BACKGROUNDS])
def test_without_a_widespread_outage_hardly_an_incident_is_with_others(background: str) -> None:
    law = (BACKGROUNDS | HARD_BACKGROUNDS)[background]
    fleet = plant_fleet(law, PLANS["hourly"], stores=800, outages=0, seed=5)
    found = fleet.compare()
    assert found.is_compared.sum() > 300
    assert found.is_with_others.sum() <= 0.02 * found.is_compared.sum()


def minutes_since_begin(at_us: int) -> float:
    return (at_us - BEGIN_US) / MINUTE_US


def of_oracle(fleet: PlantedFleet, row: int) -> oracle.Incident:
    incidents = fleet.incidents

    def minutes(at_us: np.int64) -> float | None:
        return None if at_us == NO_POLL else minutes_since_begin(int(at_us))

    return oracle.Incident(
        int(incidents.store[row]),
        minutes_since_begin(int(incidents.start_us[row])),
        minutes_since_begin(int(incidents.end_us[row])),
        minutes(incidents.last_active_us[row]),
        minutes_since_begin(int(incidents.first_inactive_us[row])),
        minutes_since_begin(int(incidents.last_inactive_us[row])),
        minutes(incidents.next_active_us[row]),
    )


@pytest.mark.parametrize(
    ("law", "plan"),
    [
        ("bursts", PLANS["30 % missing"]),
        ("switched off at night", PLANS["30 % missing"]),
        ("half an hour", PollPlan(step_hours=1 / 6)),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_those_of_counting_one_by_one(seed: int, law: str, plan: PollPlan) -> None:
    fleet = plant_fleet(LAWS[law], plan, stores=30, outages=4, seed=seed, set_sizes=(15, 12))
    found = fleet.compare()
    incidents = [of_oracle(fleet, row) for row in range(len(fleet.incidents))]
    assert found.is_compared.tolist() == [one.last_active is not None for one in incidents]
    assert found.is_compared.sum() > 30
    open_hours, known = [], []
    for store in range(fleet.calendar.stores):
        starts, ends = fleet.calendar.open_intervals(store)
        is_polled = (ends > fleet.first_us[store]) & (starts < fleet.last_us[store])
        starts = np.maximum(starts, fleet.first_us[store])[is_polled]
        ends = np.minimum(ends, fleet.last_us[store])[is_polled]
        open_hours.append(
            [
                (minutes_since_begin(start), minutes_since_begin(end))
                for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
            ]
        )
        bounds = (fleet.first_us[store], fleet.last_us[store])
        known.append((minutes_since_begin(int(bounds[0])), minutes_since_begin(int(bounds[1]))))
    kinds = [
        [
            frozenset(np.flatnonzero(numbers == number).tolist())
            for number in range(int(numbers.max()) + 1)
        ]
        for numbers in fleet.kinds
    ]
    bins = (END_US - BEGIN_US) // BIN_US
    expected = oracle.compare(incidents, open_hours, known, kinds, bins)
    number_of_widespread = 0
    for of_kind, counts in zip(expected, found.peers, strict=True):
        for row, incident in enumerate(incidents):
            if incident.last_active is None:
                continue
            until_us = int(counts.until_us[row])
            number_of_widespread += until_us > 0
            made = oracle.Peers(
                int(counts.stores[row]),
                int(counts.went_down[row]),
                float(counts.usually_went_down[row]),
                int(counts.stores_then[row]),
                int(counts.down[row]),
                float(counts.usually_down[row]),
                minutes_since_begin(int(counts.from_us[row])) if until_us else None,
                minutes_since_begin(until_us) if until_us else None,
            )
            assert astuple(made) == pytest.approx(astuple(of_kind[incident]))
    assert number_of_widespread > 10


def test_the_time_with_others_is_opening_time_until_the_widespread_outage_ends() -> None:
    fleet = plant_fleet(LAWS["base"], PLANS["hourly"], stores=120, outages=6, seed=1)
    found = fleet.compare()
    rows = np.flatnonzero(found.is_with_others)
    assert len(rows) > 20
    for row in rows.tolist():
        starts, ends = fleet.calendar.open_intervals(int(fleet.incidents.store[row]))
        end_us = int(fleet.incidents.end_us[row])
        shared = [
            np.minimum(ends, min(int(counts.until_us[row]), end_us))
            - np.maximum(starts, int(counts.from_us[row]))
            for counts in found.peers
        ]
        # Of several kinds of set, the one in whose outage most time was lost.
        assert found.with_others_us[row] == max(np.maximum(of, 0).sum() for of in shared)
        assert found.with_others_us[row] <= fleet.incidents.lost_us[row]


def test_an_incident_whose_beginning_nobody_saw_is_not_compared() -> None:
    always_down = Renewal(exponential, never_down=0.0, always_down=1.0)
    fleet = plant_fleet(always_down, PLANS["hourly"], stores=60, outages=0, seed=0)
    found = fleet.compare()
    assert len(fleet.incidents) == 60
    assert not found.is_compared.any()
    assert not found.is_with_others.any()
    assert found.with_others_us.sum() == 0


def test_three_stores_are_too_few_for_a_widespread_outage() -> None:
    fleet = plant_fleet(
        Renewal(exponential, never_down=1.0, always_down=0.0),
        PLANS["hourly"],
        stores=3,
        outages=3,
        seed=2,
        set_sizes=(3,),
        hit_share=(1.0, 1.0),
        hours=(4.0, 8.0),
    )
    found = fleet.compare()
    assert found.is_compared.sum() > 3
    assert not found.is_with_others.any()


Row = tuple[int, int, int, int, int]
"""Store, last up, first down, last down and next up, in minutes since the beginning."""


def compare_by_hand(rows: list[Row], *, stores: int, is_polled: bool = True) -> list[bool]:
    """Whether the incidents are with others, when all stores are in one set."""
    return compare_kinds(rows, [np.zeros(stores, np.int64)], is_polled=is_polled)


def compare_kinds(rows: list[Row], kinds: list[IntArray], *, is_polled: bool = True) -> list[bool]:
    """Whether the incidents are with others; all stores are always open."""
    stores = len(kinds[0])
    none = np.empty(0, np.int64)
    calendar = build_calendar(
        stores=stores,
        start_us=0,
        end_us=10 * DAY_US,
        weeks=WeekIntervals(none, none, none),
        hours=HoursVersions(none, none, none),
        zones=ZoneVersions(none, none, none, ()),
    )
    store, *bounds = np.array(rows, np.int64).T
    last_up, first_down, last_down, next_up = (bound * MINUTE_US for bound in bounds)
    start_us, end_us = (last_up + first_down) // 2, (last_down + next_up) // 2
    incidents = Incidents(
        store,
        start_us,
        end_us,
        last_up,
        first_down,
        last_down,
        next_up,
        np.full(len(store), Ending.ENDED, np.int8),
        end_us - start_us,
        np.ones_like(store),
        np.full((len(store), 4), is_polled),
    )
    found = find_widespread_outages(
        incidents,
        calendar,
        first_us=np.zeros(stores, np.int64),
        last_us=np.full(stores, calendar.end_us),
        kinds=kinds,
    )
    marks: list[bool] = found.is_with_others.tolist()
    return marks


def test_stores_that_can_have_gone_down_at_one_instant_are_together() -> None:
    hit = [(store, 1000 + 10 * store, 1060 + 10 * store, 1200, 1260) for store in range(5)]
    # All five can have gone down at 1042.5 minutes, in the middle of the quarter from 1035.
    assert compare_by_hand(hit, stores=12) == [True] * 5
    later, alone = (5, 1070, 1130, 1200, 1260), (6, 3000, 3060, 3200, 3260)
    assert compare_by_hand([*hit, later, alone], stores=12) == [True] * 5 + [False] * 2
    # It had cost 57.5 minutes by then, and ended with them.
    earlier = (5, 960, 1010, 1200, 1260)
    assert compare_by_hand([*hit, earlier], stores=12) == [True] * 6
    # The same, but it ended long after them.
    long_after = (5, 960, 1010, 1400, 1460)
    assert compare_by_hand([*hit, long_after], stores=12) == [True] * 5 + [False]
    # It had cost 62.5 minutes.
    much_earlier = (5, 950, 1010, 1200, 1260)
    assert compare_by_hand([*hit, much_earlier], stores=12) == [True] * 5 + [False]


def test_a_store_that_goes_up_and_down_in_minutes_counts_once() -> None:
    flaps = [(0, at, at + 1, at + 1, at + 2) for at in range(1000, 1010, 2)]
    assert compare_by_hand(flaps, stores=8) == [False] * 5
    together = [(store, 1001, 1005, 1009, 1012) for store in range(5)]
    assert compare_by_hand(together, stores=8) == [True] * 5


def test_outages_seen_by_frequent_polls_may_begin_some_minutes_apart() -> None:
    # In three quarters of an hour one after the other.
    rows = [(store, 1005 + 5 * store, 1010 + 5 * store, 1200, 1205) for store in range(6)]
    assert compare_by_hand(rows, stores=12) == [True] * 6
    # In five of them, of which three at a time have at most three stores.
    rows = [(store, 1005 + 15 * store, 1010 + 15 * store, 1200, 1205) for store in range(6)]
    assert compare_by_hand(rows, stores=12) == [False] * 6


def test_instants_that_are_no_polls_may_be_half_an_hour_off() -> None:
    rows = [(store, 1000 + 11 * store, 1000 + 11 * store, 1200, 1200) for store in range(6)]
    assert compare_by_hand(rows, stores=12) == [False] * 6
    assert compare_by_hand(rows, stores=12, is_polled=False) == [True] * 6


def test_a_store_beside_a_set_that_went_down_is_alone() -> None:
    """A third of a zone is one group that goes down; a store of another group does, too."""
    begins = [(store, 1000, 1060, 1200, 1260) for store in range(6)] + [(9, 1000, 1060, 1200, 1260)]
    group = np.array([0] * 6 + [1] * 12)
    zone = np.zeros(18, np.int64)
    assert compare_kinds(begins, [zone]) == [True] * 7
    assert compare_kinds(begins, [zone, group]) == [True] * 6 + [False]


def test_a_set_is_not_explained_by_a_smaller_part_of_its_stores() -> None:
    """Ten of a zone of thirty go down, among them a whole group of four."""
    begins = [(store, 1000, 1060, 1200, 1260) for store in range(10)]
    group = np.array([0] * 4 + [1] * 26)
    zone = np.zeros(30, np.int64)
    assert compare_kinds(begins, [zone, group]) == [True] * 10
