"""Changes of alerts in cases written by hand, without database and clock."""

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storemon_pipeline.alerts.conditions import (
    MANY_SILENT,
    Condition,
    Feed,
    Key,
    Kind,
    OpenAlert,
    Rules,
    SourceCheck,
    StoreStates,
    source_conditions,
)
from storemon_pipeline.alerts.transitions import Changes, decide, evaluate_sources, evaluate_stores

MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
NOW: Final = 1_000 * HOUR
RULES: Final = Rules()
A: Final = Key(Kind.DOWN, "A")


def fleet(stores: int, *, down: int = 0, lost: int = 0, zone: str = "UTC") -> StoreStates:
    """Open stores S000, S001, …; the first `down` have lost so many minutes, the rest are up."""
    is_down = np.arange(stores) < down
    polled = np.full(stores, NOW)
    return StoreStates(
        as_of_us=NOW,
        store_ids=[f"S{number:03}" for number in range(stores)],
        zones=[zone] * stores,
        groups=[None] * stores,
        is_open=np.full(stores, True),
        is_down=is_down,
        is_seen_down=is_down.copy(),
        has_incident=is_down.copy(),
        down_since_us=np.where(is_down, NOW - lost * MINUTE, 0),
        lost_us=np.where(is_down, lost * MINUTE, 0),
        has_poll=np.full(stores, True),
        last_poll_us=polled,
        silent_us=np.zeros(stores, np.int64),
    )


def opened(changes: Changes) -> list[str]:
    return [f"{one.key.kind} {one.key.subject}" for one in changes.opened]


def closed(changes: Changes) -> list[str]:
    return [f"{one.key.kind} {one.key.subject}" for one in changes.closed]


def alert(key: Key, *, opened_at: int = NOW - HOUR, since: int = NOW - 3 * HOUR) -> OpenAlert:
    return OpenAlert(1, key, opened_at, since, 0, is_told=True)


def judge(states: StoreStates, *alerts: OpenAlert, closed_at: dict[Key, int] | None = None,
          rules: Rules = RULES) -> Changes:  # fmt: skip
    return evaluate_stores(states, {one.key: one for one in alerts}, closed_at or {}, rules)


@pytest.mark.parametrize(("lost", "expected"), [(90, []), (91, ["down S000"])])
def test_a_store_that_is_down_is_an_alert_after_more_than_90_minutes(
    lost: int, expected: list[str]
) -> None:
    assert opened(judge(fleet(20, down=1, lost=lost))) == expected


def test_nothing_opens_outside_of_business_time_but_at_the_first_look() -> None:
    states = fleet(20, down=1, lost=300)
    states.is_open[0] = states.is_down[0] = states.is_seen_down[0] = False
    assert opened(judge(states)) == []
    assert opened(evaluate_stores(states, {}, {}, RULES, is_first=True)) == ["down S000"]


def test_an_alert_lasts_over_closing_time_as_long_as_its_incident() -> None:
    states = fleet(20, down=1, lost=100)
    states.is_open[0] = states.is_down[0] = False
    key = Key(Kind.DOWN, "S000")
    assert closed(judge(states, alert(key))) == []
    states.has_incident[0] = False
    assert closed(judge(states, alert(key))) == ["down S000"]


def test_another_incident_closes_the_alert_of_the_one_before() -> None:
    states = fleet(20, down=1, lost=10)
    key = Key(Kind.DOWN, "S000")
    assert closed(judge(states, alert(key, opened_at=NOW - 5 * MINUTE))) == []
    assert closed(judge(states, alert(key, opened_at=NOW - 20 * MINUTE))) == ["down S000"]


@pytest.mark.parametrize(
    ("minutes_ago", "expected"), [(59, "in_cooldown"), (60, "opened"), (200, "opened")]
)
def test_nothing_opens_again_within_an_hour_of_its_close(minutes_ago: int, expected: str) -> None:
    states = fleet(20, down=1, lost=100)
    changes = judge(states, closed_at={Key(Kind.DOWN, "S000"): NOW - minutes_ago * MINUTE})
    assert ("opened" if changes.opened else "in_cooldown") == expected
    assert changes.in_cooldown == ([] if changes.opened else [Key(Kind.DOWN, "S000")])


