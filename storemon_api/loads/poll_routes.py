"""Route to push polls."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import Query, Request, Response

from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    BUSY,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    INVALID_REQUEST,
    ProblemError,
    invalid_field,
)
from storemon_api.http.request_bodies import decompress, media_type, read_body
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.loads.load_responses import bad_rows, load_response
from storemon_api.loads.request_body import polls_body
from storemon_api.loads.schemas import LoadResponse
from storemon_api.loads.write_slots import WRITE_TIMEOUT, write
from storemon_api.security.request_access import audit_event, visible_stores
from storemon_pipeline.loads.pushed_load import BadRowsError, ForbiddenStoreError
from storemon_pipeline.polls.poll_bodies import BodyFormat, TooManyRowsError, UnusableBodyError
from storemon_pipeline.polls.push_polls import MAX_ROWS, push_polls

router = Router(tag="data")

MAX_BYTES: Final = 16 * 1024 * 1024
"""Limit of a body, compressed and decompressed: 50,000 polls in JSON take about 6 MiB."""

_FORMATS: Final = {
    "": BodyFormat.JSON,
    "application/json": BodyFormat.JSON,
    "application/x-ndjson": BodyFormat.NDJSON,
    "application/ndjson": BodyFormat.NDJSON,
    "application/jsonl": BodyFormat.NDJSON,
    "text/csv": BodyFormat.CSV,
}

_OnError = Annotated[
    Literal["reject"] | None,
    Query(
        description=(
            "With `reject`, valid rows are loaded and invalid ones kept as rejected rows. "
            "Without it, one invalid row rejects the whole body."
        )
    ),
]


@router.post(
    "/polls",
    summary="Push polls",
    responses={
        200: {"model": LoadResponse},
        **problem_responses(
            BODY_TOO_SLOW, BODY_TOO_LARGE, INVALID_REQUEST, BUSY, DATABASE_UNAVAILABLE
        ),
    },
    openapi_extra=polls_body(),
)
async def post_polls(
    request: Request, services: ServicesDep, on_error: _OnError = None
) -> Response:
    """Load polls, all or nothing. Sending the same body again changes nothing."""
    body_format = _FORMATS.get(media_type(request.headers.get("Content-Type")))
    if body_format is None:
        known = ", ".join(name for name in _FORMATS if name)
        raise invalid_field("Content-Type", f"Content-Type must be one of {known}.")
    packed = await read_body(
        request, max_bytes=MAX_BYTES, time_limit=services.settings.body_timeout
    )
    encoding = request.headers.get("Content-Encoding")

    def push(url: str) -> Response:
        load = push_polls(
            url,
            decompress(packed, encoding, max_bytes=MAX_BYTES),
            body_format,
            now=datetime.now(UTC),
            is_rejecting=on_error is not None,
            patience=WRITE_TIMEOUT,
            only_stores=visible_stores(request),
            audit=audit_event(request),
        )
        return load_response(load, is_rejecting=on_error is not None)

    try:
        return await write(services, push)
    except TooManyRowsError as error:
        raise ProblemError(
            BODY_TOO_LARGE, f"A request may hold at most {MAX_ROWS} polls. Send several requests."
        ) from error
    except UnusableBodyError as error:
        raise invalid_field("body", f"The body cannot be read: {error}") from error
    except ForbiddenStoreError as error:
        raise ProblemError(FORBIDDEN) from error
    except BadRowsError as error:
        raise bad_rows(error, "polls") from error
