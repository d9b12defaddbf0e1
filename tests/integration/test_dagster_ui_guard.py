"""The Dagster UI answers people on this machine or admin keys, and no page of another site."""

import asyncio
from collections.abc import Callable, Iterator, MutableMapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from api_keys import new_key
from signed_in import BY_TEST, new_account
from storemon_api.dagster_ui.server import guard
from storemon_api.security import access_control
from storemon_pipeline.access.accounts import Role
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.access.session_management import start_session

TOKEN = "the token of this start"  # noqa: S105 - of a test
MUTATION = "mutation { launchRun { __typename } }"


async def dagster(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
    """Stands in for Dagster's webserver, which lets everybody do everything."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "open"})
        return
    await PlainTextResponse("done")(scope, receive, send)


Ask = Callable[..., httpx.Response]


@pytest.fixture
def app(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starlette]:
    # There is no real connection whose user the kernel could name.
    monkeypatch.setattr(access_control, "is_held_by_service", lambda *_: False)
    guarded = guard(dagster, database_url=database_url, token=TOKEN)
    yield guarded

    async def close() -> None:
        async with guarded.router.lifespan_context(guarded):
            pass

    asyncio.run(close())


@pytest.fixture
def ask(app: Starlette) -> Ask:
    async def ask_once(
        method: str, url: str, client: str, headers: dict[str, str]
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(client, 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as one:
            return await one.request(method, url, headers=headers)

    def ask(method: str, url: str, *, client: str = "127.0.0.1", **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(ask_once(method, url, client, names))

    return ask


def test_people_on_this_machine_use_it_while_there_is_no_key(ask: Ask) -> None:
    assert ask("GET", "/runs").text == "done"
    assert ask("POST", "/graphql").text == "done"
    own_page = {"Origin": "http://127.0.0.1:3000", "Sec_Fetch_Site": "same-origin"}
    assert ask("POST", "/graphql", **own_page).text == "done"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param(
            "GET",
            {
                "Sec_Fetch_Site": "cross-site",
                "Sec_Fetch_Dest": "image",
                "Sec_Fetch_Mode": "no-cors",
            },
            id="an image of another site",
        ),
        pytest.param(
            "GET",
            {
                "Sec_Fetch_Site": "cross-site",
                "Sec_Fetch_Dest": "document",
                "Sec_Fetch_Mode": "navigate",
            },
            id="a link of another site",
        ),
        pytest.param("GET", {}, id="an old browser"),
        pytest.param("POST", {"Origin": "http://evil.example"}, id="a form of another site"),
        pytest.param("POST", {"Host": "evil.example:3000"}, id="a name that leads here"),
        pytest.param("POST", {"X_Forwarded_For": "203.0.113.7"}, id="a proxy"),
    ],
)
def test_no_other_site_makes_a_browser_launch_anything(
    ask: Ask, method: str, headers: dict[str, str]
) -> None:
    query = f"?query={MUTATION}" if method == "GET" else ""
    assert ask(method, f"/graphql{query}", **headers).status_code in {401, 403}


def test_other_machines_are_not_served_while_there_is_no_key(ask: Ask) -> None:
    assert ask("GET", "/runs", client="203.0.113.7").status_code == 401


def test_from_the_first_key_on_it_takes_an_admin_key(ask: Ask, database_url: str) -> None:
    reader = new_key(database_url, "reader", Scope.READ)
    admin = new_key(database_url, "admin", Scope.ADMIN)
    refused = ask("GET", "/runs", Accept="text/html")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")
    assert ask("POST", "/graphql", X_API_Key=reader).status_code == 403
    assert ask("POST", "/graphql", X_API_Key=admin).text == "done"
    assert ask("GET", "/runs", client="203.0.113.7", X_API_Key=admin).text == "done"
    assert ask("GET", f"/graphql?query={MUTATION}", X_API_Key=admin).status_code == 403


def test_the_services_own_processes_need_no_key(ask: Ask, database_url: str) -> None:
    new_key(database_url, "admin", Scope.ADMIN)
    assert ask("POST", "/graphql", Authorization=f"Bearer {TOKEN}").text == "done"
    assert ask("POST", "/graphql", Authorization="Bearer another").status_code == 401


@pytest.mark.parametrize(
    ("origin", "first_message"),
    [
        ("http://127.0.0.1:3000", "websocket.accept"),
        ("http://evil.example", "websocket.close"),
        ("null", "websocket.close"),
    ],
)
def test_a_websocket_opens_for_its_own_pages_alone(
    app: Starlette,
    origin: str,
    first_message: str,
) -> None:
    scope = {
        "type": "websocket",
        "http_version": "1.1",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:3000"), (b"origin", origin.encode())],
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 3000),
        "subprotocols": [],
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert sent[0]["type"] == first_message


def test_it_takes_the_session_of_an_admin_and_of_nobody_else(ask: Ask, engine: sa.Engine) -> None:
    def cookie(role: Role) -> str:
        account = new_account(engine, role, stores={"7"} if role is Role.OWNER else None)
        lasts = timedelta(hours=1)
        token = start_session(engine, account.account_id, lasts=lasts, audit=BY_TEST)
        return f"storemon_session={token}"

    admin = cookie(Role.ADMIN)
    assert ask("GET", "/runs").status_code == 401
    assert ask("GET", "/runs", Cookie=admin).text == "done"
    own_page = {"Origin": "http://127.0.0.1:3000", "Sec_Fetch_Site": "same-origin"}
    assert ask("POST", "/graphql", Cookie=admin, **own_page).text == "done"
    # Cookies are sent to all ports of a host: the pages at another port are another site.
    other_page = {"Origin": "http://127.0.0.1:8000", "Sec_Fetch_Site": "same-site"}
    assert ask("POST", "/graphql", Cookie=admin, **other_page).status_code == 403
    for role in (Role.OPERATOR, Role.OWNER):
        assert ask("GET", "/runs", Cookie=cookie(role)).status_code == 403
