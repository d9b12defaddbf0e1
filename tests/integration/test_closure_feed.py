"""The iCalendar feed of closures, from stored closures to what a calendar reads."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from icalendar import Calendar, Event

from api_keys import new_key
from api_server import serve
from storemon_pipeline.access.keys import Scope
from waiting import eventually

CLOSURES = (
    {"store_id": "berlin", "start_local": "2050-07-01 12:00", "end_local": "2050-07-01 14:00",
     "reason": "Repairs; of the oven, and more"},
    {"store_id": "chicago", "start_local": "2050-01-31 22:00", "end_local": "2050-02-01 06:00",
     "reason": ""},
    {"store_id": "*", "start_local": "2050-12-24 18:00", "end_local": "2050-12-26 09:00",
     "reason": "Christmas"},
    {"store_id": "berlin", "start_local": "2049-03-01 00:00", "reason": "Moved"},
    {"store_id": "berlin", "start_local": "2020-03-01 00:00", "end_local": "2020-03-02 00:00",
     "reason": "Long over"},
)  # fmt: skip


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    with serve(database_url) as client:
        zone = {"timezone": "Europe/Berlin", "valid_from": "always"}
        assert client.put("/stores/berlin/timezone", json=zone).status_code == 200
        for closure in CLOSURES:
            assert client.post("/closures", json=closure).status_code == 201
        yield client


def events(response: httpx.Response) -> list[Event]:
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(response.content)
    assert isinstance(calendar, Calendar)
    assert calendar["VERSION"] == "2.0"
    return calendar.events


def told(event: Event) -> tuple[str, str | None, datetime, datetime]:
    location = event.get("LOCATION")
    start, end = event.DTSTART, event.DTEND
    assert isinstance(start, datetime)
    assert isinstance(end, datetime)
    return str(event["SUMMARY"]), location and str(location), start, end


def test_the_feed_of_a_store_has_its_closures_and_those_of_every_store_in_utc(
    client: httpx.Client,
) -> None:
    found = events(client.get("/stores/berlin/closures.ics"))
    # Berlin is two hours before UTC in July, and one in winter.
    assert [told(event) for event in found] == [
        ("Repairs; of the oven, and more", "store:berlin",
         datetime(2050, 7, 1, 10, tzinfo=UTC), datetime(2050, 7, 1, 12, tzinfo=UTC)),
        ("Christmas", None,
         datetime(2050, 12, 24, 17, tzinfo=UTC), datetime(2050, 12, 26, 8, tzinfo=UTC)),
        ("Moved", "store:berlin",
         datetime(2049, 2, 28, 23, tzinfo=UTC), datetime(2049, 3, 1, 23, tzinfo=UTC)),
    ]  # fmt: skip
    assert [event.get("X-STOREMON-OPEN-END") for event in found] == [None, None, "TRUE"]
    assert [event.get("RRULE") for event in found] == [None, None, {"FREQ": ["DAILY"]}]


def test_in_the_feed_of_all_stores_a_closure_of_every_store_has_no_zone(
    client: httpx.Client,
) -> None:
    found = [told(event) for event in events(client.get("/closures.ics"))]
    assert [event[0] for event in found] == [
        *("Repairs; of the oven, and more", "Closed", "Christmas", "Moved")
    ]
    # A store without a zone is in Chicago, six hours after UTC in winter.
    assert found[1][1:] == (
        "store:chicago",
        datetime(2050, 2, 1, 4, tzinfo=UTC),
        datetime(2050, 2, 1, 12, tzinfo=UTC),
    )
    assert found[2][1:] == (None, datetime(2050, 12, 24, 18), datetime(2050, 12, 26, 9))  # noqa: DTZ001  (each store's own)


def test_an_event_keeps_its_id_and_no_other_event_has_it(client: httpx.Client) -> None:
    addresses = ("/closures.ics", "/stores/berlin/closures.ics", "/stores/chicago/closures.ics")
    first, second = (
        [str(event["UID"]) for path in addresses for event in events(client.get(path))]
        for _ in range(2)
    )
    assert first == second
    assert len(set(first)) == len(first) == 4 + 3 + 2


def test_a_key_of_some_stores_sees_their_closures_and_those_of_every_store(
    client: httpx.Client, database_url: str
) -> None:
    token = new_key(database_url, "shop", Scope.READ, stores={"chicago"})
    key = {"Authorization": f"Bearer {token}"}
    eventually(lambda: client.get("/closures.ics").status_code == 401)
    found = events(client.get("/closures.ics", headers=key))
    assert [event["SUMMARY"] for event in found] == ["Closed", "Christmas"]
    assert client.get("/stores/berlin/closures.ics", headers=key).status_code == 403


def test_an_unknown_store_has_no_feed(client: httpx.Client) -> None:
    response = client.get("/stores/nowhere/closures.ics")
    assert response.status_code == 404
    assert response.json()["type"] == "urn:problem-type:storemon:unknown-store"
