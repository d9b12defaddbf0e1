"""Keys, stores, scopes, hosts, origins: each rule of access, against a running API."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import Mount, Route

from api_server import NO_DATABASE, serve
from storemon_api.app import create_app
from storemon_api.security import access_control
from storemon_api.security.access_rules import RULES, UNLISTED, Stores, rule_of
from storemon_api.settings import ApiSettings
from storemon_pipeline.access.key_management import create_key, list_keys, revoke_key
from storemon_pipeline.access.keys import NewToken, Scope, split_token
from storemon_pipeline.database.tables import audit_events, reports
from storemon_pipeline.polls.poll_bodies import BodyFormat
from storemon_pipeline.polls.push_polls import push_polls
from storemon_pipeline.reports.make_reports import make_waiting_reports
from waiting import eventually

HEADER = (
    "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),uptime_last_week(in hours),"
    "downtime_last_hour(in minutes),downtime_last_day(in hours),downtime_last_week(in hours)"
)
POLLS = b"""store_id,timestamp_utc,status
alpha,2023-01-25 10:00:00 UTC,active
beta,2023-01-25 10:00:00 UTC,inactive
"""
A_SENTENCE_OF_NO_ID = "Your API key or account does not allow this request."


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(ApiSettings(database_url=SecretStr(NO_DATABASE)), known_keys=())


def make_key(
    url: str, *scopes: Scope, stores: set[str] | None = None, expires_at: datetime | None = None
) -> dict[str, str]:
    """Return the header that carries a new key."""
    return bearer(new_key(url, *scopes, stores=stores, expires_at=expires_at))


def new_key(
    url: str, *scopes: Scope, stores: set[str] | None = None, expires_at: datetime | None = None
) -> NewToken:
    return create_key(
        url,
        name=f"key {len(list_keys(url))}",
        scopes=frozenset(scopes or {Scope.READ}),
        store_ids=None if stores is None else frozenset(stores),
        expires_at=expires_at,
        by="test",
        is_forced=True,
    )


def bearer(token: NewToken) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.token}"}


def finished_report(url: str, client: httpx.Client, headers: dict[str, str]) -> str:
    """Return the id of a report of alpha and beta."""
    push_polls(
        url,
        POLLS,
        BodyFormat.CSV,
        now=datetime(2023, 1, 25, 11, tzinfo=UTC),
        is_rejecting=False,
        patience=timedelta(seconds=5),
    )
    report_id: str = client.post("/trigger_report", headers=headers).json()["report_id"]
    make_waiting_reports(url, run_id="run", is_manual=False)
    return report_id


def test_every_route_has_a_rule_and_every_rule_a_route(app: FastAPI) -> None:
    routes = {
        ("GET" if method == "HEAD" else method, route.path)
        for route in app.state.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    routes |= {("GET", route.path) for route in app.state.routes if isinstance(route, Mount)}
    assert sorted(routes - RULES.keys()) == [], "say in storemon_api/access_rules.py who may"
    assert sorted(RULES.keys() - routes) == []


def test_a_route_without_a_rule_would_be_for_admins_of_all_stores() -> None:
    assert rule_of("GET", "/forgotten") == UNLISTED
    assert (UNLISTED.scope, UNLISTED.stores) == (Scope.ADMIN, Stores.NONE)


def test_while_no_key_exists_this_machine_needs_none(client: httpx.Client) -> None:
    assert client.post("/trigger_report").status_code == 200


def test_once_a_key_exists_everyone_needs_one(client: httpx.Client, database_url: str) -> None:
    key = make_key(database_url, Scope.TRIGGER)
    eventually(lambda: client.post("/trigger_report").status_code == 401)
    refused = client.post("/trigger_report")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="storemon"'
    assert client.post("/trigger_report", headers=key).status_code == 200
    token = key["Authorization"].removeprefix("Bearer ")
    assert client.post("/trigger_report", headers={"X-API-Key": token}).status_code == 200
    assert client.post("/trigger_report", auth=("anyone", token)).status_code == 200


def test_the_end_of_the_last_key_opens_nothing(client: httpx.Client, database_url: str) -> None:
    token = new_key(database_url, Scope.ADMIN)
    assert client.get("/metrics", headers=bearer(token)).status_code == 200
    revoke_key(database_url, token.key_id, by="test")
    eventually(lambda: client.get("/metrics", headers=bearer(token)).status_code == 401)
    assert client.get("/metrics").status_code == 401


def revoke(url: str, token: NewToken) -> None:
    revoke_key(url, token.key_id, by="test")


def seconds_until_events_end(
    client: httpx.Client, headers: dict[str, str], end: Callable[[], None]
) -> float:
    """Return how long a stream of events lasts after `end` was called."""
    with client.stream("GET", "/events", headers=headers) as response:
        assert response.status_code == 200
        chunks = response.iter_bytes()
        next(chunks)
        end()
        began = time.monotonic()
        for _ in chunks:
            pass
        return time.monotonic() - began


def test_the_stream_of_a_revoked_key_ends(client: httpx.Client, database_url: str) -> None:
    token = new_key(database_url)
    seconds = seconds_until_events_end(client, bearer(token), lambda: revoke(database_url, token))
    assert seconds < 2


def test_the_stream_of_an_expired_key_ends(client: httpx.Client, database_url: str) -> None:
    key = make_key(database_url, expires_at=datetime.now(UTC) + timedelta(seconds=1))
    assert seconds_until_events_end(client, key, lambda: None) < 1 + 2


def test_the_stream_without_a_key_ends_when_the_first_key_is_made(
    client: httpx.Client, database_url: str
) -> None:
    def create() -> None:
        new_key(database_url, Scope.ADMIN)

    assert seconds_until_events_end(client, {}, create) < 2


@pytest.mark.parametrize(
    "value",
    [
        "Basic \xe9\xff",
        "Basic /////w==",
        "Basic ===",
        "Basic",
        "Bearer \xe9",
        "\xff",
        "Negotiate YII=",
    ],
)
def test_a_malformed_key_is_401(client: httpx.Client, database_url: str, value: str) -> None:
    make_key(database_url)
    for name in ("Authorization", "X-API-Key"):
        headers = [(name.encode(), value.encode("latin-1"))]
        assert client.get("/stores", headers=headers).status_code == 401


def test_an_expired_key_is_a_wrong_one(client: httpx.Client, database_url: str) -> None:
    key = make_key(database_url, Scope.ADMIN, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert client.get("/metrics", headers=key).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer sm_aaaaaaaaaaaa_" + "A" * 43},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Digest x"},
        {"X-API-Key": ""},
    ],
)
def test_a_wrong_key_is_401_even_where_none_is_needed(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    assert client.get("/metrics", headers=headers).status_code == 401


def test_a_key_with_the_right_id_and_another_secret_is_wrong(
    client: httpx.Client, database_url: str
) -> None:
    token = new_key(database_url, Scope.ADMIN).token
    changed = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    assert client.get("/metrics", headers={"X-API-Key": changed}).status_code == 401


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope.READ, [403, 404, 403, 200]),
        (Scope.TRIGGER, [200, 404, 403, 200]),
        (Scope.INGEST, [403, 403, 200, 403]),
        (Scope.ADMIN, [200, 404, 200, 200]),
    ],
)
def test_a_key_may_do_what_its_scope_allows(
    client: httpx.Client, database_url: str, scope: Scope, expected: list[int]
) -> None:
    key = make_key(database_url, scope)
    answers = [
        client.post("/trigger_report", headers=key),
        client.get("/get_report/unknown", headers=key),
        client.post("/polls", headers={**key, "Content-Type": "text/csv"}, content=POLLS),
        client.get("/metrics", headers=key),
    ]
    assert [answer.status_code for answer in answers] == expected


def test_a_refusal_does_not_reveal_what_exists(client: httpx.Client, database_url: str) -> None:
    admin = make_key(database_url, Scope.ADMIN)
    ingest = make_key(database_url, Scope.INGEST, stores={"alpha"})
    report_id = finished_report(database_url, client, admin)
    missing = "0b9f4c1e-6a53-4c3b-9d0e-2f5a1c7e8d41"
    for headers, status in (({}, 401), (ingest, 403)):
        for address in ("/get_report/{}", "/reports/{}.csv", "/get_report?report_id={}"):
            there = client.get(address.format(report_id), headers=headers)
            not_there = client.get(address.format(missing), headers=headers)
            assert (there.status_code, not_there.status_code) == (status, status)
            assert there.content == not_there.content
    of_other = [
        client.put(f"/stores/{store}/timezone", json={"timezone": "Asia/Kolkata"}, headers=ingest)
        for store in ("beta", "nobody", "alpha/../beta")
    ]
    assert {answer.status_code for answer in of_other} == {403}
    assert len({answer.content for answer in of_other}) == 1
    assert of_other[0].json()["detail"] == A_SENTENCE_OF_NO_ID
    own = client.put("/stores/alpha/timezone", json={"timezone": "Asia/Kolkata"}, headers=ingest)
    assert own.status_code == 200


def test_a_key_of_some_stores_gets_their_lines_of_the_same_report(
    client: httpx.Client, database_url: str
) -> None:
    everything = make_key(database_url, Scope.TRIGGER)
    some = make_key(database_url, Scope.READ, stores={"beta", "not known"})
    report_id = finished_report(database_url, client, everything)
    whole = client.get(f"/reports/{report_id}.csv", headers=everything)
    assert whole.text == (
        f"{HEADER}\nalpha,60.0000,24.0000,168.0000,0.0000,0.0000,0.0000\n"
        "beta,0.0000,0.0000,0.0000,60.0000,24.0000,168.0000\n"
    )
    for address in (f"/reports/{report_id}.csv", f"/get_report?report_id={report_id}"):
        part = client.get(address, headers=some)
        assert part.text == f"{HEADER}\nbeta,0.0000,0.0000,0.0000,60.0000,24.0000,168.0000\n"
        digest = hashlib.sha256(part.content).hexdigest()
        assert part.headers["ETag"] == f'"{digest}"'
        assert part.headers["Cache-Control"].startswith("private")
        assert {"authorization", "x-api-key"} <= {
            name.strip().lower() for name in part.headers["Vary"].split(",")
        }
        again = {**some, "If-None-Match": part.headers["ETag"]}
        assert client.get(address, headers=again).status_code == 304
        others = {**some, "If-None-Match": whole.headers["ETag"]}
        assert client.get(address, headers=others).status_code == 200
    status = client.get(f"/get_report/{report_id}", headers=some).json()
    assert (status["stores"], status["silent_stores"]) == (1, 0)
    (total,) = client.get(f"/reports/{report_id}/totals", headers=some).json()["totals"]
    assert (total["stores"], total["windows"]["hour"]["uptime_us"]) == (1, 0)
    nobody = client.get(f"/reports/{report_id}.csv?group=none", headers=some)
    assert nobody.text == f"{HEADER}\n"


def test_a_key_of_some_stores_is_refused_where_nothing_is_kept_by_store(
    client: httpx.Client, database_url: str
) -> None:
    key = make_key(database_url, Scope.ADMIN, stores={"alpha"})
    assert client.get("/metrics", headers=key).status_code == 403


def test_a_key_of_some_stores_is_limited_to_them(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    key = make_key(database_url, Scope.ADMIN, stores={"alpha"})
    csv = {**key, "Content-Type": "text/csv"}
    both = client.post("/polls", headers=csv, content=POLLS)
    assert both.status_code == 403
    assert both.json()["detail"] == A_SENTENCE_OF_NO_ID
    own = b"\n".join(line for line in POLLS.splitlines() if b"beta" not in line)
    assert client.post("/polls", headers=csv, content=own).json()["rows_loaded"] == 1
    with engine.connect() as connection:
        known = connection.execute(sa.text("SELECT store_id FROM stores")).scalars().all()
    assert known == ["alpha"]
    closure = {"start_local": "2023-12-24 18:00:00", "reason": "Christmas"}
    for store, status in (("alpha", 201), ("beta", 403), ("*", 403)):
        body = {"store_id": store, **closure}
        assert client.post("/closures", headers=key, json=body).status_code == status
    listed = client.get("/closures", params={"store_id": "alpha"}, headers=key)
    assert [found["store_id"] for found in listed.json()["closures"]] == ["alpha"]
    assert client.get("/closures", params={"store_id": "beta"}, headers=key).status_code == 403
    assert client.delete("/closures/2", headers=key).status_code == 403
    for store, status in (("alpha", 200), ("beta", 403)):
        assert client.get(f"/stores/{store}", headers=key).status_code == status


@pytest.mark.parametrize("address", ["/healthz", "/docs", "/openapi.json"])
def test_open_addresses_need_no_key(client: httpx.Client, database_url: str, address: str) -> None:
    make_key(database_url)
    eventually(lambda: client.get("/metrics").status_code == 401)
    assert client.get(address).status_code == 200


def test_an_unknown_address_is_401_without_and_404_with_any_key(
    client: httpx.Client, database_url: str
) -> None:
    key = make_key(database_url, Scope.INGEST)
    eventually(lambda: client.get("/nowhere").status_code == 401)
    assert client.get("/nowhere", headers=key).status_code == 404


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:8000", "192.168.0.7", "", "localhost.evil.com"]
)
def test_the_open_api_answers_to_no_foreign_name(client: httpx.Client, host: str) -> None:
    assert client.post("/trigger_report", headers={"Host": host}).status_code == 403
    assert client.get("/metrics", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1", "[::1]:8000"])
def test_the_open_api_answers_to_this_machines_own_names(client: httpx.Client, host: str) -> None:
    assert client.get("/metrics", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://attacker.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "iframe",
        },
    ],
)
def test_a_page_of_another_site_cannot_use_the_open_api(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    assert client.post("/trigger_report", headers=headers).status_code == 403
    assert client.get("/metrics", headers=headers).status_code == 403


def test_its_own_pages_can(client: httpx.Client) -> None:
    host = f"{client.base_url.host}:{client.base_url.port}"
    headers = {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/trigger_report", headers=headers).status_code == 200


def test_a_proxy_in_front_does_not_make_others_local(client: httpx.Client) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert client.get("/metrics", headers={name: "127.0.0.1"}).status_code == 401


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 404), ("::1", 404), ("::ffff:127.0.0.1", 404), ("192.0.2.7", 401), ("", 401)],
)
def test_without_keys_other_machines_are_refused_wherever_the_api_listens(
    app: FastAPI, address: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There is no real connection whose user the kernel could name.
    monkeypatch.setattr(access_control, "is_held_by_service", lambda *_: False)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/nowhere")

    assert asyncio.run(ask()).status_code == status


def test_a_browser_that_kept_a_key_does_not_use_it_for_another_site(
    client: httpx.Client, database_url: str
) -> None:
    token = new_key(database_url, Scope.TRIGGER).token
    answer = client.post(
        "/trigger_report", auth=("", token), headers={"Origin": "https://attacker.example"}
    )
    assert answer.status_code == 403


def test_a_browser_asks_for_a_key(client: httpx.Client, database_url: str) -> None:
    make_key(database_url)
    eventually(lambda: client.get("/metrics").status_code == 401)
    for headers in ({"Accept": "text/html,*/*"}, {"X-Requested-With": "storemon"}):
        answer = client.get("/metrics", headers=headers)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_nobody_has_access_before_the_keys_could_be_read() -> None:
    with serve(NO_DATABASE) as client:
        assert client.get("/metrics").status_code == 503
        assert client.get("/nowhere").status_code == 503
        assert client.get("/healthz").status_code == 200


def test_more_requests_than_the_limit_are_429_with_the_time_to_wait(database_url: str) -> None:
    with serve(
        database_url, known_keys=(), api_requests_per_second=0.01, api_request_burst=3
    ) as client:
        answers = [client.get("/metrics") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        # A request is allowed every 100 s; four requests take less than ten.
        assert 90 < int(answers[-1].headers["Retry-After"]) <= 100
        assert answers[-1].json()["status"] == 429
        assert client.get("/healthz").status_code == 200


def test_guesses_beyond_the_limit_cost_no_question_to_the_database() -> None:
    with serve(NO_DATABASE, api_requests_per_second=0.01, api_request_burst=2) as client:
        guess = {"X-API-Key": "sm_aaaaaaaaaaaa_" + "A" * 43}
        answers = [client.get("/metrics", headers=guess).status_code for _ in range(4)]
        assert answers == [503, 503, 429, 429]


@pytest.mark.parametrize("address", ["/nowhere", "/healthz", "/polls", "/closures"])
def test_a_body_larger_than_anything_takes_is_413(database_url: str, address: str) -> None:
    with serve(database_url, api_max_body_bytes=1_000) as client:
        assert client.post(address, content=b" " * 1_001).status_code == 413
        assert client.post(address, content=b" " * 1_000).status_code != 413


def test_the_audit_table_names_the_callers_of_triggers_pushes_and_changed_keys(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    token = new_key(database_url, Scope.ADMIN)
    headers = {**bearer(token), "X-Request-ID": "my-request"}
    answer = client.post("/trigger_report", headers=headers)
    assert answer.headers["X-Request-ID"] == "my-request"
    report_id = answer.json()["report_id"]
    client.post("/trigger_report", headers=headers, content=b"{")
    client.put("/stores/alpha/timezone", json={"timezone": "Asia/Kolkata"}, headers=headers)
    revoke_key(database_url, token.key_id, by="test")
    columns = audit_events.c
    query = sa.select(columns.action, columns.key_id, columns.request_id, columns.subject)
    with engine.connect() as connection:
        events = [tuple(row) for row in connection.execute(query.order_by(columns.event_id))]
        asked = connection.scalar(sa.select(reports.c.request_id))
    assert events == [
        ("key.create", None, None, token.key_id),
        ("report.trigger", token.key_id, "my-request", report_id),
        ("timezone.put", token.key_id, "my-request", "alpha"),
        ("key.revoke", None, None, token.key_id),
    ]
    assert asked == "my-request"


def test_a_request_id_that_could_break_a_log_is_replaced(client: httpx.Client) -> None:
    for sent in ("a b", "x" * 65, "a\tb", '"}'):
        answer = client.get("/healthz", headers={"X-Request-ID": sent})
        assert answer.headers["X-Request-ID"] != sent
        assert len(answer.headers["X-Request-ID"]) == 32


def test_the_last_use_of_a_key_is_known(database_url: str) -> None:
    key = make_key(database_url)
    with serve(database_url) as client:
        for _ in range(3):
            assert client.get("/metrics", headers=key).status_code == 200
    (stored,) = list_keys(database_url)
    assert stored.last_used_at is not None
    assert datetime.now(UTC) - stored.last_used_at < timedelta(seconds=30)


def test_no_token_is_stored(database_url: str, engine: sa.Engine) -> None:
    parts = split_token(new_key(database_url, Scope.READ).token)
    assert parts is not None
    _, secret = parts
    with engine.connect() as connection:
        query = "SELECT k::text FROM api_keys k UNION ALL SELECT a::text FROM audit_events a"
        rows = connection.execute(sa.text(query)).scalars().all()
    assert len(rows) == 2
    assert not [row for row in rows if secret in row]
