"""Routes to close all stores of a group, of a region or of the chain in one step."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from fastapi import Request, Response

from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    NO_POLLS,
    ProblemError,
    invalid_field,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import Services, ServicesDep
from storemon_api.loads.closures.many_stores_schemas import (
    ClosedStoresResponse,
    ClosingBody,
    ClosingPreviewResponse,
)
from storemon_api.loads.load_responses import bad_rows
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event, sender_name, visible_stores
from storemon_api.stores.store_filters import check_texts
from storemon_pipeline.ingestion.close_stores import (
    NoStoresError,
    close_stores,
    preview_closing,
)
from storemon_pipeline.loads.pushed_load import BadRowsError
from storemon_pipeline.statements.statement import Scope
from storemon_pipeline.views.store_view import NoPollsError

router = Router(tag="data")

_MAX_BYTES: Final = 16 * 1024
_PROBLEMS: Final = (BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, BUSY, DATABASE_UNAVAILABLE)


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
