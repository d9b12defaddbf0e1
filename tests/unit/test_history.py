"""History, incidents and ledgers against the slow reference, and against numbers made by hand."""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pytest
from hypothesis import strategies as st

import oracle
import oracle_history
from builders import calendar, closure, hours, polls, runs, store_ids, us, utc, zone
from oracle_history import Label
from properties import holds_for
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.domain.windows import HOUR_US, LOOKBACK_US, MINUTE_US, WINDOW_US, Policy
from storemon_pipeline.uptime.estimates import Status
from storemon_pipeline.uptime.figures import compute_figures
from storemon_pipeline.uptime.history import Amounts, PeriodAmounts, build_history
from storemon_pipeline.uptime.incidents import NO_POLL, Ending, Incidents, find_incidents
from storemon_pipeline.uptime.ledger import build_ledger, explain
from storemon_pipeline.uptime.status_runs import StatusRuns
from strategies import Question, questions

MAX_GAP: Final = 3 * HOUR_US
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENDINGS: Final = {
    Ending.OPEN: "open",
    Ending.ENDED: "ended",
    Ending.NO_LONGER_POLLED: "no longer polled",
}

days_before = st.integers(0, 30).map(lambda days: timedelta(days=days))


def seen(question: Question) -> oracle.Inputs:
    """Keep the polls up to the question's instant, which is the newest poll of a history."""
    inputs = question.inputs
    kept = [poll for poll in inputs.polls if poll.polled_at <= question.as_of]
    return oracle.Inputs(kept, inputs.hours, inputs.zones, inputs.closures, inputs.special)


def by_label(periods: PeriodAmounts, store: int) -> dict[Label, tuple[int, ...]]:
    """The engine's answer in the form of the reference's; a row for every period."""
    answer: dict[Label, tuple[int, ...]] = {}
    for row in np.flatnonzero(periods.store == store).tolist():
        begin = _EPOCH + timedelta(microseconds=int(periods.begin_local_us[row]))
        answer[f"{begin:%Y-%m-%dT%H:%M}", 0] = six(periods.amounts, row)
    return answer


def six(amounts: Amounts, row: int) -> tuple[int, ...]:
    return (
        int(amounts.business_us[row]),
        int(amounts.uptime_us[row]),
        int(amounts.downtime_us[row]),
        int(amounts.unknown_us[row]),
        int(amounts.uncertain_us[row]),
        int(amounts.lowest_uptime_us[row]),
    )


def expected_six(amounts: oracle_history.Amounts) -> tuple[int, ...]:
    return (
        amounts.business,
        amounts.up,
        amounts.down,
        amounts.unknown,
        amounts.uncertain,
        amounts.certain_up,
    )


@holds_for(
    15,
    300,
    question=questions(stores=2),
    back=days_before,
    period=st.sampled_from(["day", "week", "month"]),
)
def test_history_by_local_days_weeks_and_months_equals_the_oracle(
    question: Question, back: timedelta, period: oracle_history.Period
) -> None:
    inputs = seen(question)
    start = question.as_of - back - timedelta(hours=1)
    made = build_history(
        runs(inputs, max_gap=question.max_gap), calendar(inputs, start, question.as_of)
    ).by_period(Period(period))
    for number, store_id in enumerate(store_ids(inputs)):
        found = oracle_history.stretches(
            inputs, store_id, start, question.as_of, as_of=question.as_of, max_gap=question.max_gap
        )
        expected = oracle_history.history(found, period)
        assert by_label(made, number) == {
            label: expected_six(amounts) for label, amounts in expected.items()
        }


