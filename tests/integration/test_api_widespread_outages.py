"""What the API says about other stores during an incident."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_keys import new_key
from api_server import serve
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from waiting import eventually

BEGIN = datetime(2023, 1, 20, tzinfo=UTC)
DAYS = 5
STORES = 12
HIT = range(9)
"""Stores 0 to 8 are down from 13:00 to 16:00 on the fourth day; store 0 until 18:00."""
ALONE = 11
"""Store 11 is down from 02:00 to 04:00 on the third day, alone."""
HOUR_US = 3_600_000_000


def is_active(store: int, at: datetime) -> bool:
    hour = (at - BEGIN) / timedelta(hours=1)
    end = 3 * 24 + (18 if store == 0 else 16)
    is_hit = store in HIT and 3 * 24 + 13 <= hour < end
    return not is_hit and not (store == ALONE and 2 * 24 + 2 <= hour < 2 * 24 + 4)


@pytest.fixture
def filled_url(database_url: str, tmp_path: Path) -> str:
    polls = [
        f"{store},{at:%Y-%m-%d %H:%M:%S} UTC,{'active' if is_active(store, at) else 'inactive'}"
        for store in range(STORES)
        for hour in range(24 * DAYS)
        for at in [BEGIN + timedelta(hours=hour, minutes=10 + store)]
    ]
    stores = [f"{store},,,West" for store in range(STORES)]
    for name, header, lines in (
        ("store_status", "store_id,timestamp_utc,status", polls),
        ("stores", "store_id,name,group,region", stores),
    ):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    now = BEGIN + timedelta(days=DAYS + 1)
    for source in (Source.STORE_STATUS, Source.STORE_DETAILS):
        ingest_source(database_url, tmp_path, source, now=now, run_id=None)
    refresh_uptime(database_url, refreshed_at=now)
    return database_url


def incidents(client: httpx.Client, address: str, **headers: str) -> Any:  # noqa: ANN401 - a body
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_incident_tells_whether_others_went_down_with_it(filled_url: str) -> None:
    with serve(filled_url) as client:
        everyone = incidents(client, "/incidents?from=2023-01-20T00:00:00Z")
        first = incidents(client, "/stores/0/incidents")
    marks = {one["store_id"]: one["mark"] for one in everyone["incidents"]}
    assert marks == {**{str(store): "with others" for store in HIT}, str(ALONE): "alone"}

    (one,) = first["incidents"]
    (region, zone) = one["peers"]
    assert (region["kind"], region["name"], zone["kind"]) == ("region", "West", "timezone")
    assert (region["stores"], region["down"], region["went_down"]) == (11, 8, 8)
    assert region["usually_down"] < 1
    # Of the nine stores all but store 0 came back between 15:xx and 16:xx.
    assert one["lost_us"] == 5 * HOUR_US
    assert 2.9 * HOUR_US < one["with_others_us"] < 3.2 * HOUR_US
    assert first["summary"]["compared_us"] == one["lost_us"]
    assert first["summary"]["with_others_us"] == one["with_others_us"]
    total = everyone["summary"]
    assert total["compared_us"] == total["lost_us"] == (5 + 8 * 3 + 2) * HOUR_US
    assert total["with_others_us"] == sum(row["with_others_us"] for row in everyone["incidents"])


def test_a_key_of_some_stores_learns_nothing_about_others(filled_url: str) -> None:
    token = new_key(filled_url, "own", Scope.READ, stores={"0", "1"})
    with serve(filled_url) as client:
        headers = {"X-API-Key": token}
        eventually(lambda: client.get("/stores", headers=headers).status_code == 200)
        (one,) = incidents(client, "/stores/0/incidents", **headers)["incidents"]
    assert one["mark"] == "alone"
    assert {(peers["stores"], peers["down"]) for peers in one["peers"]} == {(1, 1)}
