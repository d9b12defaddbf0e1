"""A poll plan keeps its budget and the opening hours, and makes figures more exact."""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pytest

import oracle
from benchmarks.plan import compare
from benchmarks.truth import made_up
from builders import calendar, hours, zone
from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.poll_plan.plan import NEVER, LastPolls, PlannedPolls, Stretches
from storemon_pipeline.uptime.status_runs import StatusRuns

TEN: Final = datetime(2023, 1, 25, 10, tzinfo=UTC)
"""A Wednesday; the plan's hour begins."""


def us(minutes: float) -> int:
    """The instant so many minutes after the hour begins."""
    return int((TEN + timedelta(minutes=minutes)).timestamp() * 1e6)


def fleet(*weeks: str) -> Calendar:
    """A calendar of stores with these hours in UTC; an empty text is a store without any."""
    names = [str(number) for number in range(len(weeks))]
    inputs = oracle.Inputs(
        polls=[oracle.Poll(name, TEN, is_active=True) for name in names],
        hours=[
            row
            for name, week in zip(names, weeks, strict=True)
            if week
            for row in hours(week, store_id=name)
        ],
        zones=[zone("UTC", store_id=name) for name in names],
    )
    margin = timedelta(minutes=30)
    return calendar(inputs, TEN - margin, TEN + timedelta(hours=1) + margin)


def last(*minutes: float | None, pace: float = 1.0, phase: float = 0.0) -> LastPolls:
    polls = [NEVER if minute is None else us(minute) for minute in minutes]
    return LastPolls(np.array(polls), np.full(len(polls), pace), np.full(len(polls), phase))


def planned(of: Calendar, last_polls: LastPolls, budget: int) -> list[tuple[int, float]]:
    """Store and minute of each planned poll."""
    stretches = Stretches.of(of, last_polls, start_us=us(0), end_us=us(60))
    polls: PlannedPolls = stretches.plan(budget)
    minutes = (polls.poll_at_us - us(0)) / 60e6
    return list(zip(polls.store.tolist(), minutes.tolist(), strict=True))


def test_the_step_is_the_shortest_that_the_budget_allows_and_goes_on_from_the_last_polls() -> None:
    # With 55 minutes the second polls would come at 60 and 90: with less, the first one is inside.
    assert planned(fleet("", ""), last(-50, -20), 2) == [(0, 5.0), (1, 35.0)]


def test_a_store_that_is_due_already_is_polled_at_once() -> None:
    assert planned(fleet("", ""), last(-70, -65), 2) == [(0, 0.0), (1, 0.0)]


def test_no_store_is_polled_more_often_than_every_ten_minutes() -> None:
    polls = planned(fleet(""), last(-4), 1_000)
    assert polls == [(0, minute) for minute in (6.0, 16.0, 26.0, 36.0, 46.0, 56.0)]


def test_no_poll_is_planned_without_a_budget() -> None:
    assert planned(fleet(""), last(-50), 0) == []


@pytest.mark.parametrize(
    ("week", "first", "end"),
    [
        ("Wed 11:20-20:00", 50, 60),
        ("Wed 10:20-20:00", 0, 60),
        ("Wed 05:00-09:40", 0, 10),
        # Two intervals whose surroundings touch are one stretch.
        ("Wed 10:35-10:40", 5, 60),
    ],
)
def test_a_store_is_polled_from_half_an_hour_before_opening_to_half_an_hour_after_closing(
    week: str, first: float, end: float
) -> None:
    minutes = [minute for _, minute in planned(fleet(week), last(None), 1_000)]
    assert first <= min(minutes) < first + 10
    assert end - 10 <= max(minutes) < end
    assert np.diff(minutes).tolist() == [10.0] * (len(minutes) - 1)


def test_a_store_that_is_closed_all_hour_is_not_polled() -> None:
    assert (
        planned(
            fleet("Wed 11:30-20:00", "Wed 05:00-09:30", "Thu 10:00-11:00"),
            last(None, None, None),
            9,
        )
        == []
    )


def test_a_store_polled_for_the_first_time_begins_at_its_own_phase() -> None:
    never = LastPolls(np.full(2, NEVER), np.ones(2), np.array([0.25, 0.75]))
    # The step is ten minutes, and the hour begins at a multiple of that.
    assert planned(fleet("", ""), never, 1_000)[:4] == [(0, 2.5), (1, 7.5), (0, 12.5), (1, 17.5)]


def test_stores_that_changed_and_those_that_went_down_are_polled_more_often() -> None:
    status_runs = StatusRuns(
        store=np.array([0, 1, 1, 2, 2, 3]),
        first_poll_us=np.array([us(-600), us(-600), us(-300), us(-600), us(-20), us(-50)]),
        last_poll_us=np.array([us(-10), us(-360), us(-10), us(-80), us(-10), us(-10)]),
        is_active=np.array([True, True, False, True, False, False]),
        polls=np.array([10, 5, 5, 9, 2, 2]),
    )
    last_polls = LastPolls.of(status_runs, np.zeros(5), start_us=us(0))
    assert last_polls.pace.tolist() == [1.0, 2.0, 3.0, 1.5, 1.0]
    assert last_polls.last_poll_us.tolist() == [us(-10)] * 4 + [NEVER]
    polls = planned(fleet(*[""] * 5), last_polls, 12)
    count = np.bincount([store for store, _ in polls], minlength=5).tolist()
    assert sum(count) <= 12
    assert count[2] > count[1] >= count[0] >= 1


@pytest.mark.parametrize(("law", "least"), [("base", 0.4), ("short and long", 0.2)])
def test_with_the_same_budget_the_plan_is_more_exact_than_polling_round_the_clock(
    law: str, least: float
) -> None:
    outages, of_week = made_up(law, 200)
    comparison = compare(law, outages, of_week, draws=1)
    assert comparison.planned.polls <= comparison.hourly.polls
    assert comparison.gain >= least
    assert abs(comparison.planned.bias_ppm) < 2_500
