"""Acknowledging, silencing and noting on alerts."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from storemon_api.alerts.alert_schemas import AlertActionBody
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.paging import LARGEST_WIDE_ID, read_row_id
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    INVALID_REQUEST,
    UNKNOWN_ALERT,
    ProblemError,
    invalid_field,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.security.request_access import audit_event, sender_name, visible_stores
from storemon_api.stores.store_filters import is_storable
from storemon_pipeline.alerts.alert_actions import record_action
from storemon_pipeline.alerts.alert_lists import Action, NewAction, NoAlertError

router = Router(tag="fleet")

_MAX_BYTES: Final = 16 * 1024


@router.post(
    "/alerts/{alert_id}/actions",
    summary="Acknowledge or silence an alert, or write a note on it",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses={
        204: {"description": "It was done. `GET /alerts` shows it."},
        **problem_responses(
            UNKNOWN_ALERT, BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, DATABASE_UNAVAILABLE
        ),
    },
    openapi_extra=json_body(AlertActionBody),
)
async def post_alert_action(
    request: Request,
    services: ServicesDep,
    alert_id: Annotated[str, Path(description="The id as listed.", examples=["7"])],
) -> Response:
    """Record the action with the name of the key that did it.

    A silenced alert sends no message before `until`; what waits is sent then. The silence also
    holds for later alerts of the same kind and subject. A key that is limited to some stores can
    act on alerts about these; all others are 403.
    """
    body = await read_required_json(
        request, AlertActionBody, max_bytes=_MAX_BYTES, time_limit=services.settings.body_timeout
    )
    now = datetime.now(UTC)
    if (body.action is Action.SILENCE) != (body.until is not None):
        raise invalid_field("until", "Give `until` with `silence`, and only with it.")
    if body.until is not None and body.until <= now:
        raise invalid_field("until", "Pick a time in the future.")
    if not is_storable(body.note):
        raise invalid_field("note", "`note` holds a character that cannot be stored.")
    if body.action is Action.NOTE and not body.note.strip():
        raise invalid_field("note", "Write a note.")
    visible = visible_stores(request)
    unknown = UNKNOWN_ALERT if visible is None else FORBIDDEN
    number = read_row_id(alert_id, unknown=unknown, largest=LARGEST_WIDE_ID)
    try:
        await run_in_threadpool(
            record_action,
            services.engine,
            number,
            NewAction(body.action, sender_name(request), body.note.strip(), body.until),
            now=now,
            only_stores=visible,
            audit=audit_event(request, f"alert {alert_id}: {body.action}"),
        )
    except NoAlertError as error:
        raise ProblemError(unknown) from error
    return Response(status_code=HTTPStatus.NO_CONTENT)
