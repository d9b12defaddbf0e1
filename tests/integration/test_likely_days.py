"""Likely ranges of the fleet's days, weeks and months, made of the spreads of its days."""

from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pytest

from api_server import serve
from stored import HOUR, LOADED_AT, at, execute, fetch, load, load_zones
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.figures.fit_status_model import fit_status_model
from storemon_pipeline.figures.rebuild_day import rebuild_day
from storemon_pipeline.figures.refresh_daily import compare_all_days, refresh_daily
from storemon_pipeline.fleet_days.daily_sums import FleetPeriod, read_fleet_periods
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks
from storemon_pipeline.views.fleet_history import read_fleet_hours

SECOND: Final = 1_000_000
MONDAY: Final = date(2023, 1, 23)
FIGURES: Final = (
    "SELECT store_key, local_date, business_us, uptime_us, downtime_us, unknown_us, uncertain_us,"
    " lowest_uptime_us, incidents FROM store_uptime_daily ORDER BY store_key, local_date"
)
SPREADS: Final = (
    "SELECT count(*) AS days, count(likely_apart_s) AS with_spread,"
    " count(*) FILTER (WHERE likely_own_deviation_s > 0) AS deviating,"
    " min(status_model_id) AS oldest, max(status_model_id) AS newest FROM store_uptime_daily"
)


@pytest.fixture
def filled(database_url: str) -> str:
    """Ten days of polls, hourly but for one store with every third; one store goes down often."""
    load(
        database_url,
        *(f"often {hour:02}:00 {'down' if hour % 17 in {3, 4} else 'up'}" for hour in range(240)),
        *(f"steady {hour:02}:30 up" for hour in range(240)),
        *(f"seldom {hour:02}:15 {'down' if hour == 90 else 'up'}" for hour in range(0, 240, 3)),
    )
    load_zones(database_url, *(f"{store},UTC" for store in ("often", "steady", "seldom")))
    refresh_weeks(database_url)
    return database_url


def spread(url: str, store_id: str, day: date, values: str) -> None:
    """Write the spread of a day with 12 of 24 hours up."""
    names = (
        "likely_apart_s, likely_own_deviation_s, likely_shared_deviation_s,"
        " likely_reach_minutes, likely_doubt"
    )
    execute(
        url,
        f"UPDATE store_uptime_daily SET business_us = {24 * HOUR}, uptime_us = {12 * HOUR},"
        f" downtime_us = {12 * HOUR}, unknown_us = 0, ({names}) = ({values})"
        f" WHERE local_date = '{day}'"
        f" AND store_key = (SELECT store_key FROM stores WHERE store_id = '{store_id}')",
    )


