"""Uptime history by local day, with the number of incidents of each day."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.local_periods import LocalPieces, Period, divide
from storemon_pipeline.domain.windows import DAY_US, BoolArray, IntArray
from storemon_pipeline.uptime.history import Amounts, History, build_history
from storemon_pipeline.uptime.incidents import find_incidents
from storemon_pipeline.uptime.status_runs import StatusRuns

NEVER: Final = 2**62
"""An instant or a day later than any real one."""


@dataclass(frozen=True, slots=True)
class Days:
    """Local days of stores, sorted by store and day; every array has shape `(n,)`.

    `[start_us, end_us)` (UTC) is the part of the day that is counted. `incidents` counts those that
    cost business time on the day; one across midnight counts on both.
    """

    store: IntArray
    begin_local_us: IntArray
    start_us: IntArray
    end_us: IntArray
    amounts: Amounts
    incidents: IntArray

    def take(self, which: BoolArray) -> "Days":
        """The days for which this mask is true."""
        return Days(
            self.store[which],
            self.begin_local_us[which],
            self.start_us[which],
            self.end_us[which],
            self.amounts.take(which),
            self.incidents[which],
        )


def compute_days(
    status_runs: StatusRuns, calendar: Calendar, *, since_us: IntArray
) -> tuple[Days, IntArray]:
    """Compute the local days from `since_us` on, and the first computed day of each store.

    `since_us` has shape `(stores,)`; use `NEVER` for no days. The first day is a number of days
    since 1970. The calendar starts two days before the earliest instant, so that the first days are
    complete, and ends at the newest poll. `status_runs` holds all that touch the calendar's period,
    and the last one before it of each store.
    """
    pieces = divide(calendar.local_spans(), Period.DAY)
    day = pieces.begin_local_us // DAY_US
    from_day = np.full(calendar.stores, NEVER)
    is_touched = pieces.end_us > since_us[pieces.store]
    np.minimum.at(from_day, pieces.store[is_touched], day[is_touched])
    wanted = day >= from_day[pieces.store]
    pieces = LocalPieces(
        pieces.store[wanted],
        pieces.begin_local_us[wanted],
        pieces.start_us[wanted],
        pieces.end_us[wanted],
    )
    history = build_history(status_runs, calendar)
    days = history.by_pieces(pieces, Period.DAY)
    incidents = _count_incidents(status_runs, history, pieces, days.store, days.begin_local_us)
    return (
        Days(
            days.store,
            days.begin_local_us,
            days.start_us,
            days.end_us,
            days.amounts,
            incidents,
        ),
        from_day,
    )


def _count_incidents(
    status_runs: StatusRuns, history: History, pieces: LocalPieces, store: IntArray, begin: IntArray
) -> IntArray:
    """The number of incidents that cost business time on each of the days `(store, begin)`."""
    calendar = history.calendar
    count = np.zeros(len(store), np.int64)
    incidents = find_incidents(status_runs, calendar, as_of_us=calendar.end_us)
    if len(incidents) == 0 or len(store) == 0:
        return count
    length = calendar.end_us - calendar.start_us + 1

    def key(of_store: IntArray, at_us: IntArray) -> IntArray:
        inside = np.clip(at_us, calendar.start_us, calendar.end_us)
        return of_store * length + (inside - calendar.start_us)

    piece_end = key(pieces.store, pieces.end_us)
    first = np.searchsorted(piece_end, key(incidents.store, incidents.start_us), side="right")
    last = np.searchsorted(
        key(pieces.store, pieces.start_us), key(incidents.store, incidents.end_us), side="left"
    )
    touched = np.maximum(last - first, 0)
    incident = np.repeat(np.arange(len(incidents)), touched)
    piece = (
        first[incident]
        + np.arange(len(incident))
        - np.repeat(np.cumsum(touched) - touched, touched)
    )
    start = np.maximum(pieces.start_us[piece], incidents.start_us[incident])
    end = np.minimum(pieces.end_us[piece], incidents.end_us[incident])
    of_store = pieces.store[piece]
    costs = calendar.business_us(of_store, end) > calendar.business_us(of_store, start)
    pair = np.unique(
        np.stack([incident[costs], of_store[costs], pieces.begin_local_us[piece][costs]]), axis=1
    )
    # Days are sorted by store and start: combine both in one sortable number.
    base = int(begin.min())
    width = int(begin.max()) - base + 1
    day = np.searchsorted(store * width + (begin - base), pair[1] * width + (pair[2] - base))
    np.add.at(count, day, 1)
    return count
