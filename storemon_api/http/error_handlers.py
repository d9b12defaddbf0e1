"""Exception handlers that turn every error into a problem response."""

import json
import logging
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Final

import adbc_driver_manager
import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from storemon_api.http.negotiation import HTML, JSON, preferred
from storemon_api.http.problems import (
    BUSY,
    DATABASE_UNAVAILABLE,
    DISK_FULL,
    LAKE_UNAVAILABLE,
    PROBLEM_MEDIA_TYPE,
    ProblemError,
    field_errors,
    invalid_request,
    plain_problem,
)
from storemon_api.http.store_paths import route_path
from storemon_pipeline.database.bulk import BusyError
from storemon_pipeline.database.connections import is_disk_full
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.lake_files.manifest import NoLakeError

_logger = logging.getLogger(__name__)

# SQLSTATEs for a missing table, column or schema: migrations have not run.
_SCHEMA_MISSING: Final = frozenset({"42P01", "42703", "3F000"})

# SQLSTATE classes for lost connections, exhausted resources and a server that shuts down.
_SERVER_AWAY: Final = frozenset({"08", "53", "57"})


def install_error_handlers(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Return every error of `app` as a problem. `routes` are all its routes."""
    for error in (
        ProblemError,
        HTTPException,
        RequestValidationError,
        ClientDisconnect,
        BusyError,
        NoLakeError,
        UnreachableError,
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
        case NoLakeError() | UnreachableError():
            _logger.warning("The lake cannot be read for %s: %s", request.scope["path"], error)
            problem_error = ProblemError(LAKE_UNAVAILABLE)
        case sa.exc.SQLAlchemyError() | adbc_driver_manager.Error() if is_database_away(error):
            _logger.info("The database is not available for %s: %s", request.scope["path"], error)
            problem_error = ProblemError(DISK_FULL if is_disk_full(error) else DATABASE_UNAVAILABLE)
        case _:
            raise error
    return problem_response(request, problem_error)


async def _handle_unexpected_error(request: Request, _error: Exception) -> Response:
    """Return a 500 that reveals nothing about the error."""
    return problem_response(request, plain_problem(HTTPStatus.INTERNAL_SERVER_ERROR))


def problem_response(request: Request, error: ProblemError) -> Response:
    """Return the problem as JSON, or as a page for a client that prefers HTML.

    An application that has pages renders it as `state.problem_page`.
    """
    headers = {"Cache-Control": "no-store", **error.headers}
    accept = ", ".join(request.headers.getlist("Accept"))
    render = getattr(request.app.state, "problem_page", None) if "app" in request.scope else None
    if render and preferred(accept, (JSON, PROBLEM_MEDIA_TYPE, HTML)) == HTML:
        response: Response = render(request, error.problem)
        response.headers.update(headers)
    else:
        response = Response(
            # ASCII, because text that a client sent may not be encodable as UTF-8.
            json.dumps(error.problem.model_dump(mode="json", exclude_none=True)),
            status_code=error.problem.status,
            headers=headers,
            media_type=PROBLEM_MEDIA_TYPE,
        )
    response.headers.add_vary_header("Accept")
    return response


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
    path = route_path(scope)
    return sorted(
        {
            method
            for route in routes
            if isinstance(route, Route) and route.path_regex.match(path)
            for method in route.methods or ()
        }
    )
