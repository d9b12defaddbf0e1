"""Routes to list, invite and change accounts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_format import ListingDep, listing_responses
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.paging import read_row_id
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    DATABASE_UNAVAILABLE,
    EMAIL_TAKEN,
    INVALID_REQUEST,
    NO_ADMINISTRATOR,
    UNKNOWN_ACCOUNT,
    ProblemError,
    invalid_field,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import Services, ServicesDep
from storemon_api.security.request_access import audit_event
from storemon_api.sign_in.account_schemas import (
    AccountBody,
    AccountChangeBody,
    AccountResponse,
    AccountsPage,
    LinkResponse,
)
from storemon_api.stores.store_filters import is_storable
from storemon_api.web.page_templates import root_of
from storemon_pipeline.access.account_management import (
    NewLink,
    NoAccountError,
    UnknownGroupsError,
    account_of_id,
    change_account,
    disable_account,
    enable_account,
    invite_account,
    make_link,
    search_accounts,
)
from storemon_pipeline.access.account_table import EmailTakenError
from storemon_pipeline.access.accounts import (
    Account,
    AccountRights,
    AccountValueError,
    normal_email,
    normal_name,
)
from storemon_pipeline.access.administrators import NoAdministratorError, UnknownStoresError
from storemon_pipeline.access.audit_log import AuditEvent
from storemon_pipeline.invitations.link_mail import give_link

router = Router(tag="access")

_MAX_BYTES: Final = 1024 * 1024
_LONGEST_SEARCH: Final = 254
_CHANGE_PROBLEMS: Final = (
    *(BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, NO_ADMINISTRATOR, DATABASE_UNAVAILABLE),
)

_AccountId = Annotated[str, Path(description="The id as listed.", examples=["3"])]


@router.get(
    "/accounts",
    summary="List accounts",
    responses={
        **listing_responses(AccountsPage),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_accounts(
    services: ServicesDep,
    listing: ListingDep,
    q: Annotated[
        str, Query(max_length=_LONGEST_SEARCH, description="Part of the name or email address.")
    ] = "",
) -> Response:
    """Return a page of accounts sorted by email address, disabled ones included."""
    if not is_storable(q):
        raise invalid_field("q", "`q` holds a character that cannot be stored.")
    paging = listing.paging
    found, total = search_accounts(
        services.reader, q.strip(), offset=paging.offset, limit=paging.limit
    )
    return body_response(
        listing.format,
        AccountsPage(
            accounts=[_response(account) for account in found],
            total=total,
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(total),
        ),
        "accounts",
    )


@router.post(
    "/accounts",
    summary="Invite a person",
    status_code=HTTPStatus.CREATED,
    responses={
        201: {"model": LinkResponse},
        **problem_responses(EMAIL_TAKEN, *_CHANGE_PROBLEMS),
    },
    openapi_extra=json_body(AccountBody),
)
async def post_account(request: Request, services: ServicesDep) -> Response:
    """Create an account, and mail the link with which the person chooses a password.

    Where mail or the public address is not set up, the response has the link. From the first
    account on every request needs an account or a key, so the first account must be an admin's.
    Unknown stores and groups are 422 without `force`.
    """
    body = await read_required_json(
        request, AccountBody, max_bytes=_MAX_BYTES, time_limit=services.settings.body_timeout
    )
    audit = audit_event(request)

    def invite() -> LinkResponse:
        with _problems():
            link = invite_account(
                services.engine,
                email=normal_email(body.email),
                name=normal_name(body.name or body.email.partition("@")[0]),
                rights=AccountRights(
                    role=body.role,
                    store_ids=frozenset(body.stores),
                    groups=frozenset(body.groups),
                ),
                audit=audit,
                may_be_unknown=body.force,
            )
        return _given(request, services, link)

    response = json_response(await run_in_threadpool(invite))
    response.status_code = HTTPStatus.CREATED
    return response


@router.patch(
    "/accounts/{account_id}",
    summary="Change, disable or enable an account",
    responses={
        200: {"model": AccountResponse},
        **problem_responses(UNKNOWN_ACCOUNT, *_CHANGE_PROBLEMS),
    },
    openapi_extra=json_body(AccountChangeBody),
)
async def patch_account(
    request: Request, services: ServicesDep, account_id: _AccountId
) -> Response:
    """Give an account another role or other stores, or disable or enable it.

    `role` replaces the stores and groups too. Sessions end when the rights are new, and when the
    account is disabled. The last one that can administer the service stays as it is: 409.
    """
    body = await read_required_json(
        request, AccountChangeBody, max_bytes=_MAX_BYTES, time_limit=services.settings.body_timeout
    )
    number, audit = read_row_id(account_id, unknown=UNKNOWN_ACCOUNT), audit_event(request)
    with _problems():
        account = await run_in_threadpool(_change, services, number, body, audit)
    return json_response(_response(account))


@router.post(
    "/accounts/{account_id}/link",
    summary="Make a new link for an account",
    responses={
        200: {"model": LinkResponse},
        **problem_responses(UNKNOWN_ACCOUNT, DATABASE_UNAVAILABLE),
    },
)
def post_account_link(request: Request, services: ServicesDep, account_id: _AccountId) -> Response:
    """Mail or return a link with which the person chooses a password. Older links end."""
    with _problems():
        account = account_of_id(services.engine, read_row_id(account_id, unknown=UNKNOWN_ACCOUNT))
        link = make_link(services.engine, account.email, audit=audit_event(request))
    return json_response(_given(request, services, link))


def _change(
    services: Services, account_id: int, body: AccountChangeBody, audit: AuditEvent
) -> Account:
    if body.role is not None:
        return change_account(
            services.engine,
            account_id,
            name=None if body.name is None else normal_name(body.name),
            rights=AccountRights(
                role=body.role, store_ids=frozenset(body.stores), groups=frozenset(body.groups)
            ),
            audit=audit,
            may_be_unknown=body.force,
        )
    if body.enabled:
        return enable_account(
            services.engine, account_id, audit=replace(audit, action="account.enable")
        )
    return disable_account(
        services.engine, account_id, audit=replace(audit, action="account.disable")
    )


@contextmanager
def _problems() -> Iterator[None]:
    """Raise what the rules of accounts refuse as problems."""
    try:
        yield
    except AccountValueError as error:
        raise invalid_field("body", str(error)) from error
    except EmailTakenError as error:
        raise ProblemError(EMAIL_TAKEN) from error
    except NoAccountError as error:
        raise ProblemError(UNKNOWN_ACCOUNT) from error
    except NoAdministratorError as error:
        raise ProblemError(NO_ADMINISTRATOR) from error
    except UnknownStoresError as error:
        raise invalid_field("stores", f"No data names these stores: {error}.") from error
    except UnknownGroupsError as error:
        raise invalid_field("groups", f"No store is in these groups: {error}.") from error


def _given(request: Request, services: Services, link: NewLink) -> LinkResponse:
    """Mail the link where that is set up. Call it in a thread."""
    settings = services.settings
    mail_url = None if settings.mail_url is None else settings.mail_url.get_secret_value()
    own_url = f"{request.url.scheme}://{request.url.netloc}{root_of(request)}"
    given = give_link(mail_url, settings.public_url, own_url, link)
    return LinkResponse(
        account=_response(link.account),
        link=given.address,
        expires_at=link.expires_at,
        mail_error=given.error,
    )


def _response(account: Account) -> AccountResponse:
    return AccountResponse(
        account_id=account.account_id,
        email=account.email,
        name=account.name,
        role=account.rights.role,
        stores=sorted(account.rights.store_ids),
        groups=sorted(account.rights.groups),
        enabled=account.is_enabled,
        has_password=account.password_hash is not None,
        is_at_provider=account.subject is not None,
        created_at=account.created_at,
        last_sign_in_at=account.last_sign_in_at,
    )
