"""What channels do to the figures, with the oracle as the judge, and by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import strategies as st

import oracle
from builders import Engine, Reference, polls, utc
from oracle import Channel, Inputs
from properties import holds_for
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import Policy
from strategies import HOUR, Question, event_rows, questions

MICROSECOND = timedelta(microseconds=1)
RULES = st.sampled_from(ChannelRule)


@st.composite
def questions_with_channels(draw: st.DrawFn) -> Question:
    """Draw a fleet in which most stores are storefronts of store 0."""
    question = draw(questions())
    channels = [
        Channel("store 0", f"channel {number}", f"store {number}")
        for number in range(draw(st.integers(0, 1)), 3)
    ]
    return replace(question, inputs=replace(question.inputs, channels=channels))


@st.composite
def questions_with_events_too(draw: st.DrawFn) -> Question:
    question = draw(questions_with_channels())
    names = ["store 0", "store 1", "store 2"]
    events = [
        event
        for name in draw(st.lists(st.sampled_from(names), unique=True))
        for event in draw(event_rows(name, question.as_of))
    ]
    return replace(question, inputs=replace(question.inputs, events=events))


def answer(
    question: Question,
    inputs: Inputs,
    reckoner: Engine | Reference,
    rule: ChannelRule = ChannelRule.ANY_UP,
) -> Mapping[str, oracle.Row]:
    return reckoner.rows(
        inputs, as_of=question.as_of, policy=question.policy, max_gap=question.max_gap, rule=rule
    )


@holds_for(100, 3000, question=questions_with_channels(), rule=RULES)
def test_figures_with_channels_equal_the_oracle(question: Question, rule: ChannelRule) -> None:
    expected = answer(question, question.inputs, Reference(), rule)
    assert answer(question, question.inputs, Engine(), rule) == expected


@holds_for(50, 3000, question=questions_with_events_too(), rule=RULES)
def test_figures_with_channels_and_events_equal_the_oracle(
    question: Question, rule: ChannelRule
) -> None:
    expected = answer(question, question.inputs, Reference(), rule)
    found = answer(question, question.inputs, Engine(), rule)
    if question.inputs.events:
        expected, found = (
            {key: replace(row, observed_us=(0, 0, 0)) for key, row in rows.items()}
            for rows in (expected, found)
        )
    if found != expected:
        print(
            "XX", question.inputs.channels, question.policy, rule, question.max_gap, question.as_of
        )
        for poll in question.inputs.polls:
            print("XX", poll.store_id, question.as_of - poll.polled_at, poll.is_active)
        for poll in question.inputs.events:
            print(
                "XX",
                poll.store_id,
                question.as_of - poll.start,
                poll.end and question.as_of - poll.end,
                poll.is_up,
                poll.source,
            )
        print("XX", found, expected, sep="\nXX")
        raise AssertionError
