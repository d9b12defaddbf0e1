"""An action and its audit event are committed together or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import sqlalchemy as sa

from api_server import serve
from stored import execute
from storemon_api.security.access_rules import RULES
from storemon_pipeline.access.key_management import create_key, revoke_key
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.database.connections import create_engine

CLOSURE = {"store_id": "alpha", "start_local": "2023-12-24 18:00:00", "reason": "Christmas"}
OBJECTIVE = {"applies_to": "store", "name": "alpha", "objective": 99}
OTHER_CLOSURE = {**CLOSURE, "store_id": "beta"}
HOURS = {"hours": [{"day_of_week": 0, "start_time_local": "09:00", "end_time_local": "17:00"}]}
EVENTS = {"events": [{"store_id": "alpha", "from_utc": "2023-01-25T10:00:00Z", "state": "down"}]}
OTHER_EVENTS = {
    "events": [{"store_id": "beta", "from_utc": "2023-01-25T10:00:00Z", "state": "down"}]
}
CORRECTION = {
    "store_id": "beta",
    "kind": "up",
    "reason": "power cut",
    "from_utc": "2023-01-25T10:00:00Z",
    "to_utc": "2023-01-25T11:00:00Z",
}
OTHER_CORRECTION = CORRECTION | {
    "to_utc": "2023-01-25T10:00:00Z",
    "from_utc": "2023-01-25T09:00:00Z",
}
POLL = [{"store_id": "alpha", "timestamp_utc": "2023-01-25 10:00:00 UTC", "status": "active"}]

SCHEDULE = {"every": "monday", "to": "owner@example.com"}
OTHER_SCHEDULE = SCHEDULE | {"at": "09:00"}
WEEK = {"period": "2023-W04"}

# Each audited deed: its method, address and body, the word for it, and what it leaves behind.
DEEDS = {
    "trigger": ("POST", "/trigger_report", {}, "report.trigger", "reports"),
    "api trigger": ("POST", "/api/trigger_report", {}, "report.trigger", "reports"),
    "push": ("POST", "/polls", POLL, "polls.push", "store_status"),
    "hours": ("PUT", "/stores/alpha/hours", HOURS, "hours.put", "business_hours"),
    "taking back hours": (
        *("DELETE", "/stores/beta/hours?load_id=3", None, "hours.undo"),
        "loads WHERE undone_at IS NOT NULL",
    ),
    "zone": (
        *("PUT", "/stores/alpha/timezone", {"timezone": "Asia/Kolkata"}),
        *("timezone.put", "store_timezones"),
    ),
    "special hours": (
        *("PUT", "/stores/alpha/special-hours", {"date": "2026-12-25", "hours": []}),
        *("special-hours.put", "special_hours"),
    ),
    "taking back special hours": (
        *("DELETE", "/stores/beta/special-hours?date=2026-12-24", None, "special-hours.cancel"),
        "special_hours WHERE starts_us IS NULL",
    ),
    "closure": ("POST", "/closures", OTHER_CLOSURE, "closure.add", "closures"),
    "closing all": (
        *("POST", "/fleet/closures", {"start_local": "2023-09-01 00:00"}),
        *("closure.add", "closures"),
    ),
    "taking a closing back": (
        *("DELETE", "/fleet/closures/4", None, "closure.undo"),
        "loads WHERE undone_at IS NOT NULL",
    ),
    "objective": (
        *("PUT", "/objectives", {"applies_to": "all", "objective": 98.5}),
        *("objective.put", "objectives"),
    ),
    "events": ("POST", "/events", EVENTS, "events.push", "store_events"),
    "cancelling an event": (
        *("DELETE", "/store-events/1", None, "event.cancel"),
        "store_events WHERE cancelled_by_load_id IS NOT NULL",
    ),
    "correcting": ("POST", "/corrections", CORRECTION, "correction.add", "corrections"),
    "taking a correction back": (
        *("DELETE", "/corrections/1", None, "correction.cancel"),
        "corrections WHERE cancelled_by_load_id IS NOT NULL",
    ),
    "cancelling an objective": (
        *("DELETE", "/objectives/1", None, "objective.cancel"),
        "objectives WHERE cancelled_by_load_id IS NOT NULL",
    ),
    "acting on an alert": (
        *("POST", "/alerts/1/actions", {"action": "acknowledge"}),
        *("alert.act", "alert_actions"),
    ),
    "cancelling": (
        *("DELETE", "/closures/1", None, "closure.cancel"),
        "closures WHERE cancelled_by_load_id IS NOT NULL",
    ),
    "sending a statement": (
        *("POST", "/statements", WEEK | {"store_id": "beta"}),
        *("statement.send", "sent_statements"),
    ),
    "sending a revision": (
        *("POST", "/statements/1/revisions", None),
        *("statement.revise", "sent_statements"),
    ),
    "scheduling statements": (
        *("POST", "/statement-schedules", OTHER_SCHEDULE),
        *("statement-schedule.add", "statement_schedules"),
    ),
    "ending a schedule": (
        *("DELETE", "/statement-schedules/1", None, "statement-schedule.cancel"),
        "statement_schedules WHERE cancelled_at IS NOT NULL",
    ),
}

# The server's process that works for the client ends between the deed and the end of its line.
ENDING = """
    CREATE FUNCTION end_process() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
    CREATE TRIGGER end_process AFTER INSERT ON audit_events
    FOR EACH ROW EXECUTE FUNCTION end_process();
