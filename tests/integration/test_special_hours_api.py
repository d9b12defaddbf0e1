"""Special hours by request: their effect on explanations and the timeline, and taking them back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from api_server import serve
from stored import load_monday
from storemon_pipeline.ingestion.undo_load import undo_load

HOUR = 3_600_000_000
MONDAY = "2023-01-23"
NINE_TO_NOON = {"start_time_local": "09:00", "end_time_local": "12:00"}


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    """The store A, on UTC, open on Mondays from 9 to 18, with polls until 16:00 of one."""
    load_monday(database_url, *(f"A {hour:02}:00 up" for hour in range(8, 17)))
    with serve(database_url) as client:
        yield client


def put(client: httpx.Client, *hours: dict[str, str], **more: str) -> dict[str, Any]:
    body = {"date": MONDAY, "hours": list(hours), **more}
    answer = client.put("/stores/A/special-hours", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def stored(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/stores/A/special-hours", params={"from": MONDAY, "to": MONDAY})
    return list(answer.json()["special_hours"])


def business_hours(client: httpx.Client) -> float:
    """The opening time of the last day, by the ledger."""
    ledger = client.get("/stores/A/explain", params={"window": "day"}).json()
    return float(ledger["business_us"] / HOUR)


def closed_from(client: httpx.Client) -> list[str]:
    segments = client.get(
        "/stores/A/timeline", params={"from": MONDAY, "to": f"{MONDAY}T16:00:00Z"}
    ).json()["segments"]
    return [segment["start"][11:16] for segment in segments if segment["kind"] == "closed"]


def test_special_hours_change_the_ledger_and_the_timeline_until_they_are_taken_back(
    client: httpx.Client,
) -> None:
    assert (business_hours(client), closed_from(client)) == (7, ["00:00"])
    assert put(client, NINE_TO_NOON)["rows_loaded"] == 1
    assert put(client, NINE_TO_NOON)["rows_unchanged"] == 1
    (found,) = stored(client)
    assert client.get("/stores/A").json()["special_hours"] == [found]
    assert (found["date"], found["is_pushed"]) == (MONDAY, True)
    assert found["hours"] == [{"start_time_local": "09:00:00", "end_time_local": "12:00:00"}]
    assert (business_hours(client), closed_from(client)) == (3, ["00:00", "12:00"])
    address = f"/stores/A/special-hours?date={MONDAY}"
    assert client.delete(address).status_code == 204
    assert stored(client) == []
    assert (business_hours(client), closed_from(client)) == (7, ["00:00"])
    again = client.delete(address)
    assert (again.status_code, again.json()["type"]) == (
        404,
        "urn:problem-type:storemon:unknown-special-hours",
    )
    actions = [one["action"] for one in client.get("/stores/A/changes").json()["changes"]]
    assert actions == ["special-hours.cancel", "special-hours.put", "special-hours.put"]


def test_a_date_without_hours_is_closed(client: httpx.Client) -> None:
    put(client)
    assert stored(client)[0]["hours"] == []
    assert business_hours(client) == 0


def test_a_correction_of_the_past_needs_always(client: httpx.Client) -> None:
    put(client)
    put(client, NINE_TO_NOON)
    # In 2023 nobody knew of it.
    assert business_hours(client) == 0
    put(client, NINE_TO_NOON, valid_from="always")
    assert business_hours(client) == 3


def test_hours_that_hold_always_take_the_place_of_all_that_was_known_of_the_date(
    client: httpx.Client, database_url: str
) -> None:
    put(client, valid_from="2023-01-01T00:00:00Z")
    put(client, NINE_TO_NOON, valid_from="2023-01-23T11:00:00Z")
    # Closed, as was known until 11:00, then open until noon.
    assert business_hours(client) == 1
    ten_to_two = {"start_time_local": "10:00", "end_time_local": "14:00"}
    loaded = put(client, ten_to_two, valid_from="always")
    assert business_hours(client) == 4
    assert [one["hours"] for one in stored(client)] == [
        [{"start_time_local": "10:00:00", "end_time_local": "14:00:00"}]
    ]
    assert put(client, ten_to_two, valid_from="always")["rows_unchanged"] == 1
    undo_load(database_url, loaded["load_id"], now=datetime(2023, 2, 1, tzinfo=UTC))
    assert business_hours(client) == 1


def test_a_preview_of_special_hours_and_of_their_end_says_what_changes_and_keeps_nothing(
    client: httpx.Client,
) -> None:
    def previewed(**change: object) -> tuple[float, float]:
        answer = client.post("/stores/A/preview", json=change)
        assert answer.status_code == 200, answer.text
        (day,) = answer.json()["days"]
        assert day["begin_local"] == "2023-01-23T00:00:00"
        return day["before"]["business_us"] / HOUR, day["after"]["business_us"] / HOUR

    body = {"date": MONDAY, "hours": [NINE_TO_NOON], "valid_from": "always"}
    assert previewed(special_hours=body) == (7, 3)
    assert previewed(special_hours=body | {"hours": []}) == (7, 0)
    assert stored(client) == []
    missing = client.post("/stores/A/preview", json={"withdrawn_date": MONDAY})
    assert (missing.status_code, missing.json()["type"].split(":")[-1]) == (
        404,
        "unknown-special-hours",
    )
    put(client, NINE_TO_NOON)
    assert previewed(withdrawn_date=MONDAY) == (3, 7)
    assert len(stored(client)) == 1
    late = {"date": MONDAY, "hours": [{"start_time_local": "25:00", "end_time_local": "26:00"}]}
    refused = client.post("/stores/A/preview", json={"special_hours": late})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"].startswith("hours")


@pytest.mark.parametrize(
    "body",
    [
        {"date": "25.12.2026", "hours": []},
        {"date": MONDAY, "hours": [{"start_time_local": "9 am", "end_time_local": "12:00"}]},
        {"date": MONDAY, "hours": [{"start_time_local": "25:00", "end_time_local": "26:00"}]},
        {"date": MONDAY},
    ],
)
def test_hours_that_cannot_be_read_are_refused_whole(
    client: httpx.Client, body: dict[str, object]
) -> None:
    answer = client.put("/stores/A/special-hours", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]
    assert stored(client) == []


def test_a_statement_lists_the_special_hours_of_its_dates(client: httpx.Client) -> None:
    put(client, NINE_TO_NOON, {"start_time_local": "14:00", "end_time_local": "26:00"})
    client.put("/stores/A/special-hours", json={"date": "2023-01-24", "hours": []})
    client.put("/stores/A/special-hours", json={"date": "2023-02-01", "hours": []})
    query = {"store_id": "A", "period": "2023-W04"}
    answer = client.get("/statement", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["special_hours"] == [
        {
            "store_id": "A",
            "local_date": "2023-01-23",
            "hours": "09:00 to 12:00, 14:00 to 26:00",
        },
        {"store_id": "A", "local_date": "2023-01-24", "hours": "closed"},
    ]
    file = client.get("/statement.csv", params=query | {"table": "special-hours"})
    assert [line.split(",", 2)[2] for line in file.text.splitlines()] == [
        "store_id,date,hours",
        'A,2023-01-23,"09:00 to 12:00, 14:00 to 26:00"',
        "A,2023-01-24,closed",
    ]
    page = client.get("/pages/statement", params=query).text
    assert "Special hours" in page
    assert "09:00 to 12:00, 14:00 to 26:00" in page
