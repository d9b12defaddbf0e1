"""Business time that events cover: it is certain, so no likely range has a width there."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.uptime.evidence import is_event
from storemon_pipeline.uptime.status_runs import StatusRuns


@dataclass(frozen=True, slots=True)
class EventTime:
    """The stretches of events inside of a calendar; arrays of shape `(n,)` but `before`.

    `key` ascends with store and start. `before`, `(2, n + 1)`, is the business time up and down in
    all stretches before each.
    """

    calendar: Calendar
    key: IntArray
    store: IntArray
    end_us: IntArray
    is_up: BoolArray
    before: IntArray

    @classmethod
    def of(cls, status_runs: StatusRuns, calendar: Calendar) -> Self | None:
        """The stretches in some status runs; None without any."""
        if status_runs.polls.all():
            return None
        events = status_runs.take(is_event(status_runs)).clip(calendar.start_us, calendar.end_us)
        events = events.take(events.first_poll_us < events.last_poll_us)
        if len(events) == 0:
            return None
        start_us, end_us = events.first_poll_us, events.last_poll_us
        business_us = calendar.business_us(events.store, end_us) - calendar.business_us(
            events.store, start_us
        )
        parts = np.stack([business_us * events.is_active, business_us * ~events.is_active])
        before = np.zeros((2, len(events) + 1), np.int64)
        np.cumsum(parts, axis=1, out=before[:, 1:])
        width = calendar.end_us - calendar.start_us + 1
        key = events.store * width + (start_us - calendar.start_us)
        return cls(calendar, key, events.store, end_us, events.is_active, before)

    def within(
        self, store: IntArray, start_us: IntArray, end_us: IntArray
    ) -> tuple[IntArray, IntArray]:
        """The business time up and down in each `[start_us, end_us)`; the arrays share a shape."""
        up, down = self._until(store, end_us) - self._until(store, start_us)
        return up, down

    def _until(self, store: IntArray, at_us: IntArray) -> IntArray:
        calendar = self.calendar
        at_us = np.clip(at_us, calendar.start_us, calendar.end_us)
        width = calendar.end_us - calendar.start_us + 1
        begun = np.searchsorted(self.key, store * width + (at_us - calendar.start_us), side="right")
        last = np.maximum(begun - 1, 0)
        is_cut = (begun > 0) & (self.store[last] == store) & (at_us < self.end_us[last])
        rest = calendar.business_us(store, np.where(is_cut, self.end_us[last], at_us))
        rest -= calendar.business_us(store, at_us)
        is_up = self.is_up[last]
        until: IntArray = self.before[:, begun] - np.stack([rest * is_up, rest * ~is_up])
        return until
