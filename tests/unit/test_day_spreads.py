"""Spreads of stretches, and what they say of totals: by hand, and against made-up truth."""

import numpy as np
import pytest

from benchmarks.fleet_days import scores
from benchmarks.truth import draw_status_runs, made_up
from outage_laws import PLANS
from storemon_pipeline.domain.windows import DAY_US, DEFAULT_MAX_GAP_US, HOUR_US, SECOND_US, Policy
from storemon_pipeline.likelihood.doubts import Doubt
from storemon_pipeline.likelihood.fit import fit_model
from storemon_pipeline.likelihood.ranges import likely_ranges
from storemon_pipeline.likelihood.spreads import Spreads, compute_spreads, ranges_of_spreads
from storemon_pipeline.uptime.figures import compute_figures
from storemon_pipeline.uptime.history import build_history
from storemon_pipeline.uptime.status_runs import StatusRuns


@pytest.mark.parametrize(
    ("law", "plan"),
    [
        pytest.param("base", "hourly", marks=pytest.mark.slow),
        ("lognormal", "30 % missing"),
        ("minutes", "hourly"),
        pytest.param("heavy tail", "poller off for 8 h", marks=pytest.mark.slow),
        pytest.param("rush hours", "3-hourly", marks=pytest.mark.slow),
    ],
)
def test_totals_of_days_and_of_a_week_are_inside_nine_times_in_ten(law: str, plan: str) -> None:
    outages, calendar = made_up(law, 1_200)
    status_runs = draw_status_runs(outages, calendar, PLANS[plan], np.random.default_rng(3))
    found = scores(outages, calendar, status_runs)
    # 210 days of groups with a standard error of 2 points, 30 weeks with one of 6.
    assert 0.84 <= found.days.inside <= 0.97
    assert found.week.inside >= 0.8
    assert found.days.width < 0.03
    assert found.week.width < found.days.width / 2


@pytest.mark.parametrize(
    ("law", "plan"),
    [("lognormal", "missing more when down"), ("switched off at night", "hourly")],
)
def test_totals_of_days_that_cannot_be_trusted_are_flagged(law: str, plan: str) -> None:
    outages, calendar = made_up(law, 1_200)
    status_runs = draw_status_runs(outages, calendar, PLANS[plan], np.random.default_rng(3))
    found = scores(outages, calendar, status_runs)
    assert (found.days.doubted, found.week.doubted) == (1, 1)


def test_the_spread_of_a_window_is_that_of_its_range() -> None:
    outages, calendar = made_up("switched off at night", 300)
    status_runs = draw_status_runs(
        outages, calendar, PLANS["30 % missing"], np.random.default_rng(3)
    )
    model, parameters = fit_model(status_runs, calendar)
    end = calendar.end_us
    figures = compute_figures(
        status_runs, calendar, as_of_us=end, policy=Policy.NEAREST, max_gap_us=DEFAULT_MAX_GAP_US
    )
    ranges = likely_ranges(status_runs, calendar, figures, model, parameters, as_of_us=end)
    start_us, end_us = (np.full(len(figures.store), at) for at in (end - DAY_US, end))
    amounts = build_history(status_runs, calendar).amounts(figures.store, start_us, end_us)
    spreads = compute_spreads(
        status_runs,
        calendar,
        model,
        parameters,
        store=figures.store,
        start_us=start_us,
        end_us=end_us,
        amounts=amounts,
    )
    was_polled = amounts.unknown_us == 0
    apart_s = ranges.mean_hours[:, 1] * 3600 - amounts.uptime_us / SECOND_US
    deviation_s = np.hypot(spreads.own_deviation_s, spreads.shared_deviation_s)
    assert np.abs(spreads.apart_s - apart_s)[was_polled].max() <= 0.51
    assert np.abs(deviation_s - np.sqrt(ranges.variance[:, 1]) * 3600)[was_polled].max() <= 1
    assert np.abs(spreads.reach_minutes - ranges.reach_hours[:, 1] * 60)[was_polled].max() <= 0.51
    assert spreads.reach_minutes.max() > 30
    assert (spreads.doubt == parameters.doubt[figures.store]).all()


def test_a_total_deviates_by_the_root_of_the_squares_and_by_half_of_what_it_lies_apart() -> None:
    # Two stores: 30 and 60 s apart, own deviations of 40 s, shared ones of 20 s, a reach of 1 min.
    two = Spreads(
        np.array([30, 60], np.int32),
        np.array([40, 40], np.int32),
        np.array([20, 20], np.int32),
        np.array([0, 1], np.int16),
        np.array([0, int(Doubt.SWITCHED_OFF)], np.int16),
    )
    # 900 + 1,600 + 400 and 3,600 + 1,600 + 400; and 45 s squared for all: the root is 102.6 s.
    assert two.squares_s2().tolist() == [2_900, 5_600]
    day = np.array(24 * HOUR_US)
    lowest, highest = ranges_of_spreads(
        two.squares_s2().sum(), np.array(90), np.array(1), uptime_us=day // 2, known_us=day
    )
    # 1.645 times that, and the reach: 228.7 s.
    assert (int(lowest), int(highest)) == (
        12 * HOUR_US - 229 * SECOND_US,
        12 * HOUR_US + 229 * SECOND_US,
    )


def test_time_before_the_first_poll_and_long_after_the_last_has_no_spread() -> None:
    _, calendar = made_up("base", 1)
    begin = calendar.start_us + 10 * HOUR_US
    outages, many = made_up("base", 200)
    model, parameters = fit_model(
        draw_status_runs(outages, many, PLANS["hourly"], np.random.default_rng(3)), many
    )
    of_one = np.array([0])
    status_runs = StatusRuns(
        of_one,
        np.array([begin]),
        np.array([begin + 20 * HOUR_US]),
        np.array([True]),
        np.array([21]),
    )

    def spread(start_us: int, end_us: int) -> tuple[int, ...]:
        start, end = np.array([start_us]), np.array([end_us])
        spreads = compute_spreads(
            status_runs,
            calendar,
            model,
            parameters,
            store=of_one,
            start_us=start,
            end_us=end,
            amounts=build_history(status_runs, calendar).amounts(of_one, start, end),
        )
        return tuple(
            int(part[0])
            for part in (spreads.apart_s, spreads.own_deviation_s, spreads.shared_deviation_s)
        )

    since_first_poll = spread(begin, begin + 20 * HOUR_US)
    assert spread(calendar.start_us, begin + 20 * HOUR_US) == since_first_poll
    assert since_first_poll[1] > 0
    assert spread(calendar.start_us, begin) == (0, 0, 0)
