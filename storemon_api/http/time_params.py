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


def _parse_bound(value: object) -> object:
    if isinstance(value, str) and _DATE.fullmatch(value):
        return _in_range(date.fromisoformat(value))
    return _parse_instant(value)


def _parse_instant(value: object) -> object:
    return _in_range(_INSTANT.validate_python(value)) if isinstance(value, str) else value


def _in_range(bound: date) -> date:
    # Windows and look-backs reach from a border into years that a datetime can still name.
    if bound.year not in _YEARS:
        message = f"Input should lie in the years {_YEARS[0]} to {_YEARS[-1]}"
        raise ValueError(message)
    return bound


BoundedInstant = Annotated[
    datetime,
    BeforeValidator(_parse_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant with room before and after it."""

TimeBound = Annotated[
    datetime | date,
    BeforeValidator(_parse_bound),
    WithJsonSchema({"type": "string", "examples": ["2023-01-24", "2023-01-24T18:00:00Z"]}),
]
"""A date means midnight on the clock of the store."""

FromInstant = Annotated[BoundedInstant | None, Query(alias="from")]
ToInstant = Annotated[BoundedInstant | None, Query(alias="to", description="Exclusive.")]
FromBound = Annotated[
    TimeBound | None,
    Query(alias="from", description="An instant, or a date: its midnight on the store's clock."),
]
ToBound = Annotated[
    TimeBound | None,
    Query(alias="to", description="As `from`, exclusive; at most the newest poll, the default."),
]
"""The period that a request asks for."""
