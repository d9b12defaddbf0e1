"""Hours, days, weeks and months in the local time of stores. Status does not belong here."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np

from storemon_pipeline.business_time.calendar import LocalSpans
from storemon_pipeline.domain.windows import DAY_US, HOUR_US, WEEK_US, IntArray

_MONDAY_SHIFT_US = 3 * DAY_US
"""1970-01-01 was a Thursday."""


class Period(StrEnum):
    """The local periods that history is divided into."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class LocalPieces:
    """Pieces `[start_us, end_us)` (UTC) of local periods; every array has shape `(n,)`.

    `begin_local_us` is the local time at which the period begins. Sorted by store and time. A
    period has several pieces when the clock or the store's zone changes within it.
    """

    store: IntArray
    begin_local_us: IntArray
    start_us: IntArray
    end_us: IntArray


def divide(spans: LocalSpans, period: Period) -> LocalPieces:
    """Cut the spans at the start of each local period.

    >>> berlin = LocalSpans(*(np.array([value]) for value in (0, 0, 30 * HOUR_US, HOUR_US)))
    >>> days = divide(berlin, Period.DAY)
    >>> (days.start_us // HOUR_US).tolist(), (days.begin_local_us // HOUR_US).tolist()
    ([0, 23], [0, 24])
    """
    start, end = spans.start_us + spans.offset_us, spans.end_us + spans.offset_us
    is_real = start < end
    store, offset = spans.store[is_real], spans.offset_us[is_real]
    start, end = start[is_real], end[is_real]
    first, last = _number(start, period), _number(end - 1, period)
    pieces = last - first + 1
    span = np.repeat(np.arange(len(store)), pieces)
    number = first[span] + np.arange(len(span)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = _begin(number, period)
    return LocalPieces(
        store[span],
        begin,
        np.maximum(start[span], begin) - offset[span],
        np.minimum(end[span], _begin(number + 1, period)) - offset[span],
    )


def begin_of(local_us: IntArray, period: Period) -> IntArray:
    """The local time at which the period of each local time begins.

    >>> begin_of(np.array([30 * HOUR_US]), Period.DAY).tolist() == [24 * HOUR_US]
    True
    """
    return _begin(_number(local_us, period), period)


def first_instant_at(spans: LocalSpans, local_us: int) -> int:
    """The first instant at which the local time is `local_us` or later; `spans` are of one store.

    Returns the end of the spans when the local time never gets there.

    >>> spans = LocalSpans(*(np.array([value]) for value in (0, 0, 30 * HOUR_US, HOUR_US)))
    >>> first_instant_at(spans, DAY_US) // HOUR_US
    23
    """
    reached = np.maximum(local_us - spans.offset_us, spans.start_us)
    found = np.flatnonzero(reached < spans.end_us)
    return int(reached[found[0]]) if len(found) else int(spans.end_us[-1])


def _number(local_us: IntArray, period: Period) -> IntArray:
    """The number of the period that contains each local time."""
    match period:
        case Period.HOUR:
            return local_us // HOUR_US
        case Period.DAY:
            return local_us // DAY_US
        case Period.WEEK:
            return (local_us + _MONDAY_SHIFT_US) // WEEK_US
        case Period.MONTH:
            months: IntArray = (
                local_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
            )
            return months
        case _:
            assert_never(period)


def _begin(number: IntArray, period: Period) -> IntArray:
    """The local time at which the period of each number begins."""
    match period:
        case Period.HOUR:
            return number * HOUR_US
        case Period.DAY:
            return number * DAY_US
        case Period.WEEK:
            return number * WEEK_US - _MONDAY_SHIFT_US
        case Period.MONTH:
            begin: IntArray = (
                number.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
            )
            return begin
        case _:
            assert_never(period)
