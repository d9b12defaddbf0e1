"""Messages of platforms over HTTP: signed, loaded once, and kept when they cannot be read."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api_server import serve
from stored import execute, fetch
from storemon_pipeline.commands.cli import app
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.retention.enforce import drop_old_data
from webhook_messages import (
    DELIVERECT,
    DOORDASH,
    JUST_EAT,
    SECRET,
    SETTINGS,
    body_of,
    standard_headers,
)

OLD_SECRET = "whsec_b2xkIHNlY3JldCBvZiB0aGUgd2ViaG9vaw=="  # noqa: S105  (of these tests)
NOW = datetime(2023, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    no_secret = SETTINGS.replace("[justeat]\nsecret_env", "[justeat]\nid_header").replace(
        "[justeat]", "[nosecret]"
    )
    (folder / "webhooks.toml").write_text(SETTINGS + no_secret[no_secret.index("[nosecret]") :])
    return folder


@pytest.fixture
def client(
    database_url: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("TEST_OLD_WEBHOOK_SECRET", OLD_SECRET)
    with serve(database_url, data=str(data)) as client:
        yield client


def send(
    client: httpx.Client,
    message: Any,  # noqa: ANN401 - a JSON value
    message_id: str,
    *,
    secret: str = SECRET,
    at: int | None = None,
) -> httpx.Response:
    """Send a message as DoorDash, signed now or at an instant."""
    body = body_of(message)
    timestamp = int(time.time()) if at is None else at
    headers = standard_headers(body, message_id=message_id, timestamp=timestamp, secret=secret)
    return client.post("/webhooks/doordash", content=body, headers=headers)


def deactivated(start: str, end: str | None = None, **other: object) -> dict[str, Any]:
    return {
        **DOORDASH,
        "start_time": f"2023-01-25T{start}:00Z",
        "end_time": end and f"2023-01-25T{end}:00Z",
        "notes": None,
        **other,
    }


def reactivated(at: str) -> dict[str, Any]:
    return deactivated(at, event={"type": "Store Reactivated"}, reason=None)


def in_force(client: httpx.Client) -> list[str]:
    listed = client.get("/store-events").raise_for_status().json()["events"]
    rows = [
        f"{event['from_utc'][11:16]} to {(event['to_utc'] or 'open')[11:16] or 'open'} "
        f"{event['state']} {event['reason']}".strip()
        for event in listed
    ]
    return sorted(rows)


def test_a_message_becomes_an_event_and_its_repeats_change_nothing(
    database_url: str, client: httpx.Client
) -> None:
    message = deactivated("10:00", "12:00")
    load = send(client, message, "m1").raise_for_status().json()
    assert (load["rows_read"], load["rows_loaded"]) == (1, 1)
    assert in_force(client) == ["10:00 to 12:00 down Incorrect Store Hours"]
    # A retry has the same id, and another time and signature.
    again = send(client, message, "m1", secret=OLD_SECRET, at=int(time.time()) - 200)
    assert again.raise_for_status().json() == load | {"rows_read": 0, "rows_loaded": 0}
    undo_load(database_url, load["load_id"], now=NOW)
    assert send(client, message, "m1").status_code == 200
    assert in_force(client) == []
    # The same words with an id of their own are a message of their own.
    assert send(client, message, "m2").json()["rows_loaded"] == 1
    assert send(client, message, "m3").json()["rows_unchanged"] == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
def test_a_reactivation_ends_what_came_before_in_whatever_order_they_arrive(
    client: httpx.Client, order: tuple[int, ...]
) -> None:
    messages = [deactivated("09:00", "09:30"), deactivated("10:00", "12:00"), reactivated("11:15")]
    for number in order:
        send(client, messages[number], f"m{number}").raise_for_status()
    assert in_force(client) == [
        "09:00 to 09:30 down Incorrect Store Hours",
        "10:00 to 11:15 down Incorrect Store Hours",
        "11:15 to 11:15 up",
    ]


def test_undoing_a_reactivation_restores_the_end_that_was_told(
    database_url: str, client: httpx.Client
) -> None:
    send(client, deactivated("10:00", "12:00"), "m1").raise_for_status()
    load = send(client, reactivated("11:15"), "m2").raise_for_status().json()
    assert (load["rows_loaded"], load["rows_replaced"]) == (1, 1)
    undo_load(database_url, load["load_id"], now=NOW)
    assert in_force(client) == ["10:00 to 12:00 down Incorrect Store Hours"]


def test_a_reactivation_ends_an_open_event_and_polls_say_what_follows(
    client: httpx.Client,
) -> None:
    polls = [
        {"store_id": "2", "timestamp_utc": f"2023-01-25 {hour}:00:00", "status": status}
        for hour, status in (("09", "active"), ("13", "active"), ("14", "inactive"))
    ]
    client.post("/polls", json=polls).raise_for_status()
    send(client, deactivated("10:00"), "m1").raise_for_status()
    send(client, reactivated("11:15"), "m2").raise_for_status()
    client.put("/stores/2/timezone", json={"timezone": "UTC"}).raise_for_status()
    query = {"from": "2023-01-25T09:00:00Z", "to": "2023-01-25T14:00:00Z"}
    incidents = client.get("/stores/2/incidents", params=query).raise_for_status().json()
    assert sorted((one["start"], one["end"]) for one in incidents["incidents"]) == [
        ("2023-01-25T10:00:00Z", "2023-01-25T11:15:00Z"),
        ("2023-01-25T13:30:00Z", "2023-01-25T14:00:00Z"),
    ]


def test_a_message_that_is_ignored_loads_nothing(client: httpx.Client) -> None:
    load = send(client, deactivated("10:00", event={"type": "Menu updated"}), "m1")
    assert load.raise_for_status().json()["rows_read"] == 0
    assert client.get("/data-health").json()["sources"] == []


def test_a_message_that_cannot_be_mapped_is_kept_until_it_can(
    database_url: str, client: httpx.Client
) -> None:
    refused = send(client, {"event": {"type": "Store Temporarily Deactivated"}}, "m1")
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"field": "start_time", "message": "start_time is missing."}
    ]
    assert send(client, {"event": {}}, "m1").status_code == 422
    (row,) = client.get("/rejected-rows").raise_for_status().json()["rows"]
    assert row["source"] == "store_events"
    assert row["reason"] == "message differs from the settings of its webhook"
    assert row["text"] == (
        "webhook doordash: start_time is missing. "
        '{"event": {"type": "Store Temporarily Deactivated"}}'
    )
    assert fetch(database_url, "SELECT action, subject FROM audit_events") == [
        {"action": "webhook.push", "subject": "doordash"}
    ]
    send(client, deactivated("10:00"), "m1").raise_for_status()
    assert client.get("/rejected-rows").json()["rows"] == []


def replay(url: str, folder: Path, settings: str) -> list[str]:
    """What `storemon rejected replay` says with these settings."""
    (folder / "webhooks.toml").write_text(settings)
    arguments = ["rejected", "replay", "--database-url", url, "--data", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


MENDED = SETTINGS.replace('["Store Temporarily', '["Store Closed", "Store Temporarily').replace(
    '["Menu Updated"]', '["Menu Updated", "Menu Read"]'
)


def test_rejected_messages_are_loaded_after_their_settings_were_corrected(
    database_url: str, client: httpx.Client, tmp_path: Path
) -> None:
    closed, read = ({"type": name} for name in ("Store Closed", "Menu Read"))
    for number, message in enumerate(
        [
            deactivated("10:00", "12:00", event=closed),
            deactivated("13:00", event=read),
            deactivated("14:00", event={"type": "Store Painted"}),
            reactivated("11:15"),
        ]
    ):
        assert send(client, message, f"m{number}").status_code == (200 if number == 3 else 422)
    known = "none of 'store temporarily deactivated', 'store reactivated', 'menu updated'."
    assert replay(database_url, tmp_path, SETTINGS) == [
        f"load {number} (webhook doordash): still rejected: "
        f"event.type is '{word}', which is {known}"
        for number, word in ((1, "store closed"), (2, "menu read"), (3, "store painted"))
    ]
    said = replay(database_url, tmp_path, MENDED)
    # The reactivation, which was loaded before, ends the event.
    assert said[:2] == [
        "load 1 (webhook doordash): 1 event, by load 5",
        "load 2 (webhook doordash): says nothing of the status of a store, and is ignored",
    ]
    assert "still rejected: event.type is 'store painted'" in said[2]
    events = ["10:00 to 11:15 down Incorrect Store Hours", "11:15 to 11:15 up"]
    assert in_force(client) == events
    assert [row["line"] for row in client.get("/rejected-rows").json()["rows"]] == [0]
    # Its repeats change nothing, in whatever settings.
    assert send(client, deactivated("10:00", "12:00"), "m0").json()["rows_read"] == 0
    undo_load(database_url, 5, now=NOW)
    assert in_force(client) == events[1:]
    assert send(client, deactivated("10:00", "12:00"), "m0").json()["rows_read"] == 0
    assert replay(database_url, tmp_path, MENDED)[0] == (
        "load 1 (webhook doordash): 1 event, by load 8"
    )
    assert in_force(client) == events


def test_a_replayed_message_without_a_start_has_the_time_of_its_signature_or_arrival(
    database_url: str, client: httpx.Client, tmp_path: Path
) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    offline = body_of({**JUST_EAT, "IsOffline": "yes"})
    assert client.put("/webhooks/justeat", content=offline, headers=headers).status_code == 422
    signed_at = int(time.time()) - 200
    message = deactivated("10:00", event={"type": "Store Closed"})
    assert send(client, message, "m1", at=signed_at).status_code == 422
    said = replay(database_url, tmp_path, SETTINGS[: SETTINGS.index("[justeat]")])
    assert said[0] == "load 1 (webhook justeat): still rejected: webhooks.toml has no [justeat]."
    settings = MENDED.replace("down = [true]", 'down = ["yes"]').replace("start_time =", "# ")
    said = replay(database_url, tmp_path, settings)
    assert [line.rpartition(": ")[2] for line in said] == [
        "1 event, by load 3",
        "1 event, by load 4",
    ]
    arrived, signed = client.get("/store-events").json()["events"]
    (load,) = fetch(database_url, "SELECT loaded_at FROM loads WHERE load_id = 1")
    assert datetime.fromisoformat(arrived["from_utc"]) == load["loaded_at"]
    assert datetime.fromisoformat(signed["from_utc"]).timestamp() == signed_at


def test_an_id_is_dropped_with_old_polls_and_its_message_never_counts_again(
    database_url: str, client: httpx.Client
) -> None:
    january, ahead = deactivated("10:00", "12:00"), deactivated("10:00", "12:00")
    ahead["start_time"], ahead["end_time"] = "2023-06-20T10:00:00Z", "2023-06-20T12:00:00Z"
    for number, message in enumerate([january, ahead]):
        send(client, message, f"m{number}").raise_for_status()
    polls = [{"store_id": "2", "timestamp_utc": "2023-06-01 12:00:00", "status": "active"}]
    client.post("/polls", json=polls).raise_for_status()
    events = client.get("/store-events").json()["events"]
    for event in events:
        client.delete(f"/store-events/{event['event_id']}").raise_for_status()

    days = timedelta(days=1)
    dropped = drop_old_data(database_url, keep_polls=90 * days, keep_reports=90 * days, now=NOW)
    assert dropped.messages == 1
    assert fetch(database_url, "SELECT message_id FROM webhook_messages") == [{"message_id": "m1"}]
    # Its id is gone, yet the event that was cancelled does not come back.
    refused = send(client, january, "m0")
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {
            "field": "start_time",
            "message": "start_time is before 2023-02-27, since when the ids of messages are kept.",
        }
    ]
    assert send(client, ahead, "m1").json()["rows_read"] == 0
    assert in_force(client) == []
    # Keeping more polls from now on does not bring the id back.
    drop_old_data(database_url, keep_polls=900 * days, keep_reports=90 * days, now=NOW)
    assert send(client, january, "m0").status_code == 422
    send(client, {**ahead, "start_time": "2023-03-01T10:00:00Z"}, "m2").raise_for_status()
    assert in_force(client) == ["10:00 to 12:00 down Incorrect Store Hours"]


def test_the_id_of_a_message_that_tells_no_start_is_never_dropped(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its repeat would be an outage of the day on which it is repeated."""
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", SECRET)
    (tmp_path / "webhooks.toml").write_text(
        SETTINGS.replace('prefix = "Bearer "', 'prefix = "Bearer "\nid_header = "X-Id"')
    )
    headers = {"Authorization": f"Bearer {SECRET}", "X-Id": "m1"}
    far_ahead = {"store_id": "2", "timestamp_utc": "2023-06-01 12:00:00", "status": "active"}
    with serve(database_url, data=str(tmp_path)) as client:
        body = body_of(JUST_EAT)
        client.put("/webhooks/justeat", content=body, headers=headers).raise_for_status()
        client.post("/polls", json=[far_ahead]).raise_for_status()
        execute(
            database_url,
            "UPDATE newest_poll SET polled_at = now() + interval '500 days'",
        )
        days = timedelta(days=1)
        drop_old_data(database_url, keep_polls=90 * days, keep_reports=90 * days, now=NOW)
        again = client.put("/webhooks/justeat", content=body, headers=headers)
        assert again.raise_for_status().json()["rows_read"] == 0


