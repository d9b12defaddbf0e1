"""What the API says about other storefronts of a channel during an incident."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_keys import new_key
from api_server import serve
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.channels.keep_rule import keep_channel_rule
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from waiting import eventually

BEGIN = datetime(2023, 1, 20, tzinfo=UTC)
NOW = datetime(2023, 1, 26, tzinfo=UTC)
HOURS = 24 * 5
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
STORES = 10
ON_BOTH = range(3, STORES)
"""Stores 0 to 2 have a storefront on DoorDash alone, the others one on Uber Eats, too."""

DOWN: dict[str, list[tuple[int, int]]] = {
    # DoorDash fails from hour 60 to 63, at all stores but 9.
    **{f"d{store}": [(60, 63)] for store in range(STORES - 1)},
    # Store 0 needs two hours more to come back.
    "d0": [(60, 65)],
    # Store 3 is off on Uber Eats for reasons of its own.
    "u3": [(50, 62)],
    # Store 4 fails by itself, on both.
    "d4": [(60, 63), (90, 92)],
    "u4": [(90, 92)],
    # Store 5 fails on Uber Eats in the hours before, which is over when DoorDash does.
    "u5": [(40, 44)],
}
"""The hours since `BEGIN` in which each storefront is polled down."""


def fronts(store: int) -> list[str]:
    return [f"d{store}", *([f"u{store}"] if store in ON_BOTH else [])]


@pytest.fixture
def filled_url(database_url: str, tmp_path: Path) -> str:
    polls = [
        f"{front},{BEGIN + timedelta(hours=hour, minutes=10):%Y-%m-%d %H:%M:%S} UTC,"
        + ("inactive" if any(a <= hour < b for a, b in DOWN.get(front, [])) else "active")
        for store in range(STORES)
        for front in fronts(store)
        for hour in range(HOURS)
    ]
    channels = [
        f"{store},{'DoorDash' if front.startswith('d') else 'Uber Eats'},{front}"
        for store in range(STORES)
        for front in fronts(store)
    ]
    # A zone of its own for each store, so that only channels are shared. The week of store 0 ends
    # in the outage, at 14:00 UTC.
    zones = ["0,Etc/GMT-10", *(f"{store},Etc/GMT{store - 5:+d}" for store in range(1, STORES))]
    for name, header, lines in (
        ("store_status", "store_id,timestamp_utc,status", polls),
        ("channels", "store_id,channel,channel_store_id", channels),
        ("store_timezones", "store_id,timezone_str", zones),
    ):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    for source in (Source.STORE_STATUS, Source.CHANNELS, Source.STORE_TIMEZONES):
        ingest_source(database_url, tmp_path, source, now=NOW, run_id=None)
    refresh_uptime(database_url, refreshed_at=NOW)
    return database_url


def incidents(client: httpx.Client, path: str = "/incidents", **headers: str) -> Any:  # noqa: ANN401 - a body
    answer = client.get(path, params={"from": f"{BEGIN:%Y-%m-%dT%H:%M:%SZ}"}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def marks(page: Any) -> dict[tuple[str, datetime], tuple[str, float]]:  # noqa: ANN401 - a body
    """For the store and the start: the mark and the hours with others."""
    return {
        (one["store_id"], datetime.fromisoformat(one["start"])): (
            one["mark"],
            one["with_others_us"] / HOUR_US,
        )
        for one in page["incidents"]
    }


def start(hour: int) -> datetime:
    """Polls are ten minutes past the hour, and a change lies midway between two."""
    return BEGIN + timedelta(hours=hour, minutes=10 - 30)


def test_a_store_is_down_with_others_while_it_would_be_up_without_the_outage_of_a_channel(
    filled_url: str,
) -> None:
    with serve(filled_url) as client:
        page = incidents(client)
        keep_channel_rule(filled_url, ChannelRule.ALL_UP, now=NOW)
        refresh_uptime(filled_url, refreshed_at=NOW)
        by_all_up = incidents(client)
    # By any up, stores on both channels are up on Uber Eats, but store 3 is down there already.
    assert marks(page) == {
        ("0", start(60)): ("with others", 3),
        ("1", start(60)): ("with others", 3),
        ("2", start(60)): ("with others", 3),
        ("3", start(60)): ("with others", 2),
        ("4", start(90)): ("alone", 0),
    }
    assert page["summary"]["compared_us"] == (5 + 3 + 3 + 2 + 2) * HOUR_US
    assert page["summary"]["with_others_us"] == (3 + 3 + 3 + 2) * HOUR_US
    # By all up, store 3 is down because of Uber Eats until 62 anyway, and one hour of 13 is left.
    assert marks(by_all_up) == {
        **{(str(store), start(60)): ("with others", 3) for store in (0, 1, 2, 4, 5, 6, 7, 8)},
        ("3", start(50)): ("alone", 1),
        ("4", start(90)): ("alone", 0),
        ("5", start(40)): ("alone", 0),
    }


def test_an_incident_lists_the_channels_on_which_the_store_was_down(filled_url: str) -> None:
    with serve(filled_url) as client:
        of_0, of_3, of_4 = (
            incidents(client, f"/stores/{store}/incidents")["incidents"][0] for store in (0, 3, 4)
        )

    def channels(incident: Any) -> Any:  # noqa: ANN401 - a body
        return {
            one["name"]: (one["stores"], one["down"], one["went_down"])
            for one in incident["peers"]
            if one["kind"] == "channel"
        }

    assert channels(of_0) == {"DoorDash": (9, 8, 8)}
    # On Uber Eats, store 3 went down ten hours earlier, alone.
    assert channels(of_3) == {"DoorDash": (9, 8, 8), "Uber Eats": (6, 0, 0)}
    assert channels(of_4) == {"DoorDash": (9, 0, 0), "Uber Eats": (6, 0, 0)}
    (door_dash, _) = [one for one in of_3["peers"] if one["kind"] == "channel"]
    assert door_dash["widespread_outage_until"].startswith("2023-01-22T14:40")
    assert door_dash["usually_down"] < 1


def test_a_key_of_some_stores_learns_nothing_about_other_storefronts(filled_url: str) -> None:
    token = new_key(filled_url, "own", Scope.READ, stores={"0", "1"})
    with serve(filled_url) as client:
        headers = {"X-API-Key": token}
        eventually(lambda: client.get("/stores", headers=headers).status_code == 200)
        (one,) = incidents(client, "/stores/0/incidents", **headers)["incidents"]
    assert one["mark"] == "alone"
    assert [
        (peers["name"], peers["stores"], peers["down"])
        for peers in one["peers"]
        if peers["kind"] == "channel"
    ] == [("DoorDash", 1, 1)]


def test_files_and_statements_name_the_channel(filled_url: str) -> None:
    with serve(filled_url) as client:
        table = client.get("/stores/3/incidents?format=csv").raise_for_status()
        statement = client.get("/statement?period=2023-01&store_id=3").raise_for_status().text
        rows = client.get("/statement.csv?period=2023-01&store_id=3&table=incidents").text
        alone = client.get("/statement.csv?period=2023-01&store_id=4&table=incidents").text
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert row["widespread_outages"] == "channel DoorDash"
    assert "channel DoorDash" in statement
    (of_3,) = csv.DictReader(io.StringIO(rows))
    assert (of_3["mark"], of_3["widespread_outages"]) == ("with others", "channel DoorDash")
    (of_4,) = csv.DictReader(io.StringIO(alone))
    assert of_4["mark"] == "alone"
    assert "widespread_outages" not in of_4


def test_a_statement_counts_the_part_of_an_outage_with_others_in_its_period(
    filled_url: str,
) -> None:
    with serve(filled_url) as client:
        totals = {
            period: client.get(f"/statement?store_id=0&period={period}").json()["total"]
            for period in ("2023-01", "2023-W03", "2023-W04")
        }
    # Offline from 11:40 to 16:40 UTC, with others up to 14:40. The week ends at 14:00.
    assert {
        period: (total["compared_us"] / MINUTE_US, total["with_others_us"] / MINUTE_US)
        for period, total in totals.items()
    } == {"2023-01": (300, 180), "2023-W03": (140, 140), "2023-W04": (160, 40)}
