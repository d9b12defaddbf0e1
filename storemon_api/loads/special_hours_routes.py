"""Routes to set, list and take back the hours of single dates of a store."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Query, Request, Response

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_format import TableFormatDep, listing_responses
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    UNKNOWN_SPECIAL_HOURS,
    ProblemError,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.schemas import DateOnly
from storemon_api.http.services import ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.loads.load_responses import bad_rows, load_response
from storemon_api.loads.schedule_routes import MAX_BYTES
from storemon_api.loads.schemas import (
    LoadResponse,
    SpecialHoursBody,
    SpecialHoursListResponse,
)
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event
from storemon_api.stores.store_filters import is_storable
from storemon_api.stores.store_in_path import StoreIdPath
from storemon_api.stores.week_responses import SPECIAL_HOURS_COLUMNS, special_hours_response
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.push_schedules import (
    NoSpecialHoursError,
    list_special_hours,
    push_rows,
    withdraw_pushed_special_hours,
)
from storemon_pipeline.loads.pushed_load import BadRowsError

router = Router(tag="data")

_BEFORE: Final = timedelta(days=7)
_AHEAD: Final = timedelta(days=366)


@router.put(
    f"/stores/{STORE_ID}/special-hours",
    summary="Set the hours of a store on one date",
    responses={
        200: {"model": LoadResponse},
        **problem_responses(
            BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, BUSY, DATABASE_UNAVAILABLE
        ),
    },
    openapi_extra=json_body(SpecialHoursBody),
)
async def put_special_hours(
    request: Request, services: ServicesDep, store_id: StoreIdPath
) -> Response:
    """Set the hours of the date. Sending the same body again changes nothing."""
    body = await read_required_json(
        request, SpecialHoursBody, max_bytes=MAX_BYTES, time_limit=services.settings.body_timeout
    )
    try:
        load = await write(
            services,
            push_rows,
            Source.SPECIAL_HOURS,
            special_hours_rows(store_id, body),
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            audit=audit_event(request),
        )
    except BadRowsError as error:
        raise bad_rows(error, "hours") from error
    return load_response(load)


def special_hours_rows(store_id: str, body: SpecialHoursBody) -> list[dict[str, str]]:
    """Return the body as rows of a file of special hours; one without times is a closed date."""
    times = [row.model_dump() for row in body.hours] or [
        {"start_time_local": "", "end_time_local": ""}
    ]
    of_date = {"store_id": store_id, "date": str(body.date), "valid_from": body.valid_from}
    return [of_date | row for row in times]


@router.get(
    f"/stores/{STORE_ID}/special-hours",
    summary="The hours of a store on single dates",
    responses={
        **listing_responses(SpecialHoursListResponse),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_special_hours(
    services: ServicesDep,
    table_format: TableFormatDep,
    store_id: StoreIdPath,
    first: Annotated[
        DateOnly | None, Query(alias="from", description="Default: a week before today.")
    ] = None,
    last: Annotated[
        DateOnly | None, Query(alias="to", description="The last date. Default: in a year.")
    ] = None,
) -> Response:
    """Return the special hours in force now; none for an unknown store."""
    now = datetime.now(UTC)
    url = services.settings.database_url.get_secret_value()
    found = (
        list_special_hours(
            url,
            store_id,
            first=first or (now - _BEFORE).date(),
            last=last or (now + _AHEAD).date(),
            as_of=now,
        )
        if is_storable(store_id)
        else []
    )
    return body_response(
        table_format,
        SpecialHoursListResponse(special_hours=[special_hours_response(one) for one in found]),
        "special_hours",
        SPECIAL_HOURS_COLUMNS,
    )


@router.delete(
    f"/stores/{STORE_ID}/special-hours",
    summary="Take back the hours of a store on one date",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses={
        204: {"description": "The weekly hours hold again."},
        **problem_responses(INVALID_REQUEST, UNKNOWN_SPECIAL_HOURS, BUSY, DATABASE_UNAVAILABLE),
    },
)
async def delete_special_hours(
    request: Request,
    services: ServicesDep,
    store_id: StoreIdPath,
    day: Annotated[DateOnly, Query(alias="date", examples=["2026-12-24"])],
) -> Response:
    """Let the weekly hours hold on the date again, in the past too."""
    if not is_storable(store_id):
        raise ProblemError(UNKNOWN_SPECIAL_HOURS)
    try:
        await write(
            services,
            withdraw_pushed_special_hours,
            store_id,
            day,
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            audit=audit_event(request),
        )
    except NoSpecialHoursError as error:
        raise ProblemError(UNKNOWN_SPECIAL_HOURS) from error
    return Response(status_code=HTTPStatus.NO_CONTENT)
