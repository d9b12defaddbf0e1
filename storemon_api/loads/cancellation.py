"""Cancelling what was pushed, by the id that its list gives."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Request, Response

from storemon_api.http.paging import read_row_id
from storemon_api.http.problems import FORBIDDEN, ProblemError, ProblemKind
from storemon_api.http.services import Services
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event, visible_stores


async def cancel_row(
    request: Request,
    services: Services,
    cancel: Callable[..., None],
    row_id: str,
    *,
    unknown: ProblemKind,
    error: type[Exception],
) -> Response:
    """Call `cancel`, which raises `error` when there is no such row to cancel.

    Raises then the problem `unknown`, and 403 for a key that is limited to some stores: it must not
    learn which ids there are.
    """
    visible = visible_stores(request)
    problem = unknown if visible is None else FORBIDDEN
    number = read_row_id(row_id, unknown=problem)
    try:
        await write(
            services,
            cancel,
            number,
            now=datetime.now(UTC),
            patience=WRITE_TIMEOUT,
            only_stores=visible,
            audit=audit_event(request, row_id),
        )
    except error as missing:
        raise ProblemError(problem) from missing
    return Response(status_code=HTTPStatus.NO_CONTENT)
