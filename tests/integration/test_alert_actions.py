"""Acting on alerts: acknowledged, silenced, noted on, by the name of the key; found and sorted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from api_keys import new_key
from api_server import serve
from receiver import Receiver, receiving
from stored import at, execute, fetch, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.alerts.alert_table import drop_old_alerts
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.deliver import deliver_alerts, is_delivery_due
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.alerts.targets import labelled
from storemon_pipeline.database.bulk import bulk_transaction

HOUR: Final = timedelta(hours=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def evaluate(url: str, receiver: Receiver, clock: str) -> None:
    evaluate_rules(
        url,
        rules=Rules(),
        notification=Notification(tuple(labelled([receiver.url]))),
        now=at(clock) + timedelta(minutes=1),
        is_loading=False,
    )


def alarm(url: str, receiver: Receiver) -> None:
    """A is down since 08:30 and B since 09:30, and a message about each waits."""
    load(url, "A 08:00 up", "B 08:00 up", "B 09:00 up", "C 08:00 up")
    evaluate(url, receiver, "09:00")
    load(url, "A 09:00 down", "A 12:00 down", "B 10:00 down", "B 12:00 down", "C 12:00 up")
    execute(
        url,
        "INSERT INTO store_details (store_key, name, load_id)"
        " SELECT store_key, 'Market_Street', 1 FROM stores WHERE store_id = 'B'",
    )
    evaluate(url, receiver, "12:00")


def listed(client: httpx.Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/alerts?{query}")
    assert answer.status_code == 200, answer.text
    alerts: list[dict[str, Any]] = answer.json()["alerts"]
    return alerts


def stores(client: httpx.Client, query: str = "") -> list[str]:
    return [alert["store_id"] for alert in listed(client, query)]


def act(client: httpx.Client, alert: dict[str, Any], action: str, **more: str) -> int:
    path = f"/alerts/{alert['alert_id']}/actions"
    return client.post(path, json={"action": action, **more}).status_code


def by_store(client: httpx.Client) -> dict[str, dict[str, Any]]:
    return {alert["store_id"]: alert for alert in listed(client)}


def key(url: str, name: str, scope: Scope, *store_ids: str) -> dict[str, str]:
    token = new_key(url, name, scope, Scope.READ, stores=set(store_ids) or None)
    return {"X-API-Key": token}


def test_alerts_are_searched_sorted_and_filtered(database_url: str, receiver: Receiver) -> None:
    alarm(database_url, receiver)
    with serve(database_url) as client:
        assert stores(client, "sort=lost&order=desc") == ["A", "B"]
        assert stores(client, "sort=lost") == ["B", "A"]
        assert stores(client, "sort=since") == ["A", "B"]
        assert stores(client, "sort=what&order=desc") == ["B", "A"]
        assert stores(client, "q=MARKET_s") == ["B"]
        assert stores(client, "q=market%25") == []
        assert stores(client, "q=a") == ["A", "B"]
        assert act(client, by_store(client)["A"], "acknowledge") == 204
        assert stores(client, "acknowledged=true") == ["A"]
        assert stores(client, "acknowledged=false") == ["B"]
        assert act(client, by_store(client)["A"], "unacknowledge") == 204
        assert stores(client, "acknowledged=true") == []
        assert client.get("/alerts?sort=size").status_code == 422


def test_a_silenced_alert_sends_no_message_until_the_silence_ends(
    database_url: str, receiver: Receiver
) -> None:
    alarm(database_url, receiver)
    now = datetime.now(UTC)
    targets = labelled([receiver.url])
    with serve(database_url) as client:
        assert act(client, by_store(client)["A"], "silence", until=(now + HOUR).isoformat()) == 204
        assert stores(client, "silenced=true") == ["A"]
        assert datetime.fromisoformat(by_store(client)["A"]["silenced_until"]) == now + HOUR
        assert deliver_alerts(database_url, targets, now=now).sent == 1
        assert receiver.titles == ["Offline: Market_Street (B)"]
        assert not is_delivery_due(database_url, now=now)
        assert is_delivery_due(database_url, now=now + HOUR)
        assert act(client, by_store(client)["A"], "unsilence") == 204
        assert stores(client, "silenced=true") == []
    assert deliver_alerts(database_url, targets, now=now).sent == 1
    assert receiver.titles[1:] == ["Offline: store A"]


def test_a_silence_holds_for_the_next_alert_about_the_same_store(
    database_url: str, receiver: Receiver
) -> None:
    alarm(database_url, receiver)
    until = (datetime.now(UTC) + HOUR).isoformat()
    with serve(database_url) as client:
        assert act(client, by_store(client)["A"], "silence", until=until) == 204
        load(database_url, "A 13:00 up", "A 16:00 up")
        evaluate(database_url, receiver, "16:00")
        load(database_url, "A 17:00 down", "A 20:00 down")
        evaluate(database_url, receiver, "20:00")
        fired, resolved = listed(client, "q=A&kind=down&store_id=A")
        assert (fired["state"], resolved["state"]) == ("open", "closed")
        assert fired["silenced_until"] == resolved["silenced_until"] is not None
        deliver_alerts(database_url, labelled([receiver.url]), now=datetime.now(UTC))
        assert not [title for title in receiver.titles if "store A" in title]
        assert act(client, fired, "unsilence") == 204
        assert stores(client, "silenced=true") == []


def test_actions_name_the_key_and_are_kept_in_order_and_in_the_audit_log(
    database_url: str, receiver: Receiver
) -> None:
    alarm(database_url, receiver)
    writer = key(database_url, "Night shift", Scope.INGEST)
    reader = key(database_url, "reader", Scope.READ)
    with serve(database_url) as client:
        client.headers.update(writer)
        alert = by_store(client)["B"]
        assert act(client, alert, "note", note=" called the owner ") == 204
        assert act(client, alert, "acknowledge", note="on it") == 204
        client.headers.update(reader)
        found = by_store(client)["B"]
        assert [(one["action"], one["note"], one["by"]) for one in found["actions"]] == [
            ("note", "called the owner", "Night shift"),
            ("acknowledge", "on it", "Night shift"),
        ]
        assert found["acknowledged_at"] == found["actions"][1]["at"]
        assert act(client, alert, "note", note="not allowed") == 403
    events = fetch(database_url, "SELECT action, subject FROM audit_events ORDER BY event_id")
    subjects = [event["subject"] for event in events if event["action"] == "alert.act"]
    number = alert["alert_id"]
    assert subjects == [f"alert {number}: note", f"alert {number}: acknowledge"]


def test_a_key_of_some_stores_acts_on_their_alerts_alone(
    database_url: str, receiver: Receiver
) -> None:
    alarm(database_url, receiver)
    owner = key(database_url, "owner of A", Scope.INGEST, "A")
    with serve(database_url) as client:
        admin = key(database_url, "all", Scope.ADMIN)
        alerts = {
            one["store_id"]: one for one in client.get("/alerts", headers=admin).json()["alerts"]
        }
        client.headers.update(owner)
        assert act(client, alerts["A"], "acknowledge") == 204
        assert act(client, alerts["B"], "acknowledge") == 403
        assert act(client, {"alert_id": 10**6}, "acknowledge") == 403
        client.headers.update(admin)
        assert by_store(client)["B"]["acknowledged_at"] is None
        assert act(client, {"alert_id": 10**6}, "acknowledge") == 404
        assert act(client, {"alert_id": "x"}, "acknowledge") == 404
        assert act(client, {"alert_id": 10**30}, "acknowledge") == 404


@pytest.mark.parametrize(
    "body",
    [
        {"action": "silence"},
        {"action": "silence", "until": "2023-01-25T08:00:00Z"},
        {"action": "acknowledge", "until": "2100-01-25T08:00:00Z"},
        {"action": "note"},
        {"action": "note", "note": " "},
        {"action": "note", "note": "a\0b"},
        {"action": "delete"},
    ],
    ids=str,
)
def test_an_action_that_says_nothing_useful_is_refused(
    database_url: str, body: dict[str, str]
) -> None:
    with serve(database_url) as client:
        answer = client.post("/alerts/1/actions", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in {"until", "note", "action"}


def test_actions_are_dropped_with_their_alert(database_url: str, receiver: Receiver) -> None:
    alarm(database_url, receiver)
    with serve(database_url) as client:
        assert act(client, by_store(client)["A"], "note", note="goes") == 204
        assert act(client, by_store(client)["B"], "note", note="stays") == 204
    load(database_url, "A 13:00 up", "A 16:00 up")
    evaluate(database_url, receiver, "16:00")
    execute(database_url, "DELETE FROM alert_deliveries")
    with bulk_transaction(database_url) as bulk:
        assert drop_old_alerts(bulk, newest=at("18:00"), keep=HOUR) == 1
    assert fetch(database_url, "SELECT note FROM alert_actions") == [{"note": "stays"}]
