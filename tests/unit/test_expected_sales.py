"""Expected sales against the slow reference, and against numbers made by hand."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np
import pytest
from hypothesis import strategies as st

import oracle
import oracle_demand
import oracle_history
from builders import calendar, closure, hours, polls, runs, store_ids, us, utc, zone
from oracle_demand import Version
from properties import holds_for
from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.business_time.local_periods import Period, divide
from storemon_pipeline.demand.expected_sales import (
    HOURS_OF_WEEK,
    DemandCurves,
    SalesHistory,
    build_sales_history,
    expect_sales,
)
from storemon_pipeline.demand.lost_sales import sales_of_incidents
from storemon_pipeline.domain.windows import HOUR_US
from storemon_pipeline.uptime.history import build_history
from storemon_pipeline.uptime.incidents import find_incidents
from strategies import Question, questions

days_before = st.integers(1, 30).map(lambda days: timedelta(days=days))
weeks = st.dictionaries(
    st.tuples(st.integers(0, 6), st.integers(0, 23)),
    st.integers(0, 10**6) | st.integers(0, 10**12 - 1),
    max_size=60,
)
versions_before = st.lists(
    st.tuples(st.none() | st.integers(0, 30 * 24 * 60), weeks),
    min_size=1,
    max_size=3,
    unique_by=lambda version: version[0],
)
"""Versions: how many minutes before the question's instant they begin (None: always), the week."""

EVERY_HOUR: Final = 1000
"""Hundredths of a currency unit: 10.00 in each hour of the week."""


def curves(versions: list[list[Version]]) -> DemandCurves:
    """The engine's form of the versions of each store."""
    rows = [
        (number, ALWAYS if one.valid_from is None else us(one.valid_from), one.week)
        for number, of_store in enumerate(versions)
        for one in of_store
    ]
    rows.sort(key=lambda row: row[:2])
    rate = np.zeros((len(rows), HOURS_OF_WEEK), np.int64)
    for row, (_, _, week) in enumerate(rows):
        for (day, hour), amount in week.items():
            rate[row, day * 24 + hour] = amount
    return DemandCurves(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        rate,
        ["USD" if of_store else None for of_store in versions],
    )


def flat(rate: int) -> Version:
    return Version(None, {(day, hour): rate for day in range(7) for hour in range(24)})


@holds_for(
    25,
    250,
    question=questions(stores=2),
    back=days_before,
    drawn=st.lists(versions_before, min_size=2, max_size=2),
    period=st.sampled_from(["day", "week", "month"]),
)
def test_sales_of_days_and_incidents_equal_the_oracle_and_sum_to_the_total(
    question: Question,
    back: timedelta,
    drawn: list[list[tuple[int | None, oracle_demand.Week]]],
    period: oracle_history.Period,
) -> None:
    as_of, kept = question.as_of, question.inputs
    inputs = oracle.Inputs(
        [poll for poll in kept.polls if poll.polled_at <= as_of],
        kept.hours,
        kept.zones,
        kept.closures,
    )
    names = store_ids(inputs)
    versions = [
        [
            Version(None if age is None else as_of - timedelta(minutes=age), week)
            for age, week in of_store
        ]
        for of_store in drawn[: len(names)]
    ]
    # From before the first poll, so that no incident began earlier.
    first = min([as_of - back, *(poll.polled_at for poll in inputs.polls)])
    start = first - timedelta(hours=1)
    made = calendar(inputs, start, as_of)
    status_runs = runs(inputs, max_gap=question.max_gap)
    sales = expect_sales(curves(versions), made)
    history = build_sales_history(build_history(status_runs, made).estimates, sales)
    pieces = divide(made.local_spans(), Period(period))
    by_piece = history.amounts(pieces.store, pieces.start_us, pieces.end_us)
    incidents = find_incidents(status_runs, made, as_of_us=us(as_of))
    of_incidents = sales.between(incidents.store, incidents.start_us, incidents.end_us)
    for number, name in enumerate(names):
        found = oracle_history.stretches(
            inputs, name, start, as_of, as_of=as_of, max_gap=question.max_gap
        )
        expected = oracle_demand.sales(found, versions[number], period)
        own = np.flatnonzero(pieces.store == number)
        by_begin: dict[int, list[int]] = {}
        for row, up, lost in zip(
            own.tolist(),
            by_piece.up.take(own).exact(),
            by_piece.lost.take(own).exact(),
            strict=True,
        ):
            sums = by_begin.setdefault(int(pieces.begin_local_us[row]), [0, 0])
            sums[0], sums[1] = sums[0] + up, sums[1] + lost
        assert sorted(sums for sums in by_begin.values() if any(sums)) == sorted(
            [one.up, one.down] for one in expected.values() if one.up or one.down
        )
        total = history.amounts(np.array([number]), np.array([us(start)]), np.array([us(as_of)]))
        assert (
            of_incidents.take(incidents.store == number).total()
            == by_piece.lost.take(own).total()
            == total.lost.total()
            == sum(one.down for one in expected.values())
        )


