"""Comparing two periods: the figures are sums of days, and what is clear lies outside both ranges.

A and B are open all day. In the week from 16 January A is up; from Monday, 23 January, it is down.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from api_server import serve
from stored import at, execute, load, load_zones
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.fleet_days.daily_sums import FleetPeriod
from storemon_pipeline.views.period_comparison import Dates, Preset, Trend, dates_of, difference

HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[httpx.Client]:
    url = module_database_url
    before = (f"A -{hour:02}:00 up" for hour in range(1, 24 * 7))
    load(url, *before, *(f"A {hour:02}:00 down" for hour in range(25)))
    load(url, *(f"B {hour:02}:00 up" for hour in range(25)))
    load_zones(url, "A,UTC,always", "B,UTC,always")
    execute(
        url,
        "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
        " SELECT store_key, 'Store ' || store_id, 'Group ' || store_id, NULL, 1 FROM stores",
    )
    refresh_uptime(url, refreshed_at=at("24:00"))
    refresh_daily(url)
    with serve(url) as client:
        yield client


def compare(client: httpx.Client, **parameters: str) -> Any:  # noqa: ANN401 - a JSON body
    answer = client.get("/fleet/comparison", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_store_of_this_week_is_compared_with_the_same_days_of_last_week(
    client: httpx.Client,
) -> None:
    body = compare(client, store_id="A")
    # The newest poll is at midnight from Monday to Tuesday: Tuesday has not begun everywhere.
    assert body["later"] == {"start": "2023-01-23", "end": "2023-01-24"}
    assert body["earlier"] == {"start": "2023-01-16", "end": "2023-01-17"}
    (only,) = body["comparisons"]
    # Between the last poll up at 23:00 and the first one down at 00:00, half of the hour is down.
    assert only["later"]["downtime_us"] == 24 * HOUR
    assert only["later"]["uptime_percent"] == 0.0
    assert only["earlier"]["uptime_percent"] == 100.0
    assert only["difference"]["points"] == -100.0
    assert only["difference"]["downtime_us"] == 24 * HOUR
    assert only["difference"]["incidents"] == 1


def test_periods_of_ones_own_have_a_line_for_each_group(client: httpx.Client) -> None:
    dates = {
        "from": "2023-01-23",
        "to": "2023-01-24",
        "earlier_from": "2023-01-22",
        "earlier_to": "2023-01-23",
    }
    body = compare(client, split="group", **dates)
    found = {one["group"]: one for one in body["comparisons"]}
    assert list(found) == ["Group A", "Group B"]
    # B was first polled on Monday, so that nothing is known of its Sunday.
    assert found["Group B"]["earlier"]["stores"] == 0
    assert found["Group B"]["difference"]["points"] is None
    answer = client.get("/fleet/comparison", params={**dates, "split": "group", "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["group"] for row in rows] == ["Group A", "Group B"]
    assert rows[0]["later_downtime_hours"] == "24.0"
    assert rows[0]["earlier_downtime_hours"] == "0.5"


def test_the_days_of_chosen_stores_are_one_table_in_the_order_of_the_choice(
    client: httpx.Client,
) -> None:
    chosen = {"store_id": ["B", "A"], "from": "2023-01-22", "to": "2023-01-24"}
    body = client.get("/fleet/store-days", params=chosen).json()
    days = [(day["store_id"], day["name"], day["local_date"]) for day in body["days"]]
    assert days == [
        ("B", "Store B", "2023-01-23"),
        ("A", "Store A", "2023-01-22"),
        ("A", "Store A", "2023-01-23"),
    ]
    assert [day["downtime_us"] for day in body["days"]] == [0, HOUR // 2, 24 * HOUR]
    table = client.get("/fleet/store-days", params={**chosen, "format": "csv"}).text
    assert [row["local_date"] for row in csv.DictReader(io.StringIO(table))] == [
        day for _, _, day in days
    ]
    unknown = client.get("/fleet/store-days", params={"store_id": ["A", "unknown"]})
    assert unknown.status_code == 404
    assert client.get("/fleet/store-days").status_code == 422


def test_half_a_period_and_an_unknown_store_are_refused(client: httpx.Client) -> None:
    get = client.get
    assert get("/fleet/comparison", params={"from": "2023-01-23"}).status_code == 422
    backwards = dict.fromkeys(("from", "to", "earlier_from", "earlier_to"), "2023-01-23")
    assert get("/fleet/comparison", params=backwards).status_code == 422
    assert get("/fleet/comparison", params={"store_id": "unknown"}).status_code == 404


def period(uptime_us: int, likely_us: tuple[int, int] | None) -> FleetPeriod:
    """Give a period of 1,000 microseconds of which all is known."""
    return FleetPeriod(
        begin=date(2023, 1, 23),
        group=None,
        stores=1,
        business_us=1000,
        uptime_us=uptime_us,
        downtime_us=1000 - uptime_us,
        unknown_us=0,
        uncertain_us=0,
        lowest_uptime_us=uptime_us,
        incidents=0,
        likely_us=likely_us,
        doubt=0,
    )


@pytest.mark.parametrize(
    ("later", "earlier", "points", "trend"),
    [
        (period(900, (880, 920)), period(800, (780, 879)), (10.0, 0.1, 14.0), Trend.BETTER),
        (period(800, (780, 820)), period(900, (821, 920)), (-10.0, -14.0, -0.1), Trend.WORSE),
        (period(900, (880, 920)), period(800, (780, 881)), (10.0, -0.1, 14.0), "cannot be told"),
        (period(900, None), period(800, (780, 820)), (10.0, None, None), "cannot be told"),
        (None, period(800, (780, 820)), (None, None, None), "cannot be told"),
    ],
    ids=["apart, better", "apart, worse", "overlapping", "without a range", "without days"],
)
def test_a_difference_is_clear_when_the_ranges_do_not_overlap(
    later: FleetPeriod | None,
    earlier: FleetPeriod,
    points: tuple[float | None, float | None, float | None],
    trend: str,
) -> None:
    found = difference(later, earlier)
    assert (found.points, found.lowest_points, found.highest_points) == points
    assert found.trend == trend


@pytest.mark.parametrize(
    ("preset", "today", "later", "earlier"),
    [
        ("this-week", "2023-01-25", "01-23 01-26", "01-16 01-19"),
        ("last-week", "2023-01-25", "01-16 01-23", "01-09 01-16"),
        ("this-month", "2023-02-10", "02-01 02-11", "01-01 01-11"),
        # February has no 30th day.
        ("this-month", "2023-03-30", "03-01 03-31", "02-01 03-01"),
        ("last-month", "2023-03-30", "02-01 03-01", "01-01 02-01"),
    ],
)
def test_what_is_not_over_is_compared_with_as_many_days(
    preset: str, today: str, later: str, earlier: str
) -> None:
    def dates(text: str) -> Dates:
        start, end = (date.fromisoformat(f"2023-{day}") for day in text.split())
        return Dates(start, end)

    found = dates_of(Preset(preset), date.fromisoformat(today))
    assert found == (dates(later), dates(earlier))
