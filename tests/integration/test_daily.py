"""Days in the database: kept current, and computed again after late data."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

import oracle
import oracle_history
from properties import seeds
from stored import MIDNIGHT, Row, execute, fetch, load_rows
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.figures.refresh_daily import (
    compare_all_days,
    compare_daily,
    refresh_daily,
)
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

HOUR_US = 3_600_000_000
MIDNIGHT_US = int(MIDNIGHT.timestamp()) * 1_000_000
STORES = ("A", "B", "C")
NEW_YORK = "America/New_York"

EVERY_DAY = (
    "SELECT store_id, local_date, business_us, uptime_us, downtime_us, unknown_us, uncertain_us,"
    " lowest_uptime_us, incidents FROM store_uptime_daily JOIN stores USING (store_key)"
    " ORDER BY store_id, local_date"
)


_NEW_YORK_ROW = (
    "INSERT INTO store_timezones (store_key, valid_from, load_id, row_number, timezone, is_dated)"
    f" SELECT store_key, '-infinity', 1, 0, '{NEW_YORK}', false FROM stores"
)
_ONE_HOUR_ROW = (
    "INSERT INTO business_hours (store_key, valid_from, load_id, row_number, day_of_week,"
    " start_us, end_us, is_dated) SELECT store_key, '-infinity', 1, 0, 2, 0, 3600000000, false"
    " FROM stores WHERE store_id = 'B'"
)
_CLOSURE_ROW = (
    "INSERT INTO closures (start_local, end_local, reason, load_id)"
    " VALUES ('2023-01-25 10:00', '2023-01-25 12:00', 'inventory', 1)"
)


def load(url: str, rows: list[Row], *, file_path: str | None = None) -> None:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        load_rows(bulk, rows, file_path=file_path)


def hourly(store_id: str, hours: range, *, down: range = range(0)) -> list[Row]:
    """A poll in every hour since Monday midnight, a few minutes past it."""
    return [
        (store_id, MIDNIGHT_US + hour * HOUR_US + 7 * 60_000_000, hour not in down)
        for hour in hours
    ]


def refresh(url: str) -> list[dict[str, Any]]:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    refresh_daily(url)
    return fetch(url, EVERY_DAY)


def made_anew(url: str) -> list[dict[str, Any]]:
    execute(
        url,
        "DELETE FROM store_uptime_daily",
        "DELETE FROM store_uptime_daily_state",
        "DELETE FROM store_uptime_daily_stale",
    )
    refresh_daily(url)
    return fetch(url, EVERY_DAY)


def test_each_local_day_from_the_first_poll_on_is_a_row(database_url: str) -> None:
    # Chicago is six hours behind: the day of the first poll (Monday 00:07 UTC) is Sunday there.
    load(database_url, hourly("A", range(50), down=range(10, 13)))
    days = refresh(database_url)
    assert [day["local_date"].isoformat() for day in days] == [
        "2023-01-22",
        "2023-01-23",
        "2023-01-24",
    ]
    # Down between the polls of 10:07 and 12:07: from 09:37 to 12:37 UTC, 03:37 to 06:37 local.
    assert [day["downtime_us"] for day in days] == [0, 3 * HOUR_US, 0]
    assert [day["incidents"] for day in days] == [0, 1, 0]
    assert days[1]["business_us"] == 24 * HOUR_US
    # The newest poll is Wednesday 01:07 UTC, Tuesday 19:07 in Chicago.
    assert days[2]["business_us"] == 19 * HOUR_US + 7 * 60_000_000


def test_an_incident_over_midnight_counts_on_both_days(database_url: str) -> None:
    load(database_url, hourly("A", range(50), down=range(28, 33)))
    assert [day["incidents"] for day in refresh(database_url)] == [0, 1, 1]


def test_no_polls_make_no_days(database_url: str) -> None:
    assert refresh(database_url) == []
    assert compare_daily(database_url, seed=1).compared == 0


@pytest.mark.parametrize("seed", seeds(few=2, many=6))
def test_days_after_loads_in_any_order_equal_those_computed_at_once(
    database_url: str, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    rows = [
        (store, MIDNIGHT_US + rng.randrange(0, 40 * 24) * HOUR_US // 2, rng.random() < 0.7)
        for store in STORES
        for _ in range(rng.randrange(1, 120))
    ]
    while rows:
        batch = [rows.pop(rng.randrange(len(rows))) for _ in range(min(len(rows), 40))]
        load(database_url, batch)
        days = refresh(database_url)
        comparison = compare_all_days(database_url)
        assert comparison.different == 0
        assert comparison.compared == len(days)
    assert days == made_anew(database_url)


@pytest.mark.parametrize(
    ("seed", "days_of_polls"),
    [(0, 10), *(pytest.param(seed, 30, marks=pytest.mark.slow) for seed in range(4))],
)
def test_days_after_hourly_deliveries_equal_those_computed_at_once(
    database_url: str, seed: int, days_of_polls: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    polls = [
        (store, MIDNIGHT_US + hour * HOUR_US + rng.randrange(HOUR_US), rng.random() < 0.8)
        for hour in range(days_of_polls * 24)
        # Sparse enough for gaps of several hours, and of days in store C.
        for store in STORES
        if rng.random() < (0.01 if store == "C" else 0.6)
    ]
    # Some come up to ten days late, after what follows them is known; some are corrected then.
    draw = {poll: rng.random() for poll in polls}
    corrections = [
        (store, at, not up) for (store, at, up) in polls if 0.03 < draw[store, at, up] < 0.05
    ]
    late = [*(poll for poll in polls if draw[poll] < 0.03), *corrections]
    arrivals = [
        *((poll[1], poll) for poll in polls if draw[poll] >= 0.03),
        *((poll[1] + HOUR_US + rng.randrange(240 * HOUR_US), poll) for poll in late),
    ]
    for begin in range(0, (days_of_polls + 10) * 24, 12):
        hours = range(MIDNIGHT_US + begin * HOUR_US, MIDNIGHT_US + (begin + 12) * HOUR_US)
        if batch := [poll for at, poll in sorted(arrivals) if at in hours]:
            load(database_url, batch)
            days = refresh(database_url)
            assert compare_all_days(database_url).different == 0
    assert days == made_anew(database_url)


def test_a_fault_in_any_day_is_found(database_url: str) -> None:
    load(database_url, hourly("A", range(24 * 60)))
    refresh(database_url)
    execute(
        database_url,
        "UPDATE store_uptime_daily SET incidents = incidents + 1 WHERE local_date = '2023-01-25'",
    )
    assert compare_daily(database_url, seed=1).different == 0
    comparison = compare_all_days(database_url)
    assert (comparison.compared, comparison.different) == (61, 2)
    execute(
        database_url,
        "UPDATE store_uptime_daily SET incidents = incidents + 1 WHERE local_date = '2023-03-20'",
    )
    assert compare_daily(database_url, seed=1).different == 2


def test_what_came_since_the_refresh_is_no_fault(database_url: str) -> None:
    load(database_url, hourly("A", range(24 * 20)) + hourly("B", range(24 * 20)))
    refresh(database_url)
    # The same hour goes on, a poll of days ago comes late, and so does the first of a new store.
    load(database_url, hourly("A", range(24 * 20, 24 * 20 + 2)))
    load(database_url, [("B", MIDNIGHT_US + 100 * HOUR_US, False)])
    load(database_url, [("C", MIDNIGHT_US + 300 * HOUR_US, False)])
    execute(database_url, _CLOSURE_ROW.replace("'inventory', 1", "'inventory', 4"))
    comparison = compare_all_days(database_url)
    # The closure of 25 January is of every store: what was computed before it is compared.
    assert comparison.different == 0
    assert comparison.compared > 0
    assert compare_daily(database_url, seed=1).different == 0
    execute(
        database_url,
        "UPDATE store_uptime_daily SET incidents = 7 WHERE local_date = '2023-01-22'",
    )
    assert compare_all_days(database_url).different == 2 * 2
    refresh(database_url)
    assert compare_all_days(database_url).compared > comparison.compared


def test_a_late_poll_mends_the_days_around_it(database_url: str) -> None:
    load(database_url, hourly("A", range(24 * 20)) + hourly("B", range(24 * 20)))
    refresh(database_url)
    refreshed = refresh_daily(database_url)
    assert refreshed.stores_mended == 0
    load(database_url, [("A", MIDNIGHT_US + 100 * HOUR_US, False)])
    refreshed = refresh_daily(database_url)
    assert refreshed.stores_mended == 1
    assert refreshed.days_written < 30
    days = fetch(database_url, EVERY_DAY)
    assert sum(day["incidents"] for day in days) == 1
    assert days == made_anew(database_url)


def test_polls_that_only_go_on_mend_nothing_older(database_url: str) -> None:
    load(database_url, hourly("A", range(24 * 20)))
    refresh(database_url)
    load(database_url, hourly("A", range(24 * 20, 24 * 20 + 5)))
    refreshed = refresh_daily(database_url)
    assert (refreshed.stores_mended, refreshed.days_written) == (0, 1)
    assert fetch(database_url, EVERY_DAY) == made_anew(database_url)


def test_a_correction_mends_the_days_since_the_run_before(database_url: str) -> None:
    # The poll of the corrected hour is a status run of its own, far from its neighbours, so that
    # only its status changes in the table.
    first, alone, last = range(24), range(24 * 5, 24 * 5 + 1), range(24 * 12, 24 * 13)
    polls = [row for hours in (first, alone, last) for row in hourly("A", hours)]
    load(database_url, polls + hourly("B", range(24 * 13)))
    refresh(database_url)
    load(database_url, hourly("A", alone, down=alone))
    refreshed = refresh_daily(database_url)
    assert refreshed.stores_mended == 1
    days = fetch(database_url, EVERY_DAY)
    assert sum(day["downtime_us"] for day in days) > 0
    assert days == made_anew(database_url)


def test_a_run_that_goes_on_after_the_days_were_made_mends_them(database_url: str) -> None:
    load(database_url, hourly("A", range(24 * 4)) + hourly("B", range(24 * 4 + 30)))
    refresh(database_url)
    load(database_url, hourly("A", range(24 * 4, 24 * 4 + 10)))
    refreshed = refresh_daily(database_url)
    assert refreshed.stores_mended == 1
    assert fetch(database_url, EVERY_DAY) == made_anew(database_url)


def test_new_hours_zones_and_closures_mend_the_days_they_reach(database_url: str) -> None:
    load(database_url, hourly("A", range(24 * 20)) + hourly("B", range(24 * 20)))
    refresh(database_url)
    changes = (
        _NEW_YORK_ROW + " WHERE store_id = 'A'",
        _ONE_HOUR_ROW,
        _CLOSURE_ROW,
        "UPDATE closures SET cancelled_by_load_id = 2",
    )
    seen = [fetch(database_url, EVERY_DAY)]
    for change in changes:
        execute(database_url, change)
        days = refresh(database_url)
        assert compare_daily(database_url, seed=1).different == 0
        assert days != seen[-1]
        seen.append(days)
    assert seen[-1] == seen[-3]
    assert seen[-1] == made_anew(database_url)


def test_days_of_polls_that_are_gone_go_too(database_url: str, engine: sa.Engine) -> None:
    load(database_url, hourly("A", range(24 * 20)))
    refresh(database_url)
    border = MIDNIGHT + timedelta(days=10)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE status_runs SET first_poll_at = :border"), {"border": border}
        )
    # The trigger of a removed run stands for what an undoing does.
    with engine.begin() as connection:
        rows = connection.execute(sa.text("DELETE FROM status_runs RETURNING *")).all()
        connection.execute(
            sa.text("INSERT INTO status_runs VALUES (:a, :b, :c, :d, :e)"),
            [dict(zip("abcde", row, strict=True)) for row in rows],
        )
        connection.execute(sa.text("UPDATE store_uptime_daily_stale SET since = '-infinity'"))
    days = refresh(database_url)
    assert min(day["local_date"] for day in days) == border.date() - timedelta(days=1)
    assert days == made_anew(database_url)


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(datetime(2023, 3, 10, tzinfo=UTC), id="spring"),
        pytest.param(datetime(2023, 11, 3, tzinfo=UTC), id="autumn"),
    ],
)
def test_days_equal_the_oracle_over_a_clock_change(database_url: str, begin: datetime) -> None:
    rng = random.Random(7)  # noqa: S311 - a test's dice
    polls = [
        oracle.Poll("A", begin + timedelta(minutes=minutes), is_active=rng.random() < 0.6)
        for minutes in sorted(rng.sample(range(5 * 24 * 60), 60))
    ]
    start_us = int(begin.timestamp()) * 1_000_000
    load(
        database_url,
        [
            ("A", start_us + (poll.polled_at - begin) // timedelta(microseconds=1), poll.is_active)
            for poll in polls
        ],
    )
    execute(
        database_url,
        _NEW_YORK_ROW,
    )
    days = refresh(database_url)
    inputs = oracle.Inputs(polls, (), [oracle.ZoneRow("A", NEW_YORK, "always")], ())
    as_of = polls[-1].polled_at
    found = oracle_history.stretches(
        inputs, "A", begin - timedelta(days=3), as_of, as_of=as_of, max_gap=3 * HOUR_US
    )
    expected = oracle_history.history(found, "day")
    assert len(days) >= 5
    for day in days:
        amounts = expected[f"{day['local_date']}T00:00", 0]
        assert (
            day["business_us"],
            day["uptime_us"],
            day["downtime_us"],
            day["unknown_us"],
            day["uncertain_us"],
            day["lowest_uptime_us"],
        ) == (
            amounts.business,
            amounts.up,
            amounts.down,
            amounts.unknown,
            amounts.uncertain,
            amounts.certain_up,
        )
