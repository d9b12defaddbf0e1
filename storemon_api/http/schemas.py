"""The bodies that clients send or get, as Pydantic models with examples. No handler logic."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Response
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)


def _iso_text(value: object) -> object:
    # Pydantic would take a number in a string for seconds since 1970, and not the suffix ` UTC`
    # that the poll files carry.
    if not isinstance(value, str) or value[4:5] != "-":
        message = "Input should be an ISO 8601 date and time, such as 2023-01-25T18:13:22Z"
        raise ValueError(message)
    return f"{value.removesuffix(' UTC')}Z" if value.endswith(" UTC") else value


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("Input should lie in the years 1 to 9999 of UTC") from error


Instant = Annotated[
    datetime,
    BeforeValidator(_iso_text),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


LocalInstant = Annotated[
    datetime,
    # Without an offset, which the format date-time asks for.
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+$"}),
]


class ResponseBody(BaseModel):
    """The base of every response body: its fields never change once it is made."""

    model_config = ConfigDict(frozen=True)


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(examples=["as_of"])
    message: str
    index: int | None = Field(
        default=None, description="Which row of the body, from 0; only for rows.", examples=[17]
    )


class Problem(BaseModel):
    """An error as RFC 9457 describes it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = Field(
        default=None, description="What is wrong, by field; only with status 422."
    )
    checks: dict[str, str] | None = Field(
        default=None, description="What was looked at, by name; only from `/readyz`."
    )


def json_response(body: BaseModel) -> Response:
    """The body as JSON, nulls included."""
    # FastAPI would validate and serialise a returned model in two more trips to a thread.
    return Response(body.model_dump_json(), media_type="application/json")
