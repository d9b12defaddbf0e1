"""Events in the database: loaded, corrected and undone, and the same on every page."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest

from refreshed import downtime_minutes, refresh_figures
from stored import fetch
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import compare_all_days
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.loads.load_log import RowCounts

NOW = datetime(2023, 2, 1, tzinfo=UTC)
HEADER = "store_id,from_utc,to_utc,state,reason,source\n"
# Store A is polled each hour of the day before, and seen down at 9:00 alone. Store B has no polls.
MINUTE_US = 60_000_000
POLLS = [
    f"A,2023-01-24 {hour:02}:00:00,{'inactive' if hour == 9 else 'active'}" for hour in range(19)
]
OUTAGE = "A,2023-01-24 08:50:00,2023-01-24 09:10:00,down,tablet offline,platform"
OPEN = "A,2023-01-24 17:45:00,,down,deactivated,platform"
OF_B = "B,2023-01-24 12:00:00,,up,,till"


def ingest(url: str, folder: Path, source: Source, *rows: str) -> RowCounts:
    header = HEADER if source is Source.STORE_EVENTS else "store_id,timestamp_utc,status\n"
    (folder / f"{source}.csv").write_text(header + "".join(f"{row}\n" for row in rows))
    return ingest_source(url, folder, source, now=NOW, run_id=None).row_counts


@pytest.fixture
def folder(database_url: str, tmp_path: Path) -> Path:
    ingest(database_url, tmp_path, Source.STORE_STATUS, *POLLS)
    zones = "".join(f"{store},UTC\n" for store in "AB")
    (tmp_path / "timezones.csv").write_text(f"store_id,timezone_str\n{zones}")
    ingest_source(database_url, tmp_path, Source.STORE_TIMEZONES, now=NOW, run_id=None)
    return tmp_path


def in_force(client: httpx.Client) -> list[str]:
    listed = client.get("/store-events").raise_for_status().json()["events"]
    return [f"{one['store_id']} {one['from_utc'][11:16]} {one['state']}" for one in listed]


def test_figures_follow_events_and_their_undoing(database_url: str, folder: Path) -> None:
    refresh_figures(database_url)
    # Half an hour on both sides of the poll at 9:00.
    assert downtime_minutes(database_url) == {"A": 60.0}
    counts = ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE, OPEN, OF_B)
    assert counts == RowCounts(loaded=3, replaced=0, unchanged=0, rejected=0)
    refresh_figures(database_url)
    # 20 minutes, and from 17:45 to the newest poll at 18:00, which lies inside of the event.
    assert downtime_minutes(database_url) == {"A": 35.0, "B": 0.0}
    newest = fetch(database_url, "SELECT max(load_id) AS load_id FROM loads")[0]["load_id"]
    undo_load(database_url, newest, now=NOW)
    refresh_figures(database_url)
    assert downtime_minutes(database_url) == {"A": 60.0}
    assert compare_all_days(database_url).different == 0


def test_events_are_idempotent_and_corrected(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE, OPEN)
    body = {
        "store_id": "A",
        "from_utc": "2023-01-24T08:50:00Z",
        "to_utc": "2023-01-24T09:20:00Z",
        "state": "down",
        "source": "platform",
    }
    pushed = client.post("/events", json={"events": [body]}).raise_for_status().json()
    assert (pushed["rows_loaded"], pushed["rows_replaced"]) == (0, 1)
    again = client.post("/events", json={"events": [body]}).raise_for_status().json()
    assert (again["rows_replaced"], again["rows_unchanged"]) == (0, 1)
    # Reading the file again, with one row more, does not undo the correction.
    counts = ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE, OPEN, OF_B)
    assert counts == RowCounts(loaded=1, replaced=0, unchanged=2, rejected=0)
    refresh_figures(database_url)
    assert downtime_minutes(database_url)["A"] == 45.0
    assert in_force(client) == ["A 17:45 down", "A 08:50 down", "B 12:00 up"]
    undo_load(database_url, pushed["load_id"], now=NOW)
    refresh_figures(database_url)
    assert downtime_minutes(database_url)["A"] == 35.0


def test_an_event_is_cancelled_and_its_cancelling_undone(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE)
    (event,) = client.get("/store-events").json()["events"]
    assert client.delete(f"/store-events/{event['event_id']}").status_code == 204
    assert client.delete(f"/store-events/{event['event_id']}").status_code == 404
    assert in_force(client) == []
    newest = fetch(database_url, "SELECT max(load_id) AS load_id FROM loads")[0]["load_id"]
    undo_load(database_url, newest, now=NOW)
    assert in_force(client) == ["A 08:50 down"]


def test_bad_rows_of_events_are_rejected_with_their_reasons(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    bad = [
        ",2023-01-24 08:50:00,,down,,",
        "A,2023-01-24 08:50:00,,broken,,",
        "A,yesterday,,down,,",
        "A,2023-01-24 08:50:00,2023-01-24 08:50:00,down,,",
    ]
    counts = ingest(database_url, folder, Source.STORE_EVENTS, *bad, OUTAGE)
    assert counts == RowCounts(loaded=1, replaced=0, unchanged=0, rejected=4)
    reasons = fetch(database_url, "SELECT reason FROM rejected_rows ORDER BY line")
    assert [row["reason"] for row in reasons] == [
        "no store id",
        "unknown status",
        "timestamp cannot be read",
        "event does not end after its start",
    ]
    body = {"store_id": "A", "from_utc": "yesterday", "state": "down"}
    assert client.post("/events", json={"events": [body]}).status_code == 422


def test_every_page_has_the_same_figures(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE, OPEN, OF_B)
    refresh_figures(database_url)
    explained = ask(client, "/stores/A/explain?window=day")["entries"]
    down = [one for one in explained if one["kind"] == "down"]
    assert [(one["start"][11:16], one["end"][11:16]) for one in down] == [
        ("08:50", "09:10"),
        ("17:45", "18:00"),
    ]
    assert all(one["is_certain"] for one in down)
    lost_us = [15 * MINUTE_US, 20 * MINUTE_US]
    incidents = ask(client, "/stores/A/incidents")["incidents"]
    assert sorted(one["lost_us"] for one in incidents) == lost_us
    assert ask(client, "/stores/A")["standing"] == "down"
    (day,) = ask(client, "/stores/A/uptime?by=day")["periods"]
    assert (day["downtime_us"], day["incidents"]) == (sum(lost_us), 2)
    fleet = ask(client, "/incidents?from=2023-01-24T00:00:00Z")["incidents"]
    assert sorted(one["lost_us"] for one in fleet) == lost_us
    assert sum(one["downtime_us"] for one in ask(client, "/fleet/uptime")["periods"]) == sum(
        lost_us
    )
    now = ask(client, "/fleet/now")
    assert (now["standing"]["down"], now["standing"]["up"]) == (1, 1)
    assert now["windows"]["day"]["downtime_us"] == sum(lost_us)


def test_outages_and_explanations_give_the_reasons_of_events(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE, OPEN)
    refresh_figures(database_url)
    listed = ask(client, "/stores/A/incidents")
    assert [
        [(said["source"], said["reason"], said["lost_us"]) for said in one["reasons"]]
        for one in listed["incidents"]
    ] == [
        [("platform", "deactivated", 15 * MINUTE_US)],
        [("platform", "tablet offline", 20 * MINUTE_US)],
    ]
    totals = {one["reason"]: one["lost_us"] for one in listed["summary"]["reasons"]}
    assert totals == {"tablet offline": 20 * MINUTE_US, "deactivated": 15 * MINUTE_US}
    assert list(totals) == ["tablet offline", "deactivated"]
    fleet = ask(client, "/incidents?from=2023-01-24T00:00:00Z")
    assert fleet["summary"]["reasons"] == listed["summary"]["reasons"]
    (ongoing,) = ask(client, "/incidents?open=true")["incidents"]
    assert ongoing["reasons"] == listed["incidents"][0]["reasons"]
    assert ask(client, "/stores/A")["open_incident"]["reasons"] == ongoing["reasons"]
    table = client.get("/incidents?open=true&format=csv").raise_for_status().text
    header, row = table.splitlines()
    assert (header.split(",")[-1], row.split(",")[-1]) == ("reasons", "platform: deactivated")
    explained = ask(client, "/stores/A/explain?window=day")["entries"]
    assert [one["reason"] for one in explained if one["kind"] == "down"] == [
        "an event of platform says offline: tablet offline",
        "an event of platform says offline: deactivated",
    ]
    segments = ask(client, "/stores/A/timeline")["segments"]
    assert [one["event"] for one in segments if one["kind"] == "down"] == [
        {"source": "platform", "reason": "tablet offline"},
        {"source": "platform", "reason": "deactivated"},
    ]


def test_a_statement_has_the_reasons_of_each_outage_and_their_totals(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    week = "period=2023-W04"
    plain = ask(client, f"/statement?{week}")
    assert plain["reasons"] == []
    assert client.get(f"/statement.csv?{week}&table=reasons").text.count("\n") == 1
    page = client.get(f"/pages/statement?{week}").text
    assert "Reasons" not in page
    # The event covers 10 minutes of the hour from 8:30 to 9:30 that polls say.
    event = OUTAGE.replace("09:10:00", "09:00:00")
    ingest(database_url, folder, Source.STORE_EVENTS, event, OPEN)
    statement = ask(client, f"/statement?{week}")
    said = [
        (one["lost_us"] // MINUTE_US, own["reason"], own["lost_us"] // MINUTE_US)
        for one in statement["incidents"]
        for own in one["reasons"]
    ]
    assert said == [(60, "tablet offline", 10), (15, "deactivated", 15)]
    assert [
        (one["source"], one["reason"], one["incidents"], one["lost_us"] // MINUTE_US)
        for one in statement["reasons"]
    ] == [("platform", "deactivated", 1, 15), ("platform", "tablet offline", 1, 10)]
    text = client.get(f"/statement.csv?{week}&table=incidents").text
    assert [row["reasons"] for row in csv.DictReader(io.StringIO(text))] == [
        "platform: tablet offline",
        "platform: deactivated",
    ]
    text = client.get(f"/statement.csv?{week}&table=reasons").text
    assert [
        (row["reason"], row["incidents"], row["lost_hours"])
        for row in csv.DictReader(io.StringIO(text))
    ] == [
        ("deactivated", "1", "0.25"),
        ("tablet offline", "1", "0.1667"),
        ("none known", "1", "0.8333"),
    ]
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"/statement.xlsx?{week}").content))
    *_, total = book["reasons"].iter_rows(values_only=True)
    assert total == ("Total", "", 2, statement["total"]["down_us"] / 3.6e9)
    page = client.get(f"/pages/statement?{week}").text
    assert page.count("platform: tablet offline") == 1
    assert "none known" in page
    assert client.get(f"/statement.pdf?{week}").content.startswith(b"%PDF-")


def test_a_reason_that_changes_makes_a_revision_of_a_sent_statement(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE)
    sent = client.post("/statements", json={"period": "2023-W04"}).raise_for_status().json()
    address = f"/statements/{sent['statement_id']}"
    assert ask(client, f"{address}/changes")["changes"] == []
    ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE.replace("tablet offline", "power cut"))
    revised = client.post(f"{address}/revisions").raise_for_status().json()
    (change,) = ask(client, f"/statements/{revised['statement_id']}")["changes"]
    assert (change["line"], change["field"]) == ("incident", "reasons")
    assert (change["before"], change["after"]) == (
        "platform: tablet offline, 0.3333 h",
        "platform: power cut, 0.3333 h",
    )
    assert any("events or corrections" in text for text in revised["reasons"])


def test_an_outage_with_polls_before_and_after_an_event_has_its_reason_in_part(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE.replace("09:10:00", "09:00:00"))
    refresh_figures(database_url)
    # The poll at 9:00 is outside of the event: down from 8:30 to 9:30 as without it.
    (incident,) = ask(client, "/stores/A/incidents")["incidents"]
    (said,) = incident["reasons"]
    assert (incident["lost_us"], said["lost_us"]) == (60 * MINUTE_US, 10 * MINUTE_US)
    assert (said["start"], said["end"]) == ("2023-01-24T08:50:00Z", "2023-01-24T09:00:00Z")


def test_the_edge_of_an_event_is_not_given_as_a_poll(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE, OPEN, "A,2023-01-20 00:00:00,,up,,")
    refresh_figures(database_url)
    for one in ask(client, "/stores/A/incidents")["incidents"]:
        bounds = [one["last_active_poll"], one["first_inactive_poll"], one["last_inactive_poll"]]
        assert [*bounds, one["next_active_poll"]] == [None] * 4
    store = ask(client, "/stores/A")
    assert (store["last_active_poll_at"], store["first_inactive_poll_at"]) == (None, None)
    assert store["down_since"] == "2023-01-24T17:45:00Z"
    assert store["first_poll_at"] == "2023-01-24T00:00:00Z"


def test_an_incident_of_an_event_can_last_longer_than_a_month(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    closed = "A,2022-12-10 00:00:00,2023-01-24 09:30:00,down,renovation,owner"
    up_before = "A,2022-12-09 00:00:00,2022-12-10 00:00:00,up,,owner"
    ingest(database_url, folder, Source.STORE_EVENTS, up_before, closed)
    refresh_figures(database_url)
    # 45 days and 9:30 hours; the poll at 10:00 is the first one after it.
    lost_us = (45 * 24 * 60 + 570) * MINUTE_US
    for address in ("/stores/A/incidents", "/incidents?from=2023-01-24T00:00:00Z"):
        (incident,) = ask(client, address)["incidents"]
        assert (incident["start"], incident["end"]) == (
            "2022-12-10T00:00:00Z",
            "2023-01-24T09:30:00Z",
        )
        assert incident["lost_us"] == lost_us
        assert [(one["reason"], one["lost_us"]) for one in incident["reasons"]] == [
            ("renovation", lost_us)
        ]
    days = ask(client, "/fleet/uptime")["periods"]
    assert sum(day["downtime_us"] for day in days) == lost_us
    assert compare_all_days(database_url).different == 0


def test_polls_that_contradict_an_event_are_listed(
    database_url: str, client: httpx.Client, folder: Path
) -> None:
    refresh_figures(database_url)
    health = ask(client, "/data-health")
    assert (health["contradicting_polls"], health["contradicting_polls_total"]) == ([], 0)
    # The event from 8:50 agrees with the poll at 9:00, and the one from 17:45 ends before 18:00.
    ended = OPEN.replace(",,", ",2023-01-24 18:00:00,")
    late = "A,2023-01-24 14:00:00,2023-01-24 16:00:00,down,,till"
    ingest(database_url, folder, Source.STORE_EVENTS, OUTAGE, ended, late)
    refresh_figures(database_url)
    health = ask(client, "/data-health")
    assert health["contradicting_polls_total"] == 2
    assert [
        (one["store_id"], one["polled_at"], one["poll"], one["event"])
        for one in health["contradicting_polls"]
    ] == [
        ("A", "2023-01-24T15:00:00Z", "active", "down"),
        ("A", "2023-01-24T14:00:00Z", "active", "down"),
    ]


def ask(client: httpx.Client, address: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(address).raise_for_status().json()
    return answer
