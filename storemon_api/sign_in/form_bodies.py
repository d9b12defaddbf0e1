"""Reading the forms of the sign-in pages."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from storemon_api.http.problems import invalid_field
from storemon_api.http.request_bodies import media_type, read_body
from storemon_api.http.services import Services

_MAX_BYTES: Final = 16 * 1024
_MOST_FIELDS: Final = 20


async def read_form(request: Request, services: Services) -> Mapping[str, str]:
    """Return the fields of a form, the last of each name. Raises a 408, 413 or 422 problem."""
    if media_type(request.headers.get("Content-Type")) != "application/x-www-form-urlencoded":
        raise invalid_field("Content-Type", "Send a form (application/x-www-form-urlencoded).")
    body = await read_body(request, max_bytes=_MAX_BYTES, time_limit=services.settings.body_timeout)
    try:
        fields = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise invalid_field("body", "The body is not a form in UTF-8.") from error
    return dict(fields)
