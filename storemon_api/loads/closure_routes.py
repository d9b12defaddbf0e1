"""Routes to add, list and cancel planned closures, and their calendar."""

from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_format import TableFormat, TableFormatDep, listing_responses
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.paging import AfterId
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    INVALID_REQUEST,
    UNKNOWN_CLOSURE,
    UNKNOWN_STORE,
    ProblemError,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.services import Services, ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.loads.cancellation import cancel_row
from storemon_api.loads.load_responses import bad_rows
from storemon_api.loads.schemas import ClosureBody, ClosureResponse, ClosuresResponse
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event, sender_name, visible_stores
from storemon_api.stores.store_filters import is_storable
from storemon_api.stores.store_in_path import StoreIdPath
from storemon_pipeline.ingestion.push_schedules import (
    NoClosureError,
    cancel_pushed_closure,
    list_closures,
    push_closure,
)
from storemon_pipeline.loads.pushed_load import BadRowsError
from storemon_pipeline.schedules.closures import StoredClosure
from storemon_pipeline.views.closure_feed import MOST_CLOSURES, TooManyClosuresError, closure_feed
from storemon_pipeline.views.store_view import UnknownStoreError

router = Router(tag="data")

MAX_BYTES: Final = 16 * 1024
_MOST_LISTED: Final = 1_000
_MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
_CALENDAR: Final = {"description": "The calendar.", "content": {"text/calendar": {}}}


@router.post(
    "/closures",
    summary="Add a planned closure",
    status_code=HTTPStatus.CREATED,
    responses={
        200: {"model": ClosureResponse, "description": "It existed already."},
        201: {"model": ClosureResponse, "description": "It was added."},
        **problem_responses(
            BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, BUSY, DATABASE_UNAVAILABLE
        ),
    },
    openapi_extra=json_body(ClosureBody),
)
async def post_closure(request: Request, services: ServicesDep) -> Response:
    """Exclude a period of local time from business time, for one store or for every store."""
    body = await read_required_json(
        request, ClosureBody, max_bytes=MAX_BYTES, time_limit=services.settings.body_timeout
    )
    _check_store(request, body.store_id)
    row = {
        "store_id": body.store_id,
        "start_local": body.start_local,
        "end_local": body.end_local or "",
        "reason": body.reason,
    }
    try:
        closure, is_new = await write(
            services,
            push_closure,
            row,
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            author=sender_name(request),
            audit=audit_event(request, body.store_id),
        )
    except BadRowsError as error:
        raise bad_rows(error, "closures") from error
    return Response(
        _closure_response(closure).model_dump_json(exclude_none=True),
        status_code=HTTPStatus.CREATED if is_new else HTTPStatus.OK,
        headers={"Location": f"/closures/{closure.closure_id}"},
        media_type="application/json",
    )


@router.get(
    "/closures",
    summary="List planned closures",
    responses={
        **listing_responses(ClosuresResponse),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_closures(
    request: Request,
    services: ServicesDep,
    table_format: TableFormatDep,
    store_id: Annotated[
        str | None, Query(description="Only closures of this store and of every store.")
    ] = None,
    after: AfterId = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100,
) -> Response:
    """Return a page of closures sorted by id, from files and from pushes."""
    visible = visible_stores(request)
    if store_id is not None:
        _check_store(request, store_id)
        visible = frozenset({store_id})
        if "\0" in store_id:
            return _page(table_format, [], limit)
    url = services.settings.database_url.get_secret_value()
    after, limit = table_format.part(after, limit)
    closures = list_closures(url, only_stores=visible, after=after, limit=limit)
    return _page(table_format, closures, limit)


@router.get(
    "/closures.ics",
    summary="Planned closures as a calendar",
    response_class=Response,
    responses={200: _CALENDAR, **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE)},
)
def get_closures_calendar(request: Request, services: ServicesDep) -> Response:
    """Return an iCalendar feed of the closures that are not over for a year.

    Closures of every store are in local time without a zone, because each store has its own.
    """
    return _feed(services, None, visible_stores(request))


@router.get(
    f"/stores/{STORE_ID}/closures.ics",
    summary="Planned closures of a store as a calendar",
    response_class=Response,
    responses={
        200: _CALENDAR,
        **problem_responses(UNKNOWN_STORE, INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_store_closures_calendar(services: ServicesDep, store_id: StoreIdPath) -> Response:
    """Return an iCalendar feed of its closures, and those of every store, by its own clock."""
    if not is_storable(store_id):
        raise ProblemError(UNKNOWN_STORE)
    return _feed(services, store_id, None)


@router.delete(
    "/closures/{closure_id}",
    summary="Cancel a closure",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses={
        204: {"description": "It was cancelled."},
        **problem_responses(UNKNOWN_CLOSURE, BUSY, DATABASE_UNAVAILABLE),
    },
)
async def delete_closure(
    request: Request,
    services: ServicesDep,
    closure_id: Annotated[str, Path(description="The id as listed.", examples=["7"])],
) -> Response:
    """Count the closure's period as business time again, in the past too.

    A key that is limited to some stores can cancel closures of these; all others are 403.
    """
    return await cancel_row(
        request,
        services,
        cancel_pushed_closure,
        closure_id,
        unknown=UNKNOWN_CLOSURE,
        error=NoClosureError,
    )


def _check_store(request: Request, store_id: str) -> None:
    """Raise a 403 problem unless the request may see this store."""
    visible = visible_stores(request)
    if visible is not None and store_id not in visible:
        raise ProblemError(FORBIDDEN)


def _feed(services: Services, store_id: str | None, visible: frozenset[str] | None) -> Response:
    url = services.settings.database_url.get_secret_value()
    now = datetime.now(UTC)
    try:
        feed = closure_feed(url, store_id=store_id, only_stores=visible, now=now)
    except UnknownStoreError as error:
        raise ProblemError(UNKNOWN_STORE) from error
    except TooManyClosuresError as error:
        detail = f"There are more than {MOST_CLOSURES:,} closures. Use the feed of each store."
        raise ProblemError(INVALID_REQUEST, detail) from error
    return Response(
        feed,
        media_type=_MEDIA_TYPE,
        headers={"Content-Disposition": 'inline; filename="closures.ics"'},
    )


def _page(table_format: TableFormat, closures: list[StoredClosure], limit: int) -> Response:
    body = ClosuresResponse(
        closures=[_closure_response(closure) for closure in closures],
        next_after=closures[-1].closure_id if len(closures) == limit else None,
    )
    return body_response(table_format, body, "closures", exclude_none=True)


def _closure_response(closure: StoredClosure) -> ClosureResponse:
    return ClosureResponse(**asdict(closure))
