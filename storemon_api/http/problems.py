"""Errors as clients see them: which kinds there are, how each becomes problem+json (RFC 9457).

Handlers raise `ProblemError`; everything else that can go wrong is turned into one here.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

import adbc_driver_manager
import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from storemon_api.http.schemas import FieldError, Problem
from storemon_pipeline.database.bulk import BusyError
from storemon_pipeline.database.connections import is_disk_full

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
ABOUT_BLANK: Final = "about:blank"

_logger = logging.getLogger(__name__)

# PostgreSQL's codes for a table, a column or a schema that is not there: migrations have not run.
_SCHEMA_MISSING: Final = frozenset({"42P01", "42703", "3F000"})

# PostgreSQL's classes of codes for lost connections, exhausted resources, a server that ends.
_SERVER_AWAY: Final = frozenset({"08", "53", "57"})


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of error: its status, the URI that names it, its title, a typical detail."""

    status: HTTPStatus
    type: str
    title: str
    detail: str
    retry_after_seconds: int | None = None


UNKNOWN_REPORT: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-report",
    "Unknown report",
    "No report has this id.",
)
EXPIRED_REPORT: Final = ProblemKind(
    HTTPStatus.GONE,
    "urn:problem-type:storemon:expired-report",
    "Expired report",
    "This report is older than reports are kept. Please trigger a new one.",
)
RUNNING_REPORT: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:running-report",
    "Report not ready",
    "The report is still being made. Please ask again.",
    retry_after_seconds=1,
)
FAILED_REPORT: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:failed-report",
    "Report failed",
    "No poll has been loaded yet, so there is nothing to report on.",
)
INVALID_REQUEST: Final = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "urn:problem-type:storemon:invalid-request",
    "Invalid request",
    "report_id: Field required",
)
BODY_TOO_LARGE: Final = ProblemKind(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "urn:problem-type:storemon:body-too-large",
    "Body too large",
    "The body of this request may have at most 16384 bytes.",
)
BODY_TOO_SLOW: Final = ProblemKind(
    HTTPStatus.REQUEST_TIMEOUT,
    "urn:problem-type:storemon:body-too-slow",
    "Body too slow",
    "The body of this request did not arrive within 10 seconds.",
)
DATABASE_UNAVAILABLE: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:database-unavailable",
    "Database unavailable",
    "The database cannot be used at the moment. Please try again.",
    retry_after_seconds=5,
)
DISK_FULL: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:disk-full",
    "Disk full",
    "The database's disk is full. Nothing was changed; please send this again when there is space.",
    retry_after_seconds=60,
)
REPORT_PROBLEMS: Final = (
    UNKNOWN_REPORT,
    RUNNING_REPORT,
    FAILED_REPORT,
    EXPIRED_REPORT,
    INVALID_REQUEST,
    DATABASE_UNAVAILABLE,
)
"""What may be in the way of anything that is made of a complete report."""
NOT_READY: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:not-ready",
    "Not ready",
    "Not ready yet: dagster.",
    retry_after_seconds=5,
)

UNKNOWN_STORE: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-store",
    "Unknown store",
    "No source has named a store of this id.",
)
NO_POLLS: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:no-polls",
    "No polls",
    "No poll has been loaded yet, so there is no history.",
)
UNAUTHORIZED: Final = ProblemKind(
    HTTPStatus.UNAUTHORIZED,
    "urn:problem-type:storemon:unauthorized",
    "Key needed",
    "Send a key that holds, as `Authorization: Bearer …` or `X-API-Key`.",
)
FORBIDDEN: Final = ProblemKind(
    HTTPStatus.FORBIDDEN,
    "urn:problem-type:storemon:forbidden",
    "Not allowed",
    "This key does not give the right to this.",
)
TOO_MANY_REQUESTS: Final = ProblemKind(
    HTTPStatus.TOO_MANY_REQUESTS,
    "urn:problem-type:storemon:too-many-requests",
    "Too many requests",
    "More requests came than are answered. Please wait.",
    retry_after_seconds=1,
)
UNKNOWN_CLOSURE: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-closure",
    "Unknown closure",
    "No closure of this id holds.",
)
BUSY: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:busy",
    "Busy",
    "Another load is being written. Nothing was changed; please send this again.",
    retry_after_seconds=2,
)

_PLAIN_DETAILS: Final = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method; `Allow` says which.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The server failed to answer; its log says why.",
}


