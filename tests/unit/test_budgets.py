"""Error budgets against the slow reference, near clock changes, and against numbers by hand."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import numpy as np
import pytest
from hypothesis import strategies as st

import oracle
import oracle_history
from builders import calendar, hours, polls, runs, us, utc, zone
from properties import holds_for
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US, SECOND_US
from storemon_pipeline.objectives.budgets import Budget, compute_budgets, local_periods
from storemon_pipeline.objectives.precedence import parts_per_million
from storemon_pipeline.uptime.history import build_history
from strategies import Question, questions

MAX_GAP = 3 * HOUR_US
REACH = timedelta(days=36)
OBJECTIVES = [Decimal(text) for text in ("0", "50", "98.5", "99.95", "100")]


def budget_of(
    inputs: oracle.Inputs,
    as_of: datetime,
    *,
    period: Period,
    objective: Decimal,
    max_gap: int = MAX_GAP,
) -> Budget:
    around = calendar(inputs, as_of - REACH, as_of + REACH)
    start_us, end_us = local_periods(around.local_spans(), us(as_of), period, stores=1)
    return compute_budgets(
        build_history(runs(inputs, max_gap=max_gap), around),
        np.array([0]),
        start_us=start_us,
        end_us=end_us,
        as_of_us=us(as_of),
        objective_ppm=np.array([parts_per_million(objective)]),
    ).row(0)


def instant(at_us: int) -> datetime:
    return datetime.fromtimestamp(0, tz=utc("2023-01-01 00:00").tzinfo) + timedelta(
        microseconds=at_us
    )


@holds_for(
    15,
    150,
    question=questions(stores=1),
    by=st.sampled_from(["week", "month"]),
    objective=st.sampled_from(OBJECTIVES),
)
def test_budgets_equal_the_oracle(
    question: Question, by: Literal["week", "month"], objective: Decimal
) -> None:
    as_of = question.as_of
    kept = [poll for poll in question.inputs.polls if poll.polled_at <= as_of]
    # Where a store moves to another zone at midnight, its old month can come back.
    inputs = replace(question.inputs, polls=kept, zones=question.inputs.zones[:1])
    if not kept:
        return
    store_id = kept[0].store_id
    made = budget_of(
        inputs, as_of, period=Period(by), objective=objective, max_gap=question.max_gap
    )

    def sums(start: datetime, end: datetime) -> oracle_history.Amounts:
        found = oracle_history.stretches(
            inputs, store_id, start, end, as_of=as_of, max_gap=question.max_gap
        )
        total = oracle_history.Amounts()
        for amounts in oracle_history.history(found, by).values():
            total.business += amounts.business
            total.down += amounts.down
            total.unknown += amounts.unknown
        return total

    # The reference numbers its periods itself: the engine's bounds are those of one of them.
    around = oracle_history.stretches(
        inputs, store_id, as_of - REACH, as_of + REACH, as_of=as_of, max_gap=question.max_gap
    )
    near = oracle_history.stretches(
        inputs,
        store_id,
        as_of,
        as_of + timedelta(microseconds=1),
        as_of=as_of,
        max_gap=question.max_gap,
    )
    ((label, _),) = oracle_history.history(near, by).items()
    start, end = instant(made.start_us), instant(made.end_us)
    whole, so_far = sums(start, end), sums(start, as_of)
    assert oracle_history.history(around, by)[label].business == whole.business
    assert (made.unknown_us, made.spent_us) == (so_far.unknown, so_far.down)
    assert made.opening_us == whole.business - so_far.unknown
    allowed = (100 - Fraction(objective)) * made.opening_us / 100
    assert made.budget_us == allowed // 1
    for burn, length in zip(made.burns, (timedelta(days=1), timedelta(days=3)), strict=True):
        last = sums(as_of - length, as_of)
        assert (burn.opening_us, burn.downtime_us) == (last.business - last.unknown, last.down)

    three_days = made.burns[-1]
    speed = Fraction(three_days.downtime_us, max(three_days.opening_us, 1))
    if made.spent_us > made.budget_us:
        assert made.runs_out_us is not None
        assert sums(start, instant(made.runs_out_us)).down == made.budget_us + 1
    elif made.runs_out_us is None:
        to_come = oracle.business_time(inputs, store_id, as_of, end)
        assert to_come * speed < made.left_us + 1
    else:
        opening = oracle.business_time(inputs, store_id, as_of, instant(made.runs_out_us))
        assert opening * speed >= made.left_us + 1 > (opening - 1) * speed


def nine_to_five(as_of: str, *texts: str) -> oracle.Inputs:
    return oracle.Inputs(polls(utc(as_of), *texts), hours("daily 09:00-17:00"), [zone("UTC")], [])


def test_a_month_allows_its_share_of_the_opening_time_that_is_known() -> None:
    # The first poll was at noon of 1 January: three hours before it are unknown.
    as_of = "2023-01-21 12:00"
    inputs = nine_to_five(as_of, "up 480h", "up 240h", "up 1h")
    made = budget_of(inputs, utc(as_of), period=Period.MONTH, objective=Decimal("98.5"))
    assert made.start_us == us(utc("2023-01-01 00:00"))
    assert made.end_us == us(utc("2023-02-01 00:00"))
    assert made.unknown_us == 3 * HOUR_US
    assert made.opening_us == 245 * HOUR_US
    assert made.budget_us == made.left_us == 13_230 * SECOND_US
    assert made.spent_us == 0
    assert made.runs_out_us is None
    assert [burn.rate for burn in made.burns] == [0, 0]


def test_the_budget_runs_out_when_the_last_three_days_go_on() -> None:
    # Down from 11:30 to 13:30 on the 10th: two of the 24 opening hours of three days. The budget is
    # 1.5 % of 237 hours, so 1.555 hours are left, which take 18.66 opening hours.
    as_of = "2023-01-11 12:00"
    inputs = nine_to_five(as_of, "up 216h", "up 25h", "down 24h", "down 23h", "up 22h", "up 0h")
    made = budget_of(inputs, utc(as_of), period=Period.MONTH, objective=Decimal("98.5"))
    assert (made.opening_us, made.spent_us) == (237 * HOUR_US, 2 * HOUR_US)
    assert made.left_us == 5_598 * SECOND_US
    day, three_days = made.burns
    assert (day.opening_us, day.downtime_us) == (8 * HOUR_US, 90 * MINUTE_US)
    assert (three_days.opening_us, three_days.downtime_us) == (24 * HOUR_US, 2 * HOUR_US)
    assert day.rate == 12.5
    assert made.runs_out_us == us(utc("2023-01-13 14:39:36")) + 12


def test_a_budget_that_was_spent_says_when() -> None:
    # Down since 9:30 on Monday; 2 % of 56 hours are 67.2 minutes.
    as_of = "2023-01-04 12:00"
    inputs = nine_to_five(as_of, "up 60h", "up 51h", "down 50h", "down 0h")
    made = budget_of(inputs, utc(as_of), period=Period.WEEK, objective=Decimal(98))
    assert made.start_us == us(utc("2023-01-02 00:00"))
    assert made.budget_us == 4_032 * SECOND_US
    assert made.spent_us == 18 * HOUR_US + 30 * MINUTE_US
    assert made.is_spent
    assert made.runs_out_us == us(utc("2023-01-02 10:37:12")) + 1


def test_an_objective_of_100_percent_has_no_budget_and_no_rate() -> None:
    as_of = "2023-01-04 12:00"
    inputs = nine_to_five(as_of, "up 60h", "up 0h")
    made = budget_of(inputs, utc(as_of), period=Period.WEEK, objective=Decimal(100))
    assert (made.budget_us, made.is_spent) == (0, False)
    assert [burn.rate for burn in made.burns] == [None, None]


@pytest.mark.parametrize(
    ("timezone", "as_of", "hours_of_month"),
    [
        ("America/New_York", "2023-03-20 12:00", 31 * 24 - 1),
        ("America/New_York", "2023-11-20 12:00", 30 * 24 + 1),
        ("Asia/Kolkata", "2023-03-20 12:00", 31 * 24),
    ],
    ids=["spring", "autumn", "no change"],
)
def test_a_month_is_as_long_as_the_stores_clock_says(
    timezone: str, as_of: str, hours_of_month: int
) -> None:
    inputs = oracle.Inputs(polls(utc(as_of), "up 1h"), [], [zone(timezone)], [])
    made = budget_of(inputs, utc(as_of), period=Period.MONTH, objective=Decimal(99))
    assert made.end_us - made.start_us == hours_of_month * HOUR_US
