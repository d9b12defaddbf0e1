"""Closing the stores of a group or region in one step, and taking it back: which, by whom.

Three stores are open from 9 to 18 UTC each day: A and B of the group North, C of South. The newest
polls are of 16:00 on Monday 23 January 2023; A was offline from 12:30 on.
"""

import csv
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api_server import serve
from stored import at, execute, fetch, load, load_hours, load_zones
from storemon_pipeline.access.key_management import create_key
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.windows import HOUR_US
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

STORM = {"start_local": "2023-01-23 12:00", "end_local": "2023-01-24 12:00", "reason": "storm"}
PATH = "/fleet/closures"


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    url = database_url
    for name in "ABC":
        status = "down" if name == "A" else "up"
        load(url, *(f"{name} {hour:02}:00 up" for hour in range(8, 13)))
        load(url, *(f"{name} {hour:02}:00 {status}" for hour in range(13, 17)))
    load_zones(url, *(f"{name},UTC,always" for name in "ABC"))
    load_hours(url, *(f"{name},{day},09:00,18:00" for name in "ABC" for day in range(7)))
    execute(
        url,
        "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
        " SELECT store_key, NULL, CASE WHEN store_id < 'C' THEN 'North' ELSE 'South' END,"
        " 'Coast', 1 FROM stores",
    )
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    with serve(url) as client:
        yield client


def closed(client: httpx.Client) -> list[tuple[str, str, str]]:
    rows = client.get("/closures").json()["closures"]
    return [(row["store_id"], row["start_local"][:10], row["reason"]) for row in rows]


def preview(client: httpx.Client, **change: object) -> dict[str, Any]:
    answer = client.post(f"{PATH}/preview", json=STORM | change).raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def hours_of(body: dict[str, Any]) -> list[float]:
    return [
        body[name] / HOUR_US for name in ("business_us", "uptime_us", "downtime_us", "coming_us")
    ]


def test_the_stores_of_a_group_are_closed_in_one_step(
    client: httpx.Client, database_url: str
) -> None:
    answer = client.post(PATH, json=STORM | {"group": "North"}).raise_for_status().json()
    assert (answer["stores"], answer["closures_added"]) == (2, 2)
    assert closed(client) == [("A", "2023-01-23", "storm"), ("B", "2023-01-23", "storm")]
    assert fetch(database_url, "SELECT subject FROM audit_events WHERE action = 'closure.add'") == [
        {"subject": "North"}
    ]
    again = client.post(PATH, json=STORM | {"group": "North"}).json()
    assert (again["stores"], again["closures_added"]) == (2, 0)
    undo_load(database_url, answer["load_id"], now=at("17:00"))
    assert closed(client) == []


def test_all_stores_are_closed_by_one_closure(client: httpx.Client) -> None:
    answer = client.post(PATH, json=STORM).raise_for_status().json()
    assert (answer["stores"], answer["closures_added"]) == (3, 1)
    assert closed(client) == [("*", "2023-01-23", "storm")]


@pytest.mark.parametrize(
    ("change", "stores", "hours"),
    [
        # From 12:00 to 16:00, of which A was offline for 3.5 h; then 2 h to 18:00, and 3 h of the
        # next day, for each store.
        pytest.param({"group": "North"}, 2, [8, 4.5, 3.5, 10], id="group"),
        pytest.param({"group": "South", "region": "Coast"}, 1, [4, 4, 0, 5], id="both"),
        pytest.param({"region": "Coast"}, 3, [12, 8.5, 3.5, 15], id="region"),
        pytest.param({}, 3, [12, 8.5, 3.5, 15], id="all"),
        pytest.param(
            {"group": "South", "end_local": "2023-01-23 17:00"}, 1, [4, 4, 0, 1], id="1 h"
        ),
        # 2 h of the first day and 9 h of each of the next 30, up to 16:00 of the last, which has 7.
        pytest.param({"group": "South", "end_local": None}, 1, [4, 4, 0, 279], id="no end"),
        pytest.param(
            {"group": "South", "start_local": "2023-01-25 00:00", "end_local": "2023-01-26 00:00"},
            *(1, [0, 0, 0, 9]),
            id="to come",
        ),
        pytest.param(
            {"group": "South", "start_local": "1999-01-01 00:00", "end_local": "1999-02-01 00:00"},
            *(1, [0, 0, 0, 0]),
            id="long ago",
        ),
        pytest.param(
            {"group": "South", "start_local": "2099-01-01 00:00", "end_local": None},
            *(1, [0, 0, 0, 0]),
            id="far ahead",
        ),
    ],
)
def test_a_preview_says_what_is_taken_out_and_closes_nothing(
    client: httpx.Client, change: dict[str, object], stores: int, hours: list[float]
) -> None:
    found = preview(client, **change)
    assert (found["stores"], hours_of(found)) == (stores, hours)
    assert closed(client) == []


def test_what_is_closed_already_is_not_taken_out_again(client: httpx.Client) -> None:
    own = {"store_id": "A", "start_local": "2023-01-23 00:00", "end_local": "2023-01-24 00:00"}
    client.post("/closures", json=own).raise_for_status()
    assert hours_of(preview(client, group="North")) == [4, 4, 0, 8]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"group": "East"}, "group", id="no such group"),
        pytest.param({"start_local": "soon"}, "closures[0]", id="no time"),
        pytest.param({"end_local": "2023-01-22 00:00"}, "closures[0]", id="ends before it begins"),
        pytest.param({"store_id": "A"}, "store_id", id="unknown field"),
    ],
)
def test_what_cannot_be_closed_is_refused(
    client: httpx.Client, change: dict[str, object], field: str
) -> None:
    for path in (PATH, f"{PATH}/preview"):
        answer = client.post(path, json=STORM | change)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert closed(client) == []