def test_a_message_of_a_storefront_is_an_event_of_it_and_ends_as_one_of_a_store(
    database_url: str, client: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "channels.csv").write_text(
        "store_id,channel,channel_store_id\nA,doordash,2\nA,uber,U\n"
    )
    ingest_source(database_url, tmp_path, Source.CHANNELS, now=NOW, run_id=None)
    polls = [
        {"store_id": store_id, "timestamp_utc": f"2023-01-25 {hour}:00:00", "status": status}
        for store_id, status in (("2", "active"), ("U", "inactive"))
        for hour in ("09", "13")
    ]
    client.post("/polls", json=polls).raise_for_status()
    client.put("/stores/A/timezone", json={"timezone": "UTC"}).raise_for_status()
    send(client, deactivated("10:00", "12:00"), "m1").raise_for_status()
    send(client, reactivated("11:15"), "m2").raise_for_status()
    assert in_force(client) == [
        "10:00 to 11:15 down Incorrect Store Hours",
        "11:15 to 11:15 up",
    ]
    # The other storefront is down all the time.
    query = {"from": "2023-01-25T09:00:00Z", "to": "2023-01-25T13:00:00Z"}
    incidents = client.get("/stores/A/incidents", params=query).raise_for_status().json()
    assert [(one["start"], one["end"]) for one in incidents["incidents"]] == [
        ("2023-01-25T10:00:00Z", "2023-01-25T11:15:00Z")
    ]


