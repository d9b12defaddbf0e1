"""Reading the bodies of requests: within a size, within a time, as JSON of one model."""

import zlib
from datetime import timedelta
from typing import TypeVar

import anyio
from fastapi import Request
from pydantic import BaseModel, ValidationError

from storemon_api.http.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    ProblemError,
    field_errors,
    invalid_request,
)
from storemon_api.http.schemas import FieldError

_Model = TypeVar("_Model", bound=BaseModel)

_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS  # 16: with gzip's header and trailer


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
    return parse_required_json(body, content_type, model)


def parse_required_json(body: bytes, content_type: str | None, model: type[_Model]) -> _Model:
    """As `parse_json`, for a body that has no defaults."""
    if content_type is not None and not _is_json(content_type):
        raise invalid_request(
            [FieldError(field="Content-Type", message="Input should be application/json")]
        )
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid_request(field_errors(error)) from error


def unpack(body: bytes, encoding: str | None, *, max_bytes: int) -> bytes:
    """Return a body without its content encoding, which is gzip or none.

    Raises a 413 problem when it has more than `max_bytes` then, and a 422 problem when it is not
    what the header says or the header says something else.
    """
    content_encoding = (encoding or "identity").strip().lower()
    if content_encoding == "identity":
        return body
    if content_encoding not in {"gzip", "x-gzip"}:
        raise invalid_request(
            [FieldError(field="Content-Encoding", message="Input should be gzip")]
        )
    unpacked = bytearray()
    rest = body
    try:
        while rest:  # a gzip file may be several, one after the other
            member = zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)
            unpacked += member.decompress(rest, max_bytes + 1 - len(unpacked))
            if len(unpacked) > max_bytes:
                raise ProblemError(
                    BODY_TOO_LARGE, f"The unpacked body may have at most {max_bytes} bytes."
                )
            if not member.eof:
                raise _not_gzip("it ends before its end mark")
            rest = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise _not_gzip("it cannot be unpacked") from error
    return bytes(unpacked)


def _not_gzip(why: str) -> ProblemError:
    return invalid_request([FieldError(field="body", message=f"Input should be gzip: {why}")])


def media_type(content_type: str | None) -> str:
    """Return the type and subtype of a `Content-Type` header in lower case, without parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    named = media_type(content_type)
    return named == "application/json" or (
        named.startswith("application/") and named.endswith("+json")
    )
