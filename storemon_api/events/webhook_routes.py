"""Routes that receive signed messages of platforms, which become events of stores."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from storemon_api.events.webhook_sources import ReadySource, WebhookSourcesDep
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    INVALID_SIGNATURE,
    UNKNOWN_WEBHOOK,
    WEBHOOK_NOT_READY,
    ProblemError,
    invalid_field,
)
from storemon_api.http.request_bodies import read_body
from storemon_api.http.routing import Router
from storemon_api.http.services import Services, ServicesDep
from storemon_api.loads.load_responses import load_response
from storemon_api.loads.schemas import LoadResponse
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.rate_limits import RateLimits
from storemon_api.security.request_access import audit_event, client_of
from storemon_pipeline.webhooks.message_events import UnmappedMessageError
from storemon_pipeline.webhooks.receive_message import Message, receive_message, record_refusal
from storemon_pipeline.webhooks.signatures import BadSignatureError, Signed, check_signature
from storemon_pipeline.webhooks.webhook_settings import NoSecretError

router = Router(tag="data", is_strict=False)

MAX_BYTES: Final = 1024 * 1024
REFUSED: Final = "webhook.refuse"
"""The action in the audit log for a message with a bad signature."""

_CHALLENGE: Final = {"WWW-Authenticate": 'Signature realm="storemon"'}

_SourcePath = Annotated[
    str, Path(description="The table in `webhooks.toml`.", examples=["doordash"])
]
_OPTIONS: Final[dict[str, Any]] = {
    "responses": {
        200: {"model": LoadResponse},
        **problem_responses(
            BODY_TOO_SLOW,
            BODY_TOO_LARGE,
            INVALID_REQUEST,
            INVALID_SIGNATURE,
            UNKNOWN_WEBHOOK,
            WEBHOOK_NOT_READY,
            BUSY,
            DATABASE_UNAVAILABLE,
        ),
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "description": "The message as the platform sends it.",
            "content": {"application/json": {"schema": {}}},
        }
    },
}


@router.post("/webhooks/{source}", summary="Receive a message of a platform", **_OPTIONS)
async def post_webhook(
    request: Request, services: ServicesDep, sources: WebhookSourcesDep, source: _SourcePath
) -> Response:
    """Load the events of a signed message. It needs the signature of its source, and no key.

    A message with an id that was loaded before changes nothing.
    """
    return await _receive(request, services, await run_in_threadpool(sources.find, source))


@router.put("/webhooks/{source}", summary="Receive a message that is sent with PUT", **_OPTIONS)
async def put_webhook(
    request: Request, services: ServicesDep, sources: WebhookSourcesDep, source: _SourcePath
) -> Response:
    """As `POST`, for platforms that send their messages so."""
    return await _receive(request, services, await run_in_threadpool(sources.find, source))


async def _receive(request: Request, services: Services, ready: ReadySource) -> Response:
    body = await read_body(request, max_bytes=MAX_BYTES, time_limit=services.settings.body_timeout)
    now = datetime.now(UTC)
    signed = await _check(request, services, ready, body, now=now)
    try:
        load = await write(
            services,
            receive_message,
            Message(ready.name, ready.source, body, signed.message_id, signed.signed_at or now),
            now=now,
            patience=WRITE_TIMEOUT,
            audit=audit_event(request, ready.name),
        )
    except UnmappedMessageError as error:
        raise invalid_field(error.path, str(error)) from error
    return load_response(load)


async def _check(
    request: Request, services: Services, ready: ReadySource, body: bytes, *, now: datetime
) -> Signed:
    """What the headers say about the message. Raises a 401 problem, which is audited."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        return check_signature(ready.source, ready.secrets, headers, body, now=now)
    except NoSecretError as error:
        raise ProblemError(WEBHOOK_NOT_READY, str(error)) from error
    except BadSignatureError as error:
        await run_in_threadpool(_audit_refusal, request, services, ready.name)
        raise ProblemError(INVALID_SIGNATURE, str(error), headers=_CHALLENGE) from error


def _audit_refusal(request: Request, services: Services, name: str) -> None:
    """Write an audit event, but not for each of many refusals of one client: anybody can send."""
    limits: RateLimits = request.app.state.webhook_refusals
    if limits.seconds_to_wait(client_of(request), datetime.now(UTC).timestamp()) == 0:
        record_refusal(services.engine, replace(audit_event(request, name), action=REFUSED))
