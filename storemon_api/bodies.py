"""Reading the bodies of requests: within a size, within a time, as JSON of one model."""

from datetime import timedelta
from typing import TypeVar

import anyio
from fastapi import Request
from pydantic import BaseModel, ValidationError

from storemon_api.errors import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    ProblemError,
    field_errors,
    invalid_request,
)
from storemon_api.schemas import FieldError

_Model = TypeVar("_Model", bound=BaseModel)


async def read_body(request: Request, *, max_bytes: int, time_limit: timedelta) -> bytes:
    """Return the whole body.

    Raises a 413 problem as soon as more than `max_bytes` are announced or have come, and a 408
    problem when the body is not complete after `time_limit`.
    """
    too_large = ProblemError(
        BODY_TOO_LARGE, f"The body of this request may have at most {max_bytes} bytes."
    )
    announced = request.headers.get("Content-Length", "0")
    if announced.isdecimal() and int(announced[:20]) > max_bytes:
        raise too_large
    body = bytearray()
    try:
        with anyio.fail_after(time_limit.total_seconds()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise too_large
    except TimeoutError as error:
        seconds = time_limit.total_seconds()
        raise ProblemError(
            BODY_TOO_SLOW, f"The body of this request did not arrive within {seconds:g} seconds."
        ) from error
    return bytes(body)


def parse_json(body: bytes, content_type: str | None, model: type[_Model]) -> _Model:
    """Return a JSON body as `model`; an empty body or `null` is the model's defaults.

    Raises a 422 problem that names the fields. A body of another content type is not looked at;
    without a content type it is taken for JSON.
    """
    body = body.strip()
    if body in {b"", b"null"}:
        return model()
    if content_type is not None and not _is_json(content_type):
        raise invalid_request(
            [FieldError(field="Content-Type", message="Input should be application/json")]
        )
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid_request(field_errors(error)) from error


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
