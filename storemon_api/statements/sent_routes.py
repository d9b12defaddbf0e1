"""Routes to send a statement, to read what was sent, and to send a revision."""

from datetime import UTC, datetime
from enum import StrEnum, unique
from http import HTTPStatus
from operator import itemgetter
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_file import Column
from storemon_api.downloads.table_format import TableFormatDep, listing_responses
from storemon_api.http.openapi import json_body, problem_responses
from storemon_api.http.paging import LARGEST_WIDE_ID, read_row_id
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    NO_POLLS,
    UNKNOWN_STATEMENT,
    UNKNOWN_STORE,
    ProblemError,
    invalid_field,
)
from storemon_api.http.request_bodies import read_required_json
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import Services, ServicesDep
from storemon_api.security.request_access import audit_event, sender_name, visible_stores
from storemon_api.statements.sent_schemas import (
    DifferenceResponse,
    SendBody,
    SentFiguresResponse,
    SentStatementResponse,
    SentStatementsResponse,
    change_responses,
    difference_response,
    sent_response,
)
from storemon_api.statements.statement_query import parse_period, statement_problems
from storemon_api.statements.statement_routes import FILES, StatementFormat, file_response
from storemon_api.stores.store_filters import check_texts
from storemon_pipeline.sent_statements.delivery_table import Target
from storemon_pipeline.sent_statements.manage_schedules import queue_sent
from storemon_pipeline.sent_statements.request import StatementRequest
from storemon_pipeline.sent_statements.send_statement import (
    NoStatementError,
    compare_with_now,
    find_sent,
    list_sent,
    send_statement,
    sent_figures,
    sent_file,
)
from storemon_pipeline.sent_statements.sent_table import SentStatement
from storemon_pipeline.statements.revision import changes_table
from storemon_pipeline.statements.statement import Scope
from storemon_pipeline.statements.statement_tables import Cell, scope_name

router = Router(tag="statements")

_MAX_BYTES: Final = 16 * 1024
_MOST_LISTED: Final = 1_000

StatementId = Annotated[str, Path(description="The id as listed.", examples=["7"])]


@unique
class SentTable(StrEnum):
    """The tables of a sent statement's CSV files."""

    STORES = "stores"
    INCIDENTS = "incidents"
    REASONS = "reasons"
    CLOSURES = "closures"
    CORRECTIONS = "corrections"
    SPECIAL_HOURS = "special-hours"
    CHANGES = "changes"


@router.post(
    "/statements",
    summary="Send a statement: keep its figures and files",
    status_code=HTTPStatus.OK,
    responses={
        200: {"model": SentStatementResponse},
        **problem_responses(
            *(UNKNOWN_STORE, NO_POLLS, BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST),
            DATABASE_UNAVAILABLE,
        ),
    },
    openapi_extra=json_body(SendBody),
)
async def post_statement(request: Request, services: ServicesDep) -> Response:
    """Keep the statement as it is now, and return its newest revision.

    With `to` it is also queued for this address; `GET /statement-deliveries` lists the delivery.

    When it was sent before and no figure has changed, no new revision is made.
    """
    body = await read_required_json(
        request, SendBody, max_bytes=_MAX_BYTES, time_limit=services.settings.body_timeout
    )
    check_texts(store_id=body.store_id, group=body.group, region=body.region)
    wanted = StatementRequest(
        Scope(body.store_id, body.group, body.region),
        parse_period(body.period).text,
        body.objective,
        visible_stores(request),
    )
    target = None if body.to is None else Target(body.to, body.format)
    return await _send(request, services, wanted, target)


