"""Widespread outages: planted ones are found, single ones are not, and the numbers are right."""

from dataclasses import astuple
from functools import reduce
from operator import add

import numpy as np
import pytest

import oracle_widespread_outages as oracle
from outage_laws import LAWS, PLANS, Law, Renewal, exponential
from storemon_pipeline.domain.windows import MINUTE_US
from storemon_pipeline.uptime.incidents import NO_POLL
from storemon_pipeline.uptime.widespread_outages import BIN_US
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


def found_in_fleets(background: Law, plan: str) -> Scores:
    fleets = [
        plant_fleet(background, PLANS[plan], stores=stores, outages=outages, seed=seed)
        for stores, outages, seeds in ((120, 6, 4), (800, 12, 2))
        for seed in range(200, 200 + seeds)
    ]
    return reduce(add, (score(fleet, fleet.compare()) for fleet in fleets))


def test_planted_widespread_outages_are_found_beside_outages_of_single_stores() -> None:
    scores = {
        (background, plan): found_in_fleets(law, plan)
        for background, law in BACKGROUNDS.items()
        for plan in ("hourly", "30 % missing")
    }
    total = reduce(add, scores.values())
    assert total.planted > 4_000
    assert min(total.shares().values()) >= 0.95, total.shares()
    # A single background is only some sixty widespread outages.
    worst = {case: min(of_case.shares().values()) for case, of_case in scores.items()}
    assert min(worst.values()) >= 0.92, worst


@pytest.mark.parametrize("background", HARD_BACKGROUNDS)
def test_most_are_found_where_single_stores_go_down_at_the_same_hours_or_often(
    background: str,
) -> None:
    shares = found_in_fleets(HARD_BACKGROUNDS[background], "hourly").shares()
    assert min(shares.values()) >= 0.88, shares


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
    last_active_us = int(incidents.last_active_us[row])
    return oracle.Incident(
        int(incidents.store[row]),
        minutes_since_begin(int(incidents.start_us[row])),
        minutes_since_begin(int(incidents.end_us[row])),
        None if last_active_us == NO_POLL else minutes_since_begin(last_active_us),
        minutes_since_begin(int(incidents.first_inactive_us[row])),
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_those_of_counting_one_by_one(seed: int) -> None:
    fleet = plant_fleet(
        LAWS["bursts"], PLANS["30 % missing"], stores=30, outages=3, seed=seed, set_sizes=(15,)
    )
    found = fleet.compare()
    incidents = [of_oracle(fleet, row) for row in range(len(fleet.incidents))]
    assert found.is_compared.tolist() == [one.last_active is not None for one in incidents]
    assert found.is_compared.sum() > 30
    open_hours = []
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
    bins = (END_US - BEGIN_US) // BIN_US
    number_of_widespread = 0
    for numbers, counts in zip(fleet.kinds, found.peers, strict=True):
        for number in range(int(numbers.max()) + 1):
            members = frozenset(np.flatnonzero(numbers == number).tolist())
            expected = oracle.compare(incidents, open_hours, members, bins)
            for row, incident in enumerate(incidents):
                if incident.store not in members or incident.last_active is None:
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
                    minutes_since_begin(until_us) if until_us else None,
                )
                assert astuple(made) == pytest.approx(astuple(expected[incident]))
    assert number_of_widespread > 10


def test_the_time_with_others_is_opening_time_until_the_widespread_outage_ends() -> None:
    fleet = plant_fleet(LAWS["base"], PLANS["hourly"], stores=120, outages=6, seed=1)
    found = fleet.compare()
    rows = np.flatnonzero(found.is_with_others)
    assert len(rows) > 20
    for row in rows.tolist():
        starts, ends = fleet.calendar.open_intervals(int(fleet.incidents.store[row]))
        until_us = min(
            max(int(counts.until_us[row]) for counts in found.peers),
            int(fleet.incidents.end_us[row]),
        )
        shared = np.minimum(ends, until_us) - np.maximum(starts, fleet.incidents.start_us[row])
        assert found.with_others_us[row] == np.maximum(shared, 0).sum()
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
