"""ASGI middleware for authentication, authorisation and rate limits.

The rule of each address is in `access_rules`, keys and sessions are in `identity_cache`. Bodies are
not read.
"""

import asyncio
import logging
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlencode

import sqlalchemy as sa
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
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
    check_is_own_form,
    check_is_own_page,
    is_basic,
    sent_session,
    sent_token,
)
from storemon_api.security.identity_cache import Credential, IdentityCache, Proof, utc_now
from storemon_api.security.local_clients import is_held_by_service, is_passed_on
from storemon_api.security.rate_limits import RateLimits
from storemon_api.security.request_access import Access, set_access
from storemon_api.security.trusted_proxy import TrustedProxy
from storemon_pipeline.access.identities import Identity

KEY_HEADERS: Final = ("Authorization", "X-API-Key", "Cookie")
_HEALTH: Final = "/healthz"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Address:
    """A route's pattern, path template and methods."""

    pattern: re.Pattern[str]
    path: str
    methods: frozenset[str]
    is_mount: bool


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where a browser is sent that has no session, so that its user can sign in."""

    path: str
    is_at_provider: bool = False
    """Whether people can sign in that have no account yet."""


class AccessControl:
    """Passes on the requests that their sender is allowed to make.

    Until the first key or account is created, only clients on this machine are allowed, with all
    rights, and only from pages of this service. From then on every request needs a key or an
    account, wherever it comes from.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Sequence[BaseRoute],
        identities: IdentityCache,
        limits: RateLimits,
        max_body_bytes: int,
        rules: Mapping[tuple[str, str], Rule] = RULES,
        sign_in: SignIn | None = None,
        proxy: TrustedProxy | None = None,
    ) -> None:
        self._app = app
        self._addresses = [_address(route) for route in routes if isinstance(route, Route | Mount)]
        self._rules = rules
        self._identities = identities
        self._limits = limits
        self._max_body_bytes = max_body_bytes
        self._sign_in = sign_in
        self._proxy = proxy

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
            await self._admit(scope, headers, rule, store_id)
            self._check_size(headers)
        except ProblemError as problem:
            response = self._sign_in_page(scope, headers, problem)
            if response is None:
                response = problem_response(Request(scope), problem)
            await response(scope, receive, send)
            return
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
    ) -> None:
        """Authenticate and authorise the request. Raises a 401, 403, 429 or 503 problem."""
        client = str((scope.get("client") or ("", 0))[0])
        credential = None if rule.is_open else self._credential(scope, headers)
        identity = None if credential is None else self._identities.find(credential, utc_now())
        if route_path(scope) != _HEALTH:
            self._check_rate(client if identity is None else identity.sender)
        access = Access(None, client, lambda: True, action=rule.action, subject=store_id)
        if rule.is_open:
            check_is_own_form(headers, scope["method"])
            set_access(scope, replace(access, is_anonymous=True))
            return
        if identity is None:
            identity = await self._read_identity(credential)
        if identity is None or credential is None:
            self._check_needs_none(scope, headers, credential, client)
            is_allowed = partial(getattr, self._identities, "is_empty")
            set_access(scope, replace(access, is_still_allowed=is_allowed))
            return
        if credential.is_ambient:
            check_is_own_page(headers, scope["method"])
        access = replace(
            access,
            identity=identity,
            is_still_allowed=partial(self._is_still_allowed, identity, credential),
            is_signed_in=credential.proof is Proof.SESSION,
        )
        # A refusal is a page as well, on which the sender can sign out.
        set_access(scope, access)
        _check_right(identity, rule, store_id)

    def _credential(self, scope: Scope, headers: Headers) -> Credential | None:
        """Return what the request says about its sender: a key, a proxy's word, or a session."""
        token = sent_token(headers)
        if token is not None:
            return Credential(Proof.KEY, token, is_ambient=is_basic(headers))
        email = None if self._proxy is None else self._proxy.email_of(scope, headers)
        if email is not None:
            return Credential(Proof.PROXY, email, is_ambient=True)
        session = sent_session(headers)
        return None if session is None else Credential(Proof.SESSION, session, is_ambient=True)

    def _check_needs_none(
        self, scope: Scope, headers: Headers, credential: Credential | None, client: str
    ) -> None:
        """Raise a problem unless nobody has a key or an account yet, and the sender is local.

        A cookie may remain of a session that has ended, so it counts as nothing.
        """
        is_cookie = credential is not None and credential.proof is Proof.SESSION
        if (credential is not None and not is_cookie) or not self._identities.is_empty:
            detail = None
            if credential is not None and credential.proof is Proof.PROXY:
                detail = f"No enabled account has the email address {credential.text}."
            raise ProblemError(UNAUTHORIZED, detail, headers=self._challenge(headers))
        check_is_local(headers, client)
        self._check_is_no_proxy(scope, headers)
        check_is_own_page(headers, scope["method"])

    def _challenge(self, headers: Headers) -> dict[str, str]:
        return challenge(headers, has_sign_in=self._sign_in_path() is not None)

    def _sign_in_path(self) -> str | None:
        """Return the path of the sign-in page, if anybody can sign in."""
        if self._sign_in is None:
            return None
        is_possible = self._identities.has_accounts or self._sign_in.is_at_provider
        return self._sign_in.path if is_possible else None

    def _sign_in_page(
        self, scope: Scope, headers: Headers, problem: ProblemError
    ) -> Response | None:
        """Return the way to the sign-in page, for a browser that opens a page without a session."""
        path = self._sign_in_path()
        if (
            path is None
            or problem.problem.status != UNAUTHORIZED.status
            or scope["method"] not in {"GET", "HEAD"}
            or "text/html" not in headers.get("Accept", "")
            or "X-Requested-With" in headers
            or sent_token(headers) is not None
            or (self._proxy is not None and self._proxy.email_of(scope, headers) is not None)
        ):
            return None
        query = scope["query_string"].decode("latin-1")
        # As it was sent: ids may hold an encoded slash.
        raw = scope.get("raw_path") or scope["path"].encode()
        asked = raw.decode("latin-1").partition("?")[0] + (f"?{query}" if query else "")
        root = str(scope.get("root_path", "")).rstrip("/")
        address = f"{root}{path}?{urlencode({'next': asked})}"
        return RedirectResponse(address, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})

    def _is_still_allowed(self, identity: Identity, credential: Credential) -> bool:
        return self._identities.is_still(identity, credential, utc_now())

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
                "This request came through a proxy. No key and no account exists yet, so only "
                "people on this machine are served. First run `storemon keys create --name admin "
                "--all-stores --scope admin`.",
                headers=self._challenge(headers),
            )

    async def _read_identity(self, credential: Credential | None) -> Identity | None:
        """Return the sender's identity. Raises a 503 problem while none can be read."""
        identities = self._identities
        if not identities.is_loaded or (
            credential is not None and not identities.knows(credential)
        ):
            # It may have been created since the last read, so read again before refusing.
            asked_tick = time.monotonic()
            await asyncio.sleep(identities.seconds_to_load())
            try:
                await run_in_threadpool(identities.load, since=asked_tick)
            except sa.exc.SQLAlchemyError as error:
                _logger.info("The keys and accounts could not be read: %s", error)
        if not identities.is_loaded:
            raise ProblemError(DATABASE_UNAVAILABLE)
        return None if credential is None else identities.find(credential, utc_now())

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
        """Keep shared caches from serving a response to another sender."""

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._identities.is_empty:
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


def _check_right(identity: Identity, rule: Rule, store_id: str | None) -> None:
    """Raise a 403 problem unless it is allowed, the same whether the object exists or not."""
    if rule.scope is not None and not identity.allows(rule.scope):
        raise ProblemError(FORBIDDEN)
    if identity.store_ids is None:
        return
    is_of_other_store = rule.stores is Stores.IN_PATH and store_id not in identity.store_ids
    if rule.stores is Stores.NONE or is_of_other_store:
        raise ProblemError(FORBIDDEN)
