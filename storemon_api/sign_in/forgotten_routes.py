"""The page on which a person asks for a link to choose a new password. Needs mail."""

import logging
import math
import time
from http import HTTPStatus
from typing import Annotated, Final

import sqlalchemy as sa
from fastapi import Depends, FastAPI, Request, Response
from starlette.background import BackgroundTask

from storemon_api.http.problems import plain_problem
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep, from_state
from storemon_api.security.rate_limits import RateLimits
from storemon_api.security.request_access import audit_event, client_of
from storemon_api.sign_in.form_bodies import read_form
from storemon_api.web.page_templates import page_response
from storemon_pipeline.access.account_management import (
    NoAccountError,
    account_of_email,
    make_link,
)
from storemon_pipeline.access.accounts import AccountValueError, normal_email
from storemon_pipeline.access.audit_log import AuditEvent
from storemon_pipeline.alerts.deliver import NotSentError
from storemon_pipeline.invitations.link_mail import mail_link

router = Router(is_strict=False, include_in_schema=False)

FORGOTTEN_PATH: Final = "/forgotten-password"

_logger = logging.getLogger(__name__)


class LinkRequests:
    """Limits how many links are asked for from one address, and mailed to one person."""

    def __init__(self) -> None:
        self._by_client = RateLimits(per_second=1 / 60, burst=10)
        self._by_email = RateLimits(per_second=1 / 1_200, burst=3)

    def seconds_to_wait(self, client: str, email: str) -> float:
        """Count a request and return 0, or return how long to wait before the next."""
        now = time.monotonic()
        wait = self._by_client.seconds_to_wait(client, now)
        return wait or self._by_email.seconds_to_wait(email, now)


LinkRequestsDep = Annotated[LinkRequests, Depends(from_state("link_requests"))]


def install_forgotten(app: FastAPI) -> None:
    """Give the application what this page keeps between requests."""
    app.state.link_requests = LinkRequests()


@router.get(FORGOTTEN_PATH)
async def forgotten_page(request: Request, services: ServicesDep) -> Response:
    """Answer with the form."""
    if not services.settings.can_mail_links:
        raise plain_problem(HTTPStatus.NOT_FOUND)
    return _form(request)


@router.post(FORGOTTEN_PATH)
async def forgotten(
    request: Request, services: ServicesDep, link_requests: LinkRequestsDep
) -> Response:
    """Mail a link to the person, if there is such an account.

    The response is the same without one, and is sent before the account is looked up, so that its
    time tells nothing.
    """
    mail_url, public_url = services.settings.mail_url, services.settings.public_url
    if mail_url is None or public_url is None:
        raise plain_problem(HTTPStatus.NOT_FOUND)
    form = await read_form(request, services)
    try:
        email = normal_email(form.get("email", ""))
    except AccountValueError as error:
        response = _form(request, problem=str(error))
        response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        return response
    seconds = link_requests.seconds_to_wait(client_of(request), email)
    if seconds > 0:
        wait = max(1, math.ceil(seconds))
        response = _form(request, problem=f"Too many requests. Try again in {wait} seconds.")
        response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        response.headers["Retry-After"] = str(wait)
        return response
    response = _form(request, is_done=True)
    response.background = BackgroundTask(
        _mail,
        services.engine,
        email,
        mail_url=mail_url.get_secret_value(),
        public_url=public_url,
        audit=audit_event(request),
    )
    return response


def _mail(
    engine: sa.Engine, email: str, *, mail_url: str, public_url: str, audit: AuditEvent
) -> None:
    try:
        # With a password of its own, a person would pass by the provider.
        if account_of_email(engine, email).subject is not None:
            return
        mail_link(mail_url, public_url, make_link(engine, email, audit=audit))
    except NoAccountError:
        _logger.info("A link was asked for, for an address without an enabled account")
    except NotSentError as error:
        _logger.warning("A link to choose a password was not sent: %s", error)


def _form(request: Request, *, problem: str = "", is_done: bool = False) -> Response:
    return page_response(
        request,
        "forgotten-password.html",
        "Forgotten password",
        here="",
        script=None,
        store_id="",
        problem=problem,
        is_done=is_done,
    )
