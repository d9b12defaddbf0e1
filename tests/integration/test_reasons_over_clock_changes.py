"""Outages by reason over both clock changes, against the slow reference."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

import oracle
from api_server import serve
from clock_changes import AUTUMN, SPRING, ZONES, draw, fill
from oracle_history import lost_by_source

SOURCES = ("platform", "till", "people")


def draw_events(begin: datetime, end: datetime, seed: int) -> list[oracle.Event]:
    """Events of three sources, some without an end, that overlap at random."""
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    minutes = (end - begin) // timedelta(minutes=1)
    events = {}
    for _ in range(40):
        store_id, source = rng.choice(list(ZONES)), rng.choice(SOURCES)
        start = begin + timedelta(minutes=rng.randrange(minutes))
        length = timedelta(minutes=rng.randrange(1, 900))
        events[store_id, source, start] = oracle.Event(
            store_id,
            start,
            None if rng.random() < 0.2 else min(start + length, end),
            is_up=rng.random() < 0.3,
            source=source,
        )
    return list(events.values())


@pytest.mark.parametrize("begin", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_totals_by_reason_equal_the_reference(database_url: str, begin: datetime) -> None:
    inputs = draw(begin, 5)
    end = max(poll.polled_at for poll in inputs.polls)
    inputs = replace(inputs, events=draw_events(begin, end, 7))
    fill(database_url, inputs)
    body = [
        {
            "store_id": event.store_id,
            "from_utc": event.start.isoformat(),
            "to_utc": event.end and event.end.isoformat(),
            "state": "up" if event.is_up else "down",
            "reason": f"by {event.source}",
            "source": event.source,
        }
        for event in inputs.events
    ]
    period = {"from": begin.isoformat(), "to": end.isoformat()}
    totals: dict[str, int] = {}
    with serve(database_url) as client:
        client.post("/events", json={"events": body}).raise_for_status()
        for store_id in ZONES:
            listed = client.get(f"/stores/{store_id}/incidents", params=period).raise_for_status()
            found = {
                one["source"]: one["lost_us"]
                for one in listed.json()["summary"]["reasons"]
                if one["lost_us"]
            }
            assert found == lost_by_source(inputs, store_id, begin, end)
            for source, lost_us in found.items():
                totals[source] = totals.get(source, 0) + lost_us
        fleet = client.get("/incidents", params=period).raise_for_status().json()["summary"]
    assert {one["source"]: one["lost_us"] for one in fleet["reasons"]} == totals
    assert {one["reason"] for one in fleet["reasons"]} == {f"by {source}" for source in SOURCES}
