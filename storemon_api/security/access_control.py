"""Who may do what: the one place that every request passes before any handler sees it.

What each address asks for stands in `access_rules`, the keys in `key_ring`. Plain ASGI: a body is
counted here, never read.
"""

import asyncio
import base64
import binascii
import ipaddress
import logging
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import sqlalchemy as sa
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    ProblemError,
    problem_response,
)
from storemon_api.security.access_rules import NO_ROUTE, RULES, Rule, Stores, rule_of
from storemon_api.security.key_cache import KeyCache, utc_now
from storemon_api.security.rate_limits import RateLimits
from storemon_pipeline.access.audit_log import AuditEvent
from storemon_pipeline.access.keys import ApiKey

KEY_HEADERS: Final = ("Authorization", "X-API-Key")
_STATE: Final = "storemon_access"
_HEALTH: Final = "/healthz"
_FORWARDING: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """What was found out of who sends a request."""

    key: ApiKey | None
    client: str
    action: str | None = None
    subject: str | None = None


def visible_stores(request: Request) -> frozenset[str] | None:
    """Return the ids of the stores that this request may see or change; None for every store."""
    access = getattr(request.state, _STATE, None)
    return None if access is None or access.key is None else access.key.store_ids


def audit_event(request: Request, subject: str | None = None) -> AuditEvent:
    """Return what the audit table is to say of this request, to be written with what it does.

    `subject` is what it is done to, where the path names no store.
    """
    access: Access = getattr(request.state, _STATE)
    if access.action is None:
        raise ValueError(f"no audited address: {request.url.path}")
    return AuditEvent(
        action=access.action,
        key_id=None if access.key is None else access.key.key_id,
        client=access.client,
        request_id=request_id(request),
        subject=subject or access.subject,
    )


def request_id(request: Request) -> str | None:
    """Return the id that the request was given."""
    return getattr(request.state, "request_id", None)


@dataclass(frozen=True, slots=True)
class _Address:
    """A route's pattern and methods, and its rule by method."""

    pattern: re.Pattern[str]
    path: str
    methods: frozenset[str]
    is_mount: bool


class AccessControl:
    """Lets a request pass when its sender may do what it asks for.

    While no key was ever made, everyone on this machine may do everything, and nobody else
    anything; a browser there must not do it for a page of another site. From the first key on each
    request needs one, wherever it comes from.
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
        """Answer the request, or let it pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        rule, store_id = self._rule(scope["method"], scope["path"])
        if not rule.is_open:
            send = self._marked(send)
        try:
            access = await self._admit(scope, headers, rule, store_id)
            self._check_size(headers)
        except ProblemError as problem:
            await problem_response(problem)(scope, receive, send)
            return
        scope.setdefault("state", {})[_STATE] = replace(
            access, action=rule.action, subject=store_id
        )
        await self._app(scope, receive, send)

    async def _admit(
        self, scope: Scope, headers: Headers, rule: Rule, store_id: str | None
    ) -> Access:
        """Return who it is. Raises the 401, 403, 429 or 503 problem that keeps the request out."""
        client = str((scope.get("client") or ("", 0))[0])
        token = None if rule.is_open else _token(headers)
        key = None if token is None else self._keys.find(token, utc_now())
        if scope["path"] != _HEALTH:
            self._check_rate(client if key is None else key.key_id)
        if rule.is_open:
            return Access(key=None, client=client)
        if key is None:
            key = await self._key(token)
        if key is not None:
            if _is_basic(headers):
                _check_is_own_page(headers, scope["method"])
            _check_right(key, rule, store_id)
        elif token is not None or not self._keys.is_empty:
            raise ProblemError(UNAUTHORIZED, headers=_challenge(headers))
        else:
            _check_is_local(headers, client)
            _check_is_own_page(headers, scope["method"])
        return Access(key=key, client=client)

    async def _key(self, token: str | None) -> ApiKey | None:
        """Return the key that was sent. Raises a 503 problem while keys cannot be known."""
        keys = self._keys
        if not keys.is_loaded or (token is not None and not keys.knows(token)):
            # A key may have been made after they were last read: nobody is refused by old ones.
            await asyncio.sleep(keys.seconds_to_load())
            try:
                await run_in_threadpool(keys.load)
            except sa.exc.SQLAlchemyError as error:
                _logger.info("No keys could be read: %s", error)
        if not keys.is_loaded:
            raise ProblemError(DATABASE_UNAVAILABLE)
        return None if token is None else keys.find(token, utc_now())

    def _check_rate(self, who: str) -> None:
        seconds = self._limits.seconds_to_wait(who, time.monotonic())
        if seconds > 0:
            wait = str(max(1, math.ceil(seconds)))
            raise ProblemError(TOO_MANY_REQUESTS, headers={"Retry-After": wait})

    def _check_size(self, headers: Headers) -> None:
        announced = headers.get("Content-Length", "0")
        if announced.isdecimal() and int(announced[:20]) > self._max_body_bytes:
            raise ProblemError(
                BODY_TOO_LARGE,
                f"The body of a request may have at most {self._max_body_bytes} bytes.",
            )

    def _rule(self, method: str, path: str) -> tuple[Rule, str | None]:
        """Return the rule of what the request will reach, and the store in its path if one is."""
        for address in self._addresses:
            match = address.pattern.match(path)
            if match is not None and (address.is_mount or method in address.methods):
                asked_as = "GET" if address.is_mount else method
                return rule_of(asked_as, address.path, self._rules), match.groupdict().get(
                    "store_id"
                )
        return NO_ROUTE, None

    def _marked(self, send: Send) -> Send:
        """Let no answer that a key decides on be stored for those with other keys."""

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
    """Raise the same 403 problem for whatever is not allowed, whether it exists or not."""
    if rule.scope is not None and not key.allows(rule.scope):
        raise ProblemError(FORBIDDEN)
    if key.store_ids is None:
        return
    is_of_other_store = rule.stores is Stores.IN_PATH and store_id not in key.store_ids
    if rule.stores is Stores.NONE or is_of_other_store:
        raise ProblemError(FORBIDDEN)


