"""Routes to push, list and cancel events of stores."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from storemon_api.events.event_schemas import (
    EventsBody,
    StoredEventResponse,
    StoredEventsResponse,
)
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.paging import AfterId
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    INVALID_REQUEST,
    UNKNOWN_EVENT,
    ProblemError,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import ServicesDep
from storemon_api.loads.cancellation import cancel_row
from storemon_api.loads.load_responses import bad_rows, load_response
from storemon_api.loads.schemas import LoadResponse
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event, visible_stores, visible_stores_or_one
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.events.event_table import StoredEvent
from storemon_pipeline.ingestion.push_events import (
    NoEventError,
    cancel_pushed_event,
    list_events,
)
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.loads.pushed_load import BadRowsError

router = Router(tag="data")

MAX_BYTES: Final = 4 * 1024 * 1024
_MOST_LISTED: Final = 1_000


@router.post(
    "/events",
    summary="Push events",
    responses={
        200: {"model": LoadResponse},
        **problem_responses(
            BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, BUSY, DATABASE_UNAVAILABLE
        ),
    },
    openapi_extra=json_body(EventsBody),
)
async def post_events(request: Request, services: ServicesDep) -> Response:
    """Load events, all or nothing. Sending the same body again changes nothing.

    An event replaces the earlier one of the same store, source and start.
    """
    body = await read_required_json(
        request, EventsBody, max_bytes=MAX_BYTES, time_limit=services.settings.body_timeout
    )
    visible = visible_stores(request)
    if visible is not None and any(row.store_id.strip() not in visible for row in body.events):
        raise ProblemError(FORBIDDEN)
    rows = [row.model_dump() | {"to_utc": row.to_utc or ""} for row in body.events]
    try:
        load = await write(
            services,
            push_rows,
            Source.STORE_EVENTS,
            rows,
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            audit=audit_event(request),
        )
    except BadRowsError as error:
        raise bad_rows(error, "events") from error
    return load_response(load)


@router.get(
    "/store-events",
    summary="List events",
    responses={
        200: {"model": StoredEventsResponse},
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_store_events(
    request: Request,
    services: ServicesDep,
    store_id: Annotated[str | None, Query(description="Only events of this store.")] = None,
    after: AfterId = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100,
) -> Response:
    """Return a page of the events in force sorted by id, from files and from pushes."""
    visible = visible_stores_or_one(request, store_id)
    url = services.settings.database_url.get_secret_value()
    events = list_events(url, only_stores=visible, after=after, limit=limit)
    return json_response(
        StoredEventsResponse(
            events=[_response(event) for event in events],
            next_after=events[-1].event_id if len(events) == limit else None,
        )
    )


@router.delete(
    "/store-events/{event_id}",
    summary="Cancel an event",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses={
        204: {"description": "It was cancelled."},
        **problem_responses(UNKNOWN_EVENT, BUSY, DATABASE_UNAVAILABLE),
    },
)
async def delete_store_event(
    request: Request,
    services: ServicesDep,
    event_id: Annotated[str, Path(description="The id as listed.", examples=["12"])],
) -> Response:
    """Cancel the event, as if it had never been told, in the past too.

    A key that is limited to some stores can cancel events of these; all others are 403.
    """
    return await cancel_row(
        request,
        services,
        cancel_pushed_event,
        event_id,
        unknown=UNKNOWN_EVENT,
        error=NoEventError,
    )


def _response(event: StoredEvent) -> StoredEventResponse:
    return StoredEventResponse(
        event_id=event.event_id,
        store_id=event.store_id,
        from_utc=event.from_at,
        to_utc=event.to_at,
        state="up" if event.is_up else "down",
        reason=event.reason,
        source=event.source,
        loaded_at=event.loaded_at,
    )
