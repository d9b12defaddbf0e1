"""The polls of the next hour within a budget: pure functions over arrays.

Reading what is known of the stores does not belong here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US, SECOND_US, IntArray
from storemon_pipeline.likelihood.gaps import first_status_runs
from storemon_pipeline.uptime.evidence import is_event
from storemon_pipeline.uptime.status_runs import StatusRuns

MARGIN_US: Final = 30 * MINUTE_US
"""A store is polled from so long before it opens until so long after it closes."""

LEAST_STEP_US: Final = 10 * MINUTE_US
"""No store is polled more often."""

CHANGED_PACE: Final = 2.0
"""How much more often a store that was both up and down is polled than another."""

DOWN_PACE: Final = 1.5
"""The same of a store that went down in the last hour.

A higher pace makes outages look shorter than those that are not seen are long, so that uptime by
the nearest poll is too high. At 2, hardly any figure is more exact, and the bias of outages of
minutes is larger by a third.
"""

NEVER: Final = -(2**60)
"""The last poll of a store that has none."""

_LARGEST_STEP_US: Final = 2**45

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlannedPolls:
    """Polls to come, sorted by instant, then store; both arrays have shape `(n,)`."""

    store: IntArray
    poll_at_us: IntArray


@dataclass(frozen=True, slots=True)
class LastPolls:
    """What polls and events so far say of stores `0 .. n - 1`; every array has shape `(n,)`.

    `pace` is how many times as often as others a store is polled. `phase`, from 0 to 1, is where in
    its step a store begins that was not polled for long.
    """

    last_poll_us: IntArray
    pace: FloatArray
    phase: FloatArray

    @classmethod
    def of(cls, status_runs: StatusRuns, phase: FloatArray, *, start_us: int) -> Self:
        """The last polls before a plan's start, by the status runs of some days before it.

        The end of an event counts as a poll.
        """
        last_poll = np.full(len(phase), NEVER)
        pace = np.ones(len(phase))
        if len(status_runs):
            first = first_status_runs(status_runs)
            last = np.append(first[1:], len(status_runs)) - 1
            store = status_runs.store[first]
            last_poll[store] = np.minimum(status_runs.last_poll_us[last], start_us)
            is_change = (status_runs.store[1:] == status_runs.store[:-1]) & (
                status_runs.is_active[1:] != status_runs.is_active[:-1]
            )
            pace[status_runs.store[1:][is_change]] = CHANGED_PACE
            went_down = ~status_runs.is_active[last]
            went_down &= status_runs.first_poll_us[last] > start_us - HOUR_US
            pace[store[went_down]] *= DOWN_PACE
            # Inside of an event no figure depends on polls. They only tell whether it is right.
            is_told = is_event(status_runs)[last] & (status_runs.last_poll_us[last] >= start_us)
            pace[store[is_told]] = 1.0
        return cls(last_poll, pace, phase)


@dataclass(frozen=True, slots=True)
class Stretches:
    """Time in which stores are to be polled; every array has shape `(n,)`, sorted by store.

    `last_poll_us`, `pace` and `phase` are those of the store.
    """

    store: IntArray
    start_us: IntArray
    end_us: IntArray
    last_poll_us: IntArray
    pace: FloatArray
    phase: FloatArray

    @classmethod
    def of(
        cls,
        calendar: Calendar,
        last_polls: LastPolls,
        *,
        start_us: int,
        end_us: int,
        first_store: int = 0,
    ) -> Self:
        """The time of `[start_us, end_us)` in which the calendar's stores are open, or nearly.

        The calendar covers `MARGIN_US` more on both sides. Its store 0 is `first_store` here.
        """
        store, opens, closes = calendar.all_open_intervals()
        start = np.maximum(opens - MARGIN_US, start_us)
        end = np.minimum(closes + MARGIN_US, end_us)
        kept = np.flatnonzero(start < end)
        store, start, end = store[kept], start[kept], end[kept]
        # Stretches that touch or overlap are one.
        is_first = np.ones(len(store), np.bool_)
        is_first[1:] = (store[1:] != store[:-1]) | (start[1:] > end[:-1])
        first = np.flatnonzero(is_first)
        last = np.append(first[1:], len(store)) - 1
        store = store[first]
        return cls(
            first_store + store,
            start[first],
            end[last[: len(first)]],
            last_polls.last_poll_us[store],
            last_polls.pace[store],
            last_polls.phase[store],
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The stretches of several chunks of stores."""
        return cls(
            *(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(cls))
        )

    def plan(self, budget: int) -> PlannedPolls:
        """At most `budget` polls, as many as are of use.

        The time between two polls is the same for all stores, divided by their pace, and as short
        as the budget allows.
        """
        shortest, longest = 0, _LARGEST_STEP_US
        if self._count(shortest) <= budget:
            return self._polls(shortest)
        while longest - shortest > SECOND_US:
            middle = (shortest + longest) // 2
            if self._count(middle) <= budget:
                longest = middle
            else:
                shortest = middle
        return self._polls(longest)

    def _count(self, step_us: int) -> int:
        return int(self._times(step_us)[2].sum())

    def _polls(self, step_us: int) -> PlannedPolls:
        step, first, count = self._times(step_us)
        row = np.repeat(np.arange(len(count)), count)
        number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        poll_at = first[row] + number * step[row]
        order = np.lexsort((self.store[row], poll_at))
        return PlannedPolls(self.store[row][order], poll_at[order])

    def _times(self, step_us: int) -> tuple[IntArray, IntArray, IntArray]:
        """The step, the first poll and the number of polls of each stretch, in whole seconds."""
        step = np.maximum((step_us / self.pace).astype(np.int64), LEAST_STEP_US)
        step -= step % SECOND_US
        due = self.last_poll_us + step
        due -= due % SECOND_US
        # A store that was not polled for longer than that joins at its own phase.
        phase = (self.phase * step).astype(np.int64)
        phase -= phase % SECOND_US
        joins = self.start_us + (phase - self.start_us) % step
        first = np.where(due < self.start_us - step, joins, np.maximum(due, self.start_us))
        count = np.maximum(-((first - self.end_us) // step), 0)
        return step, first, count
