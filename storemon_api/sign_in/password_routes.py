"""The page behind a link from a mail, on which a person chooses a password."""

from http import HTTPStatus
from typing import Annotated, Final

from anyio import to_thread
from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.security.request_access import audit_event
from storemon_api.sign_in.cookies import set_session
from storemon_api.sign_in.form_bodies import read_form
from storemon_api.sign_in.sign_in_routes import PasswordSlotsDep
from storemon_api.web.page_templates import page_response, root_of
from storemon_pipeline.access.account_management import (
    NoLinkError,
    choose_password,
    find_link,
)
from storemon_pipeline.access.accounts import Account
from storemon_pipeline.access.passwords import SHORTEST, WeakPasswordError, hash_password
from storemon_pipeline.access.session_management import AccountDisabledError, start_session

router = Router(is_strict=False, include_in_schema=False)

PASSWORD_PATH: Final = "/password"  # noqa: S105 - an address
_LONGEST_TOKEN: Final = 100


@router.get(PASSWORD_PATH)
def password_page(
    request: Request,
    services: ServicesDep,
    token: Annotated[str, Query(max_length=_LONGEST_TOKEN)] = "",
) -> Response:
    """Answer with the form; programs that look at links in mails do not use the link up."""
    return _form(request, find_link(services.engine, token), token)


@router.post(PASSWORD_PATH)
async def choose(request: Request, services: ServicesDep, slots: PasswordSlotsDep) -> Response:
    """Set the password and start a session, or answer with the form that says what is wrong."""
    form = await read_form(request, services)
    token, password = form.get("token", ""), form.get("password", "")
    account = await run_in_threadpool(find_link, services.engine, token)
    if account is None:
        return _form(request, None, token)
    if password != form.get("again"):
        return _form(request, account, token, problem="The two passwords are not the same.")
    try:
        password_hash = await to_thread.run_sync(hash_password, password, limiter=slots)
    except WeakPasswordError as error:
        return _form(request, account, token, problem=str(error))
    audit = audit_event(request)
    try:
        await run_in_threadpool(choose_password, services.engine, token, password_hash, audit=audit)
        session = await run_in_threadpool(
            start_session,
            services.engine,
            account.account_id,
            lasts=services.settings.session_lasts,
            audit=audit,
        )
    except (NoLinkError, AccountDisabledError):
        return _form(request, None, token)
    response = RedirectResponse(f"{root_of(request)}/", HTTPStatus.SEE_OTHER)
    set_session(response, request, services.settings, session)
    return response


def _form(request: Request, account: Account | None, token: str, *, problem: str = "") -> Response:
    response = page_response(
        request,
        "password.html",
        "Choose a password",
        here="",
        script=None,
        store_id="",
        account=account,
        token=token,
        shortest=SHORTEST,
        problem=problem,
    )
    if account is None:
        response.status_code = HTTPStatus.GONE
    elif problem:
        response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    return response
