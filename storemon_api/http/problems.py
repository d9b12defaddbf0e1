"""Problems (RFC 9457): every kind that the API returns, and the exception that carries one."""

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

# SQLSTATEs for a missing table, column or schema: migrations have not run.
_SCHEMA_MISSING: Final = frozenset({"42P01", "42703", "3F000"})

# SQLSTATE classes for lost connections, exhausted resources and a server that shuts down.
_SERVER_AWAY: Final = frozenset({"08", "53", "57"})


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem: status, type URI, title and default detail."""

    status: HTTPStatus
    type: str
    title: str
    detail: str
    retry_after_seconds: int | None = None


UNKNOWN_REPORT: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-report",
    "Unknown report",
    "There is no report with this id.",
)
EXPIRED_REPORT: Final = ProblemKind(
    HTTPStatus.GONE,
    "urn:problem-type:storemon:expired-report",
    "Expired report",
    "This report has been deleted, because reports are kept for a limited time. Request a new one.",
)
RUNNING_REPORT: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:running-report",
    "Report not ready",
    "The report is not ready yet. Ask again in a moment.",
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
    "The body of this request may be at most 16384 bytes long.",
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
    "The database is not available at the moment. Try again in a few seconds.",
    retry_after_seconds=5,
)
DISK_FULL: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:disk-full",
    "Disk full",
    "The database's disk is full. Nothing was changed. Try again once there is space.",
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
"""The problems of every request that needs a complete report."""
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
    "There is no store with this id.",
)
NO_POLLS: Final = ProblemKind(
    HTTPStatus.CONFLICT,
    "urn:problem-type:storemon:no-polls",
    "No polls",
    "No polls have been loaded yet, so there is no history.",
)
UNAUTHORIZED: Final = ProblemKind(
    HTTPStatus.UNAUTHORIZED,
    "urn:problem-type:storemon:unauthorized",
    "Key needed",
    "Send a valid API key as `Authorization: Bearer …` or `X-API-Key`.",
)
FORBIDDEN: Final = ProblemKind(
    HTTPStatus.FORBIDDEN,
    "urn:problem-type:storemon:forbidden",
    "Not allowed",
    "This API key does not allow this request.",
)
TOO_MANY_REQUESTS: Final = ProblemKind(
    HTTPStatus.TOO_MANY_REQUESTS,
    "urn:problem-type:storemon:too-many-requests",
    "Too many requests",
    "Too many requests. Wait before sending more.",
    retry_after_seconds=1,
)
UNKNOWN_CLOSURE: Final = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "urn:problem-type:storemon:unknown-closure",
    "Unknown closure",
    "There is no planned closure with this id.",
)
BUSY: Final = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "urn:problem-type:storemon:busy",
    "Busy",
    "Another load is being written. Nothing was changed. Try again in a few seconds.",
    retry_after_seconds=2,
)

_PLAIN_DETAILS: Final = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not support this method; see `Allow`.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal error. The server's log has the details.",
}


class ProblemError(Exception):
    """Ends a request with a problem response of this kind."""

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
    """Return the problem of a plain HTTP status, of type `about:blank`."""
    phrase = HTTPStatus(status).phrase
    detail = _PLAIN_DETAILS.get(HTTPStatus(status), phrase)
    return ProblemError(
        ProblemKind(HTTPStatus(status), ABOUT_BLANK, phrase, detail), headers=headers
    )


def invalid_request(errors: list[FieldError]) -> ProblemError:
    """Return the 422 problem that names these fields."""
    detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
    return ProblemError(INVALID_REQUEST, detail, errors=errors)


def invalid_field(field: str, message: str) -> ProblemError:
    """Return the 422 problem of one field; `message` is a sentence that people read."""
    return ProblemError(INVALID_REQUEST, message, errors=[FieldError(field=field, message=message)])


def field_errors(error: ValidationError | RequestValidationError) -> list[FieldError]:
    """Return the errors of a validation by field, without the values that were sent."""
    # FastAPI prefixes the field with its place: `query`, `path`, `header`.
    first = 1 if isinstance(error, RequestValidationError) else 0
    return [
        FieldError(
            field=".".join(str(part) for part in found["loc"][first:]) or "body",
            message=str(found["msg"]).removeprefix("Value error, "),
        )
        for found in error.errors()
    ]


def install_error_handlers(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Return every error of `app` as a problem. `routes` are all its routes."""
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
    """Return the problem response for `error`.

    A database error that is a bug of this program is raised again: the server logs it with its
    traceback, and `_handle_unexpected_error` answers.
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
            # Nobody reads this response; without it the log would show an internal error.
            problem_error = plain_problem(HTTPStatus.BAD_REQUEST)
        case BusyError():
            problem_error = ProblemError(BUSY)
        case sa.exc.SQLAlchemyError() | adbc_driver_manager.Error() if is_database_away(error):
            _logger.info("The database is not available for %s: %s", request.scope["path"], error)
            problem_error = ProblemError(DISK_FULL if is_disk_full(error) else DATABASE_UNAVAILABLE)
        case _:
            raise error
    return problem_response(problem_error)


async def _handle_unexpected_error(_request: Request, _error: Exception) -> Response:
    """Return a 500 that reveals nothing about the error."""
    return problem_response(plain_problem(HTTPStatus.INTERNAL_SERVER_ERROR))


def problem_response(error: ProblemError) -> Response:
    """Return the response for this problem."""
    return Response(
        # ASCII, because text that a client sent may not be encodable as UTF-8.
        json.dumps(error.problem.model_dump(mode="json", exclude_none=True)),
        status_code=error.problem.status,
        headers={"Cache-Control": "no-store", **error.headers},
        media_type=PROBLEM_MEDIA_TYPE,
    )


def is_database_away(error: sa.exc.SQLAlchemyError | adbc_driver_manager.Error) -> bool:
    """Whether `error` means that the database is unavailable, not that a statement was wrong."""
    match error:
        case sa.exc.TimeoutError() | sa.exc.OperationalError() | sa.exc.InterfaceError():
            return True
        case sa.exc.InternalError():  # such as a server in recovery that accepts no writes
            return True
        case adbc_driver_manager.Error():
            # Errors of the server have a SQLSTATE; without one there was no connection.
            state = error.sqlstate or ""
            return not state or state[:2] in _SERVER_AWAY or state in _SCHEMA_MISSING
        case sa.exc.DBAPIError():
            sqlstate = getattr(error.orig, "sqlstate", None)
            return error.connection_invalidated or sqlstate in _SCHEMA_MISSING
        case _:
            return False


def _methods(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods of the requested path over all routes, sorted."""
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return sorted(
        {
            method
            for route in routes
            if isinstance(route, Route) and route.path_regex.match(path)
            for method in route.methods or ()
        }
    )
