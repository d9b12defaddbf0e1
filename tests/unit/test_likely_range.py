"""Likely ranges hold the truth as often as they say, on made-up fleets whose truth is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.truth import Fleet, Score, draw_status_runs, made_up, scores, watch
from outage_laws import PLANS
from storemon_pipeline.domain.windows import (
    DEFAULT_MAX_GAP_US,
    HOUR_US,
    WEEK_US,
    WINDOW_US,
    Policy,
    Window,
)
from storemon_pipeline.likelihood.doubts import Doubt, doubts_of_totals, find_doubts
from storemon_pipeline.likelihood.fit import fit_model
from storemon_pipeline.likelihood.model import StatusModel, StoreParameters
from storemon_pipeline.likelihood.ranges import OpenTime, likely_ranges, total_ranges
from storemon_pipeline.uptime.event_stretches import EventStretches
from storemon_pipeline.uptime.evidence import add_events_of_report
from storemon_pipeline.uptime.figures import compute_figures, compute_with_positions
from storemon_pipeline.uptime.status_runs import StatusRuns

STORES = 600


def fleet(law: str, plan: str = "30 % missing") -> Fleet:
    outages, calendar = made_up(law, STORES)
    return watch(outages, calendar, PLANS[plan], np.random.default_rng(3))


@pytest.fixture(scope="module")
def base() -> Fleet:
    return fleet("base")


@pytest.fixture(scope="module")
def at_night() -> Fleet:
    return fleet("switched off at night")


def score(of_fleet: Fleet, window: Window) -> Score:
    return next(found for found in scores("", of_fleet) if found.window is window)


@pytest.mark.parametrize(
    ("law", "plan", "least", "most", "widest", "error"),
    # Of weeks with a change: the share inside, and the mean width in minutes. The shares have a
    # standard error of about 3 points. Of all weeks: the mean error of the figure in minutes.
    [
        ("base", "hourly", 0.88, 0.96, 180, 7.4),
        ("lognormal", "30 % missing", 0.84, 0.96, 320, 15.7),
        ("short and long", "30 % missing", 0.88, 0.96, 300, 47.7),
        ("minutes and hours", "hourly", 0.8, 0.95, 160, 16.6),
        ("bursts", "hourly", 0.87, 0.96, 220, 20.5),
    ],
)
def test_weeks_with_a_change_are_inside_nine_times_in_ten(
    law: str, plan: str, least: float, most: float, widest: float, error: float
) -> None:
    week = score(fleet(law, plan), Window.WEEK)
    assert week.busy > 70
    assert least <= week.likely_inside[1] <= most
    assert week.likely_minutes[1] <= widest
    assert week.groups_inside >= 0.7
    assert week.nearest_error <= error


def test_nearest_is_better_than_previous_and_hardly_biased(base: Fleet) -> None:
    week = score(base, Window.WEEK)
    assert week.nearest_error < 0.9 * week.previous_error
    assert abs(week.nearest_bias_ppm) < 600
    # The bounds are wider by several times where polls are missing.
    assert week.likely_minutes[0] < week.bounds_minutes[0] / 5


def test_a_range_holds_the_figure_and_stays_inside_of_business_time(
    base: Fleet, at_night: Fleet
) -> None:
    for of_fleet in (base, at_night):
        figures, ranges = of_fleet.figures, of_fleet.ranges
        assert (ranges.lowest_us >= 0).all()
        assert (ranges.lowest_us <= figures.uptime_us).all()
        assert (ranges.highest_us >= figures.uptime_us).all()
        assert (ranges.highest_us <= figures.business_us).all()
        assert (ranges.highest_us[figures.business_us == 0] == 0).all()


def test_stores_that_are_switched_off_at_night_are_marked(base: Fleet, at_night: Fleet) -> None:
    assert np.mean(base.parameters.doubt & Doubt.SWITCHED_OFF > 0) < 0.01
    week = score(at_night, Window.WEEK)
    assert week.doubted > 0.7
    assert week.likely_inside[1] > 0.85


@pytest.mark.parametrize(
    ("plan", "least", "most"),
    [
        ("missing more when down", 0.2, 1.0),
        ("hourly", 0.0, 0.01),
        ("3-hourly", 0.0, 0.01),
        ("poller off for 8 h", 0.0, 0.01),
    ],
)
def test_polls_that_are_missing_more_often_when_down_are_told(
    plan: str, least: float, most: float
) -> None:
    outages, calendar = made_up("lognormal", STORES)
    status_runs = draw_status_runs(outages, calendar, PLANS[plan], np.random.default_rng(3))
    marked = np.mean(find_doubts(status_runs, calendar) & Doubt.MISSED_WHEN_DOWN > 0)
    assert least <= marked <= most


@pytest.mark.parametrize("law", ["bursts", "minutes", "short and long"])
def test_missing_polls_are_told_where_outages_are_short_too(law: str) -> None:
    outages, calendar = made_up(law, STORES)
    marked = {}
    for plan in ("30 % missing", "missing more when down"):
        status_runs = draw_status_runs(outages, calendar, PLANS[plan], np.random.default_rng(5))
        marked[plan] = np.mean(find_doubts(status_runs, calendar) & Doubt.MISSED_WHEN_DOWN > 0)
    assert marked["30 % missing"] < 0.01
    assert marked["missing more when down"] > 0.2


def test_outages_that_only_one_poll_saw_are_told() -> None:
    # Up, down and up again, by the numbers of polls; the store of each status run.
    store = np.array([0] * 7 + [1] * 7 + [2] * 3)
    polls = np.array([*(5, 1, 5, 1, 5, 1, 5), *(5, 1, 5, 3, 5, 4, 5), *(5, 1, 5)])
    is_active = np.array([True, False] * 3 + [True, True] + [False, True] * 3 + [True, False, True])
    last = np.cumsum(polls) * HOUR_US
    status_runs = StatusRuns(store, last - (polls - 1) * HOUR_US, last, is_active, polls)
    _, week = made_up("base", 3)
    told = find_doubts(status_runs, week) & Doubt.SHORT_OUTAGES > 0
    assert told.tolist() == [True, False, False]


def test_a_total_is_doubted_for_what_makes_the_errors_of_its_stores_add_up() -> None:
    missed, off, few = Doubt.MISSED_WHEN_DOWN, Doubt.SWITCHED_OFF, Doubt.FEW_POLLS
    doubt = np.array([missed | few, 0, 0, off, few, few] + [missed] + [0] * 40)
    group = np.array([0, 0, 0, 1, 1, 2] + [3] * 41)
    assert doubts_of_totals(doubt, group, 5).tolist() == [missed, off, 0, 0, 0]


def test_a_model_that_was_written_down_gives_the_same_ranges(base: Fleet) -> None:
    written = json.loads(json.dumps(base.model.to_dict()))
    read = StatusModel.from_dict(written)
    again = likely_ranges(
        base.status_runs,
        base.calendar,
        base.figures,
        read,
        base.parameters,
        as_of_us=base.calendar.end_us,
    )
    assert (again.lowest_us == base.ranges.lowest_us).all()
    assert (again.highest_us == base.ranges.highest_us).all()
    assert json.dumps(read.to_dict()) == json.dumps(base.model.to_dict())


def test_tables_of_another_shape_are_refused(base: Fleet) -> None:
    content = base.model.to_dict() | {"tables": [[[[1, 2]]]]}
    with pytest.raises(ValueError, match="no longer fits"):
        StatusModel.from_dict(content)


def test_the_same_polls_give_the_same_model(base: Fleet) -> None:
    model, parameters = fit_model(base.status_runs, base.calendar)
    assert json.dumps(model.to_dict()) == json.dumps(base.model.to_dict())
    assert (parameters.of_class == base.parameters.of_class).all()


def test_stretches_that_are_the_windows_have_their_ranges(base: Fleet) -> None:
    figures = base.figures
    open_time = OpenTime.of(base.status_runs, base.calendar, base.model, base.parameters)
    end = base.calendar.end_us
    for column, length in enumerate(WINDOW_US.values()):
        stores = len(figures.store)
        ranges = open_time.ranges(
            figures.store,
            np.full(stores, end - length),
            np.full(stores, end),
            uptime_us=figures.uptime_us[:, column],
            lowest_us=figures.lowest_uptime_us[:, column],
            highest_us=figures.highest_uptime_us[:, column],
            known_us=figures.business_us[:, column],
        )
        assert (ranges.lowest_us == base.ranges.lowest_us[:, column]).all()
        assert (ranges.highest_us == base.ranges.highest_us[:, column]).all()


def test_a_range_has_no_width_in_a_window_that_an_event_covers(base: Fleet) -> None:
    """Stores 0 and 1 have an event over the last day: up at the one, and down at the other."""
    end = base.calendar.end_us
    stretches = EventStretches(
        np.array([0, 1]),
        np.full(2, end - WINDOW_US[Window.DAY]),
        np.full(2, end),
        np.array([True, False]),
        np.array([1, 2]),
    )
    evidence = add_events_of_report(
        base.status_runs, stretches, as_of_us=end, policy=Policy.NEAREST
    )
    figures = compute_figures(
        evidence,
        base.calendar,
        as_of_us=end,
        policy=Policy.NEAREST,
        max_gap_us=DEFAULT_MAX_GAP_US,
    )
    ranges = likely_ranges(
        evidence, base.calendar, figures, base.model, base.parameters, as_of_us=end
    )
    of_day = list(WINDOW_US).index(Window.DAY)
    rows = np.searchsorted(figures.store, [0, 1])
    business_us = int(figures.business_us[rows[0], of_day])
    assert business_us > 0
    assert ranges.lowest_us[rows, of_day].tolist() == [business_us, 0]
    assert ranges.highest_us[rows, of_day].tolist() == [business_us, 0]
    # Beyond the event, in the rest of the week, the range is as wide as polls leave it.
    of_week = list(WINDOW_US).index(Window.WEEK)
    width = ranges.highest_us[rows, of_week] - ranges.lowest_us[rows, of_week]
    assert (width > 0).all()


def test_moments_of_days_add_up_to_those_of_the_week_but_for_gaps_over_midnight(
    base: Fleet,
) -> None:
    open_time = OpenTime.of(base.status_runs, base.calendar, base.model, base.parameters)
    store = base.figures.store
    none = np.zeros(len(store), np.int64)
    end = base.calendar.end_us

    def mean(start_us: int, end_us: int) -> float:
        known = np.full(len(store), end_us - start_us)
        ranges = open_time.ranges(
            store,
            np.full(len(store), start_us),
            np.full(len(store), end_us),
            uptime_us=none,
            lowest_us=none,
            highest_us=known,
            known_us=known,
        )
        return float(ranges.mean_hours.sum())

    week = mean(end - WEEK_US, end)
    days = [mean(end - (day + 1) * 24 * HOUR_US, end - day * 24 * HOUR_US) for day in range(7)]
    assert sum(days) == pytest.approx(week, rel=0.01)


def test_a_calendar_of_the_week_gives_the_ranges_of_a_longer_one(base: Fleet) -> None:
    end = base.calendar.end_us
    _, week = made_up("base", STORES, begin_us=end - WEEK_US)
    of_week = likely_ranges(
        base.status_runs, week, base.figures, base.model, base.parameters, as_of_us=end
    )
    first = base.status_runs.first_poll_us[
        np.searchsorted(base.status_runs.store, base.figures.store)
    ]
    was_polled = first < end - WEEK_US
    assert was_polled.mean() > 0.9
    assert (of_week.lowest_us == base.ranges.lowest_us)[was_polled].all()
    assert (of_week.highest_us == base.ranges.highest_us)[was_polled].all()


def test_positions_that_the_engine_found_give_the_ranges_of_a_calendar_of_the_week(
    base: Fleet,
) -> None:
    end = base.calendar.end_us
    _, week = made_up("base", STORES, begin_us=end - WEEK_US)
    figures, positions = compute_with_positions(
        base.status_runs,
        week,
        as_of_us=end,
        policy=Policy.NEAREST,
        max_gap_us=DEFAULT_MAX_GAP_US,
    )
    looked_up, handed_over = (
        likely_ranges(
            base.status_runs,
            week,
            figures,
            base.model,
            base.parameters,
            as_of_us=end,
            positions=known,
        )
        for known in (None, positions)
    )
    assert (handed_over.lowest_us == looked_up.lowest_us).all()
    assert (handed_over.highest_us == looked_up.highest_us).all()
    assert (handed_over.variance == looked_up.variance).all()


def test_the_range_of_a_store_does_not_depend_on_the_stores_beside_it(base: Fleet) -> None:
    some = slice(200, 300)
    figures = replace(
        base.figures,
        **{name: getattr(base.figures, name)[some] for name in base.figures.__slots__},
    )
    ranges = likely_ranges(
        base.status_runs.take(np.isin(base.status_runs.store, figures.store)),
        base.calendar,
        figures,
        base.model,
        base.parameters,
        as_of_us=base.calendar.end_us,
    )
    assert (ranges.lowest_us == base.ranges.lowest_us[some]).all()
    assert (ranges.highest_us == base.ranges.highest_us[some]).all()
    assert (ranges.variance == base.ranges.variance[some]).all()


def test_a_store_that_the_fit_has_not_seen_has_a_range_and_a_doubt(base: Fleet) -> None:
    unknown = StoreParameters.unknown(base.calendar.stores)
    assert (unknown.doubt == Doubt.FEW_POLLS).all()
    ranges = likely_ranges(
        base.status_runs,
        base.calendar,
        base.figures,
        base.model,
        unknown,
        as_of_us=base.calendar.end_us,
    )
    inside = (ranges.lowest_us <= base.truth_us) & (base.truth_us <= ranges.highest_us)
    assert inside[:, 2].mean() > 0.85


def test_a_fleet_without_polls_has_a_model(base: Fleet) -> None:
    nothing = base.status_runs.take(slice(0))
    model, parameters = fit_model(nothing, base.calendar)
    assert model.widening == 1.0
    assert (parameters.doubt == Doubt.FEW_POLLS).all()
    figures = replace(
        base.figures,
        **{name: getattr(base.figures, name)[:0] for name in base.figures.__slots__},
    )
    ranges = likely_ranges(
        nothing, base.calendar, figures, model, parameters, as_of_us=base.calendar.end_us
    )
    assert ranges.lowest_us.shape == (0, 3)


def test_the_range_of_a_total_is_narrower_than_the_sum_of_ranges(base: Fleet) -> None:
    figures, ranges = base.figures, base.ranges
    lowest, highest = total_ranges(
        ranges,
        np.zeros(len(figures.store), np.int64),
        1,
        uptime_us=figures.uptime_us,
        known_us=figures.business_us,
    )
    assert (highest - lowest < (ranges.highest_us - ranges.lowest_us).sum(axis=0) / 2).all()
    assert (lowest <= figures.uptime_us.sum(axis=0)).all()
    assert (highest >= figures.uptime_us.sum(axis=0)).all()
