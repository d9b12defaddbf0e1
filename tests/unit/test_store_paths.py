"""Which store, and what of it, an address means: ids of any text, in old and new addresses."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from storemon_api.app import create_app
from storemon_api.http.store_paths import SENT_TARGET, STORE_ID, STORE_VIEWS, StorePaths
from storemon_api.settings import ApiSettings
from storemon_pipeline.alerts.messages import StoreName


async def _echo(request: Request) -> JSONResponse:
    return JSONResponse(
        {
            "view": request.scope["path"].rpartition("/")[2],
            "id": request.path_params["store_id"],
            "query": str(request.query_params),
            "sent": request.scope[SENT_TARGET],
        }
    )


ROUTES = [
    *(Route(f"/stores/{STORE_ID}/{view}", _echo) for view in sorted(STORE_VIEWS)),
    Route(f"/stores/{STORE_ID}", _echo),
    Route(f"/store/{STORE_ID}", _echo),
]


def get(target: str, root_path: str = "", **params: str) -> dict[str, Any]:
    """Return what the routes see of a request."""
    app = StorePaths(Starlette(routes=ROUTES))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(root_path + target, params=params or None)

    body: dict[str, Any] = asyncio.run(ask()).json()
    return body


@pytest.mark.parametrize(
    ("target", "store_id", "view"),
    [
        ("/stores/alpha", "alpha", None),
        ("/stores/alpha/uptime", "alpha", "uptime"),
        ("/stores/alpha%2Fuptime", "alpha/uptime", None),
        ("/stores/alpha%2Fuptime/uptime", "alpha/uptime", "uptime"),
        ("/stores/alpha%252Fuptime", "alpha%2Fuptime", None),
        ("/stores/a%3Fb%23c/incidents", "a?b#c", "incidents"),
        ("/stores/a%0Ab/timeline", "a\nb", "timeline"),
        ("/stores/%C3%BC/explain", "ü", "explain"),
        # From before ids had to be encoded.
        ("/stores/north/7/uptime", "north/7", "uptime"),
        ("/stores/north/7", "north/7", None),
        ("/stores/-?store_id=..", "..", None),
        ("/stores/-/uptime?store_id=.", ".", "uptime"),
        ("/stores/-/uptime?store_id=a%2Fuptime", "a/uptime", "uptime"),
        ("/stores/-/uptime", "-", "uptime"),
        ("/store/alpha%2Fuptime", "alpha/uptime", None),
        ("/store/alpha/uptime", "alpha/uptime", None),
        ("/store/-?store_id=..", "..", None),
    ],
)
def test_an_address_means_one_store(target: str, store_id: str, view: str | None) -> None:
    for root_path in ("", "/storemon"):
        body = get(target, root_path)
        assert body["id"] == store_id
        assert view is None or body["view"] == view
        assert body["query"] == ""


def test_the_other_parameters_stay() -> None:
    body = get("/stores/-/uptime?by=day&store_id=..&from=2023-01-01")
    assert body["query"] == "by=day&from=2023-01-01"
    assert body["sent"] == "/stores/-/uptime?by=day&store_id=..&from=2023-01-01"


@hypothesis.given(st.text(min_size=1), st.sampled_from(["", *sorted(STORE_VIEWS)]))
def test_every_text_has_an_address(store_id: str, view: str) -> None:
    suffix = f"/{view}" if view else ""
    try:
        encoded = quote(store_id, safe="")
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8
        return
    in_query = get(f"/stores/-{suffix}", store_id=store_id)
    assert in_query["id"] == store_id
    # Clients resolve these before they send them.
    if store_id not in {".", ".."}:
        in_path = get(f"/stores/{encoded}{suffix}")
        assert in_path["id"] == store_id


@pytest.mark.parametrize("store_id", ["alpha", "alpha/uptime", ".", "..", "-", "a?b#c"])
def test_a_link_in_a_message_leads_to_its_store(store_id: str) -> None:
    link = StoreName(store_id, None, "UTC").link("https://storemon.example/")
    target = str(httpx.URL(link.strip()).raw_path, "ascii")
    assert get(target)["id"] == store_id


def test_every_route_rejects_unknown_parameters_or_is_a_page_or_a_probe() -> None:
    settings = ApiSettings.model_validate({"database_url": "postgresql://127.0.0.1:1/x"})
    paths = create_app(settings, known_keys=()).openapi()["paths"]
    lenient = {
        path
        for path, operations in paths.items()
        for operation in operations.values()
        if "422" not in operation["responses"]
    }
    assert lenient == {"/healthz", "/readyz", "/metrics"}


def test_every_view_of_a_store_is_known_to_the_paths() -> None:
    settings = ApiSettings.model_validate({"database_url": "postgresql://127.0.0.1:1/x"})
    app = create_app(settings, known_keys=())
    start = f"/stores/{STORE_ID}/"
    views = {
        route.path.removeprefix(start)
        for route in app.state.routes
        if not isinstance(route, Mount) and getattr(route, "path", "").startswith(start)
    }
    assert views == STORE_VIEWS
