"""Listed hours and zones that polls contradict, on simulated fleets with planted mistakes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pytest

from storemon_pipeline.uptime.calendar import (
    ALWAYS,
    HoursVersions,
    ZoneVersions,
    build_calendar,
)
from storemon_pipeline.uptime.contradictions import Contradiction, find_contradictions
from storemon_pipeline.uptime.runs import compress
from storemon_pipeline.uptime.weeks import normalise_weeks
from storemon_pipeline.uptime.windows import DAY_US, HOUR_US, IntArray

ZONES: Final = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
MONDAY_US: Final = 1_674_432_000_000_000
"""2023-01-23T00:00Z."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What each store really does (`opens`, `closes`, `zone`) and what is listed of it."""

    opens: IntArray
    closes: IntArray
    zone: IntArray
    listed_opens: IntArray
    listed_closes: IntArray
    listed_zone: IntArray
    behaviour: IntArray  # 0 keeps its hours, 1 always active, 2 never, 3 keeps them, with outages


def draw_fleet(rng: np.random.Generator, stores: int) -> Fleet:
    opens = rng.integers(14, 24, stores) * HOUR_US // 2
    closes = opens + rng.integers(14, 26, stores) * HOUR_US // 2
    zone = rng.integers(0, len(ZONES), stores)
    behaviour = rng.choice(4, stores, p=[0.6, 0.1, 0.05, 0.25])
    return Fleet(opens, closes, zone, opens.copy(), closes.copy(), zone.copy(), behaviour)


def find(
    rng: np.random.Generator, fleet: Fleet, *, days: int = 14
) -> tuple[dict[int, Contradiction], dict[int, float]]:
    """The findings and by how many hours, out of polls about every hour, of which 30 % miss."""
    stores = len(fleet.opens)
    end_us = MONDAY_US + days * DAY_US
    count = days * 24
    phase = rng.integers(0, HOUR_US, (stores, 1))
    at = (
        MONDAY_US
        + phase
        + np.arange(count) * HOUR_US
        + rng.integers(0, 240_000_000, (stores, count))
    )
    kept = rng.random((stores, count)) < 0.7
    offset = -np.array([5, 6, 7, 8])[fleet.zone][:, np.newaxis] * HOUR_US
    of_day = (at + offset) % DAY_US
    opens, closes = fleet.opens[:, np.newaxis], fleet.closes[:, np.newaxis]
    is_open = (opens <= of_day) & (of_day < closes) | (of_day + DAY_US < closes)
    outage = np.repeat(rng.random((stores, count // 6)) < 0.06, 6, axis=1)
    behaviour = fleet.behaviour[:, np.newaxis]
    active = np.select(
        [behaviour == 0, behaviour == 1, behaviour == 2],
        [is_open, np.ones_like(is_open), np.zeros_like(is_open)],
        is_open & ~outage,
    )
    store = np.broadcast_to(np.arange(stores)[:, np.newaxis], at.shape)
    runs = compress(store[kept], at[kept], active[kept], max_gap_us=3 * HOUR_US)
    every = np.repeat(np.arange(stores), 7)
    calendar = build_calendar(
        stores=stores,
        start_us=MONDAY_US,
        end_us=end_us,
        weeks=normalise_weeks(
            every,
            np.tile(np.arange(7), stores),
            np.repeat(fleet.listed_opens, 7),
            np.repeat(fleet.listed_closes % DAY_US, 7),
        ),
        hours=HoursVersions(np.arange(stores), np.full(stores, ALWAYS), np.arange(stores)),
        zones=ZoneVersions(np.arange(stores), np.full(stores, ALWAYS), fleet.listed_zone, ZONES),
    )
    found = find_contradictions(runs, calendar, np.ones(stores, np.bool_))
    return (
        dict(zip(found.store.tolist(), found.kind, strict=True)),
        dict(zip(found.store.tolist(), (found.by_us / HOUR_US).tolist(), strict=True)),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_200_planted_mistakes_nine_in_ten_are_found_and_of_the_findings_nine_in_ten_planted(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    fleet = draw_fleet(rng, 2_000)
    # Only a store that keeps hours can contradict what is listed of it.
    keeps = np.flatnonzero(np.isin(fleet.behaviour, [0, 3]))
    planted = rng.permutation(keeps)[:200]
    wrong_hours, wrong_zones = planted[:100], planted[100:]
    fleet.listed_opens[wrong_hours[:50]] -= 2 * HOUR_US
    fleet.listed_closes[wrong_hours[50:]] += 3 * HOUR_US
    fleet.listed_zone[wrong_zones] = (fleet.zone[wrong_zones] + rng.integers(1, 4, 100)) % 4
    kinds, _ = find(rng, fleet)
    hits = len(set(planted.tolist()) & set(kinds))
    assert hits >= 0.9 * len(planted)
    assert hits >= 0.9 * len(kinds)
    shifted = [store for store in wrong_zones.tolist() if kinds.get(store) == "shifted"]
    assert len(shifted) >= 65


def one_store(
    opens: float, closes: float, listed: tuple[float, float], *, behaviour: int = 0, zone: int = 0
) -> Fleet:
    def of(hours: float) -> IntArray:
        return np.array([int(hours * HOUR_US)])

    return Fleet(
        of(opens),
        of(closes),
        np.array([0]),
        of(listed[0]),
        of(listed[1]),
        np.array([zone]),
        np.array([behaviour]),
    )


@pytest.mark.parametrize(
    ("fleet", "expected"),
    [
        pytest.param(one_store(10, 20, (8, 20)), {0: ("opens later", 2.0)}, id="never before 10"),
        pytest.param(one_store(8, 18, (8, 20)), {0: ("closes earlier", 2.0)}, id="never after 18"),
        pytest.param(one_store(8, 20, (11, 20)), {0: ("opens earlier", 3.0)}, id="from 8"),
        pytest.param(one_store(8, 20, (8, 17)), {0: ("closes later", 3.0)}, id="until 20"),
        pytest.param(one_store(9, 18, (9, 18)), {}, id="as listed"),
        pytest.param(one_store(9, 18, (9, 18), behaviour=1), {}, id="active all the time"),
        pytest.param(one_store(9, 18, (9, 18), behaviour=2), {}, id="never active"),
    ],
)
def test_a_store_s_polls_contradict_its_hours(
    fleet: Fleet, expected: dict[int, tuple[str, float]]
) -> None:
    kinds, hours = find(np.random.default_rng(5), fleet)
    assert {store: (kind.value, hours[store]) for store, kind in kinds.items()} == expected


def test_a_store_listed_one_zone_too_far_west_is_shifted() -> None:
    # Really New York, listed as Denver: what is listed comes two hours too late.
    kinds, hours = find(np.random.default_rng(5), one_store(9, 18, (9, 18), zone=2))
    assert kinds == {0: Contradiction.SHIFTED}
    assert abs(hours[0] + 2) <= 0.5