"""


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[httpx.Client]:
    """Give a service with something of each kind to act on; no deed hinders another one."""
    execute(
        module_database_url,
        "INSERT INTO alerts (kind, subject, opened_at, since, lost_us, is_told)"
        " VALUES ('source', 'store_status', now(), now(), 0, false)",
    )
    with serve(module_database_url) as client:
        assert client.post("/closures", json=CLOSURE).status_code == 201
        assert client.put("/objectives", json=OBJECTIVE).status_code == 200
        assert client.put("/stores/beta/hours", json=HOURS).status_code == 200
        long_ago = {"start_local": "2022-01-01 00:00", "end_local": "2022-01-02 00:00"}
        assert client.post("/fleet/closures", json=long_ago).json()["load_id"] == 4
        assert client.post("/statement-schedules", json=SCHEDULE).status_code == 200
        for day, status in (("23", "active"), ("24", "inactive")):
            poll = {"store_id": "beta", "timestamp_utc": f"2023-01-{day} 16:00:00 UTC"}
            assert client.post("/polls", json=[poll | {"status": status}]).status_code == 200
            if day == "23":
                assert client.post("/statements", json=WEEK).status_code == 200
        assert client.post("/events", json=OTHER_EVENTS).status_code == 200
        assert client.post("/corrections", json=OTHER_CORRECTION).status_code == 201
        eve = {"date": "2026-12-24", "hours": []}
        assert client.put("/stores/beta/special-hours", json=eve).status_code == 200
        yield client


@pytest.fixture
def client_engine(client: httpx.Client, module_database_url: str) -> Iterator[sa.Engine]:
    """Give an engine on the service's database."""
    del client
    engine = create_engine(module_database_url, application_name="test", pool_size=1)
    yield engine
    engine.dispose()


@contextmanager
def losing_lines(engine: sa.Engine) -> Iterator[None]:
    """Let no audit event be stored within the block."""
    with engine.begin() as connection:
        connection.execute(sa.text(ENDING))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("DROP FUNCTION end_process CASCADE"))


def count(engine: sa.Engine, table: str) -> int:
    with engine.connect() as connection:
        found: int = connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
    return found


def test_every_audited_address_has_an_action() -> None:
    # The forms of the sign-in pages, which are open, are in test_sign_in.py, and those of accounts,
    # after which nothing is open to everyone, in test_api_accounts.py.
    assert {deed[3] for deed in DEEDS.values()} == {
        rule.action
        for rule in RULES.values()
        if rule.action is not None and not rule.is_open and not rule.action.startswith("account.")
    }


@pytest.mark.parametrize("name", DEEDS)
def test_an_action_is_done_with_its_audit_event_or_not_at_all(
    client: httpx.Client, client_engine: sa.Engine, name: str
) -> None:
    method, address, body, action, table = DEEDS[name]
    tables = (table, "audit_events", "loads")
    before = [count(client_engine, one) for one in tables]
    with losing_lines(client_engine):
        answer = client.request(method, address, json=body)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert [count(client_engine, one) for one in tables] == before
    request_id = name.replace(" ", "-")
    answer = client.request(method, address, json=body, headers={"X-Request-ID": request_id})
    assert answer.status_code < 300, answer.text
    assert count(client_engine, table) == before[0] + 1
    assert count(client_engine, "audit_events") == before[1] + 1
    query = sa.text("SELECT action, client FROM audit_events WHERE request_id = :request_id")
    with client_engine.connect() as connection:
        assert connection.execute(query, {"request_id": request_id}).all() == [
            (action, "127.0.0.1")
        ]


def test_a_key_is_neither_made_nor_revoked_without_its_line(
    database_url: str, engine: sa.Engine
) -> None:
    def create(name: str) -> None:
        create_key(
            database_url,
            name=name,
            scopes=frozenset({Scope.READ}),
            store_ids=None,
            expires_at=None,
            by="test",
            is_forced=True,
        )

    create("first")
    with losing_lines(engine):
        with pytest.raises(sa.exc.OperationalError):
            create("second")
        with pytest.raises(sa.exc.OperationalError):
            revoke_key(database_url, "first", by="test")
    assert count(engine, "api_keys") == 1
    assert count(engine, "api_keys WHERE revoked_at IS NOT NULL") == 0
    assert count(engine, "audit_events") == 1


def test_a_request_that_changes_nothing_has_no_line(
    client: httpx.Client, client_engine: sa.Engine
) -> None:
    before = count(client_engine, "audit_events")
    for address, body in (("/polls", []), ("/polls", [{}]), ("/trigger_report", {"as_of": 1})):
        client.post(address, json=body)
    assert client.delete("/closures/77").status_code == 404
    assert count(client_engine, "audit_events") == before