def one_store(
    as_of: str, start: str, inputs: oracle.Inputs, *versions: Version
) -> tuple[SalesHistory, int, int]:
    begin, end = utc(start), utc(as_of)
    made = calendar(inputs, begin, end)
    estimates = build_history(runs(inputs, max_gap=3 * HOUR_US), made).estimates
    sales = expect_sales(curves([list(versions)]), made)
    return build_sales_history(estimates, sales), us(begin), us(end)


def lost(as_of: str, start: str, inputs: oracle.Inputs, *versions: Version) -> float:
    """The sales lost from `start` to `as_of`, in currency units."""
    history, begin_us, end_us = one_store(as_of, start, inputs, *versions)
    amounts = history.amounts(np.zeros(1, np.int64), np.array([begin_us]), np.array([end_us]))
    (exact,) = amounts.lost.exact()
    return exact / HOUR_US / 100


@pytest.mark.parametrize(
    ("start", "as_of", "expected"),
    [
        # Berlin, the hour from 2 to 3 is skipped: 23 hours.
        pytest.param("2023-03-25 23:00", "2023-03-26 22:00", 230.0, id="spring"),
        # The hour from 2 to 3 occurs twice: 25 hours.
        pytest.param("2023-10-28 22:00", "2023-10-29 23:00", 250.0, id="autumn"),
    ],
)
def test_a_day_of_a_clock_change_has_the_sales_of_its_own_length(
    start: str, as_of: str, expected: float
) -> None:
    down = polls(utc(as_of), *(f"down {age}h" for age in range(30)))
    inputs = oracle.Inputs(down, zones=[zone("Europe/Berlin")])
    assert lost(as_of, start, inputs, flat(EVERY_HOUR)) == expected


@pytest.mark.parametrize(
    ("start", "as_of", "expected"),
    [
        # Only the hour from 2 to 3 on Sunday has sales.
        pytest.param("2023-03-25 23:00", "2023-03-26 22:00", 0.0, id="spring"),
        pytest.param("2023-10-28 22:00", "2023-10-29 23:00", 20.0, id="autumn"),
    ],
)
def test_a_skipped_hour_sells_nothing_and_a_repeated_one_sells_twice(
    start: str, as_of: str, expected: float
) -> None:
    down = polls(utc(as_of), *(f"down {age}h" for age in range(30)))
    inputs = oracle.Inputs(down, zones=[zone("Europe/Berlin")])
    assert lost(as_of, start, inputs, Version(None, {(6, 2): EVERY_HOUR})) == expected


def test_closed_time_and_hours_without_demand_lose_nothing() -> None:
    # A Monday, down all the time; open from 9 to 17, closed from 10:00 to 10:30.
    as_of = "2023-01-23 20:00"
    inputs = oracle.Inputs(
        polls(utc(as_of), *(f"down {age}h" for age in range(30))),
        hours=hours("Mon 09:00-17:00"),
        zones=[zone("UTC")],
        closures=[closure("2023-01-23 10:00", "2023-01-23 10:30")],
    )
    week = {(0, 8): 9900, (0, 10): 6000, (0, 16): 2000, (0, 17): 9900, (1, 10): 9900}
    assert lost(as_of, "2023-01-23 00:00", inputs, Version(None, week)) == 30.0 + 20.0


def test_a_later_version_holds_from_its_start_on() -> None:
    as_of = "2023-01-23 20:00"
    inputs = oracle.Inputs(
        polls(utc(as_of), *(f"down {age}h" for age in range(30))), zones=[zone("UTC")]
    )
    newer = Version(utc("2023-01-23 18:30"), flat(4000).week)
    # 2.5 hours of 10 and 1.5 hours of 40.
    assert lost(as_of, "2023-01-23 16:00", inputs, flat(EVERY_HOUR), newer) == 85.0
    # The first version holds before its start, too.
    assert lost(as_of, "2023-01-23 16:00", inputs, newer) == 160.0


def test_a_store_without_a_curve_has_no_sales() -> None:
    as_of = "2023-01-23 20:00"
    inputs = oracle.Inputs(polls(utc(as_of), "down 1h", "down 2h"), zones=[zone("UTC")])
    assert lost(as_of, "2023-01-23 16:00", inputs) == 0.0


def test_the_range_of_an_incident_is_that_of_its_time_and_of_its_learned_rates() -> None:
    as_of = "2023-01-24 12:00"
    end = utc(as_of)
    # Up at 8, down at 9 and 10, up at 11: down for 1 to 3 hours, estimated as 2.
    inputs = oracle.Inputs(
        polls(end, "up 4h", "down 3h", "down 2h", "up 1h"), zones=[zone("Europe/Berlin")]
    )
    made = calendar(inputs, end - timedelta(hours=6), end)
    found = find_incidents(runs(inputs, max_gap=3 * HOUR_US), made, as_of_us=us(end))
    rate = np.full((1, HOURS_OF_WEEK), 1000)
    learned = replace(curves([[flat(EVERY_HOUR)]]), lowest=rate - 400, highest=rate + 500)
    sales = sales_of_incidents(found, learned, made)
    lowest, lost_sales, highest = (
        [exact / HOUR_US / 100 for exact in amount.exact()]
        for amount in (sales.lowest, sales.lost, sales.highest)
    )
    assert (lowest, lost_sales, highest) == ([6.0], [20.0], [45.0])
