"""ASGI middleware that counts, times and logs every request."""

import logging
import time
from collections.abc import MutableMapping
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storemon_api.operations.metrics import Metrics

_requests = logging.getLogger("storemon_api.requests")


# Each method invented by a client would create a new time series.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


_NO_ROUTE: Final = "none"


class RequestMetrics:
    """Counts, times and logs every request by route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500  # unless a response starts

        async def send_and_record(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_record)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route, seconds = _route(scope), time.perf_counter() - began
            self._metrics.count_request(method=method, route=route, status=status, seconds=seconds)
            if _requests.isEnabledFor(logging.INFO):
                # The route's template: ids and queries stay out of the logs.
                what = {"method": method, "route": route, "status": status}
                _requests.info("request", extra={**what, "seconds": round(seconds, 6)})


def _route(scope: MutableMapping[str, Any]) -> str:
    """Return the matched path template, or the mount point of static files."""
    route = scope.get("route")
    return str(route.path if route is not None else scope.get("root_path") or _NO_ROUTE)
