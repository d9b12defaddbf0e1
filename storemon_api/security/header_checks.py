"""Checks of request headers: credentials, local clients, same origin, framing."""

import base64
import ipaddress
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from storemon_api.http.problems import (
    FORBIDDEN,
    UNAUTHORIZED,
    ProblemError,
    plain_problem,
)

SESSION_COOKIE: Final = "storemon_session"

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})


def sent_token(headers: Headers) -> str | None:
    """Return the token of `X-API-Key` or `Authorization`; "" for a malformed one, None without."""
    if "X-API-Key" in headers:
        return headers["X-API-Key"].strip()
    if "Authorization" not in headers:
        return None
    scheme, _, credentials = headers["Authorization"].strip().partition(" ")
    credentials = credentials.strip()
    match scheme.lower():
        case "bearer":
            return credentials
        case "basic":  # browsers: any user name, the token as password
            try:
                decoded = base64.b64decode(credentials, validate=True).decode()
            except ValueError:  # not ASCII, not Base64 or not UTF-8
                return ""
            return decoded.partition(":")[2]
        case _:
            return ""


def sent_session(headers: Headers) -> str | None:
    """Return the token in the session's cookie; None without one."""
    for line in headers.getlist("Cookie"):
        if token := cookie_parser(line).get(SESSION_COOKIE):
            return token
    return None


def is_basic(headers: Headers) -> bool:
    """Whether the token was sent with the Basic scheme, as browsers do by themselves."""
    is_sent = headers.get("Authorization", "").strip().lower().startswith("basic")
    return is_sent and "X-API-Key" not in headers


def challenge(headers: Headers, *, has_sign_in: bool = False) -> dict[str, str]:
    """Return the `WWW-Authenticate` header: Basic for browsers, which then ask the user.

    Requests of scripts (`X-Requested-With`) get Basic too: by itself, a browser sends known
    credentials only to paths below that of the first page. Where people sign in on a page, a
    browser is asked only after it has sent a key.
    """
    is_page = "text/html" in headers.get("Accept", "") or "X-Requested-With" in headers
    if has_sign_in:
        is_page = is_page and "Authorization" in headers
    return {"WWW-Authenticate": f'{"Basic" if is_page else "Bearer"} realm="storemon"'}


def check_is_local(headers: Headers, client: str) -> None:
    """Raise a problem unless the client is on this machine and uses a local host name.

    The host name is checked against DNS rebinding: a foreign site's name may resolve to this
    machine.
    """
    if not _is_loopback(client):
        raise ProblemError(
            UNAUTHORIZED,
            "No API key and no account exists yet, so only requests from this machine are allowed. "
            "Create a key with `storemon keys create`.",
            headers=challenge(headers),
        )
    host = _host_name(headers.get("Host", ""))
    if host != "localhost" and not _is_loopback(host):
        raise ProblemError(
            FORBIDDEN,
            "Use localhost or 127.0.0.1 as the host name until an API key exists.",
        )


def check_is_own_form(headers: Headers, method: str) -> None:
    """Raise a 403 problem for a form of another site that is sent to an open address."""
    if method not in _SAFE_METHODS:
        check_is_own_page(headers, method)


def check_is_own_page(headers: Headers, method: str) -> None:
    """Raise a 403 problem for a browser's request from another site."""
    origin = headers.get("Origin")
    is_foreign = origin is not None and origin.partition("://")[2] != headers.get("Host")
    site = headers.get("Sec-Fetch-Site", "none")
    is_link = (
        method in _SAFE_METHODS
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest") == "document"
    )
    if is_foreign or (site not in _OWN_SITES and not is_link):
        raise ProblemError(FORBIDDEN, "Requests from pages of other sites are not allowed.")


def _host_name(host: str) -> str:
    """Return a `Host` header without its port; "" for a malformed one."""
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


def check_framing(headers: Headers) -> None:
    """Raise a 400 problem for two lengths of one body, with which requests can be smuggled.

    A proxy may read one of them and this server the other. The connection ends, because it is
    unclear where the next request begins (RFC 9112, 6.1).
    """
    if "Content-Length" in headers and "Transfer-Encoding" in headers:
        raise plain_problem(HTTPStatus.BAD_REQUEST, {"Connection": "close"})
