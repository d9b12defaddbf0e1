"""The poll plan over HTTP and as an asset, from a real database."""

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import dagster as dg
import httpx
import pytest

from api_server import serve
from stored import at, fetch, load, load_hours, load_zones
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.defs.uptime import PollPlanConfig, poll_plan
from storemon_pipeline.poll_plan.planned_polls import count_plan_faults
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks

HOURS: Final = 48
STORES: Final = ("changing", "day", "steady")


@pytest.fixture
def filled(database_url: str) -> str:
    """Two days of hourly polls, up to Tuesday 23:40; `day` is open from 08:00 to 18:00."""
    load(
        database_url,
        *(f"steady {hour:02}:40 up" for hour in range(HOURS)),
        *(f"changing {hour:02}:10 {'down' if hour == 9 else 'up'}" for hour in range(HOURS)),
        *(f"day {hour:02}:20 up" for hour in range(HOURS)),
    )
    load_hours(database_url, *(f"day,{day},08:00,18:00" for day in range(7)))
    load_zones(database_url, *(f"{store},UTC" for store in STORES))
    refresh_weeks(database_url)
    return database_url


@pytest.fixture
def client(filled: str) -> Iterator[httpx.Client]:
    with serve(filled) as client:
        yield client


def plan(client: httpx.Client, **parameters: Any) -> Any:  # noqa: ANN401 - a JSON body
    response = client.get("/poll-plan", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def times(body: Any) -> dict[str, list[datetime]]:  # noqa: ANN401 - a JSON body
    found: dict[str, list[datetime]] = {}
    for poll in body["polls"]:
        found.setdefault(poll["store_id"], []).append(datetime.fromisoformat(poll["poll_at"]))
    return found


def test_the_hour_begins_at_the_newest_poll_and_closed_stores_are_left_out(
    client: httpx.Client,
) -> None:
    body = plan(client, polls_per_hour=4)
    assert body["as_of"] == body["start"] == "2023-01-24T23:40:00Z"
    assert body["end"] == "2023-01-25T00:40:00Z"
    assert body["polls_per_hour"] == 4
    assert body["total"] == len(body["polls"]) == 4
    # With a step of 60 minutes, of 30 for the store that changed, there would be room for more.
    assert {store: len(polls) for store, polls in times(body).items()} == {
        "changing": 3,
        "steady": 1,
    }
    assert [poll["poll_at"] for poll in body["polls"]] == sorted(
        poll["poll_at"] for poll in body["polls"]
    )


def test_events_count_as_polls_do_and_those_that_go_on_need_no_more(client: httpx.Client) -> None:
    ended = {"from_utc": "2023-01-23T10:00:00Z", "to_utc": "2023-01-23T10:20:00Z"}
    going_on = {"from_utc": "2023-01-24T23:00:00Z"}
    counts = []
    for store_id, event in (("steady", ended), ("changing", going_on)):
        body = {"events": [{"store_id": store_id, "state": "down", **event}]}
        client.post("/events", json=body).raise_for_status()
        polls = times(plan(client, polls_per_hour=9, start="2023-01-25T00:00:00Z"))
        counts.append((len(polls["steady"]), len(polls["changing"])))
    # First both stores changed. Then an event covers `changing`, which is polled half as often.
    assert counts == [(5, 4), (6, 3)]


def test_a_store_is_polled_from_half_an_hour_before_it_opens(client: httpx.Client) -> None:
    polls = times(plan(client, polls_per_hour=1_000, start="2023-01-25T07:00:00Z"))
    assert at("55:30") <= polls["day"][0] < at("55:40")
    for of_store in polls.values():
        assert all(
            later - earlier == timedelta(minutes=10) for earlier, later in pairwise(of_store)
        )
    after = times(plan(client, polls_per_hour=1_000, start="2023-01-25T18:00:00Z"))
    assert at("66:20") <= after["day"][-1] < at("66:30")


def test_csv_has_the_polls_of_json_and_the_same_data_give_the_same_plan(
    client: httpx.Client,
) -> None:
    body = client.get("/poll-plan", params={"polls_per_hour": 5})
    again = client.get("/poll-plan", params={"polls_per_hour": 5})
    assert body.content == again.content
    text = client.get("/poll-plan", params={"polls_per_hour": 5}, headers={"Accept": "text/csv"})
    assert text.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert text.headers["Vary"] == "Accept"
    assert list(csv.DictReader(text.text.splitlines())) == body.json()["polls"]


@pytest.mark.parametrize("query", ["", "?polls_per_hour=-1", "?polls_per_hour=1&start=tomorrow"])
def test_a_plan_needs_a_budget_and_an_instant(client: httpx.Client, query: str) -> None:
    response = client.get(f"/poll-plan{query}")
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"


def test_when_all_stores_are_closed_the_hour_begins_when_the_next_one_is_to_be_polled(
    database_url: str,
) -> None:
    load(database_url, *(f"day {hour:02}:20 up" for hour in range(HOURS)))
    load_hours(database_url, *(f"day,{day},08:00,18:00" for day in range(7)))
    load_zones(database_url, "day,UTC")
    refresh_weeks(database_url)
    with serve(database_url) as client:
        body = plan(client, polls_per_hour=1)
        nothing = plan(client, polls_per_hour=1, start="2023-01-25T03:00:00Z")
    assert body["as_of"] == "2023-01-24T23:20:00Z"
    assert body["start"] == "2023-01-25T07:30:00Z"
    assert body["total"] == 1
    assert nothing["polls"] == []


def test_without_polls_there_is_a_plan_when_the_request_names_its_start(
    database_url: str,
) -> None:
    with serve(database_url) as client:
        assert plan(client, polls_per_hour=10) == {
            "as_of": None,
            "start": None,
            "end": None,
            "polls_per_hour": 10,
            "total": 0,
            "polls": [],
        }


def test_the_asset_writes_the_plan_with_one_poll_for_each_store_by_default(
    filled: str,
) -> None:
    for budget in (None, 5):
        config = PollPlanConfig(polls_per_hour=budget)
        result = dg.materialize(
            [poll_plan],
            resources={"database": Database(url=filled)},
            run_config=dg.RunConfig(ops={"poll_plan": config}),
            selection=[poll_plan],
        )
        assert result.success
        (event,) = result.asset_materializations_for_node("poll_plan")
        stored = fetch(filled, "SELECT store_key, poll_at FROM planned_polls")
        assert event.metadata["dagster/row_count"].value == len(stored)
        assert 1 <= len(stored) <= (budget or len(STORES))
    with bulk_transaction(filled) as bulk:
        assert count_plan_faults(bulk) == 0
