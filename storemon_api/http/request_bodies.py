"""Read request bodies with size and time limits, decompress them, validate them as JSON."""

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
    invalid_field,
    invalid_request,
)

_Model = TypeVar("_Model", bound=BaseModel)

_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS  # 16: with gzip's header and trailer


async def read_body(request: Request, *, max_bytes: int, time_limit: timedelta) -> bytes:
    """Return the whole body.

    Raises a 413 problem as soon as more than `max_bytes` are announced or received, and a 408
    problem when the body is not complete after `time_limit`.
    """
    too_large = ProblemError(
        BODY_TOO_LARGE, f"The body of this request may be at most {max_bytes} bytes long."
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
    """Return a JSON body as `model`; an empty body or `null` gives the model's defaults.

    Raises a 422 problem that names the fields, or the content type when it is not JSON. Without a
    content type the body is read as JSON.
    """
    body = body.strip()
    if body in {b"", b"null"}:
        return model()
    return parse_required_json(body, content_type, model)


def parse_required_json(body: bytes, content_type: str | None, model: type[_Model]) -> _Model:
    """As `parse_json`, for a body that is required."""
    if content_type is not None and not _is_json(content_type):
        raise invalid_field("Content-Type", "Content-Type must be application/json.")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid_request(field_errors(error)) from error


async def read_required_json(
    request: Request, model: type[_Model], *, max_bytes: int, time_limit: timedelta
) -> _Model:
    """The whole body as a model; the problems are those of `read_body` and a 422 problem."""
    body = await read_body(request, max_bytes=max_bytes, time_limit=time_limit)
    return parse_required_json(body, request.headers.get("Content-Type"), model)


def decompress(body: bytes, encoding: str | None, *, max_bytes: int) -> bytes:
    """Return the body without its content encoding, which is gzip or none.

    Raises a 413 problem when the decompressed body exceeds `max_bytes`, and a 422 problem for
    another encoding or invalid gzip data.
    """
    content_encoding = (encoding or "identity").strip().lower()
    if content_encoding == "identity":
        return body
    if content_encoding not in {"gzip", "x-gzip"}:
        raise invalid_field("Content-Encoding", "Content-Encoding must be gzip.")
    decompressed = bytearray()
    rest = body
    try:
        while rest:  # gzip data may consist of several members
            member = zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)
            decompressed += member.decompress(rest, max_bytes + 1 - len(decompressed))
            if len(decompressed) > max_bytes:
                raise ProblemError(
                    BODY_TOO_LARGE, f"The decompressed body may be at most {max_bytes} bytes."
                )
            if not member.eof:
                raise _not_gzip("it is truncated")
            rest = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise _not_gzip("it cannot be decompressed") from error
    return bytes(decompressed)


def _not_gzip(why: str) -> ProblemError:
    return invalid_field("body", f"The body is not valid gzip data: {why}.")


def media_type(content_type: str | None) -> str:
    """Return the media type of a `Content-Type` header in lower case, without parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    named = media_type(content_type)
    return named == "application/json" or (
        named.startswith("application/") and named.endswith("+json")
    )
