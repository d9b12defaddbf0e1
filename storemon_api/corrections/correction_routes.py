"""Routes to enter, list and take back corrections."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from storemon_api.corrections.correction_schemas import CorrectionBody, CorrectionsResponse
from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_format import TableFormatDep, listing_responses
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.paging import AfterId
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    INVALID_REQUEST,
    OVERLAPPING_CORRECTION,
    UNKNOWN_CORRECTION,
    UNKNOWN_STORE,
    ProblemError,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.loads.cancellation import cancel_row
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import (
    audit_event,
    sender_name,
    visible_stores,
    visible_stores_or_one,
)
from storemon_api.stores.store_responses import correction_response
from storemon_api.stores.store_schemas import CorrectionResponse
from storemon_pipeline.corrections.correction_table import NewCorrection
from storemon_pipeline.corrections.manage_corrections import (
    NoCorrectionError,
    OverlapError,
    UncorrectableStoreError,
    enter_correction,
    list_corrections,
    take_back_correction,
)

router = Router(tag="data")

MAX_BYTES: Final = 16 * 1024
_MOST_LISTED: Final = 1_000


@router.post(
    "/corrections",
    summary="Enter a correction",
    status_code=HTTPStatus.CREATED,
    responses={
        201: {"model": CorrectionResponse, "description": "It was entered."},
        **problem_responses(
            *(UNKNOWN_STORE, OVERLAPPING_CORRECTION, BODY_TOO_SLOW, BODY_TOO_LARGE),
            *(INVALID_REQUEST, BUSY, DATABASE_UNAVAILABLE),
        ),
    },
    openapi_extra=json_body(CorrectionBody),
)
async def post_correction(request: Request, services: ServicesDep) -> Response:
    """Take time of a store out, or count it as up or down; polls stay as they are."""
    body = await read_required_json(
        request, CorrectionBody, max_bytes=MAX_BYTES, time_limit=services.settings.body_timeout
    )
    visible = visible_stores(request)
    if visible is not None and body.store_id not in visible:
        raise ProblemError(FORBIDDEN)
    new = NewCorrection(
        body.store_id, body.from_utc, body.to_utc, body.kind, body.reason, sender_name(request)
    )
    try:
        stored = await write(
            services,
            enter_correction,
            new,
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            audit=audit_event(request, body.store_id),
        )
    except UncorrectableStoreError as error:
        raise ProblemError(UNKNOWN_STORE) from error
    except OverlapError as error:
        raise ProblemError(OVERLAPPING_CORRECTION) from error
    return Response(
        correction_response(stored).model_dump_json(),
        status_code=HTTPStatus.CREATED,
        headers={"Location": f"/corrections/{stored.correction_id}"},
        media_type="application/json",
    )


@router.get(
    "/corrections",
    summary="List corrections",
    responses={
        **listing_responses(CorrectionsResponse),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_corrections(
    request: Request,
    services: ServicesDep,
    table_format: TableFormatDep,
    store_id: Annotated[str | None, Query(description="Only corrections of this store.")] = None,
    after: AfterId = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100,
) -> Response:
    """Return a page of the corrections in force sorted by id, with reason and author."""
    visible = visible_stores_or_one(request, store_id)
    url = services.settings.database_url.get_secret_value()
    after, limit = table_format.part(after, limit)
    corrections = list_corrections(url, only_stores=visible, after=after, limit=limit)
    return body_response(
        table_format,
        CorrectionsResponse(
            corrections=[correction_response(one) for one in corrections],
            next_after=corrections[-1].correction_id if len(corrections) == limit else None,
        ),
        "corrections",
    )


@router.delete(
    "/corrections/{correction_id}",
    summary="Take a correction back",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses={
        204: {"description": "It was taken back."},
        **problem_responses(UNKNOWN_CORRECTION, BUSY, DATABASE_UNAVAILABLE),
    },
)
async def delete_correction(
    request: Request,
    services: ServicesDep,
    correction_id: Annotated[str, Path(description="The id as listed.", examples=["12"])],
) -> Response:
    """Count the time again as polls, events and hours say, in the past too.

    A key that is limited to some stores can take back corrections of these; all others are 403.
    """
    return await cancel_row(
        request,
        services,
        partial(take_back_correction, author=sender_name(request)),
        correction_id,
        unknown=UNKNOWN_CORRECTION,
        error=NoCorrectionError,
    )
