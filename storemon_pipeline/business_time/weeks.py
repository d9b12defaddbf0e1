"""Weekly business hours as normalised intervals of a local week.

Dates, zones and clock changes belong to `calendar`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from storemon_pipeline.domain.windows import DAY_US, HOUR_US, MINUTE_US, WEEK_US, IntArray

_LAST_MINUTE_US: Final = 23 * HOUR_US + 59 * MINUTE_US


@dataclass(frozen=True, slots=True)
class WeekIntervals:
    """Open intervals `[start_us, end_us)` of week patterns; every array has shape `(n,)`.

    `week` is the number of the pattern. Bounds are microseconds since local Monday 00:00, inside
    `[0, WEEK_US]`. Rows are sorted by pattern and start; intervals of a pattern neither overlap
    nor touch.
    """

    week: IntArray
    start_us: IntArray
    end_us: IntArray


def normalise_weeks(
    week: IntArray, day_of_week: IntArray, start_us: IntArray, end_us: IntArray
) -> WeekIntervals:
    """Turn business-hour rows into merged intervals of the week.

    The arrays have shape `(n,)`, in any order: the number of the pattern, the weekday (0 is
    Monday), and the start and end in microseconds since local midnight, from 0 to two days. From
    24:00 on they are on the next day. An end in the day's last minute means midnight. Then an end
    at or before its start is on the day after. Time past Sunday wraps around to Monday.

    >>> friday = normalise_weeks(
    ...     np.array([0]), np.array([4]), np.array([22 * HOUR_US]), np.array([2 * HOUR_US])
    ... )
    >>> (friday.start_us // HOUR_US).tolist(), (friday.end_us // HOUR_US).tolist()
    ([118], [122])
    """
    length = interval_length(start_us, end_us)
    start = (day_of_week.astype(np.int64) * DAY_US + start_us) % WEEK_US
    end = start + length
    is_wrapping = end > WEEK_US
    week = np.concatenate([week, week[is_wrapping]]).astype(np.int64)
    start = np.concatenate([start, np.zeros(int(is_wrapping.sum()), np.int64)])
    end = np.concatenate([np.minimum(end, WEEK_US), end[is_wrapping] - WEEK_US])
    return _merge(week, start, end)


def interval_length(start_us: IntArray, end_us: IntArray) -> IntArray:
    """The lengths of intervals with the starts and ends of rows, by the rules above."""
    is_midnight = (end_us >= _LAST_MINUTE_US) & (end_us <= DAY_US)
    length = np.where(is_midnight, DAY_US, end_us) - start_us
    return np.where(length <= 0, DAY_US - -length % DAY_US, length)


def _merge(week: IntArray, start: IntArray, end: IntArray) -> WeekIntervals:
    """Join the overlapping and touching intervals of each pattern."""
    if len(week) == 0:
        return WeekIntervals(week, start, end)
    order = np.lexsort((start, week))
    week, start, end = week[order], start[order], end[order]
    # Patterns are placed two weeks apart on one axis, so that a running maximum stays inside each.
    origin = week * (2 * WEEK_US)
    reach = np.maximum.accumulate(origin + end)
    is_first = np.empty(len(week), np.bool_)
    is_first[0] = True
    is_first[1:] = (origin + start)[1:] > reach[:-1]
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], len(week)) - 1
    return WeekIntervals(week[first], start[first], reach[last] - origin[first])