def test_a_bad_signature_is_refused_and_audited_before_the_body_is_read(
    database_url: str, client: httpx.Client
) -> None:
    headers = standard_headers(b"{}", message_id="m1", timestamp=int(time.time()))
    refused = client.post("/webhooks/doordash", content=b"{no JSON", headers=headers)
    assert refused.status_code == 401
    assert refused.json()["type"].endswith(":invalid-signature")
    assert refused.headers["WWW-Authenticate"]
    for _ in range(20):
        assert client.post("/webhooks/doordash", content=b"{}").status_code == 401
    audited = fetch(database_url, "SELECT action, subject, client FROM audit_events")
    assert audited[0] == {
        "action": "webhook.refuse",
        "subject": "doordash",
        "client": "127.0.0.1",
    }
    # Anybody can send messages, so the log does not grow with each.
    assert len(audited) == 10
    assert fetch(database_url, "SELECT load_id FROM loads") == []


def test_an_old_message_is_refused(client: httpx.Client) -> None:
    assert send(client, DOORDASH, "m1", at=int(time.time()) - 301).status_code == 401


@pytest.mark.parametrize(
    ("name", "status", "detail"),
    [
        ("grubhub", 404, "webhooks.toml in the data folder has no table of this name."),
        (
            *("nosecret", 503),
            (
                "The webhook nosecret has no secret: add the line secret_env = "
                '"NOSECRET_WEBHOOK_SECRET" below [nosecret] in webhooks.toml, and set that '
                "environment variable of the service."
            ),
        ),
    ],
)
def test_a_source_without_table_or_secret_is_refused(
    client: httpx.Client, name: str, status: int, detail: str
) -> None:
    refused = client.post(f"/webhooks/{name}", content=b"{}")
    assert (refused.status_code, refused.json()["detail"]) == (status, detail)


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    assert send(client, {"notes": "x" * 1024 * 1024}, "m1").status_code == 413


