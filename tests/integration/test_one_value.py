"""Every page and address gives one value for one thing, from each store's first poll on."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
import sqlalchemy as sa

from api_server import serve
from asked_reports import request
from stored import HOUR, MIDNIGHT, at, at_us, clock_of, execute, fetch, load, load_hours, load_zones
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.figures.refresh_daily import compare_all_days, refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.retention.enforce import drop_old_data
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks

AS_OF: Final = "60:00"
AMOUNTS: Final = (
    "business_us",
    "uptime_us",
    "downtime_us",
    "unknown_us",
    "uncertain_us",
    "lowest_uptime_us",
)
FIRST_POLLS: Final = {
    "back": "-648:00",
    "gone": "-191:00",
    "long-down": "-1500:00",
    "new-down": "41:00",
    "new-down-by-day": "41:00",
    "new-up": "41:00",
    "old": "-648:00",
}
"""All stores that were ever polled, in order; `never` has hours only."""

OPEN: Final = ("back", "long-down", "new-down", "new-down-by-day")


@dataclass(frozen=True, slots=True)
class Served:
    """A running API over stores with first polls of many ages."""

    client: httpx.Client
    engine: sa.Engine
    url: str

    def get(self, path: str, **parameters: str | int) -> Any:  # noqa: ANN401 - a JSON body
        response = self.client.get(path, params=parameters or None)
        assert response.status_code == 200, response.text
        return response.json()

    def incidents(self, store_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/stores/{store_id}/incidents")["incidents"]
        return found

    def uptime(self, store_id: str, by: str, begin: str = "2022-12-27") -> Any:  # noqa: ANN401
        return self.get(f"/stores/{store_id}/uptime", by=by, limit=1000, **{"from": begin})


def fill(url: str) -> None:
    """Load the stores: some never seen up, one no longer polled, one polled again after weeks."""
    status = {True: "up", False: "down"}
    load(
        url,
        *(f"old {hour}:00 {status[hour % 36 != 0]}" for hour in range(-648, 61, 3)),
        *(f"long-down {hour}:00 {status[hour == -1500]}" for hour in range(-1500, 61, 60)),
        *(
            f"{store} {hour}:00 down"
            for store in ("new-down", "new-down-by-day", "back")
            for hour in range(41, 61)
        ),
        *(f"new-up {hour}:00 up" for hour in range(41, 61)),
        "back -648:00 up",
        "gone -191:00 down",
        "gone -190:00 down",
    )
    # The newest poll is of Wednesday 12:00.
    load_hours(
        url,
        *(
            f"{store},{day},08:00,18:00"
            for store in ("new-down-by-day", "never")
            for day in range(7)
        ),
    )
    load_zones(url, *(f"{store},UTC" for store in (*FIRST_POLLS, "never")))
    refresh_weeks(url)
    refresh_uptime(url, refreshed_at=at(AS_OF))
    refresh_daily(url)


@pytest.fixture
def served(database_url: str, engine: sa.Engine) -> Iterator[Served]:
    fill(database_url)
    with serve(database_url) as client:
        yield Served(client, engine, database_url)


def clock(text: str) -> str:
    """Read an instant of a JSON body as a clock of `stored`."""
    return clock_of(datetime.fromisoformat(text))


def test_before_the_first_poll_a_store_is_unknown(served: Served) -> None:
    for store_id in ("new-up", "new-down"):
        answer = served.get(
            f"/stores/{store_id}/uptime", by="day", **{"from": "2023-01-21", "to": "2023-01-22"}
        )
        (day,) = answer["periods"]
        assert [day[name] for name in AMOUNTS] == [24 * HOUR, 0, 0, 24 * HOUR, 0, 0]
        assert day["uptime_percent"] is None
        assert day["incidents"] == 0
    # Tuesday: unknown to 17:00, then seven hours up or down.
    (tuesday,) = served.get(
        "/stores/new-up/uptime", by="day", **{"from": "2023-01-24", "to": "2023-01-25"}
    )["periods"]
    assert [tuesday[name] for name in AMOUNTS] == [24 * HOUR, 7 * HOUR, 0, 17 * HOUR, 0, 7 * HOUR]
    assert tuesday["uptime_percent"] == 100.0


def test_an_incident_begins_at_the_first_poll_and_ends_where_the_store_is_no_longer_polled(
    served: Served,
) -> None:
    def told(store_id: str) -> list[tuple[str, str, str, int]]:
        return [
            (clock(one["start"]), clock(one["end"]), one["ending"], one["lost_us"] // HOUR)
            for one in served.incidents(store_id)
        ]

    assert told("new-down") == [("41:00", AS_OF, "open", 19)]
    # Tuesday 17:00 to 18:00 and Wednesday 08:00 to 12:00.
    assert told("new-down-by-day") == [("41:00", AS_OF, "open", 5)]
    assert told("gone") == [("-191:00", "02:00", "no longer polled", 193)]
    # Polled, so not unknown, at 192 hours before a poll; before that nobody can tell.
    assert told("back") == [("-151:00", AS_OF, "open", 211)]
    assert told("long-down") == [("-1470:00", AS_OF, "open", 1530)]
    assert told("new-up") == []


def test_open_incidents_are_the_same_wherever_they_are_shown(served: Served) -> None:
    evaluate_rules(
        served.url,
        rules=Rules(down_us=1),
        notification=Notification(),
        now=at(AS_OF) + timedelta(minutes=1),
        is_loading=False,
    )
    expected = {}
    for store_id in FIRST_POLLS:
        for one in served.incidents(store_id):
            if one["ending"] == "open":
                expected[store_id] = one
    assert tuple(expected) == OPEN
    for parameters in ({"open": "true"}, {"from": "2023-01-25T00:00:00Z"}, {}):
        fleet = served.get("/incidents", limit=1000, **parameters)["incidents"]
        assert {one["store_id"]: one for one in fleet if one["ending"] == "open"} == expected
    lost = {store_id: one["lost_us"] for store_id, one in expected.items()}
    since = {store_id: one["start"] for store_id, one in expected.items()}
    listed = served.get("/stores")["stores"]
    assert {one["store_id"]: one["lost_us"] for one in listed if one["down_since"]} == lost
    assert {one["store_id"]: one["down_since"] for one in listed if one["down_since"]} == since
    alerts = [one for one in served.get("/alerts")["alerts"] if one["kind"] == "down"]
    assert {one["store_id"]: one["lost_us"] for one in alerts} == lost
    assert {one["store_id"]: one["since"] for one in alerts} == since
    for store_id, incident in expected.items():
        store = served.get(f"/stores/{store_id}")
        assert store["open_incident"] == incident
        assert (store["lost_us"], store["down_since"]) == (lost[store_id], since[store_id])
    now = served.get("/fleet/now")
    assert (now["lost_us"], now["open_incidents"]) == (sum(lost.values()), len(lost))
    assert sum(zone["lost_us"] for zone in now["timezones"]) == sum(lost.values())


def test_a_store_s_history_is_the_same_by_every_period_and_on_the_timeline(served: Served) -> None:
    for store_id in FIRST_POLLS:
        sums = [served.uptime(store_id, by)["sum"] for by in ("hour", "day", "week", "month")]
        assert sums == [sums[0]] * 4
        shown = {"up": 0, "down": 0, "unknown": 0}
        timeline = served.get(f"/stores/{store_id}/timeline", **{"from": "2022-12-27"})
        for segment in timeline["segments"]:
            if segment["kind"] in shown:
                length = datetime.fromisoformat(segment["end"]) - datetime.fromisoformat(
                    segment["start"]
                )
                shown[segment["kind"]] += length // timedelta(microseconds=1)
        assert [shown[kind] for kind in ("up", "down", "unknown")] == [
            sums[0][name] for name in ("uptime_us", "downtime_us", "unknown_us")
        ]
        lost = sum(one["lost_us"] for one in served.incidents(store_id))
        if at_us(FIRST_POLLS[store_id]) >= at_us("-648:00"):
            assert lost == sums[0]["downtime_us"]


def test_the_fleet_s_history_is_the_sum_of_the_stores_histories(served: Served) -> None:
    days: dict[str, dict[str, int]] = {}
    for store_id in FIRST_POLLS:
        # Without `from` a store's days begin with the day of its first poll.
        for row in served.get(f"/stores/{store_id}/uptime", limit=1000)["periods"]:
            total = days.setdefault(
                row["begin_local"], dict.fromkeys((*AMOUNTS, "incidents", "stores"), 0)
            )
            total["stores"] += 1
            for name in (*AMOUNTS, "incidents"):
                total[name] += row[name]
    fleet = {row["begin_local"]: row for row in served.get("/fleet/uptime", limit=1000)["periods"]}
    assert {
        begin: {name: row[name] for name in days[begin]} for begin, row in fleet.items()
    } == days
    stored = fetch(
        served.url,
        f"SELECT local_date, {', '.join(f'sum({name})::bigint AS {name}' for name in AMOUNTS)}"
        " FROM store_uptime_daily GROUP BY local_date",
    )
    assert {f"{row.pop('local_date')}T00:00:00": row for row in stored} == {
        begin: {name: total[name] for name in AMOUNTS} for begin, total in days.items()
    }
    # All clocks are UTC, so that a fleet's hours add up to its days.
    for begin in (date(2023, 1, 23), date(2023, 1, 14)):
        hours = served.get(
            "/fleet/uptime",
            by="hour",
            limit=1000,
            **{"from": begin.isoformat(), "to": (begin + timedelta(days=2)).isoformat()},
        )["periods"]
        for day in (begin, begin + timedelta(days=1)):
            rows = [row for row in hours if row["begin_local"].startswith(day.isoformat())]
            total = days[f"{day}T00:00:00"]
            assert [sum(row[name] for row in rows) for name in AMOUNTS] == [
                total[name] for name in AMOUNTS
            ]
            assert {row["stores"] for row in rows} == {total["stores"]}


def test_a_report_keeps_its_windows_and_agrees_with_now_and_the_stores(served: Served) -> None:
    report_id = request(served.engine)
    make_waiting_reports(served.url, run_id="run", is_manual=False)
    lines = list(csv.DictReader(io.StringIO(served.client.get(f"/reports/{report_id}.csv").text)))
    rows = {row["store_id"]: row for row in lines}
    # The windows reach back before the first poll: a week down, though history began 19 hours ago.
    assert rows["new-down"]["downtime_last_week(in hours)"] == "168.0000"
    assert rows["new-up"]["uptime_last_week(in hours)"] == "168.0000"
    (totals,) = served.get(f"/reports/{report_id}/totals")["totals"]
    now = served.get("/fleet/now")["windows"]
    stores = {one["store_id"]: one["figures"] for one in served.get("/stores")["stores"]}
    assert {store_id for store_id, figures in stores.items() if figures} == set(rows)
    for window, unit in (("hour", "minutes"), ("day", "hours"), ("week", "hours")):
        for name in ("uptime", "downtime"):
            field = f"{name}_us"
            assert now[window][field] == totals["windows"][window][field]
            assert now[window][field] == sum(
                figures[window][field] for figures in stores.values() if figures
            )
            for store_id, row in rows.items():
                us = stores[store_id][window][field]
                shown = us / (HOUR // 60 if unit == "minutes" else HOUR)
                assert row[f"{name}_last_{window}(in {unit})"] == f"{shown:.4f}"
                ledger = served.get(f"/stores/{store_id}/explain", window=window)
                assert ledger[field] == us


def test_days_that_were_made_before_the_rule_are_made_again(database_url: str) -> None:
    fill(database_url)
    every = "SELECT * FROM store_uptime_daily ORDER BY store_key, local_date"
    right = fetch(database_url, every)
    # What the old rule made of the days of the first polls, and where a migration leaves it.
    execute(
        database_url,
        "UPDATE store_uptime_daily SET downtime_us = downtime_us + unknown_us, unknown_us = 0"
        " WHERE (store_key, local_date) IN"
        " (SELECT store_key, min(local_date) FROM store_uptime_daily GROUP BY store_key)",
        "UPDATE store_uptime_daily_state SET zone_rules = NULL",
    )
    assert fetch(database_url, every) != right
    refreshed = refresh_daily(database_url)
    assert fetch(database_url, every) == right
    assert compare_all_days(database_url).different == 0
    assert refreshed.days_written == len(right)
    assert refresh_daily(database_url).days_written <= len(FIRST_POLLS)


@pytest.mark.parametrize(
    ("day", "hours"),
    [pytest.param("2023-03-12", 23, id="spring"), pytest.param("2023-11-05", 25, id="autumn")],
)
def test_a_store_and_the_fleet_begin_at_the_same_midnight_on_the_day_of_a_clock_change(
    database_url: str, day: str, hours: int
) -> None:
    polled = (datetime.fromisoformat(f"{day}T18:00Z") - MIDNIGHT) // timedelta(hours=1)
    load(database_url, f"A {polled}:00 up", f"A {polled + 48}:00 up")
    load_zones(database_url, "A,America/New_York")
    refresh_weeks(database_url)
    refresh_daily(database_url)
    with serve(database_url) as client:
        (*_, first) = client.get("/fleet/uptime").json()["periods"]
        store = client.get("/stores/A/uptime").json()["periods"][0]
    assert first["begin_local"] == store["begin_local"] == f"{day}T00:00:00"
    for row in (first, store):
        assert row["business_us"] == hours * HOUR
        # The first poll is at 14:00 in summer and at 13:00 in winter.
        assert row["uptime_us"] == (10 if hours == 23 else 11) * HOUR


def test_corrected_hours_reach_all_days_also_before_the_start_of_retention(
    database_url: str,
) -> None:
    load(
        database_url,
        *(f"A {hour}:00 {'down' if hour % 24 in {9, 10} else 'up'}" for hour in range(24 * 40)),
    )
    load_zones(database_url, "A,UTC")
    load_hours(database_url, *(f"A,{day},08:00,18:00" for day in range(7)))
    refresh(database_url)
    drop_old_data(
        database_url,
        keep_polls=timedelta(days=7),
        keep_reports=timedelta(days=7),
        now=at("960:00"),
    )
    load_hours(database_url, *(f"A,{day},09:30,18:00,always" for day in range(7)))
    refresh(database_url)
    assert compare_all_days(database_url).different == 0
    with serve(database_url) as client:
        for day in (date(2023, 1, 24), date(2023, 2, 26)):
            period = f"?by=day&from={day}&to={day + timedelta(days=1)}"
            for address in ("/stores/A/uptime", "/fleet/uptime"):
                (row,) = client.get(address + period).json()["periods"]
                # Down from 08:30 to 10:30, open from 09:30.
                assert (row["business_us"], row["downtime_us"]) == (8.5 * HOUR, HOUR)


def test_the_fleet_s_days_name_the_newest_poll_that_they_include(database_url: str) -> None:
    load(database_url, "A 09:00 up", "A 12:00 up")
    refresh(database_url)
    load(database_url, "A 13:00 up", file_path=None)
    with serve(database_url) as client:
        assert clock(client.get("/fleet/now").json()["as_of"]) == "13:00"
        days = client.get("/fleet/uptime").json()
        assert clock(days["as_of"]) == "12:00"
        hours = client.get("/fleet/uptime?by=hour").json()
        assert clock(hours["as_of"]) == "13:00"
        refresh(database_url)
        assert clock(client.get("/fleet/uptime").json()["as_of"]) == "13:00"


def refresh(url: str) -> None:
    refresh_weeks(url)
    refresh_uptime(url, refreshed_at=at(AS_OF))
    refresh_daily(url)
