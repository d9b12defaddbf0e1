"""Routes about changes of one store: previews, versions of its hours, who changed what."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from storemon_api.downloads.body_tables import body_response, columns_of
from storemon_api.downloads.table_file import Cell, Column
from storemon_api.downloads.table_format import TableFormatDep, listing_responses
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.paging import LARGEST_ID
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    NO_POLLS,
    OVERLAPPING_CORRECTION,
    UNKNOWN_CLOSURE,
    UNKNOWN_CORRECTION,
    UNKNOWN_HOURS,
    UNKNOWN_SPECIAL_HOURS,
    UNKNOWN_STORE,
    ProblemError,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.loads.load_responses import bad_rows
from storemon_api.loads.schedule_routes import MAX_BYTES, hours_rows
from storemon_api.loads.special_hours_routes import special_hours_rows
from storemon_api.loads.store_change_schemas import (
    ChangedDayResponse,
    ChangedFigures,
    ChangeResponse,
    ChangesResponse,
    HoursVersionResponse,
    HoursVersionsResponse,
    PreviewBody,
    PreviewResponse,
    TotalsResponse,
)
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event, visible_stores
from storemon_api.stores.store_filters import is_storable
from storemon_api.stores.store_in_path import StoreIdPath
from storemon_api.stores.store_responses import wall_clock
from storemon_api.stores.store_schemas import OpenInterval
from storemon_api.stores.week_responses import open_intervals
from storemon_pipeline.corrections.correction_table import NewCorrection
from storemon_pipeline.corrections.manage_corrections import (
    NoCorrectionError,
    OverlapError,
)
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.push_schedules import NoClosureError, NoSpecialHoursError
from storemon_pipeline.ingestion.store_changes import (
    CancelledClosure,
    CancelledCorrection,
    Change,
    NewRows,
    NoHoursError,
    Preview,
    WithdrawnDate,
    WithdrawnHours,
    list_changes,
    list_hours,
    preview_change,
    withdraw_hours,
)
from storemon_pipeline.loads.pushed_load import BadRowsError
from storemon_pipeline.views.store_view import NoPollsError, UnknownStoreError

router = Router(tag="data")

_MOST_CHANGES: Final = 50


def _of(place: int, columns: Sequence[Column[Any]]) -> list[Column[Any]]:
    """Return the columns of one part of rows that have several."""

    def cell(column: Column[Any]) -> Callable[[Sequence[Any]], Cell]:
        return lambda row: column.cell(row[place])

    return [Column(column.name, cell(column)) for column in columns]


_HOURS_COLUMNS: Final = (
    *_of(0, columns_of(HoursVersionResponse, "hours")),
    *_of(1, columns_of(OpenInterval)),
)


@router.post(
    f"/stores/{STORE_ID}/preview",
    summary="What a change of hours, closures or corrections would do to past figures",
    responses={
        200: {"model": PreviewResponse},
        **problem_responses(
            BODY_TOO_SLOW,
            BODY_TOO_LARGE,
            INVALID_REQUEST,
            UNKNOWN_STORE,
            UNKNOWN_CLOSURE,
            UNKNOWN_CORRECTION,
            UNKNOWN_HOURS,
            UNKNOWN_SPECIAL_HOURS,
            OVERLAPPING_CORRECTION,
            NO_POLLS,
            BUSY,
            DATABASE_UNAVAILABLE,
        ),
    },
    openapi_extra=json_body(PreviewBody),
)
async def post_preview(request: Request, services: ServicesDep, store_id: StoreIdPath) -> Response:
    """Return the store's newest figures and its days before and after the change.

    The change is not made.
    """
    body = await read_required_json(
        request, PreviewBody, max_bytes=MAX_BYTES, time_limit=services.settings.body_timeout
    )
    if not is_storable(store_id):
        raise ProblemError(UNKNOWN_STORE)
    try:
        preview = await write(
            services,
            preview_change,
            store_id,
            _change(store_id, body),
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            only_stores=visible_stores(request),
        )
    except BadRowsError as error:
        raise bad_rows(error, "closures" if body.closure else "hours") from error
    except NoClosureError as error:
        raise ProblemError(UNKNOWN_CLOSURE) from error
    except NoHoursError as error:
        raise ProblemError(UNKNOWN_HOURS) from error
    except NoSpecialHoursError as error:
        raise ProblemError(UNKNOWN_SPECIAL_HOURS) from error
    except NoCorrectionError as error:
        raise ProblemError(UNKNOWN_CORRECTION) from error
    except OverlapError as error:
        raise ProblemError(OVERLAPPING_CORRECTION) from error
    except UnknownStoreError as error:
        raise ProblemError(UNKNOWN_STORE) from error
    except NoPollsError as error:
        raise ProblemError(NO_POLLS) from error
    return json_response(_preview_response(store_id, preview))


@router.get(
    f"/stores/{STORE_ID}/hours",
    summary="All versions of a store's weekly hours",
    responses={
        **listing_responses(HoursVersionsResponse),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_hours(
    services: ServicesDep, table_format: TableFormatDep, store_id: StoreIdPath
) -> Response:
    """Return the versions from files and from requests; none for an unknown store.

    A file has a row for each interval of each version.
    """
    url = services.settings.database_url.get_secret_value()
    versions = list_hours(url, store_id) if is_storable(store_id) else []
    body = HoursVersionsResponse(
        versions=[
            HoursVersionResponse(
                load_id=version.load_id,
                valid_from=version.valid_from,
                loaded_at=version.loaded_at,
                is_pushed=version.is_pushed,
                hours=open_intervals(version.starts, version.ends),
            )
            for version in versions
        ]
    )
    rows = [(version, interval) for version in body.versions for interval in version.hours]
    return body_response(table_format, body, "versions", _HOURS_COLUMNS, rows=rows, name="hours")


@router.delete(
    f"/stores/{STORE_ID}/hours",
    summary="Take back hours that were sent by a request",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses={
        204: {"description": "They were taken back."},
        **problem_responses(INVALID_REQUEST, UNKNOWN_HOURS, BUSY, DATABASE_UNAVAILABLE),
    },
)
async def delete_hours(
    request: Request,
    services: ServicesDep,
    store_id: StoreIdPath,
    load_id: Annotated[
        int, Query(ge=1, le=LARGEST_ID, description="Load of the hours, as listed.")
    ],
) -> Response:
    """Count the store's time as if these hours had never been sent."""
    if not is_storable(store_id):
        raise ProblemError(UNKNOWN_HOURS)
    try:
        await write(
            services,
            withdraw_hours,
            store_id,
            load_id,
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            audit=audit_event(request),
        )
    except NoHoursError as error:
        raise ProblemError(UNKNOWN_HOURS) from error
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    f"/stores/{STORE_ID}/changes",
    summary="Who changed a store's hours, zone, closures and corrections",
    responses={
        **listing_responses(ChangesResponse),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_changes(
    services: ServicesDep, table_format: TableFormatDep, store_id: StoreIdPath
) -> Response:
    """Return the 50 newest changes by requests. Closures of every store are among them.

    A file has all of them.
    """
    url = services.settings.database_url.get_secret_value()
    _, limit = table_format.part(0, _MOST_CHANGES)
    changes = list_changes(url, store_id, limit=limit) if is_storable(store_id) else []
    return body_response(
        table_format,
        ChangesResponse(
            changes=[
                ChangeResponse(
                    at=change.at,
                    action=change.action,
                    by=change.sender_name,
                    client=change.client,
                    closure_id=change.closure_id,
                    correction_id=change.correction_id,
                )
                for change in changes
            ]
        ),
        "changes",
    )


def _change(store_id: str, body: PreviewBody) -> Change:
    if (time := body.correction) is not None:
        return NewCorrection(
            store_id, time.from_utc, time.to_utc, time.kind, reason="preview", author=None
        )
    if body.cancelled_correction is not None:
        return CancelledCorrection(body.cancelled_correction)
    return _change_of_schedule(store_id, body)


def _change_of_schedule(store_id: str, body: PreviewBody) -> Change:
    if body.hours is not None:
        return NewRows(Source.BUSINESS_HOURS, hours_rows(store_id, body.hours))
    if body.special_hours is not None:
        return NewRows(Source.SPECIAL_HOURS, special_hours_rows(store_id, body.special_hours))
    if body.closure is not None:
        row = {
            "store_id": store_id,
            "start_local": body.closure.start_local,
            "end_local": body.closure.end_local or "",
            "reason": "",
        }
        return NewRows(Source.CLOSURES, [row])
    if body.withdrawn_date is not None:
        return WithdrawnDate(body.withdrawn_date)
    if body.cancelled_closure is not None:
        return CancelledClosure(body.cancelled_closure)
    return WithdrawnHours(body.withdrawn_load or 0)


def _preview_response(store_id: str, preview: Preview) -> PreviewResponse:
    figures = {
        window: ChangedFigures(before=TotalsResponse.of(before), after=TotalsResponse.of(after))
        for window, (before, after) in preview.windows.items()
    }
    return PreviewResponse(
        store_id=store_id,
        as_of=preview.as_of,
        figures=figures or None,
        days_changed=preview.days_changed,
        days=[
            ChangedDayResponse(
                begin_local=wall_clock(day.begin_local_us),
                before=TotalsResponse.of(day.before),
                after=TotalsResponse.of(day.after),
            )
            for day in preview.days
        ],
    )
