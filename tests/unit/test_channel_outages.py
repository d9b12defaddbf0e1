"""Widespread outages of channels in the incidents of stores: by hand, one by one, and planted."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest

from outage_laws import LAWS, PLANS, made_up_hours
from properties import seeds
from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.channels.channel_outages import StorefrontIncidents, add_channel_outages
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US, IntArray
from storemon_pipeline.uptime.incidents import Incidents
from storemon_pipeline.uptime.widespread_outages import PeerCounts, WidespreadOutages
from widespread_outage_fleets import BEGIN_US, plant_channel_fleet

Row = tuple[int, int, int, int]
"""Store or storefront, start, end, and end of the widespread outage or -1; in minutes."""

JOINS: dict[ChannelRule, Callable[[Iterable[bool]], bool]] = {
    ChannelRule.ANY_UP: any,
    ChannelRule.SHARE: any,
    ChannelRule.ALL_UP: all,
}
"""Whether the time is with others, from whether each storefront that is down is."""


def incidents_of(rows: list[Row], calendar: Calendar) -> Incidents:
    store, start, end, _ = np.array(rows, np.int64).reshape(-1, 4).T
    start_us, end_us = BEGIN_US + start * MINUTE_US, BEGIN_US + end * MINUTE_US
    lost_us = calendar.business_us(store, end_us) - calendar.business_us(store, start_us)
    return Incidents(
        store,
        start_us,
        end_us,
        start_us,
        start_us,
        end_us,
        end_us,
        np.zeros(len(store), np.int8),
        lost_us,
        store,
        np.ones((len(store), 4), np.bool_),
    )


def found_in(rows: list[Row]) -> WidespreadOutages:
    until = np.array([row[3] for row in rows], np.int64)
    none = np.zeros(len(rows), np.int64)
    start_us = BEGIN_US + np.array([row[1] for row in rows], np.int64) * MINUTE_US
    from_us = np.where(until < 0, 0, start_us)
    until_us = np.where(until < 0, 0, BEGIN_US + until * MINUTE_US)
    nought = np.zeros(len(rows))
    counts = PeerCounts(none, none, nought, none, none, nought, from_us, until_us)
    return WidespreadOutages(none == 0, none > 0, from_us, until_us, none, (counts,))


def with_others_minutes(
    of_stores: list[Row],
    of_fronts: list[Row],
    store: IntArray,
    calendar: Calendar,
    rule: ChannelRule,
) -> WidespreadOutages:
    fronts = StorefrontIncidents(
        store, incidents_of(of_fronts, calendar.take(store)), found_in(of_fronts)
    )
    incidents = incidents_of(of_stores, calendar)
    return add_channel_outages(found_in(of_stores), incidents, calendar, fronts, rule=rule)


def always_open(stores: int) -> Calendar:
    calendar = made_up_hours(400, BEGIN_US, BEGIN_US + 48 * HOUR_US, np.random.default_rng(0))
    whole = [store for store in range(400) if len(calendar.open_intervals(store)[0]) == 1]
    return calendar.take(np.array(whole[:stores]))


@pytest.mark.parametrize(
    ("rule", "minutes", "is_marked"),
    [
        # Down from 100 to 200 because of both. The widespread outage of the first one begins with
        # it at 60 and is over at 140. That of the region is over at 110.
        pytest.param(ChannelRule.ANY_UP, 40, False, id="any up"),
        pytest.param(ChannelRule.SHARE, 40, False, id="share"),
        # The second one is down alone: only the region's outage is left.
        pytest.param(ChannelRule.ALL_UP, 10, False, id="all up"),
    ],
)
def test_time_counts_once_by_hand(rule: ChannelRule, minutes: int, *, is_marked: bool) -> None:
    found = with_others_minutes(
        [(0, 100, 200, 110)],
        [(0, 60, 200, 140), (1, 100, 300, -1)],
        np.array([0, 0]),
        always_open(1),
        rule,
    )
    assert found.with_others_us.tolist() == [minutes * MINUTE_US]
    assert found.is_with_others.tolist() == [is_marked]


def test_half_of_the_lost_time_makes_the_mark() -> None:
    found = with_others_minutes(
        [(0, 100, 200, -1), (1, 100, 200, -1)],
        [(0, 80, 200, 150), (1, 100, 300, 149)],
        np.array([0, 1]),
        always_open(2),
        ChannelRule.ANY_UP,
    )
    assert found.is_with_others.tolist() == [True, False]


def test_an_incident_that_is_not_compared_stays_so() -> None:
    rows, calendar, store = [(0, 100, 200, -1)], always_open(1), np.array([0])
    of_fronts = [(0, 100, 200, 200)]
    fronts = StorefrontIncidents(
        store, incidents_of(of_fronts, calendar.take(store)), found_in(of_fronts)
    )
    none = np.array([False])
    compared = found_in(rows)
    found = add_channel_outages(
        replace(compared, is_compared=none),
        incidents_of(rows, calendar),
        calendar,
        fronts,
        rule=ChannelRule.ANY_UP,
    )
    assert found.with_others_us.tolist() == [0]
    assert found.is_with_others.tolist() == [False]


def disjoint_rows(rng: np.random.Generator, stores: int) -> list[Row]:
    """Incidents in the first two days, of which about half belong to a widespread outage."""
    rows = []
    for store in range(stores):
        bounds = np.unique(rng.integers(2 * 24 * 60, size=2 * rng.integers(1, 5))).tolist()
        for start, end in zip(bounds[::2], bounds[1::2], strict=False):
            until = int(rng.integers(start, end + 100)) if rng.random() < 0.5 else -1
            rows.append((store, start, end, until))
    return rows


@pytest.mark.parametrize("seed", seeds(6, 200))
def test_time_with_others_is_that_of_counting_minutes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stores = 4
    calendar = made_up_hours(stores, BEGIN_US, BEGIN_US + 49 * HOUR_US, rng)
    store = np.sort(rng.integers(stores, size=7))
    of_stores, of_fronts = disjoint_rows(rng, stores), disjoint_rows(rng, len(store))
    rule = list(ChannelRule)[seed % 3]
    found = with_others_minutes(of_stores, of_fronts, store, calendar, rule)
    for row, (own, start, end, until) in enumerate(of_stores):
        opens, closes = calendar.open_intervals(own)
        minutes = 0
        for minute in range(start, end):
            at_us = BEGIN_US + minute * MINUTE_US
            if not ((opens <= at_us) & (at_us < closes)).any():
                continue
            down = [
                minute < until_of_front
                for front, begin, finish, until_of_front in of_fronts
                if store[front] == own and begin <= minute < finish
            ]
            minutes += minute < until or (bool(down) and JOINS[rule](down))
        assert found.with_others_us[row] == minutes * MINUTE_US


@pytest.mark.parametrize("rule", list(ChannelRule))
def test_planted_outages_of_channels_are_found(rule: ChannelRule) -> None:
    planted = marked = both = 0
    for law in ("base", "heavy tail", "bursts"):
        for plan in ("hourly", "30 % missing"):
            for seed in range(300, 303):
                fleet = plant_channel_fleet(
                    LAWS[law], PLANS[plan], stores=300, outages=6, seed=seed, rule=rule
                )
                is_planted, is_marked = fleet.marks()
                planted, marked = planted + is_planted.sum(), marked + is_marked.sum()
                both += (is_planted & is_marked).sum()
    assert planted > 1_500
    assert both / marked >= 0.95, (planted, marked, both)
    assert both / planted >= 0.95, (planted, marked, both)
