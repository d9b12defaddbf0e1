"""ASGI middleware for authentication, authorisation and rate limits.

The rule of each address is in `access_rules`, the keys are in `key_cache`. Bodies are not read.
"""

import asyncio
import logging
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from urllib.parse import unquote

import sqlalchemy as sa
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storemon_api.http.error_handlers import problem_response
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    ProblemError,
)
from storemon_api.http.store_paths import route_path
from storemon_api.security.access_rules import NO_ROUTE, RULES, Rule, Stores, rule_of
from storemon_api.security.header_checks import (
    challenge,
    check_framing,
    check_is_local,
    check_is_own_page,
    is_basic,
    sent_token,
)
from storemon_api.security.key_cache import KeyCache, utc_now
from storemon_api.security.local_clients import is_held_by_service, is_passed_on
from storemon_api.security.rate_limits import RateLimits
from storemon_api.security.request_access import Access, set_access
from storemon_pipeline.access.keys import ApiKey

KEY_HEADERS: Final = ("Authorization", "X-API-Key")
_HEALTH: Final = "/healthz"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Address:
    """A route's pattern, path template and methods."""

    pattern: re.Pattern[str]
    path: str
    methods: frozenset[str]
    is_mount: bool


class AccessControl:
    """Passes on the requests that their sender is allowed to make.

    Until the first key is created, only clients on this machine are allowed, with all rights, and
    only from pages of this service. Once a key exists, every request needs one, wherever it comes
    from.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Sequence[BaseRoute],
        keys: KeyCache,
        limits: RateLimits,
        max_body_bytes: int,
        rules: Mapping[tuple[str, str], Rule] = RULES,
    ) -> None:
        self._app = app
        self._addresses = [_address(route) for route in routes if isinstance(route, Route | Mount)]
        self._rules = rules
        self._keys = keys
        self._limits = limits
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "websocket":
            await self._open_websocket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        rule, store_id = self._rule(scope["method"], route_path(scope))
        if not rule.is_open:
            send = self._marked(send)
        try:
            check_framing(headers)
            access = await self._admit(scope, headers, rule, store_id)
            self._check_size(headers)
        except ProblemError as problem:
            await problem_response(Request(scope), problem)(scope, receive, send)
            return
        set_access(scope, replace(access, action=rule.action, subject=store_id))
        await self._app(scope, receive, send)

    async def _open_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the connection as a GET of its address would be answered, and for own pages only.

        A browser sends no other header of ours with it, so a key is checked however it is sent.
        """
        headers = Headers(scope=scope)
        rule, store_id = self._rule("GET", scope["path"])
        try:
            await self._admit({**scope, "method": "GET"}, headers, rule, store_id)
            check_is_own_page(headers, "POST")
        except ProblemError:
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    async def _admit(
        self, scope: Scope, headers: Headers, rule: Rule, store_id: str | None
    ) -> Access:
        """Authenticate and authorise the request. Raises a 401, 403, 429 or 503 problem."""
        client = str((scope.get("client") or ("", 0))[0])
        token = None if rule.is_open else sent_token(headers)
        key = None if token is None else self._keys.find(token, utc_now())
        if route_path(scope) != _HEALTH:
            self._check_rate(client if key is None else key.key_id)
        if rule.is_open:
            return Access(key=None, client=client, is_still_allowed=lambda: True)
        if key is None:
            key = await self._key(token)
        if key is not None:
            if is_basic(headers):
                check_is_own_page(headers, scope["method"])
            _check_right(key, rule, store_id)
        elif token is not None or not self._keys.is_empty:
            raise ProblemError(UNAUTHORIZED, headers=challenge(headers))
        else:
            check_is_local(headers, client)
            self._check_is_no_proxy(scope, headers)
            check_is_own_page(headers, scope["method"])
        return Access(key, client, partial(self._is_still_allowed, key))

    def _is_still_allowed(self, key: ApiKey | None) -> bool:
        if key is None:
            return self._keys.is_empty
        return self._keys.is_usable(key.key_id, utc_now())

    def _check_is_no_proxy(self, scope: Scope, headers: Headers) -> None:
        """Raise a 401 problem when a proxy of this machine passes on somebody else's request."""
        client, server = (
            (str(end[0]), int(end[1] or 0)) for end in (scope["client"], scope["server"])
        )
        if is_passed_on(headers.keys(), scope["http_version"]) or is_held_by_service(
            client, server
        ):
            raise ProblemError(
                UNAUTHORIZED,
                "This request came through a proxy. No key exists yet, so only people on this "
                "machine are served. First run `storemon keys create --name admin --all-stores "
                "--scope admin`.",
                headers=challenge(headers),
            )

    async def _key(self, token: str | None) -> ApiKey | None:
        """Return the key that was sent. Raises a 503 problem while the keys cannot be read."""
        keys = self._keys
        if not keys.is_loaded or (token is not None and not keys.knows(token)):
            # The key may have been created since the last read, so read again before refusing.
            await asyncio.sleep(keys.seconds_to_load())
            try:
                await run_in_threadpool(keys.load)
            except sa.exc.SQLAlchemyError as error:
                _logger.info("The keys could not be read: %s", error)
        if not keys.is_loaded:
            raise ProblemError(DATABASE_UNAVAILABLE)
        return None if token is None else keys.find(token, utc_now())

    def _check_rate(self, sender: str) -> None:
        seconds = self._limits.seconds_to_wait(sender, time.monotonic())
        if seconds > 0:
            wait = str(max(1, math.ceil(seconds)))
            raise ProblemError(TOO_MANY_REQUESTS, headers={"Retry-After": wait})

    def _check_size(self, headers: Headers) -> None:
        announced = headers.get("Content-Length", "0")
        if announced.isdecimal() and int(announced[:20]) > self._max_body_bytes:
            raise ProblemError(
                BODY_TOO_LARGE,
                f"The body of a request may be at most {self._max_body_bytes} bytes long.",
            )

    def _rule(self, method: str, path: str) -> tuple[Rule, str | None]:
        """Return the rule of the route that the request matches, and the store id in its path."""
        for address in self._addresses:
            match = address.pattern.match(path)
            if match is not None and (address.is_mount or method in address.methods):
                asked_as = "GET" if address.is_mount else method
                store_id = match.groupdict().get("store_id")
                return (
                    rule_of(asked_as, address.path, self._rules),
                    None if store_id is None else unquote(store_id),
                )
        return NO_ROUTE, None

    def _marked(self, send: Send) -> Send:
        """Keep shared caches from serving a response to clients with another key."""

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._keys.is_empty:
                headers = MutableHeaders(raw=message["headers"])
                for name in KEY_HEADERS:
                    headers.add_vary_header(name)
                if "Cache-Control" in headers:
                    directives = headers["Cache-Control"].replace("public", "private")
                    headers["Cache-Control"] = directives
            await send(message)

        return send_marked


def _address(route: Route | Mount) -> _Address:
    if isinstance(route, Mount):
        return _Address(route.path_regex, route.path, frozenset(), is_mount=True)
    return _Address(route.path_regex, route.path, frozenset(route.methods or ()), is_mount=False)


def _check_right(key: ApiKey, rule: Rule, store_id: str | None) -> None:
    """Raise a 403 problem unless the key allows it, the same whether the object exists or not."""
    if rule.scope is not None and not key.allows(rule.scope):
        raise ProblemError(FORBIDDEN)
    if key.store_ids is None:
        return
    is_of_other_store = rule.stores is Stores.IN_PATH and store_id not in key.store_ids
    if rule.stores is Stores.NONE or is_of_other_store:
        raise ProblemError(FORBIDDEN)
