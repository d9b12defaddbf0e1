"""Hours of single local dates, in place of the weekly hours that start on these dates.

Weekly hours as they repeat belong to `weeks`; zones and closures to `calendar`.
"""

from dataclasses import dataclass

import numpy as np

from storemon_pipeline.domain.windows import DAY_US, IntArray

_LOOK_BACK_DAYS = 2
"""An interval starts within its date and is at most two days long, so it ends within two more."""

_THURSDAY = 3
"""The weekday of 1970-01-01."""


@dataclass(frozen=True, slots=True)
class DailyRows:
    """The weekly hours of stores, interval by interval, before they are merged; shape `(n,)` each.

    A store has a version for each distinct `valid_from_us`. `start_us` is since midnight of the
    day, below 24 h; `end_us` is later, by two days at most.
    """

    store: IntArray
    valid_from_us: IntArray
    day_of_week: IntArray
    start_us: IntArray
    end_us: IntArray


@dataclass(frozen=True, slots=True)
class SpecialHours:
    """The hours of single dates; `store` to `intervals` have shape `(n,)`, the others `(k,)`.

    `day` counts local dates from 1970-01-01. At an instant, the version of a store and date with
    the greatest `valid_from_us` counts; no two are equal. `intervals` is the number of intervals of
    a version: 0 is closed, -1 withdraws the special hours, so that the weekly ones hold again.
    `start_us` and `end_us` are those of all versions one after the other, as in `DailyRows`.
    `weekly` are the weekly hours of the same stores; a store without any is always open.
    """

    store: IntArray
    day: IntArray
    valid_from_us: IntArray
    intervals: IntArray
    start_us: IntArray
    end_us: IntArray
    weekly: DailyRows


def open_in_spans(
    special: SpecialHours,
    *,
    store: IntArray,
    begin_us: IntArray,
    end_us: IntArray,
    offset_us: IntArray,
) -> tuple[IntArray, IntArray, IntArray]:
    """The open time in spans with one offset and one version of everything, shape `(n,)` each.

    Returns the number of the span, the start and the end (UTC) of each interval; they may overlap.
    """
    first_day = (begin_us + offset_us) // DAY_US - _LOOK_BACK_DAYS
    days = (end_us - 1 + offset_us) // DAY_US - first_day + 1
    span = np.repeat(np.arange(len(store)), days)
    day = ranges(first_day, days)
    rows = _Rows.of(special)
    group = rows.group_of(special, store[span], day, begin_us[span])
    count = rows.count[group]
    row = ranges(rows.first[group], count)
    span, midnight = np.repeat(span, count), np.repeat(day * DAY_US, count)
    since = midnight - offset_us[span]
    begin = np.maximum(since + rows.start_us[row], begin_us[span])
    end = np.minimum(since + rows.end_us[row], end_us[span])
    real = begin < end
    return span[real], begin[real], end[real]


def ranges(first: IntArray, count: IntArray) -> IntArray:
    """Concatenate the ranges `first, first + 1, …` of `count` numbers each."""
    return np.arange(int(count.sum())) + np.repeat(first - np.cumsum(count) + count, count)


def merge(start: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
    """Ascending, disjoint intervals that cover the same as the given ones."""
    if len(start) == 0:
        return start, end
    order = np.argsort(start, kind="stable")
    start, reach = start[order], np.maximum.accumulate(end[order])
    is_first = np.append(True, start[1:] > reach[:-1])
    return start[is_first], reach[np.append(is_first[1:], True)]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The intervals of a date, in groups: versions of dates, weekdays of versions, always open."""

    first: IntArray
    count: IntArray
    start_us: IntArray
    end_us: IntArray
    weekly_store: IntArray
    weekly_from_us: IntArray

    @classmethod
    def of(cls, special: SpecialHours) -> "_Rows":
        weekly = special.weekly
        order = np.lexsort((weekly.day_of_week, weekly.valid_from_us, weekly.store))
        store, valid_from = weekly.store[order], weekly.valid_from_us[order]
        is_new = np.ones(len(order), np.bool_)
        is_new[1:] = (store[1:] != store[:-1]) | (valid_from[1:] != valid_from[:-1])
        version = np.cumsum(is_new) - 1
        of_weekday = np.bincount(
            version * 7 + weekly.day_of_week[order], minlength=7 * int(is_new.sum())
        )
        count = np.concatenate([np.maximum(special.intervals, 0), of_weekday, [1]])
        return cls(
            np.cumsum(count) - count,
            count,
            np.concatenate([special.start_us, weekly.start_us[order], [0]]),
            np.concatenate([special.end_us, weekly.end_us[order], [DAY_US]]),
            store[is_new],
            valid_from[is_new],
        )

    def group_of(
        self, special: SpecialHours, store: IntArray, day: IntArray, at_us: IntArray
    ) -> IntArray:
        """The group of the intervals that hold on each store's date, as known at the instant."""
        version = _last_version(self.weekly_store, self.weekly_from_us, store, at_us)
        weekday = (day + _THURSDAY) % 7
        group = np.where(
            version < 0, len(self.count) - 1, len(special.store) + version * 7 + weekday
        )
        low = int(min(day.min(initial=0), special.day.min(initial=0)))
        days = int(max(day.max(initial=0), special.day.max(initial=0))) - low + 1
        date = _last_version(
            special.store * days + special.day - low,
            special.valid_from_us,
            store * days + day - low,
            at_us,
        )
        is_special = date >= 0
        is_special[is_special] = special.intervals[date[is_special]] >= 0
        return np.where(is_special, date, group)


def _last_version(
    subject: IntArray, valid_from_us: IntArray, asked: IntArray, at_us: IntArray
) -> IntArray:
    """The version of each subject asked for with the greatest start up to an instant; -1: none."""
    if len(subject) == 0:
        return np.full(len(asked), -1)
    subjects, number = np.unique(subject, return_inverse=True)
    starts, rank = np.unique(valid_from_us, return_inverse=True)
    key = number * (len(starts) + 1) + rank + 1
    order = np.argsort(key)
    place = np.minimum(np.searchsorted(subjects, asked), len(subjects) - 1)
    asked_key = place * (len(starts) + 1) + np.searchsorted(starts, at_us, side="right")
    found = order[np.maximum(np.searchsorted(key[order], asked_key, side="right") - 1, 0)]
    is_found = (
        (subjects[place] == asked) & (number[found] == place) & (valid_from_us[found] <= at_us)
    )
    return np.where(is_found, found, -1)
