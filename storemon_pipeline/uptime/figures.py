"""Uptime and downtime of stores at an instant, out of status runs and business time.

Where runs and business hours come from, and how figures are rounded or written, is not known here.
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np

from storemon_pipeline.uptime.calendar import Calendar
from storemon_pipeline.uptime.runs import Runs
from storemon_pipeline.uptime.windows import LOOKBACK_US, WINDOW_US, IntArray, Policy


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of each store that has a poll within the look-back, ascending by store.

    `store` has shape `(n,)`; the others have shape `(n, 3)`, whole microseconds, their columns in
    the order of `Window`. `uptime_us + downtime_us == business_us`. `lowest_us` and `highest_us`
    bound the uptime; `observed_us` is the business time near a run.
    """

    store: IntArray
    business_us: IntArray
    uptime_us: IntArray
    downtime_us: IntArray
    lowest_us: IntArray
    highest_us: IntArray
    observed_us: IntArray


def compute_figures(
    runs: Runs, calendar: Calendar, *, as_of_us: int, policy: Policy, max_gap_us: int
) -> Figures:
    """The figures of every store with a poll in `(as_of_us - LOOKBACK_US, as_of_us]`.

    `runs` may hold earlier and later ones, and runs that reach past `as_of_us`. `calendar` covers
    the longest window. Business time never falls, so a stretch is clipped to a window after it has
    been turned into business time: every instant is looked up once for all windows.
    """
    counted = (runs.first_poll_us <= as_of_us) & (runs.last_poll_us > as_of_us - LOOKBACK_US)
    if not counted.all():
        runs = runs.take(counted)
    first_us, last_us = runs.first_poll_us, np.minimum(runs.last_poll_us, as_of_us)
    has_next = np.zeros(len(runs), np.bool_)
    has_next[:-1] = runs.store[1:] == runs.store[:-1]
    is_first_of_store = np.ones(len(runs), np.bool_)
    is_first_of_store[1:] = ~has_next[:-1]
    first_run = np.flatnonzero(is_first_of_store)
    store = runs.store[first_run]
    row = np.cumsum(is_first_of_store) - 1

    def business_at(at_us: IntArray) -> IntArray:
        return calendar.business_us(runs.store, at_us)

    starts = np.stack(
        [
            calendar.business_us(store, np.full(len(store), as_of_us - length))
            for length in WINDOW_US.values()
        ],
        axis=1,
    )
    now = calendar.business_us(store, np.full(len(store), as_of_us))

    def within_windows(begin: IntArray, end: IntArray, runs_counted: IntArray) -> IntArray:
        """Business time of the runs' stretches in each window, summed by store: shape (n, 3)."""
        total = np.empty((len(store), len(WINDOW_US)), np.int64)
        for column in range(len(WINDOW_US)):
            floor = starts[row, column]
            inside = np.maximum(end, floor) - np.maximum(begin, floor)
            total[:, column] = np.add.reduceat(inside * runs_counted, first_run)
        return total

    if len(runs) == 0:
        none = np.empty((0, len(WINDOW_US)), np.int64)
        return Figures(store, none, none, none, none, none, none)

    next_first_us = np.append(first_us[1:], as_of_us)
    midpoint_us = np.where(has_next, (last_us + next_first_us + 1) // 2, as_of_us)
    midpoint = business_at(midpoint_us)
    match policy:
        case Policy.NEAREST:
            end = midpoint
        case Policy.PREVIOUS:
            end = business_at(np.where(has_next, next_first_us, as_of_us))
        case _:
            assert_never(policy)
    begin = np.where(is_first_of_store, 0, np.append(0, end[:-1]))
    active = runs.is_active.astype(np.int64)
    certain = business_at(first_us), business_at(last_us)
    certain_up = within_windows(*certain, active)
    business = now[:, np.newaxis] - starts

    reach_us = max_gap_us // 2
    seen_until = business_at(np.minimum(last_us + reach_us, midpoint_us))
    previous_midpoint_us = np.where(
        is_first_of_store, first_us - reach_us, np.append(0, midpoint_us[:-1])
    )
    seen_from = business_at(np.maximum(first_us - reach_us, previous_midpoint_us))
    return Figures(
        store=store,
        business_us=business,
        uptime_us=within_windows(begin, end, active),
        downtime_us=within_windows(begin, end, 1 - active),
        lowest_us=certain_up,
        highest_us=business - within_windows(*certain, 1 - active),
        observed_us=within_windows(seen_from, seen_until, np.ones_like(active)),
    )