def _check_is_local(headers: Headers, client: str) -> None:
    """Raise a problem unless a program of this machine asked for this machine by its own name.

    The name matters: a page of another site may have let its own name lead to this address.
    """
    if not _is_loopback(client) or any(name in headers for name in _FORWARDING):
        raise ProblemError(
            UNAUTHORIZED,
            "No key exists yet, so only this machine is answered. Make a key with "
            "`storemon keys create`.",
            headers=_challenge(headers),
        )
    host = _host_name(headers.get("Host", ""))
    if host != "localhost" and not _is_loopback(host):
        raise ProblemError(
            FORBIDDEN,
            "While no key exists this machine is to be addressed as localhost or 127.0.0.1.",
        )


def _check_is_own_page(headers: Headers, method: str) -> None:
    """Raise a 403 problem when a browser asks for a page of another site."""
    origin = headers.get("Origin")
    is_foreign = origin is not None and origin.partition("://")[2] != headers.get("Host")
    site = headers.get("Sec-Fetch-Site", "none")
    is_link = (
        method in _SAFE_METHODS
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest") == "document"
    )
    if is_foreign or (site not in _OWN_SITES and not is_link):
        raise ProblemError(FORBIDDEN, "Pages of other sites may not use this service.")


def _host_name(host: str) -> str:
    """Return a `Host` header without its port; "" for one that cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _token(headers: Headers) -> str | None:
    """Return the token that was sent, in any of its three places; "" for one that is none."""
    if "X-API-Key" in headers:
        return headers["X-API-Key"].strip()
    if "Authorization" not in headers:
        return None
    scheme, _, credentials = headers["Authorization"].strip().partition(" ")
    credentials = credentials.strip()
    match scheme.lower():
        case "bearer":
            return credentials
        case "basic":  # a browser asks its user for it: any name, and the token as password
            try:
                decoded = base64.b64decode(credentials, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return ""
            return decoded.partition(":")[2]
        case _:
            return ""


def _is_basic(headers: Headers) -> bool:
    is_sent = headers.get("Authorization", "").strip().lower().startswith("basic")
    return is_sent and "X-API-Key" not in headers


def _challenge(headers: Headers) -> dict[str, str]:
    """Return the header that says how a key is sent; a browser's user is asked for one.

    Its scripts are told the same: a browser sends what it knows by itself only to addresses below
    that of the first page.
    """
    is_page = "text/html" in headers.get("Accept", "") or "X-Requested-With" in headers
    return {"WWW-Authenticate": f'{"Basic" if is_page else "Bearer"} realm="storemon"'}
