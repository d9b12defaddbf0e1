"""Changing one store's hours and closures by request: previews, taking back, who did it.

The store A is up from Monday 08:00 to 12:00 and down from then to 16:00, with polls each hour. Its
clock is UTC.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api_keys import new_key
from api_server import serve
from stored import execute, fetch, load_monday
from storemon_pipeline.access.keys import Scope

HOUR = 3_600_000_000
NINE_TO_SIX = {"day_of_week": 0, "start_time_local": "09:00", "end_time_local": "18:00"}
NINE_TO_NOON = {"day_of_week": 0, "start_time_local": "09:00", "end_time_local": "12:00"}
LUNCH = {"start_local": "2023-01-23 12:00", "end_local": "2023-01-23 15:00"}


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    load_monday(
        database_url,
        *(f"A {hour:02}:00 up" for hour in range(8, 13)),
        *(f"A {hour:02}:00 down" for hour in range(13, 17)),
    )
    with serve(database_url) as client:
        yield client


def preview(client: httpx.Client, **change: object) -> Any:  # noqa: ANN401 - a JSON body
    answer = client.post("/stores/A/preview", json=change)
    assert answer.status_code == 200, answer.text
    return answer.json()


def hours_of(totals: dict[str, int]) -> tuple[float, float, float]:
    return tuple(totals[f"{name}_us"] / HOUR for name in ("business", "uptime", "downtime"))  # type: ignore[return-value]


def everything(url: str) -> list[object]:
    tables = ("business_hours", "closures", "loads", "audit_events", "business_hour_intervals")
    return [fetch(url, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]


def test_a_preview_of_shorter_hours_says_what_changes_and_keeps_nothing(
    client: httpx.Client, database_url: str
) -> None:
    before = everything(database_url)
    body = preview(client, hours={"hours": [NINE_TO_NOON], "valid_from": "always"})
    # Up until 12:30, in the middle between the polls, then down until the newest poll at 16:00.
    day = body["figures"]["day"]
    assert hours_of(day["before"]) == (7.0, 3.5, 3.5)
    assert day["before"]["uptime_percent"] == 50.0
    assert hours_of(day["after"]) == (3.0, 3.0, 0.0)
    assert day["after"]["uptime_percent"] == 100.0
    assert body["days_changed"] == 1
    (monday,) = body["days"]
    assert monday["begin_local"] == "2023-01-23T00:00:00"
    assert hours_of(monday["before"]) == (7.0, 3.5, 3.5)
    assert hours_of(monday["after"]) == (3.0, 3.0, 0.0)
    assert everything(database_url) == before


def test_a_preview_of_a_closure_and_of_its_end_are_opposites(
    client: httpx.Client, database_url: str
) -> None:
    added = preview(client, closure=LUNCH)["figures"]["day"]
    assert hours_of(added["after"]) == (4.0, 3.0, 1.0)
    closure = client.post("/closures", json={"store_id": "A", **LUNCH}).json()
    before = everything(database_url)
    cancelled = preview(client, cancelled_closure=closure["closure_id"])["figures"]["day"]
    assert (cancelled["before"], cancelled["after"]) == (added["after"], added["before"])
    assert everything(database_url) == before


def test_a_preview_counts_events_as_the_newest_figures_do(client: httpx.Client) -> None:
    event = {
        "store_id": "A",
        "from_utc": "2023-01-23T12:00:00Z",
        "to_utc": "2023-01-23T14:00:00Z",
        "state": "up",
        "source": "till",
    }
    client.post("/events", json={"events": [event]}).raise_for_status()
    day = preview(client, hours={"hours": [NINE_TO_NOON], "valid_from": "always"})["figures"]["day"]
    # Up until the event ends, against the poll at 13:00, which lies inside of it.
    assert hours_of(day["before"]) == (7.0, 5.0, 2.0)
    assert hours_of(day["after"]) == (3.0, 3.0, 0.0)


def test_pushed_hours_are_listed_and_taken_back(client: httpx.Client) -> None:
    first = client.get("/stores/A/hours").json()
    body = {"hours": [NINE_TO_NOON], "valid_from": "always"}
    load_id = client.put("/stores/A/hours", json=body).json()["load_id"]
    newest, oldest = client.get("/stores/A/hours").json()["versions"]
    assert (newest["load_id"], newest["valid_from"], newest["is_pushed"]) == (load_id, None, True)
    assert newest["hours"] == [{"day_of_week": 0, "start": "09:00:00", "end": "12:00:00"}]
    assert [oldest] == first["versions"]
    back = preview(client, withdrawn_load=load_id)["figures"]["day"]
    assert hours_of(back["after"]) == (7.0, 3.5, 3.5)
    assert client.delete("/stores/A/hours", params={"load_id": load_id}).status_code == 204
    assert client.get("/stores/A/hours").json() == first
    again = client.delete("/stores/A/hours", params={"load_id": load_id})
    assert again.json()["type"].endswith("unknown-hours")


def test_hours_of_a_file_or_of_another_store_are_not_taken_back(client: httpx.Client) -> None:
    of_file = client.get("/stores/A/hours").json()["versions"][0]["load_id"]
    other = client.put("/stores/B/hours", json={"hours": [NINE_TO_NOON]}).json()["load_id"]
    for load_id in (of_file, other, 999):
        answer = client.delete("/stores/A/hours", params={"load_id": load_id})
        assert answer.status_code == 404
        assert client.post("/stores/A/preview", json={"withdrawn_load": load_id}).status_code == 404
    assert len(client.get("/stores/B/hours").json()["versions"]) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"closure": LUNCH, "cancelled_closure": 1}, 422),
        ({"closure": {"start_local": "soon"}}, 422),
        ({"hours": {"hours": [{**NINE_TO_SIX, "start_time_local": "25"}]}}, 422),
        ({"cancelled_closure": 7}, 404),
    ],
)
def test_a_change_that_cannot_be_made_has_no_preview(
    client: httpx.Client, body: dict[str, object], status: int
) -> None:
    assert client.post("/stores/A/preview", json=body).status_code == status
    assert client.post("/stores/unknown/preview", json={"closure": LUNCH}).status_code == 404


def test_the_log_says_who_changed_what(client: httpx.Client, database_url: str) -> None:
    client.put("/stores/A/hours", json={"hours": [NINE_TO_NOON]})
    client.post("/closures", json={"store_id": "B", **LUNCH})
    token = new_key(database_url, "Anna", Scope.READ, Scope.INGEST)
    execute(database_url, "DELETE FROM audit_events WHERE action LIKE 'key.%'")
    with serve(database_url) as guarded:
        headers = {"X-API-Key": token}
        guarded.post("/closures", json={"store_id": "*", **LUNCH}, headers=headers)
        guarded.delete("/closures/1", headers=headers)
        guarded.delete("/closures/2", headers=headers)
        changes = guarded.get("/stores/A/changes", headers=headers).json()["changes"]
    assert [(one["action"], one["by"], one["closure_id"]) for one in changes] == [
        ("closure.cancel", "Anna", 2),
        ("closure.add", "Anna", None),
        ("hours.put", None, None),
    ]
