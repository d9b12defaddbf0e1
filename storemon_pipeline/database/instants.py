"""Conversion of instants between Python, Arrow arrays and PostgreSQL's `timestamptz`."""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.domain.windows import IntArray

INSTANT: Final = pa.timestamp("us", "UTC")
"""The Arrow type of a `timestamptz` column."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUS_INFINITY_US: Final = -(2**63) + 946_684_800_000_000
"""PostgreSQL counts from the year 2000 on, and its -infinity is the least integer of 64 bits."""
_MICROSECOND: Final = timedelta(microseconds=1)


def instant(at_us: int) -> datetime:
    """Microseconds since 1970 as an aware UTC datetime; OverflowError outside years 1 to 9999."""
    return _EPOCH + at_us * _MICROSECOND


def microseconds(at: datetime) -> int:
    """An aware datetime as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def timestamps(at_us: IntArray) -> pa.Array:
    """Microseconds since 1970, shape `(n,)`, as a `timestamptz` column."""
    return pa.array(at_us, pa.int64()).cast(INSTANT)


def timestamps_or_null(since_us: IntArray) -> pa.Array:
    """As `timestamps`, with null for `ALWAYS`."""
    return pa.array(since_us, pa.int64(), mask=since_us == ALWAYS).cast(INSTANT)


def timestamps_or_minus_infinity(since_us: IntArray) -> pa.Array:
    """As `timestamps`, with -infinity for `ALWAYS`, for rows that are copied into a table."""
    return timestamps(np.where(since_us == ALWAYS, _MINUS_INFINITY_US, since_us))


def microseconds_of(column: pa.ChunkedArray) -> IntArray:
    """A fetched `timestamptz` column as microseconds since 1970; null becomes `ALWAYS`."""
    return np.asarray(pc.fill_null(column.cast(pa.int64()), ALWAYS), np.int64)
