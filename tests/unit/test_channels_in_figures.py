"""What channels do to the figures, with the oracle as the judge, and by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import strategies as st

import oracle
from builders import Engine, Reference, polls, utc
from oracle import Channel, Inputs
from properties import holds_for
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import Policy
from strategies import HOUR, MINUTE, Question, event_rows, questions

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


@holds_for(40, 3000, question=questions_with_channels(), rule=RULES)
def test_figures_with_channels_equal_the_oracle(question: Question, rule: ChannelRule) -> None:
    expected = answer(question, question.inputs, Reference(), rule)
    assert answer(question, question.inputs, Engine(), rule) == expected


def without_observed(rows: Mapping[str, oracle.Row]) -> dict[str, oracle.Row]:
    return {name: replace(row, observed_us=(0, 0, 0)) for name, row in rows.items()}


@holds_for(20, 3000, question=questions_with_events_too(), rule=RULES)
def test_figures_with_channels_and_events_equal_the_oracle(
    question: Question, rule: ChannelRule
) -> None:
    expected = answer(question, question.inputs, Reference(), rule)
    found = answer(question, question.inputs, Engine(), rule)
    # The oracle does not tell what events observe beside storefronts.
    assert without_observed(found) == without_observed(expected)


@holds_for(15, 1000, question=questions(stores=1), rule=RULES)
def test_a_store_with_one_channel_has_exactly_the_figures_of_its_polls(
    question: Question, rule: ChannelRule
) -> None:
    inputs = question.inputs
    expected = answer(question, inputs, Engine())
    moved = replace(
        inputs,
        polls=[replace(poll, store_id="elsewhere") for poll in inputs.polls],
        channels=[Channel("store 0", "uber", "elsewhere")],
    )
    assert answer(question, moved, Engine(), rule) == expected


AS_OF = utc("2026-03-02 18:00")
# Uber is down from 8:30 to 11:30, DoorDash from 9:30 to 12:30.
UBER = ("up 10h", "down 9h", "down 8h", "down 7h", *(f"up {age}h" for age in range(6, -1, -1)))
DOORDASH = ("up 10h", "up 9h", "down 8h", "down 7h", "down 6h", *(f"up {age}h" for age in range(6)))


@pytest.mark.parametrize(
    ("rule", "downtime", "certain"),
    [
        # Both were polled down at 10:00 and 11:00; one at each hour from 9:00 to 12:00.
        pytest.param(ChannelRule.ANY_UP, 2, 1, id="any up"),
        pytest.param(ChannelRule.ALL_UP, 4, 3, id="all up"),
        # Three hours each of both; two hours each of them are certain.
        pytest.param(ChannelRule.SHARE, 3, 2, id="share"),
    ],
)
def test_the_example_of_the_manual_is_as_reckoned_by_hand(
    rule: ChannelRule, downtime: int, certain: int
) -> None:
    inputs = Inputs(
        polls=[*polls(AS_OF, *UBER, store_id="U"), *polls(AS_OF, *DOORDASH, store_id="D")],
        channels=[Channel("store", "uber", "U"), Channel("store", "doordash", "D")],
    )
    rows = Engine().rows(inputs, as_of=AS_OF, policy=Policy.NEAREST, max_gap=3 * HOUR, rule=rule)
    row = rows["store"]
    assert row.downtime_us[1] == downtime * HOUR
    assert row.business_us[1] - row.highest_uptime_us[1] == certain * HOUR


def test_a_new_channel_changes_nothing_before_its_first_poll() -> None:
    outage = polls(AS_OF, "up 9h", "down 8h", "down 7h", "up 6h", "up 3h", "up 0h", store_id="U")
    channels = [Channel("store", "uber", "U"), Channel("store", "doordash", "D")]
    inputs = Inputs(polls=[*outage, *polls(AS_OF, "up 1h", store_id="D")], channels=channels)
    row = Engine().rows(inputs, as_of=AS_OF, policy=Policy.NEAREST, max_gap=3 * HOUR)["store"]
    assert row.downtime_us[1] == 2 * HOUR


@holds_for(30, 1000, question=questions_with_events_too())
def test_a_share_lies_between_all_up_and_any_up(question: Question) -> None:
    all_up, share, any_up = (
        answer(question, question.inputs, Engine(), rule)
        for rule in (ChannelRule.ALL_UP, ChannelRule.SHARE, ChannelRule.ANY_UP)
    )
    for store, row in share.items():
        for name in ("uptime_us", "lowest_uptime_us", "highest_uptime_us"):
            of_rules = zip(
                *(getattr(rows[store], name) for rows in (all_up, share, any_up)), strict=True
            )
            assert all(lowest <= own <= highest for lowest, own, highest in of_rules)
        assert row.business_us == any_up[store].business_us


def test_two_of_three_storefronts_up_are_two_thirds_of_the_time() -> None:
    rows = {"A": "up", "B": "up", "C": "down"}
    inputs = Inputs(
        polls=[
            poll
            for name, status in rows.items()
            for poll in polls(AS_OF, f"{status} 30h", f"{status} 0h", store_id=name)
        ],
        channels=[Channel("store", name.lower(), name) for name in rows],
    )
    row = Engine().rows(
        inputs, as_of=AS_OF, policy=Policy.NEAREST, max_gap=3 * HOUR, rule=ChannelRule.SHARE
    )["store"]
    assert (row.uptime_us[0], row.downtime_us[0]) == (40 * MINUTE, 20 * MINUTE)
    assert (row.uptime_us[1], row.downtime_us[1]) == (16 * HOUR, 8 * HOUR)


def test_a_storefront_counts_in_a_share_from_its_first_poll_on() -> None:
    # Uber is down all day; DoorDash is up from its first poll, six hours ago.
    inputs = Inputs(
        polls=[
            *polls(AS_OF, "down 24h", "down 0h", store_id="U"),
            *polls(AS_OF, "up 6h", "up 0h", store_id="D"),
        ],
        channels=[Channel("store", "uber", "U"), Channel("store", "doordash", "D")],
    )
    row = Engine().rows(
        inputs, as_of=AS_OF, policy=Policy.NEAREST, max_gap=24 * HOUR, rule=ChannelRule.SHARE
    )["store"]
    assert row.uptime_us[1] == 3 * HOUR


def test_a_part_of_a_microsecond_is_downtime() -> None:
    begun = AS_OF - timedelta(microseconds=1)
    rows = [("A", True), ("B", True), ("C", False)]
    inputs = Inputs(
        polls=[oracle.Poll(name, begun - timedelta(hours=2), is_up) for name, is_up in rows],
        closures=[
            oracle.Closure(
                "store", datetime.fromisoformat("2020-01-01"), begun.replace(tzinfo=None)
            )
        ],
        zones=[oracle.ZoneRow("store", "UTC", "always")],
        channels=[Channel("store", name.lower(), name) for name, _ in rows],
    )
    row = Engine().rows(
        inputs, as_of=AS_OF, policy=Policy.NEAREST, max_gap=3 * HOUR, rule=ChannelRule.SHARE
    )["store"]
    assert (row.business_us[0], row.uptime_us[0], row.downtime_us[0]) == (1, 0, 1)