@pytest.mark.parametrize(
    ("stores", "down", "expected"),
    [
        pytest.param(10, 3, ["platform timezone:UTC"], id="30-percent-of-10"),
        pytest.param(10, 2, ["down S000", "down S001"], id="20-percent"),
        pytest.param(9, 3, ["down S000", "down S001", "down S002"], id="too-few-stores"),
        pytest.param(100, 29, [f"down S{n:03}" for n in range(29)], id="29-percent"),
        pytest.param(100, 30, ["platform timezone:UTC"], id="30-percent-of-100"),
    ],
)
def test_many_stores_down_at_once_are_one_alert(
    stores: int, down: int, expected: list[str]
) -> None:
    assert opened(judge(fleet(stores, down=down, lost=100))) == expected


def test_stores_get_their_own_alerts_when_the_one_about_many_closes() -> None:
    zone = alert(Key(Kind.PLATFORM, "timezone:UTC"))
    still = judge(fleet(10, down=3, lost=100), zone)
    assert (opened(still), closed(still)) == ([], [])
    assert [key.subject for key in still.inhibited] == ["S000", "S001", "S002"]
    over = judge(fleet(10, down=2, lost=100), zone)
    assert opened(over) == ["down S000", "down S001"]
    assert closed(over) == ["platform timezone:UTC"]


def test_a_zone_that_is_damped_covers_its_stores_as_well() -> None:
    key = Key(Kind.PLATFORM, "timezone:UTC")
    changes = judge(fleet(10, down=3, lost=100), closed_at={key: NOW - MINUTE})
    assert (opened(changes), changes.in_cooldown) == ([], [key])
    assert len(changes.inhibited) == 3


def test_a_store_that_has_its_alert_keeps_it_while_many_are_down() -> None:
    own = alert(Key(Kind.DOWN, "S000"))
    changes = judge(fleet(10, down=3, lost=100), own)
    assert opened(changes) == ["platform timezone:UTC"]
    assert closed(changes) == []


def test_a_group_that_is_down_with_its_zone_is_no_alert_of_its_own() -> None:
    states = replace(fleet(20, down=10, lost=100), groups=["G"] * 15 + [None] * 5)
    assert opened(judge(states)) == ["platform timezone:UTC"]
    over_zones = replace(states, zones=[f"Z{number % 4}" for number in range(20)])
    assert opened(judge(over_zones)) == ["platform group:G"]


def test_stores_that_were_polled_as_down_by_night_open_no_alert_about_many() -> None:
    states = fleet(10, down=10, lost=5)
    states.is_seen_down[:] = False
    assert opened(judge(states)) == []
    # One that is open stays so until the polls of the day are in.
    assert closed(judge(states, alert(Key(Kind.PLATFORM, "timezone:UTC")))) == []


def test_an_alert_about_many_lasts_while_too_few_are_open_to_tell() -> None:
    states = fleet(10)
    states.is_open[:] = False
    zone = alert(Key(Kind.PLATFORM, "timezone:UTC"))
    assert closed(judge(states, zone)) == []
    states.is_open[:] = True
    assert closed(judge(states, zone)) == ["platform timezone:UTC"]


def silent_fleet(stores: int, silent: int, hours: float) -> StoreStates:
    states = fleet(stores)
    states.silent_us[:silent] = round(hours * HOUR)
    states.last_poll_us[:silent] = NOW - round(hours * HOUR)
    return states


@pytest.mark.parametrize(("hours", "expected"), [(6, []), (6.1, ["silent S000"])])
def test_a_store_is_silent_after_more_than_six_hours(hours: float, expected: list[str]) -> None:
    assert opened(judge(silent_fleet(20, 1, hours))) == expected


def test_a_silent_store_is_an_alert_until_it_is_polled() -> None:
    key, since = Key(Kind.SILENT, "S000"), NOW - 7 * HOUR
    assert closed(judge(silent_fleet(20, 1, 7), alert(key, since=since))) == []
    assert closed(judge(silent_fleet(20, 1, 6.9), alert(key, since=since))) == ["silent S000"]


def test_neither_a_store_no_longer_polled_nor_one_never_polled_is_news() -> None:
    states = silent_fleet(20, 2, 193)
    states.has_poll[1] = False
    assert opened(judge(states)) == []


def test_a_store_that_is_down_is_not_silent_as_well() -> None:
    states = silent_fleet(20, 1, 7)
    states.is_down[0] = states.has_incident[0] = True
    states.lost_us[0] = 8 * HOUR
    assert opened(judge(states)) == ["down S000"]


