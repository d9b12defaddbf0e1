"""Serialise a store's weekly and special hours to response models. No I/O."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from storemon_api.downloads.body_tables import columns_of
from storemon_api.downloads.table_file import Column
from storemon_api.stores.store_schemas import OpenInterval, OpenTime, SpecialHoursResponse
from storemon_pipeline.domain.windows import DAY_US, MINUTE_US, SECOND_US, WEEK_US
from storemon_pipeline.schedules.special_hours import StoredSpecialHours

SPECIAL_HOURS_COLUMNS: Final[Sequence[Column[SpecialHoursResponse]]] = (
    *columns_of(SpecialHoursResponse, "hours"),
    Column(
        "hours_local",
        lambda one: ", ".join(
            f"{part.start_time_local}-{part.end_time_local}" for part in one.hours
        ),
    ),
)
"""Empty hours: the store is closed on the date."""


def open_intervals(starts: Sequence[int], ends: Sequence[int]) -> list[OpenInterval]:
    """Return merged intervals, in microseconds since Monday 00:00, by their day.

    An interval over the end of the week is one. An interval of a day or more is cut at midnight, so
    that a store that is always open shows seven whole days.
    """
    week = list(zip(starts, ends, strict=True))
    if len(week) > 1 and week[0][0] == 0 and week[-1][1] == WEEK_US:
        (_, first_end), (last_start, _) = week[0], week[-1]
        week = [*week[1:-1], (last_start, WEEK_US + first_end)]
    shown = [part for start, end in week for part in _parts(start, end)]
    shown.sort(key=lambda part: (part.day_of_week, part.start))
    return shown


def special_hours_response(found: StoredSpecialHours) -> SpecialHoursResponse:
    """Return the hours of a date."""
    return SpecialHoursResponse(
        date=found.local_date,
        hours=[
            OpenTime(start_time_local=_clock(start), end_time_local=_clock(end))
            for start, end in zip(found.starts_us, found.ends_us, strict=True)
        ],
        loaded_at=found.loaded_at,
        is_pushed=found.is_pushed,
    )


def _parts(start_us: int, end_us: int) -> list[OpenInterval]:
    """Return the interval whole if it is shorter than a day, else cut at each midnight."""
    if end_us - start_us < DAY_US:
        return [_open_interval(start_us, end_us)]
    midnights = range((start_us // DAY_US + 1) * DAY_US, end_us, DAY_US)
    edges = [start_us, *midnights, end_us]
    return [_open_interval(a, b) for a, b in pairwise(edges)]


def _open_interval(start_us: int, end_us: int) -> OpenInterval:
    day = start_us // DAY_US
    return OpenInterval(
        day_of_week=day % 7,
        start=_clock(start_us - day * DAY_US),
        end=_clock(end_us - day * DAY_US),
    )


def _clock(us: int) -> str:
    minutes, rest_us = divmod(us, MINUTE_US)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest_us // SECOND_US:02}"