@holds_for(
    15,
    150,
    question=questions(stores=1),
    back=st.integers(1, 60).map(lambda hours: timedelta(hours=hours)),
)
def test_history_by_local_hours_sums_to_the_oracle(question: Question, back: timedelta) -> None:
    inputs = seen(question)
    start = question.as_of - back
    made = build_history(
        runs(inputs, max_gap=question.max_gap), calendar(inputs, start, question.as_of)
    ).by_period(Period.HOUR)
    for number, store_id in enumerate(store_ids(inputs)):
        found = oracle_history.stretches(
            inputs, store_id, start, question.as_of, as_of=question.as_of, max_gap=question.max_gap
        )
        by_wall: dict[str, list[int]] = {}
        for (label, _), amounts in oracle_history.history(found, "hour").items():
            sums = by_wall.setdefault(label, [0] * 6)
            by_wall[label] = [a + b for a, b in zip(sums, expected_six(amounts), strict=True)]
        made_by_wall: dict[str, list[int]] = {}
        for (label, _), parts in _rows(made, number):
            sums = made_by_wall.setdefault(label, [0] * 6)
            made_by_wall[label] = [a + b for a, b in zip(sums, parts, strict=True)]
        assert made_by_wall == by_wall


def _rows(periods: PeriodAmounts, store: int) -> list[tuple[Label, tuple[int, ...]]]:
    walls = [_EPOCH + timedelta(microseconds=at) for at in periods.begin_local_us.tolist()]
    return [
        ((f"{walls[row]:%Y-%m-%dT%H:%M}", row), six(periods.amounts, row))
        for row in np.flatnonzero(periods.store == store).tolist()
    ]


@holds_for(15, 300, question=questions(stores=2))
def test_incidents_equal_the_oracle(question: Question) -> None:
    inputs = seen(question)
    start = question.as_of - timedelta(days=40)
    found = find_incidents(
        runs(inputs, max_gap=question.max_gap),
        calendar(inputs, start, question.as_of),
        as_of_us=us(question.as_of),
    )
    for number, store_id in enumerate(store_ids(inputs)):
        expected = oracle_history.incidents(
            inputs, store_id, start, as_of=question.as_of, max_gap=question.max_gap
        )
        assert incidents_of(found, number) == expected


def incidents_of(found: Incidents, store: int) -> list[oracle_history.Incident]:
    def poll(at_us: int) -> int | None:
        return None if at_us == NO_POLL else at_us

    return [
        oracle_history.Incident(
            int(found.start_us[row]),
            int(found.end_us[row]),
            poll(int(found.last_active_us[row])),
            int(found.first_inactive_us[row]),
            int(found.last_inactive_us[row]),
            poll(int(found.next_active_us[row])),
            _ENDINGS[Ending(int(found.ending[row]))],  # type: ignore[arg-type]
            int(found.lost_us[row]),
        )
        for row in np.flatnonzero(found.store == store).tolist()
    ]


@holds_for(15, 300, question=questions(stores=1))
def test_a_ledger_sums_to_the_report_s_figures_to_the_microsecond(question: Question) -> None:
    inputs = question.inputs
    made = runs(inputs, max_gap=question.max_gap)
    week = calendar(inputs, question.as_of - timedelta(hours=168), question.as_of)
    figures = compute_figures(
        made,
        week,
        as_of_us=us(question.as_of),
        policy=question.policy,
        max_gap_us=question.max_gap,
    )
    for column, window_us in enumerate(WINDOW_US.values()):
        ledger, counted = explain(
            made, week, as_of_us=us(question.as_of), window_us=window_us, policy=question.policy
        )
        if len(figures.store) == 0:
            assert len(counted) == 0
            continue
        length = ledger.end_us - ledger.start_us
        assert length.sum() == window_us
        assert (length > 0).all()
        assert (ledger.end_us[:-1] == ledger.start_us[1:]).all()
        is_up = ledger.is_business & (ledger.status == Status.UP)
        is_down = ledger.is_business & (ledger.status == Status.DOWN)
        assert length[is_up].sum() == figures.uptime_us[0, column]
        assert length[is_down].sum() == figures.downtime_us[0, column]
        assert length[is_up & ledger.is_certain].sum() == figures.lowest_uptime_us[0, column]
        assert length[ledger.is_business].sum() == figures.business_us[0, column]


@holds_for(15, 150, question=questions(stores=2))
def test_incidents_cost_exactly_the_downtime_of_the_history(question: Question) -> None:
    inputs = seen(question)
    days = calendar(inputs, question.as_of - timedelta(days=40), question.as_of)
    made = runs(inputs, max_gap=question.max_gap)
    history = build_history(made, days).by_period(Period.DAY)
    found = find_incidents(made, days, as_of_us=us(question.as_of))
    for store in range(days.stores):
        assert (
            found.lost_us[found.store == store].sum()
            == history.amounts.downtime_us[history.store == store].sum()
        )


