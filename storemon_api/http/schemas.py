"""Pydantic types and models that several rooms use: instants, problems, the response base."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Final

from fastapi import Response
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date_text(value: object) -> object:
    # Pydantic reads a number, also one in a string, as seconds since 1970.
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("Give a date such as 2023-01-25")
    return value


def _iso_text(value: object) -> object:
    # Pydantic reads a number in a string as seconds since 1970, and rejects the suffix ` UTC`
    # of the poll files.
    if not isinstance(value, str) or value[4:5] != "-":
        message = "Give an ISO 8601 date and time, such as 2023-01-25T18:13:22Z"
        raise ValueError(message)
    return f"{value.removesuffix(' UTC')}Z" if value.endswith(" UTC") else value


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("Pick a time between the years 1 and 9999 in UTC") from error


Instant = Annotated[
    datetime,
    BeforeValidator(_iso_text),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


DateOnly = Annotated[
    date, BeforeValidator(_date_text), WithJsonSchema({"type": "string", "format": "date"})
]
"""A date without a time, as `YYYY-MM-DD`."""

LocalInstant = Annotated[
    datetime,
    # The format `date-time` would require an offset.
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+$"}),
]


class ResponseBody(BaseModel):
    """Base of response bodies: immutable."""

    model_config = ConfigDict(frozen=True)


class FieldError(BaseModel):
    """One invalid field of a request."""

    field: str = Field(examples=["as_of"])
    message: str
    index: int | None = Field(
        default=None,
        description="Index of the row in the body, from 0; only for rows.",
        examples=[17],
    )


class Problem(BaseModel):
    """An error in the form of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = Field(
        default=None, description="Invalid fields; only with status 422."
    )
    checks: dict[str, str] | None = Field(
        default=None, description="Results of the checks by name; only from `/readyz`."
    )
    warnings: dict[str, str] | None = Field(
        default=None, description="Possible causes by name; only from `/readyz`."
    )


def json_response(body: BaseModel, *, exclude_none: bool = False) -> Response:
    """Return the body as JSON, nulls included unless they are excluded."""
    # FastAPI would validate and serialise a returned model in two more thread hops.
    text = body.model_dump_json(exclude_none=exclude_none)
    return Response(text, media_type="application/json")