@router.get(
    "/statements",
    summary="List sent statements",
    responses={
        **listing_responses(SentStatementsResponse),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_statements(
    request: Request,
    services: ServicesDep,
    table_format: TableFormatDep,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100,
) -> Response:
    """Return a page of all revisions, the newest first.

    A key of some stores gets the statements that are about these alone.
    """
    offset, limit = table_format.part(offset, limit)
    found = list_sent(
        services.reader, only_stores=visible_stores(request), offset=offset, limit=limit
    )
    return body_response(
        table_format,
        SentStatementsResponse(
            statements=[sent_response(sent) for sent in found],
            next_offset=offset + limit if len(found) == limit else None,
        ),
        "statements",
    )


@router.get(
    "/statements/{statement_id}.{extension}",
    summary="A sent statement as CSV, PDF or XLSX",
    response_class=Response,
    responses={
        **FILES,
        **problem_responses(UNKNOWN_STATEMENT, INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_sent_file(
    request: Request,
    services: ServicesDep,
    statement_id: StatementId,
    extension: Annotated[StatementFormat, Path()],
    table: Annotated[
        SentTable, Query(description="The table of a CSV file; the others have all of them.")
    ] = SentTable.STORES,
) -> Response:
    """Return the file as it was sent, to the byte."""
    if extension is not StatementFormat.CSV and table is not SentTable.STORES:
        raise invalid_field("table", "`table` can only be used with CSV.")
    sent = find(request, services, statement_id)
    is_csv = extension is StatementFormat.CSV
    content = sent_file(services.reader, sent, f"{table}.csv" if is_csv else extension.value)
    if content is None:
        raise ProblemError(UNKNOWN_STATEMENT)
    part = "" if table is SentTable.STORES else f"-{table}"
    scope = scope_name(sent.request.scope)
    name = f"statement-{scope}-{sent.request.period}-revision-{sent.revision.number}{part}"
    return file_response(content, name, extension)


@router.get(
    "/statements/{statement_id}",
    summary="A sent statement",
    responses={
        200: {"model": SentFiguresResponse},
        **problem_responses(UNKNOWN_STATEMENT, DATABASE_UNAVAILABLE),
    },
)
def get_sent_statement(
    request: Request, services: ServicesDep, statement_id: StatementId
) -> Response:
    """Return the figures as they were sent, and what they changed in the revision before."""
    sent = find(request, services, statement_id)
    return json_response(
        SentFiguresResponse(
            about=sent_response(sent),
            changes=change_responses(sent.revision.changes),
            statement=sent_figures(services.reader, sent),
        )
    )


@router.get(
    "/statements/{statement_id}/changes",
    summary="What a new revision would change",
    responses={
        **listing_responses(DifferenceResponse),
        **problem_responses(
            UNKNOWN_STATEMENT, UNKNOWN_STORE, INVALID_REQUEST, DATABASE_UNAVAILABLE
        ),
    },
)
def get_statement_changes(
    request: Request,
    services: ServicesDep,
    table_format: TableFormatDep,
    statement_id: StatementId,
) -> Response:
    """Compare the statement as it was sent with the data of now.

    A file has amounts of time in hours.
    """
    sent = find(request, services, statement_id)
    url = services.settings.database_url.get_secret_value()
    with statement_problems():
        difference = compare_with_now(services.reader, url, sent)
    table = changes_table(difference.changes)
    columns: list[Column[list[Cell]]] = [
        Column(column.name, itemgetter(place)) for place, column in enumerate(table.columns)
    ]
    body = difference_response(difference)
    return body_response(table_format, body, "changes", columns, rows=table.rows)


@router.post(
    "/statements/{statement_id}/revisions",
    summary="Send a new revision of a statement",
    status_code=HTTPStatus.OK,
    responses={
        200: {"model": SentStatementResponse},
        **problem_responses(UNKNOWN_STATEMENT, UNKNOWN_STORE, NO_POLLS, DATABASE_UNAVAILABLE),
    },
)
async def post_revision(
    request: Request, services: ServicesDep, statement_id: StatementId
) -> Response:
    """Keep the statement as it is now as a new revision, and return the newest one.

    When no figure has changed, no new revision is made.
    """
    sent = await run_in_threadpool(find, request, services, statement_id)
    return await _send(request, services, sent.request)


def find(request: Request, services: Services, statement_id: str) -> SentStatement:
    """Return a sent statement that the request may see. Raises a 404 problem."""
    number = read_row_id(statement_id, unknown=UNKNOWN_STATEMENT, largest=LARGEST_WIDE_ID)
    try:
        return find_sent(services.reader, number, only_stores=visible_stores(request))
    except NoStatementError as error:
        raise ProblemError(UNKNOWN_STATEMENT) from error


async def _send(
    request: Request,
    services: Services,
    wanted: StatementRequest,
    target: Target | None = None,
) -> Response:
    url = services.settings.database_url.get_secret_value()
    scope = scope_name(wanted.scope)

    def send() -> SentStatement:
        statement_id = send_statement(
            url,
            wanted,
            now=datetime.now(UTC),
            sent_by=sender_name(request),
            audit=audit_event(request, f"{scope} {wanted.period}"),
        )
        sent = find_sent(services.reader, statement_id, only_stores=None)
        if target is not None:
            queue_sent(services.engine, sent, target, now=datetime.now(UTC))
        return sent

    with statement_problems():
        return json_response(sent_response(await run_in_threadpool(send)))