@holds_for(15, 150, question=questions(stores=2))
def test_open_intervals_sum_to_the_business_time_of_the_calendar(question: Question) -> None:
    days = calendar(question.inputs, question.as_of - timedelta(days=12), question.as_of)
    for store in range(days.stores):
        start, end = days.open_intervals(store)
        assert (start < end).all()
        assert (start[1:] > end[:-1]).all()
        of_store = np.full(len(start), store)
        opened = days.business_us(of_store, end) - days.business_us(of_store, start)
        assert (opened == end - start).all()
        whole = days.business_us(np.array([store]), np.array([days.end_us]))
        assert (end - start).sum() == whole[0]


CLOCK_CHANGES = pytest.mark.parametrize(
    ("day", "length_hours"),
    [
        pytest.param("2023-03-12", 23, id="spring"),
        pytest.param("2023-11-05", 25, id="autumn"),
    ],
)


@CLOCK_CHANGES
def test_a_day_with_a_clock_change_is_one_row_of_its_real_length(
    day: str, length_hours: int
) -> None:
    # New York, always open, one active poll at noon UTC of the day.
    as_of = utc(f"{day} 12:00") + timedelta(days=3)
    inputs = oracle.Inputs(polls(as_of, "up 72h"), (), [zone("America/New_York")], ())
    made = build_history(
        runs(inputs, max_gap=MAX_GAP), calendar(inputs, as_of - timedelta(days=6), as_of)
    ).by_period(Period.DAY)
    business = by_label(made, 0)[f"{day}T00:00", 0][0]
    assert business == length_hours * HOUR_US


@CLOCK_CHANGES
def test_local_hours_follow_the_clock(day: str, length_hours: int) -> None:
    as_of = utc(f"{day} 12:00") + timedelta(days=3)
    inputs = oracle.Inputs(polls(as_of, "up 72h"), (), [zone("America/New_York")], ())
    made = build_history(
        runs(inputs, max_gap=MAX_GAP), calendar(inputs, as_of - timedelta(days=6), as_of)
    ).by_period(Period.HOUR)
    walls = [wall for (wall, _), _ in _rows(made, 0) if wall.startswith(day)]
    assert len(walls) == length_hours
    assert walls.count(f"{day}T01:00") == (2 if length_hours == 25 else 1)
    assert walls.count(f"{day}T02:00") == (0 if length_hours == 23 else 1)


def test_beyond_192_hours_from_any_poll_time_is_unknown() -> None:
    # Always open. Two active polls 20 days (480 h) apart: 96 h between their reaches are unknown.
    as_of = utc("2023-06-21 00:00")
    inputs = oracle.Inputs(polls(as_of, "up 480h", "up 0h"), (), [zone("UTC")], ())
    made = build_history(
        runs(inputs, max_gap=MAX_GAP), calendar(inputs, as_of - timedelta(days=20), as_of)
    )
    amounts = made.amounts(
        np.array([0]), np.array([us(as_of) - 480 * HOUR_US]), np.array([us(as_of)])
    )
    assert amounts.business_us.tolist() == [480 * HOUR_US]
    assert amounts.unknown_us.tolist() == [96 * HOUR_US]
    assert amounts.uptime_us.tolist() == [384 * HOUR_US]
    assert amounts.uncertain_us.tolist() == [384 * HOUR_US]


def test_an_incident_has_its_brackets_and_its_business_minutes() -> None:
    # Open 09:00 to 17:00. Down between the polls of 15:40 and 10:20 the next day: the changes are
    # estimated at 15:50 and 10:10, which costs 70 + 70 minutes.
    as_of = utc("2023-06-22 12:00")
    inputs = oracle.Inputs(
        polls(as_of, "up 20h 20m", "down 20h", "down 2h", "up 1h 40m"),
        hours("daily 09:00-17:00"),
        [zone("UTC")],
        (),
    )
    found = find_incidents(
        runs(inputs, max_gap=MAX_GAP),
        calendar(inputs, as_of - timedelta(days=9), as_of),
        as_of_us=us(as_of),
    )
    assert incidents_of(found, 0) == [
        oracle_history.Incident(
            start=us(utc("2023-06-21 15:50")),
            end=us(utc("2023-06-22 10:10")),
            last_active=us(utc("2023-06-21 15:40")),
            first_inactive=us(utc("2023-06-21 16:00")),
            last_inactive=us(utc("2023-06-22 10:00")),
            next_active=us(utc("2023-06-22 10:20")),
            ending="ended",
            lost=140 * MINUTE_US,
        )
    ]


