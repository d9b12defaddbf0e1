"""What happens around every request: it gets an id, is measured, its answer the security headers.

Plain ASGI: nothing here touches a body.
"""

import logging
import re
import time
import uuid
from collections.abc import MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storemon_api.json_logs import current_request_id
from storemon_api.metrics import Metrics

_requests = logging.getLogger("storemon_api.requests")

# For answers that say nothing else of themselves: not to be stored, sniffed, framed or run.
_DEFAULT_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# A client may invent methods; each would be a time series of its own.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NO_ROUTE: Final = "none"

REQUEST_ID_HEADER: Final = "X-Request-ID"
# Goes into logs, tags and tables: nothing that could break a line or a query there.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class SecurityHeaders:
    """Gives every answer the headers that it does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in _DEFAULT_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class RequestIds:
    """Gives every request an id, the one that the client sent or a new one, and says it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        current_request_id.set(request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"])[REQUEST_ID_HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


class RequestMetrics:
    """Counts and times every request, by the route that it took."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500  # of an answer that never began

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route, seconds = _route(scope), time.perf_counter() - began
            self._metrics.count_request(method=method, route=route, status=status, seconds=seconds)
            if _requests.isEnabledFor(logging.INFO):
                # The template of the route: ids and queries are nobody's who reads logs.
                what = {"method": method, "route": route, "status": status}
                _requests.info("request", extra={**what, "seconds": round(seconds, 6)})


def _route(scope: MutableMapping[str, Any]) -> str:
    """Return the path template that matched, or what static files are mounted at."""
    route = scope.get("route")
    return str(route.path if route is not None else scope.get("root_path") or _NO_ROUTE)
