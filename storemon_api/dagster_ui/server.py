"""Runs Dagster's webserver with the access control of the API around it.

Dagster's webserver has no access control of its own: any page of any site could launch and delete
runs with a request that a browser sends by itself. Here it asks for what the API asks for. As long
as there is no key and no account, only people on this machine are served, and no page of another
site; then it takes an admin key or the session of an admin. The service's own processes send a
token that each start makes anew.
"""

import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

import uvicorn
from dagster_webserver.cli import main as run_dagster_webserver
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from storemon_api.http.error_handlers import problem_response
from storemon_api.http.problems import FORBIDDEN, ProblemError
from storemon_api.security.access_control import AccessControl
from storemon_api.security.identity_cache import IdentityCache
from storemon_api.security.rate_limits import RateLimits
from storemon_pipeline.contract import DAGSTER_TOKEN_VARIABLE
from storemon_pipeline.database.connections import create_engine

_MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_REQUESTS_PER_SECOND: Final = 2_000.0
_REQUEST_BURST: Final = 10_000
_STOP_TIME_LIMIT: Final = timedelta(seconds=2)


class OwnProcesses:
    """Lets requests with the service's token pass, and sends all others to the access control."""

    def __init__(self, app: ASGIApp, guarded: ASGIApp, token: str) -> None:
        self._app = app
        self._guarded = guarded
        self._token = f"Bearer {token}".encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        sent = Headers(scope=scope).get("Authorization", "") if scope["type"] == "http" else ""
        is_own = self._token is not None and hmac.compare_digest(
            sent.encode("latin-1"), self._token
        )
        await (self._app if is_own else self._guarded)(scope, receive, send)


class NoMutationsByGet:
    """Refuses GraphQL in an address: links, images and redirects of other sites send GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if (
            scope["type"] == "http"
            and scope["method"] != "POST"
            and scope["path"].rstrip("/").endswith("/graphql")
            and "query" in parse_qs(scope["query_string"].decode("latin-1"))
        ):
            detail = "Send GraphQL with POST."
            problem = ProblemError(FORBIDDEN, detail)
            await problem_response(Request(scope), problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def guard(app: ASGIApp, *, database_url: str, token: str) -> Starlette:
    """Return the application with access control: for admins, or people on this machine."""
    engine = create_engine(
        database_url, application_name="storemon dagster ui", pool_size=1, max_overflow=1
    )
    identities = IdentityCache(engine)
    everything = Mount("/", app=app)
    guarded = AccessControl(
        NoMutationsByGet(app),
        routes=[everything],
        identities=identities,
        limits=RateLimits(per_second=_REQUESTS_PER_SECOND, burst=_REQUEST_BURST),
        max_body_bytes=_MAX_BODY_BYTES,
        # No rule for any address: each is for admins.
        rules={},
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        identities.start()
        yield
        identities.stop(_STOP_TIME_LIMIT)
        engine.dispose()

    return Starlette(routes=[Mount("/", app=OwnProcesses(app, guarded, token))], lifespan=lifespan)


def main() -> None:
    """Run Dagster's command line, whose server then serves the guarded application."""
    run = partial(_run_guarded, uvicorn.run)
    # Dagster's command line calls this function with its application; it has no other hook.
    uvicorn.run = run
    run_dagster_webserver()  # type: ignore[no-untyped-call]


def _run_guarded(run: Any, app: ASGIApp, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
    database_url = os.environ["STOREMON_DATABASE_URL"]
    token = os.environ.get(DAGSTER_TOKEN_VARIABLE, "")
    run(guard(app, database_url=database_url, token=token), **options)


if __name__ == "__main__":
    main()
