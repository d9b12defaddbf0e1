"""Routes to preview, set, list and cancel objectives."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_format import (
    FILES,
    AcceptHeader,
    TableFormat,
    preferred_format,
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
    NO_POLLS,
    UNKNOWN_OBJECTIVE,
    ProblemError,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import Services, ServicesDep
from storemon_api.live.fleet_cache import FleetCache, FleetCacheDep
from storemon_api.loads.cancellation import cancel_row
from storemon_api.loads.load_responses import bad_rows, load_response
from storemon_api.loads.objective_schemas import (
    ObjectiveBody,
    ObjectiveCountsResponse,
    ObjectivePreviewResponse,
    ObjectivesResponse,
    StoredObjectiveResponse,
)
from storemon_api.loads.schemas import LoadResponse
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event, visible_stores
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import DEFAULT_ZONE
from storemon_pipeline.ingestion.objectives.manage_objectives import (
    NoObjectiveError,
    cancel_pushed_objective,
    list_objectives,
)
from storemon_pipeline.ingestion.objectives.preview_objective import (
    ObjectiveCounts,
    preview_objective,
)
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.loads.pushed_load import BadRowsError
from storemon_pipeline.objectives.objective_table import StoredObjective
from storemon_pipeline.objectives.objectives_file import NONE
from storemon_pipeline.objectives.openslo import openslo_document
from storemon_pipeline.objectives.precedence import PERIODS, AppliesTo
from storemon_pipeline.views.store_view import NoPollsError

router = Router(tag="data")

MAX_BYTES: Final = 16 * 1024
OPENSLO_TYPE: Final = "application/yaml"
_MOST_LISTED: Final = 1_000


@router.put(
    "/objectives",
    summary="Set an objective",
    responses={
        200: {"model": LoadResponse},
        **problem_responses(
            BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, BUSY, DATABASE_UNAVAILABLE
        ),
    },
    openapi_extra=json_body(ObjectiveBody),
)
async def put_objective(request: Request, services: ServicesDep) -> Response:
    """Set the objective of a store, a group, a region or all stores from `valid_from` on.

    Sending the same body again changes nothing. A key that is limited to some stores can set the
    objectives of these; all others are 403.
    """
    body = await _read_objective(request, services)
    try:
        load = await write(
            services,
            push_rows,
            Source.OBJECTIVES,
            [_row(body)],
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            audit=audit_event(request, f"{body.applies_to} {body.name}".strip()),
        )
    except BadRowsError as error:
        raise bad_rows(error, "objectives") from error
    return load_response(load)


@router.post(
    "/objectives/preview",
    summary="What an objective would do to the current week or month",
    responses={
        200: {"model": ObjectivePreviewResponse},
        **problem_responses(
            *(BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, NO_POLLS, DATABASE_UNAVAILABLE)
        ),
    },
    openapi_extra=json_body(ObjectiveBody),
)
async def post_objective_preview(
    request: Request, services: ServicesDep, fleet_cache: FleetCacheDep
) -> Response:
    """Return the verdicts of the stores before and after it is set. It is not set.

    The body is that of `PUT /objectives`.
    """
    body = await _read_objective(request, services)
    try:
        preview = await run_in_threadpool(
            lambda: preview_objective(
                services.settings.database_url.get_secret_value(),
                _row(body),
                now=datetime.now(UTC),
                only_stores=visible_stores(request),
                current=fleet_cache.budgets(Period(body.by)),
            )
        )
    except BadRowsError as error:
        raise bad_rows(error, "objectives") from error
    except NoPollsError as error:
        raise ProblemError(NO_POLLS) from error
    return json_response(
        ObjectivePreviewResponse(
            as_of=preview.as_of,
            by=body.by,
            stores_changed=preview.stores_changed,
            before=_counts(preview.before),
            after=_counts(preview.after),
        )
    )


@router.get(
    "/objectives",
    summary="List objectives",
    responses={
        200: {
            "model": ObjectivesResponse,
            # A stream of YAML documents, which may be none: no schema describes it.
            "content": {OPENSLO_TYPE: {}, **FILES},
        },
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_objectives(
    request: Request,
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    after: AfterId = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100,
    file_format: Annotated[
        Literal["json", "csv", "xlsx", "openslo"] | None,
        Query(
            alias="format",
            description="With `openslo`, a YAML document of OpenSLO for each store and period: the "
            "objectives that hold for the week and month of the newest poll, all at once. `csv` or "
            "`xlsx`: all versions as a file. Default: what `Accept` prefers, otherwise `json`.",
        ),
    ] = None,
    accept: AcceptHeader = None,
) -> Response:
    """Return a page of versions sorted by id, from files and from pushes.

    A file has the newest first.
    """
    if file_format == "openslo":
        only = visible_stores(request)
        documents = [one for period in PERIODS for one in _openslo(fleet_cache, period, only)]
        return Response("".join(documents), media_type=OPENSLO_TYPE)
    table_format = preferred_format(accept) if file_format is None else TableFormat(file_format)
    after, limit = table_format.part(after, limit)
    url = services.settings.database_url.get_secret_value()
    found = list_objectives(url, only_stores=visible_stores(request), after=after, limit=limit)
    versions = [_response(objective) for objective in found]
    return body_response(
        table_format,
        ObjectivesResponse(
            objectives=versions,
            next_after=versions[-1].objective_id if len(versions) == limit else None,
        ),
        "objectives",
        rows=versions[::-1],
    )


@router.delete(
    "/objectives/{objective_id}",
    summary="Cancel a version of an objective",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses={
        204: {"description": "It was cancelled."},
        **problem_responses(UNKNOWN_OBJECTIVE, BUSY, DATABASE_UNAVAILABLE),
    },
)
async def delete_objective(
    request: Request,
    services: ServicesDep,
    objective_id: Annotated[str, Path(description="The id as listed.", examples=["3"])],
) -> Response:
    """Cancel the version, as if it had never been set. The versions before it hold again.

    To end an objective and keep its past, set it to null instead. A key that is limited to some
    stores can cancel versions of these; all others are 403.
    """
    return await cancel_row(
        request,
        services,
        cancel_pushed_objective,
        objective_id,
        unknown=UNKNOWN_OBJECTIVE,
        error=NoObjectiveError,
    )


async def _read_objective(request: Request, services: Services) -> ObjectiveBody:
    """Return the body. Raises a 403 problem unless the sender may set this objective."""
    body = await read_required_json(
        request, ObjectiveBody, max_bytes=MAX_BYTES, time_limit=services.settings.body_timeout
    )
    visible = visible_stores(request)
    if visible is not None and (
        body.applies_to is not AppliesTo.STORE or body.name.strip() not in visible
    ):
        raise ProblemError(FORBIDDEN)
    return body


def _row(body: ObjectiveBody) -> dict[str, str]:
    """Return the objective as a row of a file."""
    return {
        "applies_to": body.applies_to.value,
        "name": body.name,
        "objective": NONE if body.objective is None else f"{body.objective:.10g}",
        "by": body.by,
        "valid_from": body.valid_from,
    }


def _counts(counts: ObjectiveCounts) -> ObjectiveCountsResponse:
    return ObjectiveCountsResponse(verdicts=counts.verdicts, spent=counts.spent)


def _response(stored: StoredObjective) -> StoredObjectiveResponse:
    return StoredObjectiveResponse(
        objective_id=stored.objective_id,
        applies_to=stored.applies_to,
        name=stored.name,
        objective=None if stored.objective is None else float(stored.objective),
        by=stored.by.value,
        valid_from=stored.valid_from,
        loaded_at=stored.loaded_at,
    )


def _openslo(
    fleet_cache: FleetCache, period: Period, only: AbstractSet[str] | None
) -> Iterator[str]:
    """Return the documents of the stores with an objective for this period, by id."""
    found = fleet_cache.budgets(period)
    if found is None:
        return
    for row, store_id in enumerate(found.store_ids):
        if only is None or store_id in only:
            yield openslo_document(
                store_id=store_id,
                name=found.details.names[row],
                timezone=found.details.timezones[row] or DEFAULT_ZONE,
                period=period,
                start=instant(int(found.budgets.start_us[row])),
                objective_ppm=int(found.budgets.objective_ppm[row]),
            )
