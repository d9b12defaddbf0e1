"""Opening times in a period as merged intervals, in the form of the recorded ones."""

from datetime import date, timedelta
from typing import Final

from storemon_pipeline.hours_formats.opening_hours import OpeningTimes

Minutes = list[list[int]]
"""Starts and ends in minutes since the begin of a period."""

_MINUTE_US: Final = 60_000_000
_DAY_MINUTES: Final = 1_440


def merged_hours(times: OpeningTimes, first: date, end: date) -> Minutes:
    """The open intervals in a period, cut at its bounds; those that touch are one."""
    length = (end - first).days * _DAY_MINUTES
    found = []
    for number in range(-2, (end - first).days):
        day = first + timedelta(days=number)
        for start_us, stop_us in times.dates.get(day, times.week[day.weekday()]):
            start = number * _DAY_MINUTES + start_us // _MINUTE_US
            stop = number * _DAY_MINUTES + stop_us // _MINUTE_US
            if stop > 0:
                found.append([max(start, 0), min(stop, length)])
    return joined(found)


def joined(intervals: Minutes) -> Minutes:
    """The intervals in their order; those that touch are one."""
    merged: Minutes = []
    for start, stop in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    return merged
