"""Routes to schedule statements by mail, and to list their deliveries."""

from datetime import UTC, datetime, time
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_format import TableFormatDep, listing_responses
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.paging import read_row_id
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    SAME_SCHEDULE,
    UNKNOWN_SCHEDULE,
    ProblemError,
    invalid_field,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import ServicesDep
from storemon_api.security.request_access import audit_event, sender_name, visible_stores
from storemon_api.statements.delivery_schemas import (
    DeliveriesResponse,
    ScheduleBody,
    ScheduleResponse,
    SchedulesResponse,
    delivery_response,
    schedule_response,
)
from storemon_api.stores.store_filters import check_texts
from storemon_pipeline.business_time.zones import zone_keys
from storemon_pipeline.sent_statements.delivery_table import NewSchedule, Schedule
from storemon_pipeline.sent_statements.manage_schedules import (
    NoScheduleError,
    SameScheduleError,
    add_schedule,
    end_schedule,
    list_deliveries,
    list_schedules,
)
from storemon_pipeline.sent_statements.request import StatementRequest
from storemon_pipeline.sent_statements.schedule import Timetable
from storemon_pipeline.statements.statement import Scope

router = Router(tag="statements")

_MAX_BYTES: Final = 16 * 1024
_MOST_LISTED: Final = 1_000


@router.post(
    "/statement-schedules",
    summary="Send a statement every week or month",
    status_code=HTTPStatus.OK,
    responses={
        200: {"model": ScheduleResponse},
        **problem_responses(
            *(BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, SAME_SCHEDULE, DATABASE_UNAVAILABLE)
        ),
    },
    openapi_extra=json_body(ScheduleBody),
)
async def post_schedule(request: Request, services: ServicesDep) -> Response:
    """Create the schedule. Its first statement is the next one that is due.

    One that would send an address the same file of the same stores at the same time as another
    schedule is refused.
    """
    body = await read_required_json(
        request, ScheduleBody, max_bytes=_MAX_BYTES, time_limit=services.settings.body_timeout
    )
    check_texts(store_id=body.store_id, group=body.group, region=body.region)
    if body.timezone not in zone_keys():
        raise invalid_field("timezone", "Give the name of a time zone, such as America/Chicago.")
    scope = Scope(body.store_id, body.group, body.region)
    new = NewSchedule(
        StatementRequest(scope, "", body.objective, visible_stores(request)),
        Timetable(body.every, time.fromisoformat(body.at), body.timezone),
        tuple(body.to),
        body.format,
        sender_name(request),
    )
    now = datetime.now(UTC)
    try:
        schedule_id = await run_in_threadpool(
            add_schedule,
            services.engine,
            new,
            now=now,
            audit=audit_event(
                request, f"{body.every} {body.at} {body.timezone} to {', '.join(body.to)}"
            ),
        )
    except SameScheduleError as error:
        raise ProblemError(SAME_SCHEDULE, str(error)) from error
    return json_response(schedule_response(Schedule(schedule_id, new, now, None), now))


@router.get(
    "/statement-schedules",
    summary="List schedules of statements",
    responses={
        **listing_responses(SchedulesResponse),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_schedules(
    request: Request, services: ServicesDep, table_format: TableFormatDep
) -> Response:
    """Return the active schedules. A key of some stores gets those of these alone."""
    now = datetime.now(UTC)
    found = list_schedules(services.reader, only_stores=visible_stores(request))
    return body_response(
        table_format,
        SchedulesResponse(schedules=[schedule_response(one, now) for one in found]),
        "schedules",
    )


@router.delete(
    "/statement-schedules/{schedule_id}",
    summary="End a schedule of statements",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses={
        204: {"description": "It was ended."},
        **problem_responses(UNKNOWN_SCHEDULE, DATABASE_UNAVAILABLE),
    },
)
def delete_schedule(
    request: Request,
    services: ServicesDep,
    schedule_id: Annotated[str, Path(description="The id as listed.", examples=["3"])],
) -> Response:
    """End the schedule. What it has queued before is still sent."""
    number = read_row_id(schedule_id, unknown=UNKNOWN_SCHEDULE)
    try:
        end_schedule(
            services.engine,
            number,
            now=datetime.now(UTC),
            only_stores=visible_stores(request),
            audit=audit_event(request, schedule_id),
        )
    except NoScheduleError as error:
        raise ProblemError(UNKNOWN_SCHEDULE) from error
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    "/statement-deliveries",
    summary="List statements by mail",
    responses={
        **listing_responses(DeliveriesResponse),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_deliveries(
    request: Request,
    services: ServicesDep,
    table_format: TableFormatDep,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100,
) -> Response:
    """Return a page of deliveries, the newest first, with their state, tries and errors."""
    offset, limit = table_format.part(offset, limit)
    found = list_deliveries(
        services.reader, only_stores=visible_stores(request), offset=offset, limit=limit
    )
    return body_response(
        table_format,
        DeliveriesResponse(
            deliveries=[delivery_response(delivery) for delivery in found],
            next_offset=offset + limit if len(found) == limit else None,
        ),
        "deliveries",
    )
