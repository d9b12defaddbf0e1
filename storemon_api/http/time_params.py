"""Reading where a period of history begins or ends: an instant, or a date of the local clock."""

import re
from datetime import date, datetime
from typing import Annotated, Final

from fastapi import Query
from pydantic import BeforeValidator, TypeAdapter, WithJsonSchema

from storemon_api.http.schemas import Instant

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS: Final = range(1900, 9901)
_INSTANT: Final[TypeAdapter[datetime]] = TypeAdapter(Instant)


def _border(value: object) -> object:
    if isinstance(value, str) and _DATE.fullmatch(value):
        return _in_range(date.fromisoformat(value))
    return _moment(value)


def _moment(value: object) -> object:
    return _in_range(_INSTANT.validate_python(value)) if isinstance(value, str) else value


def _in_range(border: date) -> date:
    # Windows and look-backs reach from a border into years that a datetime can still name.
    if border.year not in _YEARS:
        message = f"Input should lie in the years {_YEARS[0]} to {_YEARS[-1]}"
        raise ValueError(message)
    return border


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant with room before and after it."""

Border = Annotated[
    datetime | date,
    BeforeValidator(_border),
    WithJsonSchema({"type": "string", "examples": ["2023-01-24", "2023-01-24T18:00:00Z"]}),
]
"""A date means midnight on the clock of the store."""

FromMoment = Annotated[Moment | None, Query(alias="from")]
ToMoment = Annotated[Moment | None, Query(alias="to", description="Exclusive.")]
FromBorder = Annotated[
    Border | None,
    Query(alias="from", description="An instant, or a date: its midnight on the store's clock."),
]
ToBorder = Annotated[
    Border | None,
    Query(alias="to", description="As `from`, exclusive; at most the newest poll, the default."),
]
"""The period that a request asks for."""
