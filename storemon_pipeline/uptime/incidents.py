"""Incidents: intervals of estimated downtime that cost business time, with bounds of their ends."""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import LOOKBACK_US, BoolArray, IntArray
from storemon_pipeline.uptime.status_runs import StatusRuns

NO_POLL: Final = -(2**62)
"""Stands for a bound without a poll."""


class Ending(IntEnum):
    """How an incident ended; the values of `Incidents.ending`."""

    OPEN = 0
    ENDED = 1
    NO_LONGER_POLLED = 2


@dataclass(frozen=True, slots=True)
class Incidents:
    """Incidents, sorted by store and time; every array has shape `(n,)`.

    `[start_us, end_us)` is the estimated downtime. It began between `last_active_us` and
    `first_inactive_us`; it ended between `last_inactive_us` and `next_active_us`. `NO_POLL` means
    that there is no such poll, or that the status was unknown in between. Where an event says when
    the status changed, its edges stand in for polls: `is_polled`, of shape `(n, 4)`, tells of each
    of these four bounds, in order, whether it is a poll. `lost_us` is the business time lost, at
    least one microsecond.
    """

    store: IntArray
    start_us: IntArray
    end_us: IntArray
    last_active_us: IntArray
    first_inactive_us: IntArray
    last_inactive_us: IntArray
    next_active_us: IntArray
    ending: npt.NDArray[np.int8]
    lost_us: IntArray
    polls: IntArray
    is_polled: BoolArray

    def __len__(self) -> int:
        return len(self.store)

    def take(self, which: IntArray | BoolArray) -> Self:
        """The incidents at these positions, or where this mask is true."""
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))


def find_incidents(status_runs: StatusRuns, calendar: Calendar, *, as_of_us: int) -> Incidents:
    """Find the incidents of all stores up to the newest poll of the database, `as_of_us`.

    `status_runs` begins before the first incident and includes the stores' last polls. `calendar`
    covers the incidents; time outside of it does not count. Consecutive inactive status runs are
    one incident, unless the status was unknown between them. An incident without earlier polls of
    its store begins at the first poll.

    >>> from storemon_pipeline.business_time.calendar import HoursVersions, ZoneVersions
    >>> from storemon_pipeline.business_time.calendar import build_calendar
    >>> from storemon_pipeline.business_time.weeks import WeekIntervals
    >>> none, hour = np.empty(0, np.int64), 3_600_000_000
    >>> always = build_calendar(
    ...     stores=1, start_us=0, end_us=9 * hour, weeks=WeekIntervals(none, none, none),
    ...     hours=HoursVersions(none, none, none), zones=ZoneVersions(none, none, none, ()),
    ... )
    >>> status_runs = StatusRuns(
    ...     np.array([0, 0, 0]), hour * np.array([1, 4, 8]), hour * np.array([2, 6, 8]),
    ...     np.array([True, False, True]), np.array([2, 3, 1]),
    ... )
    >>> incidents = find_incidents(status_runs, always, as_of_us=9 * hour)
    >>> (incidents.start_us // hour).tolist(), (incidents.lost_us // hour).tolist()
    ([3], [4])
    """
    count = len(status_runs)
    first, last = status_runs.first_poll_us, np.minimum(status_runs.last_poll_us, as_of_us)
    has_next = np.zeros(count, np.bool_)
    has_next[:-1] = status_runs.store[1:] == status_runs.store[:-1]
    stays_known = has_next.copy()
    stays_known[:-1] &= first[1:] - last[:-1] <= 2 * LOOKBACK_US
    is_joined = np.zeros(count, np.bool_)
    is_joined[1:] = stays_known[:-1] & ~status_runs.is_active[:-1] & ~status_runs.is_active[1:]
    begins = np.flatnonzero(~status_runs.is_active & ~is_joined)
    continues = np.append(is_joined[1:], False)[:count]
    ends = np.flatnonzero(~status_runs.is_active & ~continues)

    was_known = np.append(False, stays_known[:-1])[:count][begins]
    before = last[begins - 1] if len(begins) else begins
    has_before = np.append(False, has_next[:-1])[:count][begins]
    start = np.where(has_before, first[begins] - LOOKBACK_US, first[begins])
    start = np.where(was_known, (before + first[begins] + 1) // 2, start)
    is_ended = stays_known[ends]
    after = first[np.minimum(ends + 1, count - 1)] if len(ends) else ends
    is_lost = ~is_ended & (has_next[ends] | (last[ends] + LOOKBACK_US <= as_of_us))
    end = np.where(is_ended, (last[ends] + after + 1) // 2, as_of_us)
    end = np.where(is_lost, last[ends] + LOOKBACK_US, end)
    store = status_runs.store[begins]
    polls = np.cumsum(status_runs.polls)
    has_polls = np.append(status_runs.polls > 0, False)
    incidents = Incidents(
        store,
        start,
        end,
        np.where(was_known, before, NO_POLL),
        first[begins],
        last[ends],
        np.where(is_ended, after, NO_POLL),
        np.where(
            is_ended, Ending.ENDED, np.where(is_lost, Ending.NO_LONGER_POLLED, Ending.OPEN)
        ).astype(np.int8),
        calendar.business_us(store, end) - calendar.business_us(store, start),
        polls[ends] - polls[begins] + status_runs.polls[begins],
        np.column_stack(
            [
                was_known & has_polls[begins - 1],
                has_polls[begins],
                has_polls[ends],
                is_ended & has_polls[ends + 1],
            ]
        ),
    )
    return incidents.take(incidents.lost_us > 0)
