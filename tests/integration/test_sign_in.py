"""Signing in and out: sessions, their end, and what nobody else can do with them."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api_server import serve
from signed_in import BY_TEST, PASSWORD, new_account, sign_in
from storemon_pipeline.access.account_management import (
    change_account,
    disable_account,
    invite_account,
    make_link,
)
from storemon_pipeline.access.accounts import AccountRights, Role
from storemon_pipeline.database.tables import account_sessions, audit_events, stores
from waiting import eventually

HTML = {"Accept": "text/html"}


def test_an_invited_person_chooses_a_password_once_and_is_signed_in(
    client: httpx.Client, engine: sa.Engine
) -> None:
    link = invite_account(
        engine,
        email="ada@example.com",
        name="Ada",
        rights=AccountRights(role=Role.ADMIN),
        audit=BY_TEST,
    )
    page = client.get("/password", params={"token": link.token})
    assert page.status_code == 200
    assert "ada@example.com" in page.text
    form = {"token": link.token, "password": PASSWORD, "again": PASSWORD}
    short = client.post("/password", data={**form, "password": "short", "again": "short"})
    assert (short.status_code, "12 to 200 characters" in short.text) == (422, True)
    other = client.post("/password", data={**form, "again": "another one at all"})
    assert (other.status_code, "not the same" in other.text) == (422, True)
    chosen = client.post("/password", data=form)
    assert (chosen.status_code, chosen.headers["Location"]) == (303, "/")
    assert client.get("/metrics").status_code == 200
    assert client.post("/password", data=form).status_code == 410
    assert client.get("/password", params={"token": link.token}).status_code == 410
    with engine.connect() as connection:
        query = sa.select(audit_events.c.action, audit_events.c.subject)
        recorded = {tuple(row) for row in connection.execute(query)}
    assert ("account.password", f"account {link.account.account_id}") in recorded


def test_a_link_ends_when_it_is_replaced_or_too_old(
    client: httpx.Client, engine: sa.Engine
) -> None:
    email = new_account(engine).email
    first = make_link(engine, email, audit=BY_TEST)
    second = make_link(engine, email, audit=BY_TEST)
    assert client.get("/password", params={"token": first.token}).status_code == 410
    assert client.get("/password", params={"token": second.token}).status_code == 200
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE account_links SET expires_at = now()"))
    assert client.get("/password", params={"token": second.token}).status_code == 410
    form = {"token": second.token, "password": PASSWORD, "again": PASSWORD}
    assert client.post("/password", data=form).status_code == 410


def test_a_person_signs_in_and_out(client: httpx.Client, engine: sa.Engine) -> None:
    account = new_account(engine)
    eventually(lambda: client.get("/metrics").status_code == 401)
    answer = sign_in(client, " Admin@Example.com ", wanted="/pages/alerts?q=7")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/pages/alerts?q=7")
    page = client.get("/pages/alerts", headers=HTML)
    assert page.status_code == 200
    assert account.name in page.text
    assert "Sign out" in page.text
    session = client.cookies["storemon_session"]
    left = client.post("/sign-out")
    assert (left.status_code, left.headers["Location"]) == (303, "/sign-in")
    # The server has ended it: a copy of the cookie is worth nothing.
    stolen = {"Cookie": f"storemon_session={session}"}
    eventually(lambda: client.get("/metrics", headers=stolen).status_code == 401)
    with engine.connect() as connection:
        query = sa.select(audit_events.c.action, audit_events.c.account_id).where(
            audit_events.c.action.like("session.%")
        )
        recorded = [tuple(row) for row in connection.execute(query.order_by("event_id"))]
    assert recorded == [
        ("session.start", account.account_id),
        ("session.end", account.account_id),
    ]


def test_the_database_holds_no_secret(client: httpx.Client, engine: sa.Engine) -> None:
    account = new_account(engine)
    sign_in(client, account.email)
    session = client.cookies["storemon_session"].encode()
    with engine.connect() as connection:
        dump = [
            str(row)
            for table in ("accounts", "account_sessions", "account_links")
            for row in connection.execute(sa.text(f"SELECT x::text FROM {table} x"))
        ]
    assert any("$argon2id$" in row for row in dump)
    assert not any(PASSWORD in row or session.hex() in row for row in dump)
    assert not any(client.cookies["storemon_session"] in row for row in dump)


@pytest.mark.parametrize(
    ("headers", "settings", "is_secure"),
    [
        ({}, {}, False),
        ({"X-Forwarded-Proto": "https"}, {}, True),
        ({}, {"public_url": "https://storemon.example"}, True),
    ],
    ids=["http", "https at a proxy", "https by settings"],
)
def test_the_cookie_of_a_session_is_kept_from_scripts_and_other_sites(
    database_url: str,
    engine: sa.Engine,
    headers: dict[str, str],
    settings: dict[str, Any],
    *,
    is_secure: bool,
) -> None:
    account = new_account(engine)
    with serve(database_url, **settings) as client:
        answer = sign_in(client, account.email, headers=headers)
    (cookie,) = [
        line
        for line in answer.headers.get_list("Set-Cookie")
        if line.startswith("storemon_session=")
    ]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", f"max-age={14 * 86_400}"} <= attributes
    assert ("secure" in attributes) is is_secure


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(
    client: httpx.Client, engine: sa.Engine
) -> None:
    account = new_account(engine)
    link = invite_account(
        engine,
        email="invited@example.com",
        name="Invited",
        rights=AccountRights(role=Role.OPERATOR),
        audit=BY_TEST,
    )
    gone = new_account(engine, Role.OPERATOR)
    disable_account(engine, gone.account_id, audit=BY_TEST)
    answers = [
        sign_in(client, account.email, "not the password"),
        sign_in(client, "nobody@example.com"),
        sign_in(client, link.account.email),
        sign_in(client, gone.email),
    ]
    assert {answer.status_code for answer in answers} == {422}
    assert len({re.sub(r'value="[^"]*@[^"]*"', "", answer.text) for answer in answers}) == 1
    assert "storemon_session" not in client.cookies


def seconds_until_events_end(client: httpx.Client, end: Callable[[], object]) -> float:
    """Return how long a stream of events lasts after `end` was called."""
    with client.stream("GET", "/events") as response:
        assert response.status_code == 200
        chunks = response.iter_bytes()
        next(chunks)
        end()
        began = time.monotonic()
        for _ in chunks:
            pass
        return time.monotonic() - began


@pytest.mark.parametrize("how", ["sign out", "disable", "change", "password"])
def test_a_session_and_its_stream_of_events_end_at_once(
    client: httpx.Client, engine: sa.Engine, how: str
) -> None:
    admin = new_account(engine)
    account = new_account(engine, Role.OPERATOR)
    sign_in(client, account.email)
    session = {"Cookie": f"storemon_session={client.cookies['storemon_session']}"}
    rights = AccountRights(role=Role.OWNER, store_ids=frozenset({"7"}))

    def end() -> None:
        with httpx.Client(base_url=client.base_url, headers=session) as other:
            if how == "sign out":
                other.post("/sign-out")
            elif how == "disable":
                disable_account(engine, account.account_id, audit=BY_TEST)
            elif how == "change":
                change_account(
                    engine,
                    account.account_id,
                    name="x",
                    rights=rights,
                    audit=BY_TEST,
                    is_forced=True,
                )
            else:
                link = make_link(engine, account.email, audit=BY_TEST)
                form = {"token": link.token, "password": PASSWORD[::-1], "again": PASSWORD[::-1]}
                assert other.post("/password", data=form).status_code == 303

    assert seconds_until_events_end(client, end) < 2
    assert httpx.get(f"{client.base_url}/stores", headers=session).status_code == 401
    assert sign_in(client, admin.email).status_code == 303


@pytest.mark.parametrize(
    ("column", "age"),
    [("expires_at", timedelta()), ("last_used_at", timedelta(hours=72))],
    ids=["expired", "idle"],
)
def test_a_session_ends_by_itself(
    client: httpx.Client, engine: sa.Engine, column: str, age: timedelta
) -> None:
    account = new_account(engine)
    sign_in(client, account.email)
    with engine.begin() as connection:
        connection.execute(sa.update(account_sessions).values({column: sa.func.now() - age}))
    assert client.get("/metrics").status_code == 401


def test_a_use_of_a_session_is_recorded(database_url: str, engine: sa.Engine) -> None:
    account = new_account(engine)
    with serve(database_url) as client:
        sign_in(client, account.email)
        with engine.begin() as connection:
            hour_ago = sa.func.now() - timedelta(hours=1)
            connection.execute(sa.update(account_sessions).values(last_used_at=hour_ago))
        assert client.get("/metrics").status_code == 200
    with engine.connect() as connection:
        age = connection.scalar(sa.select(sa.func.now() - account_sessions.c.last_used_at))
    assert age is not None
    assert age < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_a_page_of_another_site_changes_nothing_with_a_session(
    client: httpx.Client, engine: sa.Engine, headers: dict[str, str], status: int
) -> None:
    account = new_account(engine)
    sign_in(client, account.email)
    assert client.post("/trigger_report", headers=headers).status_code == status
    # Nor does it sign anybody in or out.
    form = {"email": account.email, "password": PASSWORD}
    signed_in = client.post("/sign-in", data=form, headers=headers)
    assert signed_in.status_code == (303 if status == 200 else 403)
    assert client.post("/sign-out", headers=headers).status_code == signed_in.status_code


def test_a_browser_without_a_session_is_sent_to_the_sign_in_page(
    client: httpx.Client, engine: sa.Engine
) -> None:
    new_account(engine)
    eventually(lambda: client.get("/metrics").status_code == 401)
    page = client.get("/store/a%2Fb?days=7", headers=HTML)
    assert page.status_code == 303
    assert page.headers["Location"] == "/sign-in?next=%2Fstore%2Fa%252Fb%3Fdays%3D7"
    # A dialog of the browser would ask for a key.
    script = client.get("/stores", headers={"X-Requested-With": "storemon"})
    assert (script.status_code, script.headers["WWW-Authenticate"]) == (
        401,
        'Bearer realm="storemon"',
    )
    with_wrong_key = client.get("/", headers=HTML, auth=("any", "wrong"))
    assert with_wrong_key.headers["WWW-Authenticate"] == 'Basic realm="storemon"'


@pytest.mark.parametrize(
    "wanted",
    ["https://attacker.example/", "//attacker.example", "/\\attacker.example", "x", "", "/\n/a"],
)
def test_signing_in_leads_to_this_host_only(
    client: httpx.Client, engine: sa.Engine, wanted: str
) -> None:
    account = new_account(engine)
    assert sign_in(client, account.email, wanted=wanted).headers["Location"] == "/"


def test_guessing_is_slowed_down_and_locks_no_victim_out(
    client: httpx.Client, engine: sa.Engine
) -> None:
    victim, other = new_account(engine), new_account(engine, Role.OPERATOR)
    assert sign_in(client, victim.email).status_code == 303
    browser = {"Cookie": f"storemon_browser={client.cookies['storemon_browser']}"}
    client.cookies.clear()

    def guess(number: int, email: str = victim.email) -> httpx.Response:
        # Each from another address, as the server believes a proxy of this machine.
        sender = {"X-Forwarded-For": f"203.0.113.{number}"}
        return sign_in(client, email, "a wrong password", headers=sender)

    # One of ten was the sign-in without a known browser.
    assert [guess(number).status_code for number in range(9)] == [422] * 9
    limited = guess(10)
    assert (limited.status_code, int(limited.headers["Retry-After"]) > 0) == (429, True)
    assert sign_in(client, victim.email).status_code == 429
    assert sign_in(client, victim.email, headers=browser).status_code == 303
    client.cookies.clear()
    # The browser is known for its own account only.
    assert [guess(number, other.email).status_code for number in range(10)] == [422] * 10
    assert sign_in(client, other.email, headers=browser).status_code == 429


def test_one_address_cannot_try_many_accounts(client: httpx.Client, engine: sa.Engine) -> None:
    new_account(engine)
    tried = [sign_in(client, f"{number}@example.com").status_code for number in range(21)]
    assert tried == [422] * 20 + [429]


def test_an_owner_sees_the_stores_of_the_account_and_of_its_groups(
    client: httpx.Client, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        for store_id in ("alpha", "beta", "gamma"):
            connection.execute(sa.insert(stores).values(store_id=store_id))
        connection.execute(
            sa.text(
                "INSERT INTO store_details (store_key, group_name, load_id) "
                "SELECT store_key, 'East', 1 FROM stores WHERE store_id = 'beta'"
            )
        )
    new_account(engine)
    owner = new_account(engine, Role.OWNER, stores={"alpha"}, groups={"East", "no such group"})
    sign_in(client, owner.email)
    statuses = {
        store: client.get(f"/stores/{store}/uptime").status_code
        for store in ("alpha", "beta", "gamma")
    }
    assert statuses["gamma"] == 403
    assert 403 not in {statuses["alpha"], statuses["beta"]}
    assert client.get("/metrics").status_code == 403


def test_a_page_offers_what_its_visitor_may_do(client: httpx.Client, engine: sa.Engine) -> None:
    new_account(engine)
    owner = new_account(engine, Role.OWNER, stores={"alpha"})
    sign_in(client, owner.email)
    assert 'id="make"' in client.get("/pages/reports", headers=HTML).text
    assert 'id="act"' in client.get("/pages/alerts", headers=HTML).text
    assert 'id="dagster"' not in client.get("/pages/data", headers=HTML).text
    refused = client.get("/forbidden-or-missing", headers=HTML)
    assert (refused.status_code, "Sign out" in refused.text) == (404, True)
    sign_in(client, "admin@example.com")
    assert 'id="dagster"' in client.get("/pages/data", headers=HTML).text
    signing_in = client.get("/sign-in", headers=HTML).text
    assert "<nav" not in signing_in


def test_a_proxy_names_the_person_in_a_header(database_url: str, engine: sa.Engine) -> None:
    account = new_account(engine)
    named = {"X-Remote-Email": account.email.upper()}
    with serve(
        database_url, proxy_header="X-Remote-Email", proxy_addresses="127.0.0.1, 10.0.0.0/8"
    ) as client:
        assert client.get("/metrics", headers=named).status_code == 200
        page = client.get("/", headers={**named, **HTML})
        assert account.name in page.text
        assert "Sign out" not in page.text
        unknown = client.get("/metrics", headers={"X-Remote-Email": "nobody@example.com"})
        assert unknown.status_code == 401
        assert client.get("/metrics").status_code == 401
        foreign = {**named, "Sec-Fetch-Site": "cross-site"}
        assert client.post("/trigger_report", headers=foreign).status_code == 403
        twice = [("X-Remote-Email", account.email), ("X-Remote-Email", account.email)]
        assert client.get("/metrics", headers=twice).status_code == 401
        disable_account(engine, account.account_id, audit=BY_TEST, is_forced=True)
        eventually(lambda: client.get("/metrics", headers=named).status_code == 401)


@pytest.mark.parametrize(
    "settings",
    [{}, {"proxy_header": "X-Remote-Email", "proxy_addresses": "10.0.0.7"}],
    ids=["off by default", "another proxy"],
)
def test_nobody_else_names_a_person_in_the_header(
    database_url: str, engine: sa.Engine, settings: dict[str, Any]
) -> None:
    account = new_account(engine)
    headers = {"X-Remote-Email": account.email, "X-Forwarded-For": "10.0.0.7"}
    with serve(database_url, **settings) as client:
        assert client.get("/metrics", headers=headers).status_code == 401