def periods(url: str, by: Period, *, start: date = MONDAY) -> list[FleetPeriod]:
    """The periods from a date, by default Monday, up to Tuesday, the newest first."""
    engine = create_engine(url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        found = read_fleet_periods(
            connection,
            by=by,
            split=None,
            group=None,
            region=None,
            start=start,
            end=MONDAY + timedelta(days=2),
        )
    engine.dispose()
    return found


@pytest.fixture
def by_hand(database_url: str) -> str:
    """Two stores with two days, whose spreads the tests write."""
    load(database_url, *(f"{store} {hour}:00 up" for store in "AB" for hour in range(10, 72)))
    refresh_daily(database_url)
    tuesday = MONDAY + timedelta(days=1)
    spread(database_url, "A", MONDAY, "30, 40, 5, 0, 0")
    spread(database_url, "A", tuesday, "10, 30, 7, 0, 0")
    spread(database_url, "B", MONDAY, "-20, 0, 12, 1, 1")
    spread(database_url, "B", tuesday, "-20, 0, 3, 2, 0")
    return database_url


def test_days_and_weeks_of_a_fleet_deviate_as_their_stores_do(by_hand: str) -> None:
    tuesday, monday = periods(by_hand, Period.DAY)
    # 900 + 1,600 + 25 of A, 400 + 144 of B, and 5 s squared of both: the root is 55.6 s. Times
    # 1.645, and a minute of reach: 151.5 s.
    assert monday.likely_us == (24 * HOUR - 152 * SECOND, 24 * HOUR + 152 * SECOND)
    # 100 + 900 + 49, 400 + 9, and 5 s squared: 38.5 s. With two minutes: 183.3 s.
    assert tuesday.likely_us == (24 * HOUR - 184 * SECOND, 24 * HOUR + 184 * SECOND)
    (week,) = periods(by_hand, Period.WEEK)
    # Within a store what lies apart and what is shared adds up, and of own deviations the squares:
    # 1,600 + 2,500 + 144 of A, 1,600 + 225 of B, nothing of both: 77.9 s. With 3 minutes: 308.1 s.
    assert week.likely_us == (48 * HOUR - 309 * SECOND, 48 * HOUR + 309 * SECOND)
    assert (week.stores, week.uptime_us, week.business_us) == (2, 48 * HOUR, 96 * HOUR)
    assert [row.likely_us for row in periods(by_hand, Period.MONTH)] == [week.likely_us]


def test_a_total_is_flagged_on_the_days_on_which_its_stores_are(by_hand: str) -> None:
    assert [row.doubt for row in periods(by_hand, Period.DAY)] == [0, 1]
    assert [row.doubt for row in periods(by_hand, Period.WEEK)] == [1]


def test_a_total_with_a_day_without_spread_has_no_range(by_hand: str) -> None:
    spread(by_hand, "B", MONDAY + timedelta(days=1), "NULL, NULL, NULL, NULL, NULL")
    tuesday, monday = periods(by_hand, Period.DAY)
    assert tuesday.likely_us is None
    assert monday.likely_us is not None
    assert [row.likely_us for row in periods(by_hand, Period.WEEK)] == [None]


def test_a_store_of_which_nothing_is_known_takes_no_range_away(by_hand: str) -> None:
    execute(
        by_hand,
        "UPDATE store_uptime_daily SET uptime_us = 0, downtime_us = 0, unknown_us = business_us,"
        " lowest_uptime_us = 0, uncertain_us = 0, likely_apart_s = NULL,"
        " likely_own_deviation_s = NULL, likely_shared_deviation_s = NULL,"
        " likely_reach_minutes = NULL, likely_doubt = NULL"
        f" WHERE local_date = '{MONDAY}'"
        " AND store_key = (SELECT store_key FROM stores WHERE store_id = 'B')",
    )
    _, monday = periods(by_hand, Period.DAY)
    # Of A alone: 900 + 1,600 + 25, and 15 s squared: 52.4 s times 1.645.
    assert monday.likely_us == (12 * HOUR - 87 * SECOND, 12 * HOUR + 87 * SECOND)


def test_the_first_refresh_with_a_model_gives_all_days_a_spread(filled: str) -> None:
    first = refresh_daily(filled)
    before = fetch(filled, FIGURES)
    assert periods(filled, Period.DAY)[0].likely_us is None
    fit = fit_status_model(filled, fitted_at=LOADED_AT)
    assert fit is not None
    assert refresh_daily(filled).days_written == first.days_written == 30
    assert fetch(filled, FIGURES) == before
    version = fit.status_model_id
    (row,) = fetch(filled, SPREADS)
    assert row == {
        "days": 30,
        "with_spread": 30,
        "deviating": 30,
        "oldest": version,
        "newest": version,
    }
    # The next ones write the newest days alone, with the newest version.
    again = fit_status_model(filled, fitted_at=LOADED_AT)
    assert again is not None
    assert refresh_daily(filled).days_written == 3
    (row,) = fetch(filled, SPREADS)
    assert (row["oldest"], row["newest"]) == (version, again.status_model_id)
    assert compare_all_days(filled).different == 0


def test_another_recipe_makes_the_spreads_of_all_days_again(filled: str) -> None:
    fit_status_model(filled, fitted_at=LOADED_AT)
    refresh_daily(filled)
    execute(filled, "UPDATE store_uptime_daily_state SET likely_recipe = 0")
    assert refresh_daily(filled).days_written == 30
    assert refresh_daily(filled).days_written == 3


def test_a_day_that_is_made_again_has_its_spread_again(filled: str) -> None:
    fit_status_model(filled, fitted_at=LOADED_AT)
    refresh_daily(filled)
    monday = next(row for row in periods(filled, Period.DAY) if row.begin == MONDAY)
    assert monday.likely_us is not None
    spread(filled, "often", MONDAY, "1000, 1000, 1000, 0, 0")
    # Sums that were read before are kept, so this is another question.
    since = MONDAY - timedelta(days=1)
    assert monday not in periods(filled, Period.DAY, start=since)
    assert rebuild_day(filled, MONDAY) == 3
    assert monday in periods(filled, Period.DAY, start=since)


def test_the_history_of_the_fleet_has_ranges_around_its_figures(filled: str) -> None:
    fit_status_model(filled, fitted_at=LOADED_AT)
    refresh_daily(filled)
    with serve(filled) as client:

        def rows(**parameters: str) -> list[dict[str, Any]]:
            body = client.get("/fleet/uptime", params=parameters).json()
            return [row for row in body["periods"] if row["business_us"] > row["unknown_us"]]

        days, weeks, months, hours = (rows(by=by) for by in ("day", "week", "month", "hour"))
    for row in (*days, *weeks, *months, *hours):
        lowest, highest = row["likely_lowest_uptime_us"], row["likely_highest_uptime_us"]
        assert 0 <= lowest <= row["uptime_us"] <= highest <= row["business_us"] - row["unknown_us"]
        assert lowest < highest
        assert row["likely_flags"] == []
    assert (len(days), len(weeks), len(months), len(hours)) == (10, 2, 2, 49)
    # Errors of days cancel in part.
    width = [
        (row["likely_highest_uptime_us"] - row["likely_lowest_uptime_us"]) / row["business_us"]
        for row in (days[5], weeks[1])
    ]
    assert width[1] < width[0]


def test_the_spreads_of_the_hours_of_a_store_add_up_to_that_of_its_day(filled: str) -> None:
    fit_status_model(filled, fitted_at=LOADED_AT)
    refresh_daily(filled)
    found = read_fleet_hours(filled, start=at("24:00"), end=at("48:00"))
    assert found is not None
    assert found.spreads is not None
    often = found.stores.store_ids.to_pylist().index("often")
    hours = found.spreads.take(np.arange(24) * len(found.stores) + often)
    (day,) = fetch(
        filled,
        "SELECT likely_apart_s, likely_own_deviation_s FROM store_uptime_daily"
        " JOIN stores USING (store_key) WHERE store_id = 'often' AND local_date = '2023-01-24'",
    )
    # It is polled at the full hour, so that no gap is part of two hours.
    assert hours.apart_s.sum() == pytest.approx(day["likely_apart_s"], abs=24)
    deviation = np.sqrt((hours.own_deviation_s**2.0).sum())
    assert deviation == pytest.approx(day["likely_own_deviation_s"], rel=0.01)


def test_a_store_that_was_never_polled_has_hours_without_spread(filled: str) -> None:
    load_zones(filled, "other,UTC", *(f"{name},UTC" for name in ("often", "seldom", "steady")))
    fit_status_model(filled, fitted_at=LOADED_AT)
    found = read_fleet_hours(filled, start=at("24:00"), end=at("30:00"))
    assert found is not None
    assert found.spreads is not None
    other = found.stores.store_ids.to_pylist().index("other")
    own = found.spreads.take(np.arange(6) * len(found.stores) + other)
    assert own.squares_s2().tolist() == [0] * 6
    assert found.spreads.squares_s2().sum() > 0