def test_tokens_and_messages_by_put_are_accepted(client: httpx.Client) -> None:
    body = body_of(JUST_EAT)
    headers = {"Authorization": f"Bearer {SECRET}"}
    assert client.put("/webhooks/justeat", content=body, headers=headers).status_code == 200
    assert client.post("/webhooks/justeat", content=body).status_code == 401
    (event,) = client.get("/store-events?store_id=123456").json()["events"]
    assert (event["state"], event["source"], event["to_utc"]) == ("down", "justeat", None)
    # Without a key, everything else is for people on this machine.
    assert client.post("/webhooks/deliverect", content=body_of(DELIVERECT)).status_code == 401


def test_a_message_comes_from_outside_while_there_is_no_key(client: httpx.Client) -> None:
    body = body_of(deactivated("10:00"))
    headers = standard_headers(body, message_id="m1", timestamp=int(time.time()))
    outside = {"Host": "storemon.example.com", "X-Forwarded-For": "203.0.113.7"}
    assert client.get("/store-events", headers=outside).status_code == 401
    assert (
        client.post("/webhooks/doordash", content=body, headers={**headers, **outside}).status_code
        == 200
    )


def test_a_file_that_cannot_be_used_is_named(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "webhooks.toml").write_text("[doordash]\n")
    with serve(database_url, data=str(tmp_path)) as client:
        refused = client.post("/webhooks/doordash", content=b"{}")
    assert refused.status_code == 503
    assert refused.json()["detail"] == "webhooks.toml, [doordash]: store_id: Field required."


def test_nothing_is_loaded_without_its_audit_event(database_url: str, client: httpx.Client) -> None:
    execute(database_url, "ALTER TABLE audit_events ADD CONSTRAINT no CHECK (action = 'no')")
    assert send(client, deactivated("10:00"), "m1").status_code >= 500
    for table in ("store_events", "loads", "webhook_messages"):
        assert fetch(database_url, f"SELECT * FROM {table}") == []
