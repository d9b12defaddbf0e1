"""Routes to set the weekly hours and the time zone of a store."""

from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from fastapi import Path, Request, Response
from pydantic import BaseModel

from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.services import Services, ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.loads.load_responses import bad_rows, load_response
from storemon_api.loads.schemas import HoursBody, LoadResponse, TimezoneBody
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.loads.pushed_load import BadRowsError

router = Router(tag="data")

_Model = TypeVar("_Model", bound=BaseModel)

MAX_BYTES: Final = 256 * 1024

_StoreId = Annotated[
    str,
    Path(description="An unknown store is created.", examples=["7482936150293847561"]),
]
_RESPONSES: Final = {
    200: {"model": LoadResponse},
    **problem_responses(BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, BUSY, DATABASE_UNAVAILABLE),
}


@router.put(
    f"/stores/{STORE_ID}/hours",
    summary="Set the weekly hours of a store",
    responses=_RESPONSES,
    openapi_extra=json_body(HoursBody),
)
async def put_hours(request: Request, services: ServicesDep, store_id: _StoreId) -> Response:
    """Set the hours from `valid_from` on. Sending the same body again changes nothing."""
    body = await _read(request, services, HoursBody)
    rows = hours_rows(store_id, body)
    return await _write(request, services, Source.BUSINESS_HOURS, rows, "hours")


@router.put(
    f"/stores/{STORE_ID}/timezone",
    summary="Set the time zone of a store",
    responses=_RESPONSES,
    openapi_extra=json_body(TimezoneBody),
)
async def put_timezone(request: Request, services: ServicesDep, store_id: _StoreId) -> Response:
    """Set the zone from `valid_from` on. Sending the same body again changes nothing."""
    body = await _read(request, services, TimezoneBody)
    row = {"store_id": store_id, "timezone_str": body.timezone, "valid_from": body.valid_from}
    return await _write(request, services, Source.STORE_TIMEZONES, [row], "timezone")


def hours_rows(store_id: str, body: HoursBody) -> list[dict[str, str]]:
    """Return the body as rows of a file of hours."""
    return [
        {
            "store_id": store_id,
            "dayofweek": str(row.day_of_week),
            "start_time_local": row.start_time_local,
            "end_time_local": row.end_time_local,
            "valid_from": body.valid_from,
        }
        for row in body.hours
    ]


async def _read(request: Request, services: Services, model: type[_Model]) -> _Model:
    return await read_required_json(
        request, model, max_bytes=MAX_BYTES, time_limit=services.settings.body_timeout
    )


async def _write(
    request: Request, services: Services, source: Source, rows: list[dict[str, str]], what: str
) -> Response:
    try:
        load = await write(
            services,
            push_rows,
            source,
            rows,
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            audit=audit_event(request),
        )
    except BadRowsError as error:
        raise bad_rows(error, what) from error
    return load_response(load)
