"""Routes to close all stores of a group, of a region or of the chain, and to take that back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_format import TableFormatDep, listing_responses
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.paging import read_row_id
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    INVALID_REQUEST,
    NO_POLLS,
    UNKNOWN_CLOSURE,
    ProblemError,
    invalid_field,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import Services, ServicesDep
from storemon_api.loads.cancellation import cancel_row
from storemon_api.loads.closures.many_stores_schemas import (
    ClosedStoresResponse,
    ClosingBody,
    ClosingPreviewResponse,
    ClosingResponse,
    ClosingsResponse,
)
from storemon_api.loads.load_responses import bad_rows
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event, sender_name, visible_stores
from storemon_api.stores.store_filters import check_texts
from storemon_pipeline.ingestion.closings.close_stores import (
    NoStoresError,
    close_stores,
    preview_closing,
)
from storemon_pipeline.ingestion.closings.closing_preview import ClosingPreview
from storemon_pipeline.ingestion.closings.take_back_closing import (
    NoClosingError,
    list_closings,
    preview_taking_back,
    take_back_closing,
)
from storemon_pipeline.loads.pushed_load import BadRowsError
from storemon_pipeline.statements.statement import Scope
from storemon_pipeline.views.store_view import NoPollsError

router = Router(tag="data")

_MAX_BYTES: Final = 16 * 1024
_MOST_LISTED: Final = 100
_PROBLEMS: Final = (BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, BUSY, DATABASE_UNAVAILABLE)


LoadId = Annotated[str, Path(description="The `load_id` as listed.", examples=["7"])]


@router.post(
    "/fleet/closures",
    summary="Close all stores of a group or region",
    status_code=HTTPStatus.OK,
    responses={200: {"model": ClosedStoresResponse}, **problem_responses(*_PROBLEMS)},
    openapi_extra=json_body(ClosingBody),
)
async def post_closing(request: Request, services: ServicesDep) -> Response:
    """Add a planned closure for each store that is now of the group and region.

    Without both it is one closure for every store, later ones too. A key of some stores closes
    these alone.
    """
    body = await _read(request, services)
    names = [name for name in (body.group, body.region) if name]
    with _closing_problems():
        closed = await write(
            services,
            close_stores,
            Scope(None, body.group, body.region),
            _row(body),
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            only_stores=visible_stores(request),
            author=sender_name(request),
            audit=audit_event(request, ", ".join(names) or "all stores"),
        )
    return json_response(
        ClosedStoresResponse(
            load_id=closed.load_id, stores=closed.stores, closures_added=closed.closures_added
        )
    )


@router.post(
    "/fleet/closures/preview",
    summary="What closing the stores of a group or region would change",
    responses={
        200: {"model": ClosingPreviewResponse},
        **problem_responses(*_PROBLEMS, NO_POLLS),
    },
    openapi_extra=json_body(ClosingBody),
)
async def post_closing_preview(request: Request, services: ServicesDep) -> Response:
    """Return the opening time that `POST /fleet/closures` with this body would take out.

    Nothing is closed.
    """
    body = await _read(request, services)
    with _closing_problems():
        preview = await write(
            services,
            preview_closing,
            Scope(None, body.group, body.region),
            _row(body),
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            only_stores=visible_stores(request),
        )
    return _preview(preview)


@router.get(
    "/fleet/closures",
    summary="List closings of many stores",
    responses={
        **listing_responses(ClosingsResponse),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_closings(
    request: Request,
    services: ServicesDep,
    table_format: TableFormatDep,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 20,
) -> Response:
    """Return the newest closings of several stores in one step, or of every store, in force.

    A key that is limited to some stores gets those of none but these.
    """
    _, limit = table_format.part(0, limit)
    closings = list_closings(
        services.settings.database_url.get_secret_value(),
        only_stores=visible_stores(request),
        limit=limit,
    )
    body = ClosingsResponse(closings=[ClosingResponse(**asdict(one)) for one in closings])
    return body_response(table_format, body, "closings")


@router.delete(
    "/fleet/closures/{load_id}",
    summary="Take back a closing of many stores",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses={
        204: {"description": "It was taken back."},
        **problem_responses(UNKNOWN_CLOSURE, BUSY, DATABASE_UNAVAILABLE),
    },
)
async def delete_closing(request: Request, services: ServicesDep, load_id: LoadId) -> Response:
    """Undo the load of the closing: its stores' time counts as if it had never been entered.

    A key that is limited to some stores can take back closings of none but these; all others are
    403.
    """
    return await cancel_row(
        request,
        services,
        take_back_closing,
        load_id,
        unknown=UNKNOWN_CLOSURE,
        error=NoClosingError,
    )


@router.post(
    "/fleet/closures/{load_id}/preview",
    summary="What taking back a closing of many stores would change",
    responses={
        200: {"model": ClosingPreviewResponse},
        **problem_responses(UNKNOWN_CLOSURE, NO_POLLS, BUSY, DATABASE_UNAVAILABLE),
    },
)
async def post_taking_back_preview(
    request: Request, services: ServicesDep, load_id: LoadId
) -> Response:
    """Return the opening time that would count again. Nothing is taken back."""
    visible = visible_stores(request)
    problem = UNKNOWN_CLOSURE if visible is None else FORBIDDEN
    try:
        preview = await write(
            services,
            preview_taking_back,
            read_row_id(load_id, unknown=problem),
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            only_stores=visible,
        )
    except NoClosingError as error:
        raise ProblemError(problem) from error
    except NoPollsError as error:
        raise ProblemError(NO_POLLS) from error
    return _preview(preview)


def _preview(preview: ClosingPreview) -> Response:
    return json_response(
        ClosingPreviewResponse(
            as_of=preview.as_of,
            stores=preview.stores,
            business_us=preview.past.business_us,
            uptime_us=preview.past.uptime_us,
            downtime_us=preview.past.downtime_us,
            coming_us=preview.coming_us,
        )
    )


async def _read(request: Request, services: Services) -> ClosingBody:
    body = await read_required_json(
        request, ClosingBody, max_bytes=_MAX_BYTES, time_limit=services.settings.body_timeout
    )
    check_texts(group=body.group, region=body.region)
    return body


def _row(body: ClosingBody) -> dict[str, str]:
    return {
        "start_local": body.start_local,
        "end_local": body.end_local or "",
        "reason": body.reason,
    }


@contextmanager
def _closing_problems() -> Iterator[None]:
    try:
        yield
    except BadRowsError as error:
        raise bad_rows(error, "closures") from error
    except NoStoresError as error:
        message = "There is no store of this group and region."
        raise invalid_field("group", message) from error
    except NoPollsError as error:
        raise ProblemError(NO_POLLS) from error
