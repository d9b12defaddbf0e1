"""The way to the OpenID provider and back."""

import base64
import binascii
import hmac
import json
import logging
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.security.request_access import audit_event
from storemon_api.settings import ApiSettings
from storemon_api.sign_in.cookies import next_address, set_cookie, set_session
from storemon_api.sign_in.provider import Provider, ProviderAttempt, ProviderError
from storemon_api.sign_in.sign_in_routes import sign_in_form
from storemon_pipeline.access.account_table import EmailTakenError
from storemon_pipeline.access.administrators import NoAdministratorError
from storemon_pipeline.access.session_management import (
    AccountDisabledError,
    start_provider_session,
)

router = Router(is_strict=False, include_in_schema=False)

_PATH: Final = "/sign-in/provider"
_COOKIE: Final = "storemon_provider"
_LASTS: Final = timedelta(minutes=10)
_LONGEST: Final = 4_000

_logger = logging.getLogger(__name__)


@router.get(_PATH)
def go_to_provider(
    request: Request,
    services: ServicesDep,
    wanted: Annotated[str | None, Query(alias="next", max_length=_LONGEST)] = None,
) -> Response:
    """Send the browser to the provider."""
    provider = _provider(services.settings)
    try:
        address, attempt = provider.start(next_address(request, wanted))
    except ProviderError as error:
        return _failed(request, wanted, error)
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    kept = base64.urlsafe_b64encode(json.dumps(asdict(attempt)).encode()).decode()
    set_cookie(response, request, services.settings, _COOKIE, kept, _LASTS)
    return response


@router.get(f"{_PATH}/callback")
def come_back(
    request: Request,
    services: ServicesDep,
    state: Annotated[str, Query(max_length=_LONGEST)] = "",
    code: Annotated[str, Query(max_length=_LONGEST)] = "",
    iss: Annotated[str | None, Query(max_length=_LONGEST)] = None,
) -> Response:
    """Start a session for the person whom the provider names."""
    provider = _provider(services.settings)
    attempt = _attempt(request)
    if attempt is None or not hmac.compare_digest(attempt.state.encode(), state.encode()):
        return _failed(request, None, ProviderError("this browser has not asked for it just now"))
    try:
        person = provider.finish(attempt, code, iss)
        token = start_provider_session(
            services.engine,
            person,
            lasts=services.settings.session_lasts,
            audit=audit_event(request),
        )
    except ProviderError as error:
        return _failed(request, attempt.wanted, error)
    except AccountDisabledError:
        return _failed(request, attempt.wanted, ProviderError("your account is disabled"))
    except EmailTakenError:
        text = "another account has your email address, and the provider has not verified it"
        return _failed(request, attempt.wanted, ProviderError(text))
    except NoAdministratorError:
        text = (
            "afterwards nobody could administer the service: an administrator signs in first, or "
            "runs `storemon accounts invite EMAIL --role admin`"
        )
        return _failed(request, attempt.wanted, ProviderError(text))
    response = RedirectResponse(next_address(request, attempt.wanted), HTTPStatus.SEE_OTHER)
    set_session(response, request, services.settings, token)
    response.delete_cookie(_COOKIE, path="/", httponly=True, samesite="lax")
    return response


def _provider(settings: ApiSettings) -> Provider:
    if settings.oidc_issuer is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Provider(settings)


def _attempt(request: Request) -> ProviderAttempt | None:
    try:
        kept = json.loads(base64.urlsafe_b64decode(request.cookies.get(_COOKIE, "")))
        return ProviderAttempt(**{name: str(value) for name, value in kept.items()})
    except (binascii.Error, ValueError, TypeError, AttributeError):
        return None


def _failed(request: Request, wanted: str | None, error: ProviderError) -> Response:
    _logger.warning("A sign-in at the provider failed: %s", error)
    response = sign_in_form(request, wanted, problem=f"Signing in failed: {error}.")
    response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    return response
