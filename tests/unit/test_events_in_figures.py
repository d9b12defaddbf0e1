"""What events do to the figures, with the oracle as the judge, and by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import strategies as st

import oracle
from builders import Engine, Reference, polls, runs, us, utc
from oracle import Event, Inputs
from properties import holds_for
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.uptime.event_stretches import no_stretches
from storemon_pipeline.uptime.evidence import add_events
from strategies import HOUR, Question, event_rows, questions

MICROSECOND = timedelta(microseconds=1)


@st.composite
def questions_with_events(draw: st.DrawFn) -> Question:
    question = draw(questions())
    names = sorted({poll.store_id for poll in question.inputs.polls} | {"store 0"})
    events = [event for name in names for event in draw(event_rows(name, question.as_of))]
    return replace(question, inputs=replace(question.inputs, events=events))


def answer(
    question: Question, inputs: Inputs, reckoner: Engine | Reference
) -> Mapping[str, oracle.Row]:
    return reckoner.rows(
        inputs, as_of=question.as_of, policy=question.policy, max_gap=question.max_gap
    )


@holds_for(25, 3000, question=questions_with_events())
def test_figures_with_events_equal_the_oracle(question: Question) -> None:
    expected = answer(question, question.inputs, Reference())
    assert answer(question, question.inputs, Engine()) == expected


@holds_for(20, 200, question=questions_with_events(), data=st.data())
def test_events_and_polls_in_any_order_give_the_same_figures(
    question: Question, data: st.DataObject
) -> None:
    inputs = question.inputs
    shuffled = replace(
        inputs,
        polls=data.draw(st.permutations(inputs.polls)),
        events=data.draw(st.permutations(inputs.events)),
    )
    expected = answer(question, inputs, Engine())
    assert answer(question, shuffled, Engine()) == expected


@st.composite
def complete_events(draw: st.DrawFn) -> tuple[Question, list[Event]]:
    """Draw a store's polls, and events that tell its status all the time."""
    question = draw(questions(stores=1))
    ages = st.one_of(st.integers(1, 5), st.integers(1, 200 * HOUR))
    is_up, is_open = draw(st.booleans()), draw(st.booleans())
    end, events = question.as_of, []
    for age in [*sorted(draw(st.sets(ages, min_size=1))), 201 * HOUR]:
        start = question.as_of - age * MICROSECOND
        events.append(Event("store 0", start, end, is_up=is_up))
        end, is_up = start, not is_up
    if is_open:
        events = [replace(event, end=None) for event in events]
    return question, events


@holds_for(20, 200, drawn=complete_events())
def test_with_complete_events_the_figures_are_the_truth(
    drawn: tuple[Question, list[Event]],
) -> None:
    question, events = drawn
    inputs = replace(question.inputs, events=events)
    row = answer(question, inputs, Engine())["store 0"]
    assert row.lowest_uptime_us == row.uptime_us == row.highest_uptime_us
    for window, length in enumerate(oracle.WINDOWS):
        end, up = question.as_of, 0
        begin = end - length * MICROSECOND
        for event in sorted(events, key=lambda event: event.start, reverse=True):
            if event.is_up and end > begin:
                up += oracle.business_time(inputs, "store 0", max(event.start, begin), end)
            end = event.start
        assert row.uptime_us[window] == up


AS_OF = utc("2026-03-02 18:00")
HOURLY = ("up 5h", "up 4h", "down 3h", "up 2h", "up 1h", "up 0m")


def told(begin: str, end: str | None, *, is_up: bool = False, source: str = "") -> Event:
    """An event on the day of the polls."""
    return Event(
        "store",
        utc(f"2026-03-02 {begin}"),
        None if end is None else utc(f"2026-03-02 {end}"),
        is_up=is_up,
        source=source,
    )


@pytest.mark.parametrize(
    ("events", "downtime"),
    [
        # The poll at 15:00 alone: half an hour on both sides.
        pytest.param([], timedelta(hours=1), id="no event"),
        # The poll says nothing beyond the event that explains it.
        pytest.param([told("14:50", "15:05")], timedelta(minutes=15), id="explains a poll"),
        # The poll at 15:00 is not covered: down from 14:30 to 15:30, as without the event.
        pytest.param([told("14:50", "15:00")], timedelta(minutes=60), id="ends at the poll"),
        pytest.param([told("14:50", "15:05", is_up=True)], timedelta(0), id="contradicts a poll"),
        pytest.param(
            [told("16:10", "16:20")], timedelta(hours=1, minutes=10), id="between equal polls"
        ),
        pytest.param([told("16:10", None)], timedelta(hours=2, minutes=50), id="open"),
        pytest.param(
            [told("14:50", None), told("15:05", None, is_up=True)],
            timedelta(minutes=15),
            id="ended by the next one",
        ),
        pytest.param(
            [told("14:00", "16:00"), told("14:30", "15:30", is_up=True, source="till")],
            timedelta(hours=1),
            id="the one that began last holds",
        ),
    ],
)
def test_downtime_with_events_is_as_reckoned_by_hand(
    events: list[Event], downtime: timedelta
) -> None:
    inputs = Inputs(polls=polls(AS_OF, *HOURLY), events=events)
    row = Engine().rows(inputs, as_of=AS_OF, policy=Policy.NEAREST, max_gap=3 * HOUR)["store"]
    assert row.downtime_us[1] * MICROSECOND == downtime


def test_a_store_without_polls_has_the_status_of_its_events() -> None:
    inputs = Inputs(events=[told("12:00", "13:00"), told("15:00", None, is_up=True)])
    (row,) = Engine().rows(inputs, as_of=AS_OF, policy=Policy.NEAREST, max_gap=3 * HOUR).values()
    # Before 13:00 down, after 15:00 up; between them the nearer of the two.
    assert row.uptime_us[1] * MICROSECOND == timedelta(hours=4)
    assert row.downtime_us[1] * MICROSECOND == timedelta(hours=20)
    assert row.lowest_uptime_us[1] * MICROSECOND == timedelta(hours=3)


def test_without_events_the_status_runs_are_not_copied() -> None:
    made = runs(Inputs(polls=polls(AS_OF, *HOURLY)), max_gap=3 * HOUR)
    assert add_events(made, no_stretches(), until_us=us(AS_OF)) is made