def test_an_incident_without_further_polls_ends_as_no_longer_polled() -> None:
    as_of = utc("2023-06-22 12:00")
    inputs = oracle.Inputs(polls(as_of, "up 241h", "down 240h"), (), [zone("UTC")], ())
    found = find_incidents(
        runs(inputs, max_gap=MAX_GAP),
        calendar(inputs, as_of - timedelta(days=20), as_of),
        as_of_us=us(as_of),
    )
    (incident,) = incidents_of(found, 0)
    assert incident.ending == "no longer polled"
    assert incident.end == us(as_of) - 48 * HOUR_US
    assert incident.lost == LOOKBACK_US + 30 * MINUTE_US


def test_downtime_outside_of_business_time_is_no_incident() -> None:
    as_of = utc("2023-06-22 12:00")
    inputs = oracle.Inputs(
        polls(as_of, "up 14h", "down 12h", "up 10h"),
        hours("daily 09:00-17:00"),
        [zone("UTC")],
        (),
    )
    found = find_incidents(
        runs(inputs, max_gap=MAX_GAP),
        calendar(inputs, as_of - timedelta(days=9), as_of),
        as_of_us=us(as_of),
    )
    assert len(found) == 0


def test_a_ledger_shows_a_closure_as_no_business_time() -> None:
    as_of = utc("2023-06-22 12:00")
    inputs = oracle.Inputs(
        polls(as_of, "up 3h", "up 2h"),
        hours("daily 09:00-17:00"),
        [zone("UTC")],
        [closure("2023-06-22 10:00", "2023-06-22 11:00")],
    )
    ledger, counted = explain(
        runs(inputs, max_gap=MAX_GAP),
        calendar(inputs, as_of - timedelta(hours=24), as_of),
        as_of_us=us(as_of),
        window_us=4 * HOUR_US,
        policy=Policy.NEAREST,
    )
    hours_of = (ledger.end_us - us(as_of)) / HOUR_US
    assert hours_of.tolist() == [-3, -2, -1, 0]
    assert ledger.is_business.tolist() == [False, True, False, True]
    assert ledger.is_certain.tolist() == [False, True, False, False]
    assert counted.polls.tolist() == [2]


def test_a_status_run_that_goes_on_after_a_report_has_its_share_of_polls_there() -> None:
    newest = utc("2023-06-22 12:00")
    inputs = oracle.Inputs(
        polls(newest, "up 4h", "up 3h", "up 2h", "up 1h", "up 0h"), [], [zone("UTC")], ()
    )
    as_of = newest - timedelta(hours=2)
    _, counted = explain(
        runs(inputs, max_gap=MAX_GAP),
        calendar(inputs, as_of - timedelta(hours=24), as_of),
        as_of_us=us(as_of),
        window_us=HOUR_US,
        policy=Policy.NEAREST,
    )
    assert counted.last_poll_us.tolist() == [us(as_of)]
    assert counted.polls.tolist() == [3]


def test_the_whole_history_of_a_store_without_polls_is_unknown() -> None:
    as_of = utc("2023-06-22 12:00")
    inputs = oracle.Inputs((), hours("daily 09:00-17:00"), (), ())
    none = np.empty(0, np.int64)
    made = build_history(
        StatusRuns(none, none, none, none.astype(np.bool_), none),
        calendar(inputs, as_of - timedelta(hours=24), as_of),
    )
    assert made.estimates.status.tolist() == [Status.UNKNOWN]
    assert len(build_ledger(made.estimates, made.calendar, store=0)) >= 2
    day = made.by_period(Period.DAY)
    assert day.amounts.unknown_us.sum() == day.amounts.business_us.sum() == 8 * HOUR_US
