"""The page on which people sign in, and signing out."""

import logging
import math
from http import HTTPStatus
from typing import Annotated, Final

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep, from_state
from storemon_api.security.header_checks import SESSION_COOKIE, sent_session
from storemon_api.security.request_access import audit_event, client_of
from storemon_api.sign_in.attempts import Attempts
from storemon_api.sign_in.cookies import (
    BROWSER_COOKIE,
    BROWSER_LASTS,
    is_known_browser,
    make_browser_token,
    next_address,
    set_cookie,
    set_session,
)
from storemon_api.sign_in.form_bodies import read_form
from storemon_api.web.page_templates import page_response, root_of
from storemon_pipeline.access.accounts import AccountValueError, normal_email
from storemon_pipeline.access.passwords import is_password
from storemon_pipeline.access.session_management import (
    AccountDisabledError,
    account_to_verify,
    end_session,
    start_session,
)

router = Router(is_strict=False, include_in_schema=False)

SIGN_IN_PATH: Final = "/sign-in"
_LONGEST_NEXT: Final = 2_000
_WRONG: Final = "The email address or the password is wrong."
# Each takes 64 MiB and a tenth of a second of a core.
_PASSWORD_SLOTS: Final = 2

AttemptsDep = Annotated[Attempts, Depends(from_state("sign_in_attempts"))]
PasswordSlotsDep = Annotated[CapacityLimiter, Depends(from_state("password_slots"))]

_logger = logging.getLogger(__name__)


def install_sign_in(app: FastAPI) -> None:
    """Give the application what its sign-in pages share."""
    app.state.sign_in_attempts = Attempts()
    app.state.password_slots = CapacityLimiter(_PASSWORD_SLOTS)


@router.get(SIGN_IN_PATH)
async def sign_in_page(
    request: Request,
    wanted: Annotated[str | None, Query(alias="next", max_length=_LONGEST_NEXT)] = None,
) -> Response:
    """Answer with the form."""
    return sign_in_form(request, wanted)


@router.post(SIGN_IN_PATH)
async def sign_in(
    request: Request, services: ServicesDep, attempts: AttemptsDep, slots: PasswordSlotsDep
) -> Response:
    """Start a session, or answer with the form that says what is wrong.

    An unknown address is answered like a wrong password, and after the same time.
    """
    form = await read_form(request, services)
    wanted, sent_email = form.get("next"), form.get("email", "")
    try:
        email = normal_email(sent_email)
    except AccountValueError:
        email = ""
    account = await run_in_threadpool(account_to_verify, services.engine, email)
    password_hash = None if account is None else account.password_hash
    is_known = password_hash is not None and is_known_browser(request, email, password_hash)
    browser = request.cookies.get(BROWSER_COOKIE) if is_known else None
    client = client_of(request)
    seconds = attempts.seconds_to_wait(client=client, email=email, browser=browser)
    if seconds > 0:
        wait = max(1, math.ceil(seconds))
        text = f"Too many attempts. Try again in {wait} seconds."
        response = sign_in_form(request, wanted, email=sent_email, problem=text)
        response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        response.headers["Retry-After"] = str(wait)
        return response
    is_right = await to_thread.run_sync(
        is_password, password_hash, form.get("password", ""), limiter=slots
    )
    if not is_right or account is None or password_hash is None:
        _logger.warning("An attempt to sign in from %s failed", client)
        return _refused(request, wanted, sent_email)
    try:
        token = await run_in_threadpool(
            start_session,
            services.engine,
            account.account_id,
            lasts=services.settings.session_lasts,
            audit=audit_event(request),
        )
    except AccountDisabledError:
        return _refused(request, wanted, sent_email)
    response = RedirectResponse(next_address(request, wanted), HTTPStatus.SEE_OTHER)
    set_session(response, request, services.settings, token)
    browser_token = make_browser_token(email, password_hash)
    set_cookie(response, request, services.settings, BROWSER_COOKIE, browser_token, BROWSER_LASTS)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, services: ServicesDep) -> Response:
    """End the session of the browser."""
    token = sent_session(request.headers)
    if token is not None:
        await run_in_threadpool(end_session, services.engine, token, audit=audit_event(request))
    response = RedirectResponse(f"{root_of(request)}{SIGN_IN_PATH}", HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
    return response


def sign_in_form(
    request: Request, wanted: str | None, *, email: str = "", problem: str = ""
) -> Response:
    """Return the page with the form, and above it what went wrong."""
    settings = request.app.state.services.settings
    return page_response(
        request,
        "sign-in.html",
        "Sign in",
        here="",
        script=None,
        store_id="",
        wanted=next_address(request, wanted),
        email=email,
        problem=problem,
        has_provider=settings.oidc_issuer is not None,
        can_mail_links=settings.can_mail_links,
    )


def _refused(request: Request, wanted: str | None, email: str) -> Response:
    response = sign_in_form(request, wanted, email=email, problem=_WRONG)
    response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    return response
