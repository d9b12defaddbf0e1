"""Alerts about error budgets on a real database: burn and exhaustion, from start to end."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest

from stored import at, execute, fetch, load, load_hours, load_zones
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.objectives.manage_objectives import cancel_pushed_objective
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks

NOTICE: Final = Notification(("json://receiver",), "https://storemon.example/")
RULES: Final = Rules(down_us=10**15, silent_us=10**15, source_us=10**15)
"""Nothing but budgets is an alert."""
SECOND: Final = timedelta(seconds=5)


def put(url: str, objective: str, *, now: str, by: str = "week", store_id: str = "A") -> None:
    row = {"applies_to": "store", "name": store_id, "objective": objective, "by": by}
    row["valid_from"] = "always"
    push_rows(url, Source.OBJECTIVES, [row], now=at(now), patience=SECOND)


def look(url: str, clock: str, *, rules: Rules = RULES) -> None:
    assert evaluate_rules(url, rules=rules, notification=NOTICE, now=at(clock), is_loading=False)


def alerts(url: str) -> list[str]:
    """Read `burn A open` or `burn A slower again` for every alert, in order."""
    rows = fetch(url, "SELECT kind, subject, ending FROM alerts ORDER BY alert_id")
    return [f"{row['kind']} {row['subject']} {row['ending'] or 'open'}" for row in rows]


def messages(url: str) -> list[str]:
    rows = fetch(url, "SELECT title, body FROM alert_deliveries ORDER BY delivery_id")
    return [f"{row['title']}: {row['body']}" for row in rows]


def hours(store_id: str, start: int, end: int, *, down: Sequence[int] = ()) -> list[str]:
    """Hourly polls from one hour to another, since Monday 00:00 UTC."""
    return [
        f"{store_id} {hour:02}:00 {'down' if hour in down else 'up'}" for hour in range(start, end)
    ]


@pytest.fixture
def watched_url(database_url: str) -> str:
    """A store in UTC that is always open and was up for a day, looked at with an objective.

    Its week has 168 hours: 95 % of them allow 8 h 24 min offline, 1 h 12 min in a day.
    """
    load(database_url, *hours("A", 0, 25))
    load_zones(database_url, "A,UTC")
    put(database_url, "95", now="24:01")
    look(database_url, "24:02")
    assert alerts(database_url) == []
    return database_url


def test_a_budget_that_is_spent_fast_is_an_alert_until_it_is_not(watched_url: str) -> None:
    # Down from 26:30 to 29:30: 3 h in a day are 2.5 times as much as allowed.
    load(watched_url, *hours("A", 25, 31, down=(27, 28, 29)))
    look(watched_url, "30:01")
    assert alerts(watched_url) == []
    # Four hours in the last day are 3.33 times as much; in 34 hours 2.35 times.
    load(watched_url, *hours("A", 31, 35, down=(33,)))
    look(watched_url, "34:01")
    assert alerts(watched_url) == ["burn A open"]
    assert messages(watched_url) == [
        (
            "Time offline used fast: store A: In the last 24 hours store A was offline for 4 h, "
            "3.3 times as long as its objective of 95 % per week allows. 4 h 24 min are left. At "
            "the pace of the last three days it is used up on Wed 25 Jan 2023 23:24 (UTC)."
            "\nhttps://storemon.example/store/A"
        )
    ]
    # 4 h in three days are 1.11 times as much: still firing, though the last day is slow.
    load(watched_url, *hours("A", 35, 73))
    look(watched_url, "72:01")
    assert alerts(watched_url) == ["burn A open"]
    # From 101:30 on the last three days have less than 3 h 36 min of it.
    load(watched_url, *hours("A", 73, 102))
    look(watched_url, "101:01")
    assert alerts(watched_url) == ["burn A slower again"]
    assert messages(watched_url)[1].startswith("Time offline no longer used fast: store A: ")


def test_a_budget_that_is_spent_is_an_alert_until_the_next_week(watched_url: str) -> None:
    # Down from 25:30 to 34:30: nine hours, 36 minutes more than allowed.
    load(watched_url, *hours("A", 25, 36, down=range(26, 35)))
    look(watched_url, "35:01")
    assert alerts(watched_url) == ["exhausted A open"]
    (alert,) = fetch(watched_url, "SELECT since, lost_us, store_key FROM alerts")
    # The first microsecond after 8 h 24 min.
    assert alert["since"] == at("33:54") + timedelta(microseconds=1)
    assert alert["lost_us"] == 9 * 3_600_000_000
    assert messages(watched_url) == [
        (
            "Time offline used up: store A: Store A has been offline for 9 h of this week. Its "
            "objective of 95 % allows 8 h 24 min, which are used up since "
            "Tue 24 Jan 2023 09:54 (UTC)."
            "\nhttps://storemon.example/store/A"
        )
    ]
    load(watched_url, *hours("A", 36, 168))
    look(watched_url, "167:01")
    assert alerts(watched_url) == ["exhausted A open"]
    load(watched_url, "A 168:00 up", "A 169:00 up")
    look(watched_url, "169:01")
    assert alerts(watched_url) == ["exhausted A within its objective again"]
    assert messages(watched_url)[1].startswith("Within its objective again: store A: Store A has ")


def test_without_an_objective_an_alert_ends(watched_url: str) -> None:
    load(watched_url, *hours("A", 25, 36, down=range(26, 35)))
    look(watched_url, "35:01")
    cancel_pushed_objective(watched_url, 1, now=at("35:02"), patience=SECOND)
    look(watched_url, "35:03")
    assert alerts(watched_url) == ["exhausted A within its objective again"]


def test_what_a_new_objective_finds_is_recorded_without_a_message(watched_url: str) -> None:
    load(watched_url, *hours("A", 25, 36, down=(30,)))
    look(watched_url, "35:01")
    put(watched_url, "99.99", now="35:02")
    look(watched_url, "35:03")
    assert alerts(watched_url) == ["exhausted A open"]
    assert messages(watched_url) == []


def test_a_store_that_is_closed_starts_no_alert_before_it_opens(watched_url: str) -> None:
    # Open from 08:00 to 18:00: 70 hours in a week, of which 3 h 30 min may be offline.
    load_hours(watched_url, *(f"A,{day},08:00,18:00" for day in range(7)))
    refresh_weeks(watched_url)
    load(watched_url, *hours("A", 25, 45, down=range(36, 45)))
    look(watched_url, "44:01")
    assert alerts(watched_url) == []
    load(watched_url, *hours("A", 45, 57, down=range(45, 57)))
    look(watched_url, "56:01")
    assert alerts(watched_url) == ["exhausted A open"]


def test_a_down_alert_inhibits_the_burn_alert_of_its_store(watched_url: str) -> None:
    load(watched_url, *hours("A", 25, 32, down=range(27, 32)))
    look(watched_url, "31:01", rules=Rules(silent_us=10**15, source_us=10**15))
    assert alerts(watched_url) == ["down A open"]
    execute(watched_url, "UPDATE alerts SET closed_at = opened_at, ending = 'up again'")
    look(watched_url, "31:02")
    assert alerts(watched_url) == ["down A up again", "burn A open"]
