"""Properties of the engine whatever the input, with the oracle as the judge of the figures."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from unittest.mock import patch

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

import oracle
from builders import Engine, Reference, calendar, runs, store_ids, us
from oracle import Inputs
from properties import holds_for
from storemon_pipeline.domain.rounding import round_half_even
from storemon_pipeline.domain.windows import DAY_US, HOUR_US, MINUTE_US, BoolArray, IntArray, Policy
from storemon_pipeline.uptime.status_runs import StatusRuns, compress, extend
from strategies import (
    ZONES,
    Question,
    closure_rows,
    hours_rows,
    instants_near_clock_changes,
    questions,
    special_rows,
    zone_rows,
)

MICROSECOND = timedelta(microseconds=1)


def answer(question: Question, inputs: Inputs | None = None) -> Mapping[str, oracle.Row]:
    """Ask the engine, of other inputs if given."""
    return Engine().rows(
        question.inputs if inputs is None else inputs,
        as_of=question.as_of,
        policy=question.policy,
        max_gap=question.max_gap,
    )


def six_figures(rows: Mapping[str, oracle.Row]) -> dict[str, tuple[int, ...]]:
    return {store_id: row.uptime_us + row.downtime_us for store_id, row in rows.items()}


@holds_for(40, 600, question=questions())
def test_the_engine_equals_the_oracle_to_the_microsecond(question: Question) -> None:
    expected = Reference().rows(
        question.inputs,
        as_of=question.as_of,
        policy=question.policy,
        max_gap=question.max_gap,
    )
    assert answer(question) == expected


@holds_for(12, 200, question=questions())
def test_uptime_and_downtime_make_up_business_time(question: Question) -> None:
    for row in answer(question).values():
        for window, length in enumerate(oracle.WINDOWS):
            assert row.uptime_us[window] >= 0
            assert row.downtime_us[window] >= 0
            assert row.uptime_us[window] + row.downtime_us[window] == row.business_us[window]
            assert row.business_us[window] <= length
        assert list(row.uptime_us) == sorted(row.uptime_us)
        assert list(row.downtime_us) == sorted(row.downtime_us)


@holds_for(12, 200, question=questions())
def test_bounds_contain_the_value_and_observed_time_is_business_time(question: Question) -> None:
    for row in answer(question).values():
        for window in range(3):
            uptime = row.uptime_us[window]
            assert 0 <= row.lowest_uptime_us[window] <= uptime <= row.highest_uptime_us[window]
            assert row.highest_uptime_us[window] <= row.business_us[window]
            assert 0 <= row.observed_us[window] <= row.business_us[window]


@holds_for(12, 200, question=questions(stores=1), data=st.data())
def test_bounds_contain_the_truth_if_status_changes_once_between_unlike_polls(
    question: Question, data: st.DataObject
) -> None:
    polls = list(question.inputs.polls)
    truth = list(polls)
    for before, after in pairwise(polls):
        if before.is_active != after.is_active:
            distance = (after.polled_at - before.polled_at) // MICROSECOND
            change = before.polled_at + data.draw(st.integers(1, distance)) * MICROSECOND
            truth.append(replace(before, polled_at=change - MICROSECOND))
            truth.append(replace(after, polled_at=change))
    # Carried forward from polls right beside each change, the estimate is the truth.
    lived = answer(replace(question, policy=Policy.PREVIOUS), replace(question.inputs, polls=truth))
    for store_id, row in answer(question).items():
        for window in range(3):
            uptime = lived[store_id].uptime_us[window]
            assert row.lowest_uptime_us[window] <= uptime <= row.highest_uptime_us[window]


@holds_for(12, 200, question=questions(), data=st.data())
def test_the_order_of_rows_does_not_matter(question: Question, data: st.DataObject) -> None:
    inputs = question.inputs
    shuffled = replace(
        inputs,
        polls=data.draw(st.permutations(inputs.polls)),
        hours=data.draw(st.permutations(inputs.hours)),
        zones=data.draw(st.permutations(inputs.zones)),
        closures=data.draw(st.permutations(inputs.closures)),
        special=data.draw(st.permutations(inputs.special)),
    )
    assert answer(question, shuffled) == answer(question)


@holds_for(12, 200, question=questions())
def test_a_store_s_row_does_not_depend_on_other_stores(question: Question) -> None:
    inputs = question.inputs
    alone: dict[str, oracle.Row] = {}
    for store_id in store_ids(inputs):
        own = Inputs(
            [row for row in inputs.polls if row.store_id == store_id],
            [row for row in inputs.hours if row.store_id == store_id],
            [row for row in inputs.zones if row.store_id == store_id],
            [row for row in inputs.closures if row.store_id in {store_id, oracle.EVERY_STORE}],
            [row for row in inputs.special if row.store_id == store_id],
        )
        alone.update(answer(question, own))
    assert alone == answer(question)


@holds_for(12, 200, question=questions(), stores=st.integers(1, 2))
def test_the_number_of_stores_per_chunk_does_not_matter(question: Question, stores: int) -> None:
    with patch("storemon_pipeline.uptime.figures._STORES_PER_CHUNK", stores):
        few = answer(question)
    assert few == answer(question)


@holds_for(12, 200, question=questions())
def test_a_calendar_that_reaches_further_gives_the_same_rows(question: Question) -> None:
    wider = Engine(margin=timedelta(days=20)).rows(
        question.inputs, as_of=question.as_of, policy=question.policy, max_gap=question.max_gap
    )
    assert wider == answer(question)


@holds_for(12, 200, question=questions())
def test_how_polls_are_cut_into_runs_does_not_change_the_six_figures(question: Question) -> None:
    single_polls = replace(question, max_gap=0)
    assert six_figures(answer(single_polls)) == six_figures(answer(question))


@holds_for(12, 200, question=questions())
def test_polls_that_do_not_count_do_not_change_the_six_figures(question: Question) -> None:
    oldest = question.as_of - timedelta(hours=192)
    counted = [poll for poll in question.inputs.polls if oldest < poll.polled_at <= question.as_of]
    assume(counted)
    fewer = replace(question.inputs, polls=counted)
    assert six_figures(answer(question, fewer)) == six_figures(answer(question))


@holds_for(12, 200, question=questions(), cut_age_us=st.integers(-HOUR_US, 9 * DAY_US))
def test_splitting_polls_in_two_loads_does_not_matter(question: Question, cut_age_us: int) -> None:
    names = store_ids(question.inputs)
    polls = sorted(
        (names.index(poll.store_id), us(poll.polled_at), poll.is_active)
        for poll in question.inputs.polls
    )
    cut = us(question.as_of) - cut_age_us
    earlier = columns([poll for poll in polls if poll[1] < cut])
    later = columns([poll for poll in polls if poll[1] >= cut])

    first = compress(*earlier, max_gap_us=question.max_gap)
    is_last = np.ones(len(first), np.bool_)
    is_last[:-1] = first.store[1:] != first.store[:-1]
    second = extend(first.take(is_last), *later, max_gap_us=question.max_gap)
    in_two_loads = sorted(listed(first.take(~is_last)) + listed(second))
    assert in_two_loads == listed(runs(question.inputs, max_gap=question.max_gap))


def columns(polls: list[tuple[int, int, bool]]) -> tuple[IntArray, IntArray, BoolArray]:
    return (
        np.array([store for store, _, _ in polls], np.int64),
        np.array([polled_at for _, polled_at, _ in polls], np.int64),
        np.array([is_active for _, _, is_active in polls], np.bool_),
    )


def listed(made: StatusRuns) -> list[tuple[int, int, int, bool, int]]:
    return list(
        zip(
            made.store.tolist(),
            made.first_poll_us.tolist(),
            made.last_poll_us.tolist(),
            made.is_active.tolist(),
            made.polls.tolist(),
            strict=True,
        )
    )


@holds_for(12, 200, question=questions())
def test_rounded_figures_equal_the_oracle(question: Question) -> None:
    for row in answer(question).values():
        amounts = np.array([row.uptime_us, row.downtime_us])
        units = (MINUTE_US, HOUR_US, HOUR_US)
        rounded = np.stack(
            [round_half_even(amounts[:, window], unit) for window, unit in enumerate(units)], axis=1
        )
        assert [Decimal(value).scaleb(-4) for value in rounded.ravel().tolist()] == list(
            row.figures
        )


@holds_for(12, 200, amount_us=st.integers(0, 10**14), unit_us=st.sampled_from([MINUTE_US, HOUR_US]))
def test_any_amount_is_rounded_as_decimals_are(amount_us: int, unit_us: int) -> None:
    tie = amount_us // unit_us * unit_us + unit_us // 20_000
    for amount in (amount_us, tie):
        rounded = int(round_half_even(np.array([amount]), unit_us)[0])
        assert Decimal(rounded).scaleb(-4) == oracle.rounded(amount, unit_us)


@st.composite
def long_spans(draw: st.DrawFn) -> tuple[Inputs, datetime, list[datetime]]:
    """Draw a store, the end of a span of up to 400 days, and instants inside in order."""
    zone = draw(st.sampled_from(ZONES))
    end = draw(instants_near_clock_changes(zone))
    ages = draw(st.lists(st.integers(0, 400 * DAY_US), min_size=2, max_size=6, unique=True))
    inputs = Inputs(
        hours=draw(hours_rows("store", end)),
        zones=draw(zone_rows("store", end, zone)) or [oracle.ZoneRow("store", zone, "always")],
        closures=draw(closure_rows(["store"], end)),
        special=draw(special_rows("store", end)),
    )
    return inputs, end, [end - age * MICROSECOND for age in sorted(ages, reverse=True)]


@holds_for(12, 200, drawn=long_spans())
def test_business_time_between_any_two_instants_is_a_difference(
    drawn: tuple[Inputs, datetime, list[datetime]],
) -> None:
    inputs, end, instants = drawn
    at_us = np.array([us(instant) for instant in instants])
    made = calendar(inputs, instants[0], end)
    cumulative = made.business_us(np.zeros(len(instants), np.int64), at_us).tolist()
    assert np.diff(cumulative).tolist() == [
        oracle.business_time(inputs, "store", start, until) for start, until in pairwise(instants)
    ]