def test_many_silent_stores_are_one_alert_before_they_are_one_each() -> None:
    assert opened(judge(silent_fleet(100, 30, 3.1))) == ["source silent_stores"]
    assert opened(judge(silent_fleet(100, 29, 3.1))) == []
    changes = judge(silent_fleet(100, 30, 7), alert(MANY_SILENT))
    assert opened(changes) == []
    assert len(changes.inhibited) == 30
    after = judge(silent_fleet(100, 2, 7), alert(MANY_SILENT))
    assert opened(after) == ["silent S000", "silent S001"]
    assert closed(after) == ["source silent_stores"]


ALIVE: Final = Feed(NOW, 0, is_business_now=True)


def judge_looks(
    *ages: float, feed: Feed = ALIVE, watching: float = 100, alerts: tuple[OpenAlert, ...] = ()
) -> Changes:
    """Judge sources s0, s1, … that were looked at so many hours ago."""
    looks = [SourceCheck(f"s{number}", NOW - round(age * HOUR)) for number, age in enumerate(ages)]
    known = {one.key: one for one in alerts}
    since_us = NOW - round(watching * HOUR)
    found = source_conditions(looks, feed, RULES, known, now_us=NOW, watching_since_us=since_us)
    return evaluate_sources(found, known, {}, RULES, now_us=NOW)


def test_a_source_is_an_alert_after_two_hours_without_a_look() -> None:
    assert opened(judge_looks(2, 2.1)) == ["source s1"]


def test_hours_without_evaluations_do_not_count() -> None:
    assert opened(judge_looks(50, watching=1)) == []
    assert opened(judge_looks(50, watching=2.1)) == ["source s0"]


def test_no_source_is_an_alert_while_every_store_is_closed() -> None:
    feed = replace(ALIVE, is_business_now=False)
    assert opened(judge_looks(3, feed=feed)) == []
    late = alert(Key(Kind.SOURCE, "s0"))
    assert closed(judge_looks(3, feed=feed, alerts=(late,))) == []
    assert closed(judge_looks(1, feed=feed, alerts=(late,))) == ["source s0"]


@pytest.mark.parametrize(
    ("polled_ago", "open_for", "expected"),
    [
        pytest.param(3, 3.0, ["source store_status"], id="open-all-the-time"),
        pytest.param(9, 1.5, [], id="closed-most-of-the-time"),
        pytest.param(500, None, [], id="a-history"),
    ],
)
def test_polls_have_stopped_when_a_store_was_open_for_two_hours_since(
    polled_ago: int, open_for: float | None, expected: list[str]
) -> None:
    open_us = None if open_for is None else round(open_for * HOUR)
    feed = Feed(NOW - polled_ago * HOUR, open_us, is_business_now=True)
    assert opened(judge_looks(feed=feed)) == expected


def test_an_alert_about_polls_lasts_until_there_are_new_ones() -> None:
    late = alert(Key(Kind.SOURCE, "store_status"))
    old = Feed(NOW - 300 * HOUR, None, is_business_now=True)
    assert closed(judge_looks(feed=old, alerts=(late,))) == []
    assert closed(judge_looks(alerts=(late,))) == ["source store_status"]


Step = tuple[int, bool]


@given(
    st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=60),
    st.integers(0, 100),
)
def test_opens_and_closes_alternate_and_keep_their_distance(steps: list[Step], damp: int) -> None:
    at, open_alert = 0, None
    closed_at: dict[Key, int] = {}
    changes_at: list[tuple[str, int]] = []
    for minutes, is_wrong in steps:
        at += minutes
        wrong = [Condition(A, may_open=True, since_us=at)] if is_wrong else []
        changes = decide(
            wrong, [open_alert] if open_alert else [], closed_at, at_us=at, cooldown_us=damp
        )
        if changes.opened:
            open_alert = OpenAlert(1, A, at, at, 0, is_told=True)
            changes_at.append(("opened", at))
        if changes.closed:
            open_alert = None
            closed_at[A] = at
            changes_at.append(("closed", at))
        # Whatever is wrong is open, or was closed a short time ago; whatever is open is wrong.
        assert is_wrong or open_alert is None
        assert not is_wrong or open_alert or at < closed_at[A] + damp
    words = [word for word, _ in changes_at]
    assert words == ["opened", "closed"] * (len(words) // 2) + ["opened"] * (len(words) % 2)
    for (word, before), (_, after) in pairwise(changes_at):
        assert word == "opened" or after - before >= damp
