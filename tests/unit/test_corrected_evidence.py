"""Corrections change figures inside of themselves, and nowhere else, over both clock changes."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from builders import Engine, Reference, calendar, runs, store_ids, stretches, us
from oracle import Correction
from properties import holds_for
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.uptime.estimates import Status
from storemon_pipeline.uptime.event_stretches import EventStretches, with_corrections
from storemon_pipeline.uptime.evidence import add_events
from storemon_pipeline.uptime.history import build_history
from storemon_pipeline.uptime.status_runs import StatusRuns
from strategies import HOUR, Question, event_rows, questions


@st.composite
def questions_with_events(draw: st.DrawFn) -> Question:
    question = draw(questions())
    names = sorted({poll.store_id for poll in question.inputs.polls} | {"store 0"})
    events = [event for name in names for event in draw(event_rows(name, question.as_of))]
    return replace(question, inputs=replace(question.inputs, events=events))


def statuses(question: Question, evidence: StatusRuns, at_us: IntArray) -> list[int]:
    """The status of the first store at each instant."""
    start = question.as_of - timedelta(days=30)
    found = build_history(evidence, calendar(question.inputs, start, question.as_of)).estimates
    own = found.store == 0
    starts = found.start_us[own]
    rows = np.searchsorted(starts, at_us, side="right") - 1
    status: list[int] = found.status[own][rows].tolist()
    return status


@holds_for(12, 2000, question=questions_with_events(), data=st.data())
def test_outside_of_corrections_the_status_is_as_before(
    question: Question, data: st.DataObject
) -> None:
    as_of_us = us(question.as_of)
    polls = runs(question.inputs, max_gap=question.max_gap)
    events = stretches(question.inputs)
    assume(store_ids(question.inputs)[0] == "store 0")
    until = as_of_us
    before = add_events(polls, events, until_us=until)
    own = before.take(before.store == 0)
    assume(len(own) > 0)
    # Before the first evidence the status is unknown, and a correction is evidence.
    first_us = int(own.first_poll_us.min())
    assume(as_of_us - first_us > HOUR)
    # Where nothing is known for days, a correction is evidence too.
    lasts = np.maximum.accumulate(own.last_poll_us)
    assume(bool((np.append(own.first_poll_us[1:], as_of_us) - lasts < 190 * HOUR).all()))
    edges = sorted(
        data.draw(
            st.lists(
                st.integers(max(first_us, as_of_us - 190 * HOUR), as_of_us),
                min_size=2,
                max_size=4,
                unique=True,
            )
        )
    )
    start = np.array(edges[0::2][: len(edges) // 2], np.int64)
    end = np.array(edges[1::2], np.int64)
    is_up = np.array(data.draw(st.lists(st.booleans(), min_size=len(end), max_size=len(end))))
    corrections = EventStretches(np.zeros_like(start), start, end, is_up, -1 - np.arange(len(end)))
    after = add_events(polls, with_corrections(events, corrections), until_us=until)

    borders = np.concatenate([before.first_poll_us, before.last_poll_us, start, end])
    middles = (borders[:, np.newaxis] + borders) // 2
    at = np.unique(np.concatenate([borders, borders - 1, borders + 1, middles.ravel()]))
    at = at[(at >= first_us) & (at < as_of_us) & (at >= as_of_us - 29 * 24 * HOUR)]
    inside = (at[:, np.newaxis] >= start) & (at[:, np.newaxis] < end)
    is_outside = ~inside.any(axis=1)
    assert statuses(question, after, at[is_outside]) == statuses(question, before, at[is_outside])
    expected = np.where(is_up, int(Status.UP), int(Status.DOWN))[inside.argmax(axis=1)]
    found = statuses(question, after, at[~is_outside])
    assert found == expected[~is_outside].tolist()


@holds_for(20, 3000, question=questions_with_events(), data=st.data())
def test_figures_with_corrections_equal_the_oracle(question: Question, data: st.DataObject) -> None:
    inputs, as_of = question.inputs, question.as_of
    ages = [as_of - poll.polled_at for poll in inputs.polls if poll.store_id == "store 0"]
    longest = min(max(ages, default=timedelta(0)), timedelta(hours=190))
    # Before the first poll, and where nothing is known for days, a correction is evidence itself.
    assume(longest > timedelta(hours=1))
    known = sorted({age for age in ages if age >= timedelta(0)})
    assume(known[0] < timedelta(hours=100))
    edges = data.draw(
        st.lists(
            st.integers(0, longest // timedelta(microseconds=1)),
            min_size=2,
            max_size=6,
            unique=True,
        )
    )
    times = [as_of - timedelta(microseconds=age) for age in sorted(edges, reverse=True)]
    corrections = [
        Correction("store 0", start, end, data.draw(st.sampled_from([True, False, None])))
        for start, end in zip(times[0::2], times[1::2], strict=False)
    ]
    corrected = replace(inputs, corrections=corrections)
    expected, found = (
        reckoner.rows(corrected, as_of=as_of, policy=question.policy, max_gap=question.max_gap)
        for reckoner in (Reference(), Engine())
    )
    for store_id, row in expected.items():
        own = found[store_id]
        assert (own.business_us, own.uptime_us, own.downtime_us) == (
            *(row.business_us, row.uptime_us),
            row.downtime_us,
        )