class ProblemError(Exception):
    """A request that ends with a problem of this kind."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str | None = None,
        *,
        errors: list[FieldError] | None = None,
        checks: dict[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.problem = Problem(
            type=kind.type,
            title=kind.title,
            status=kind.status,
            detail=detail or kind.detail,
            errors=errors,
            checks=checks,
        )
        super().__init__(self.problem.detail)
        self.headers = dict(headers or {})
        if kind.retry_after_seconds is not None:
            self.headers.setdefault("Retry-After", str(kind.retry_after_seconds))


def plain_problem(status: int, headers: Mapping[str, str] | None = None) -> ProblemError:
    """Return the problem whose status says all there is to say."""
    phrase = HTTPStatus(status).phrase
    detail = _PLAIN_DETAILS.get(HTTPStatus(status), phrase)
    return ProblemError(
        ProblemKind(HTTPStatus(status), ABOUT_BLANK, phrase, detail), headers=headers
    )


def invalid_request(errors: list[FieldError]) -> ProblemError:
    """Return the problem of a request whose named fields are wrong."""
    detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
    return ProblemError(INVALID_REQUEST, detail, errors=errors)


def field_errors(error: ValidationError | RequestValidationError) -> list[FieldError]:
    """Return what a validation found, by field. The values that were sent are not repeated."""
    # FastAPI puts in front of a field where it stands: `query`, `path`, `header`.
    first = 1 if isinstance(error, RequestValidationError) else 0
    return [
        FieldError(
            field=".".join(str(part) for part in found["loc"][first:]) or "body",
            message=str(found["msg"]).removeprefix("Value error, "),
        )
        for found in error.errors()
    ]


def install_error_handlers(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Let every error of `app`, whose routes are `routes`, end as a problem."""
    for error in (
        ProblemError,
        HTTPException,
        RequestValidationError,
        ClientDisconnect,
        BusyError,
        sa.exc.SQLAlchemyError,
        adbc_driver_manager.Error,
    ):
        app.add_exception_handler(error, partial(_handle_error, routes=routes))
    app.add_exception_handler(Exception, _handle_unexpected_error)


async def _handle_error(
    request: Request, error: Exception, *, routes: Sequence[BaseRoute]
) -> Response:
    """Return the answer to a request that ended with `error`.

    An error of the database that is a fault of this program is raised again: like every other
    fault it is then logged by the server with its traceback, and answered by `_answer_fault`.
    """
    match error:
        case ProblemError():
            problem_error = error
        case RequestValidationError():
            problem_error = invalid_request(field_errors(error))
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            allow = ", ".join(_methods(routes, request.scope))
            problem_error = plain_problem(error.status_code, {"Allow": allow})
        case HTTPException():
            problem_error = plain_problem(error.status_code, error.headers)
        case ClientDisconnect():
            # Nobody reads this answer; without it the log would speak of a fault.
            problem_error = plain_problem(HTTPStatus.BAD_REQUEST)
        case BusyError():
            problem_error = ProblemError(BUSY)
        case sa.exc.SQLAlchemyError() | adbc_driver_manager.Error() if is_database_away(error):
            _logger.info("No database for %s: %s", request.scope["path"], error)
            problem_error = ProblemError(DISK_FULL if is_disk_full(error) else DATABASE_UNAVAILABLE)
        case _:
            raise error
    return problem_response(problem_error)


async def _handle_unexpected_error(_request: Request, _error: Exception) -> Response:
    """Return an answer without a word of what went wrong."""
    return problem_response(plain_problem(HTTPStatus.INTERNAL_SERVER_ERROR))


def problem_response(error: ProblemError) -> Response:
    """Return the answer that tells of this problem."""
    return Response(
        # ASCII, because what a client sent need not be encodable.
        json.dumps(error.problem.model_dump(mode="json", exclude_none=True)),
        status_code=error.problem.status,
        headers={"Cache-Control": "no-store", **error.headers},
        media_type=PROBLEM_MEDIA_TYPE,
    )


def is_database_away(error: sa.exc.SQLAlchemyError | adbc_driver_manager.Error) -> bool:
    """Return whether `error` says that the database cannot be used now, not that it was misused."""
    match error:
        case sa.exc.TimeoutError() | sa.exc.OperationalError() | sa.exc.InterfaceError():
            return True
        case sa.exc.InternalError():  # such as a server that takes no writes while it recovers
            return True
        case adbc_driver_manager.Error():
            # What the server says has a code; without one there was no server.
            state = error.sqlstate or ""
            return not state or state[:2] in _SERVER_AWAY or state in _SCHEMA_MISSING
        case sa.exc.DBAPIError():
            sqlstate = getattr(error.orig, "sqlstate", None)
            return error.connection_invalidated or sqlstate in _SCHEMA_MISSING
        case _:
            return False


def _methods(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods that the requested path has, over all routes, in order of the alphabet."""
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return sorted(
        {
            method
            for route in routes
            if isinstance(route, Route) and route.path_regex.match(path)
            for method in route.methods or ()
        }
    )
