"""Query parameters `from` and `to`: an instant, or a date on the store's clock."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Final

from fastapi import Query
from pydantic import BeforeValidator, TypeAdapter, WithJsonSchema

from storemon_api.http.problems import invalid_field
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
    # Leaves room for windows and look-backs within the range of datetime.
    if bound.year not in _YEARS:
        message = f"Pick a time between the years {_YEARS[0]} and {_YEARS[-1]}"
        raise ValueError(message)
    return bound


BoundedInstant = Annotated[
    datetime,
    BeforeValidator(_parse_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant in the years 1900 to 9900."""

TimeBound = Annotated[
    datetime | date,
    BeforeValidator(_parse_bound),
    WithJsonSchema({"type": "string", "examples": ["2023-01-24", "2023-01-24T18:00:00Z"]}),
]
"""An instant, or a date: midnight on the store's clock."""

FromInstant = Annotated[BoundedInstant | None, Query(alias="from")]
ToInstant = Annotated[BoundedInstant | None, Query(alias="to", description="Exclusive.")]
FromBound = Annotated[
    TimeBound | None,
    Query(alias="from", description="An instant, or a date: midnight on the store's clock."),
]
ToBound = Annotated[
    TimeBound | None,
    Query(alias="to", description="Like `from`, exclusive. Default and maximum: the newest poll."),
]


def check_length(length: timedelta, longest: timedelta, what: str) -> None:
    """Raise a 422 problem for a period that is too long.

    An hour more is accepted: local days have it where clocks are set back, and clients round the
    ends of a period to milliseconds.
    """
    if length > longest + timedelta(hours=1):
        raise invalid_field("from", f"Pick a period of at most {longest.days} days {what}.")
