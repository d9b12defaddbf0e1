"""The cookies of sessions and of known browsers, and where a signed-in browser goes next."""

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from storemon_api.security.header_checks import SESSION_COOKIE
from storemon_api.settings import ApiSettings
from storemon_api.web.page_templates import root_of

BROWSER_COOKIE: Final = "storemon_browser"
BROWSER_LASTS: Final = timedelta(days=365)


def is_https(request: Request, settings: ApiSettings) -> bool:
    """Whether the browser speaks TLS, with this server or with a proxy in front of it."""
    public = (settings.public_url or "").lower()
    forwarded = request.headers.get("X-Forwarded-Proto", "").lower()
    return "https" in {request.url.scheme, forwarded} or public.startswith("https:")


def set_cookie(
    response: Response,
    request: Request,
    settings: ApiSettings,
    name: str,
    value: str,
    lasts: timedelta,
) -> None:
    """Set a cookie that no script can read and no other site's form sends.

    It is sent to all ports of the host: the Dagster UI takes the session as well.
    """
    response.set_cookie(
        name,
        value,
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_https(request, settings),
        max_age=int(lasts.total_seconds()),
    )


def set_session(response: Response, request: Request, settings: ApiSettings, token: str) -> None:
    """Give the browser its session."""
    set_cookie(response, request, settings, SESSION_COOKIE, token, settings.session_lasts)


def make_browser_token(email: str, password_hash: str) -> str:
    """Return what a browser shows later, to say that this account signed in with it before.

    It is worth nothing for another account, and nothing after the password has changed. See "Device
    Cookies" of OWASP.
    """
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{_mac(nonce, email, password_hash)}"


def is_known_browser(request: Request, email: str, password_hash: str) -> bool:
    """Whether the account has signed in with this browser since its password was chosen."""
    nonce, _, mac = request.cookies.get(BROWSER_COOKIE, "").partition(".")
    return hmac.compare_digest(mac.encode(), _mac(nonce, email, password_hash).encode())


def next_address(request: Request, wanted: str | None) -> str:
    """Return where to go after signing in: a path of this host, otherwise the first page."""
    first_page = f"{root_of(request)}/"
    if not wanted or not wanted.isascii() or not wanted.isprintable() or "\\" in wanted:
        return first_page
    parts = urlsplit(wanted)
    if parts.scheme or parts.netloc or not wanted.startswith("/") or wanted.startswith("//"):
        return first_page
    return wanted


def _mac(nonce: str, email: str, password_hash: str) -> str:
    text = f"{nonce}\n{email}".encode()
    return hmac.new(password_hash.encode(), text, hashlib.sha256).hexdigest()