def test_a_key_of_some_stores_closes_these_alone(client: httpx.Client, database_url: str) -> None:
    client.headers["X-API-Key"] = key_of(database_url, "A alone", "A")
    assert preview(client)["stores"] == 1
    assert client.post(PATH, json=STORM | {"group": "South"}).status_code == 422
    assert client.post(PATH, json=STORM).json()["closures_added"] == 1
    assert closed(client) == [("A", "2023-01-23", "storm")]


def closings(client: httpx.Client) -> list[tuple[str | None, int, int, bool]]:
    """Author, closures in force and cancelled, and whether it is one of every store."""
    return [
        (one["author"], one["closures"], one["cancelled"], one["closure_id"] is not None)
        for one in client.get(PATH).raise_for_status().json()["closings"]
    ]


def key_of(url: str, name: str, *stores: str) -> str:
    return create_key(
        url,
        name=name,
        scopes=frozenset({Scope.READ, Scope.EDIT}),
        store_ids=frozenset(stores) or None,
        expires_at=None,
        by="test",
        is_forced=True,
    ).token


def test_closings_are_listed_and_taken_back_as_a_whole_with_a_preview(
    client: httpx.Client, database_url: str
) -> None:
    client.headers["X-API-Key"] = key_of(database_url, "Ann")
    # Closures of one store are not listed: they are cancelled on its page.
    own = {"store_id": "A", "start_local": "2023-01-23 00:00", "end_local": "2023-01-24 00:00"}
    client.post("/closures", json=own).raise_for_status()
    client.post(PATH, json=STORM | {"group": "South"}).raise_for_status()
    number = client.post(PATH, json=STORM | {"group": "North"}).json()["load_id"]
    every = client.post(PATH, json=STORM | {"end_local": None}).json()["load_id"]
    assert closings(client) == [("Ann", 1, 0, True), ("Ann", 2, 0, False)]
    shown = client.get(PATH).json()["closings"][1]
    assert (shown["load_id"], shown["reason"]) == (number, "storm")
    assert (shown["start_local"], shown["end_local"]) == (
        "2023-01-23T12:00:00",
        "2023-01-24T12:00:00",
    )
    assert {one["author"] for one in client.get("/closures").json()["closures"]} == {"Ann"}
    for address, words in (
        ("/closures", {"A", "Ann", "storm"}),
        (PATH, {str(number), "Ann", "storm", "2023-01-23 12:00:00"}),
    ):
        _, *rows = csv.reader(client.get(f"{address}?format=csv").text.splitlines())
        assert any(words <= set(row) for row in rows), rows

    # The closure of every store still holds, and then that of A for a day.
    assert taken_back(client, number) == (2, [0, 0, 0, 0])
    assert client.delete(f"{PATH}/{every}").status_code == 204
    # B from 12:00 to 16:00; then 2 h of B, and 3 h of the next day for both.
    assert taken_back(client, number) == (2, [4, 4, 0, 8])
    a, b = (
        one["closure_id"]
        for one in client.get("/closures").json()["closures"]
        if (one["store_id"], one["start_local"][11:13]) in {("A", "12"), ("B", "12")}
    )
    assert client.delete(f"/closures/{a}").status_code == 204
    assert closings(client) == [("Ann", 1, 1, False)]
    assert taken_back(client, number) == (1, [4, 4, 0, 5])
    assert client.delete(f"{PATH}/{number}").status_code == 204
    assert closings(client) == []
    assert b not in {one["closure_id"] for one in client.get("/closures").json()["closures"]}
    assert closed(client) == [("A", "2023-01-23", ""), ("C", "2023-01-23", "storm")]
    for again in (number, every, 1, "x"):
        assert client.delete(f"{PATH}/{again}").status_code == 404
        assert client.post(f"{PATH}/{again}/preview").status_code == 404
    assert fetch(
        database_url, "SELECT subject FROM audit_events WHERE action = 'closure.undo'"
    ) == [{"subject": str(every)}, {"subject": str(number)}]


def taken_back(client: httpx.Client, load_id: int) -> tuple[int, list[float]]:
    """The stores and hours that come back; nothing is taken back."""
    before = closings(client)
    body = client.post(f"{PATH}/{load_id}/preview").raise_for_status().json()
    assert closings(client) == before
    return body["stores"], hours_of(body)


def test_a_key_of_some_stores_takes_back_what_is_of_these_alone(
    client: httpx.Client, database_url: str
) -> None:
    everyone = {"X-API-Key": key_of(database_url, "Ann")}
    all_of_north = client.post(PATH, json=STORM | {"group": "North"}, headers=everyone).json()
    region = client.post(
        PATH, json=STORM | {"region": "Coast", "reason": "flood"}, headers=everyone
    ).json()
    every = client.post(PATH, json=STORM, headers=everyone).json()
    client.headers["X-API-Key"] = key_of(database_url, "North", "A", "B")
    assert closings(client) == [("Ann", 2, 0, False)]
    for one in (region, every):
        assert client.delete(f"{PATH}/{one['load_id']}").status_code == 403
        assert client.post(f"{PATH}/{one['load_id']}/preview").status_code == 403
    assert client.post(f"{PATH}/{all_of_north['load_id']}/preview").status_code == 200
    assert client.delete(f"{PATH}/{all_of_north['load_id']}").status_code == 204
    assert len(client.get("/closures", headers=everyone).json()["closures"]) == 4
