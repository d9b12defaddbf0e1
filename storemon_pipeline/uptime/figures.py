"""Uptime and downtime of stores at an instant, out of status runs and business time.

Where runs and business hours come from, and how figures are rounded or written, is not known here.
"""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Final, assert_never

import numpy as np

from storemon_pipeline.uptime.calendar import Calendar
from storemon_pipeline.uptime.runs import Runs
from storemon_pipeline.uptime.stretches import Stretches
from storemon_pipeline.uptime.windows import LOOKBACK_US, WINDOW_US, IntArray, Policy

_STORES_AT_A_TIME: Final = 2_000
"""The arrays of so many stores stay in the processor's cache: all at once take twice the time."""


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
    the longest window.
    """
    counted = (runs.first_poll_us <= as_of_us) & (runs.last_poll_us > as_of_us - LOOKBACK_US)
    if not counted.all():
        runs = runs.take(counted)
    stores = np.arange(0, calendar.stores + _STORES_AT_A_TIME, _STORES_AT_A_TIME)
    rows = np.searchsorted(runs.store, stores)
    none = np.empty((0, len(WINDOW_US)), np.int64)
    parts = [Figures(none[:, 0], none, none, none, none, none, none)]
    parts += [
        _figures_of(
            runs.take(slice(*rows)),
            calendar.part(first, first + _STORES_AT_A_TIME),
            as_of_us=as_of_us,
            policy=policy,
            max_gap_us=max_gap_us,
        )
        for first, rows in zip(stores.tolist(), pairwise(rows.tolist()), strict=False)
        if rows[0] < rows[1]
    ]
    return Figures(
        *(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(Figures))
    )


def _figures_of(
    runs: Runs, calendar: Calendar, *, as_of_us: int, policy: Policy, max_gap_us: int
) -> Figures:
    """As `compute_figures`, of one run or more that all count.

    Instants become positions on the calendar's axis of business time. What was up, down, certain
    or observed are stretches there, and a window is a pair of positions: how much of the stretches
    lies between the two is the answer. Every instant is looked up once for all windows.
    """
    first_us, last_us = runs.first_poll_us, np.minimum(runs.last_poll_us, as_of_us)
    before_us = np.append(0, last_us[:-1])
    is_first_of_store = np.ones(len(runs), np.bool_)
    is_first_of_store[1:] = runs.store[1:] != runs.store[:-1]
    store = runs.store[is_first_of_store]

    # The windows' beginnings, the longest one's first, and their common end.
    edges_us = as_of_us - np.array([*reversed(WINDOW_US.values()), 0])
    edges = calendar.position_us(store[:, np.newaxis], edges_us)

    def between_edges(at_edges: IntArray) -> IntArray:
        return at_edges[:, -1:] - at_edges[:, -2::-1]

    def within_windows(begin: IntArray, end: IntArray) -> IntArray:
        """How much of the stretches lies in each window of each store, shape (stores, 3)."""
        return between_edges(Stretches.of(begin, end - begin).before(edges))

    # The estimate: one stretch from each change of status to the next, or the window's end.
    is_change = is_first_of_store.copy()
    is_change[1:] |= runs.is_active[1:] != runs.is_active[:-1]
    is_first_change = is_first_of_store[is_change]
    match policy:
        case Policy.NEAREST:
            changed_us = (before_us[is_change] + first_us[is_change] + 1) // 2
        case Policy.PREVIOUS:
            changed_us = first_us[is_change]
        case _:
            assert_never(policy)
    changed = calendar.position_us(
        runs.store[is_change], np.where(is_first_change, as_of_us - LOOKBACK_US, changed_us)
    )
    until = np.append(changed[1:], 0)
    until[np.append(is_first_change[1:], True)] = edges[:, -1]
    is_up, is_active = runs.is_active[is_change], runs.is_active

    # Observed is a reach on either side of a run; runs closer than two reaches are seen as one.
    reach_us = max_gap_us // 2
    is_apart = is_first_of_store.copy()
    is_apart[1:] |= first_us[1:] - last_us[:-1] > 2 * reach_us
    is_end_apart = np.append(is_apart[1:], True)
    seen_from_us = np.where(is_apart, first_us - reach_us, before_us)
    seen_until_us = np.where(is_end_apart, np.minimum(last_us + reach_us, as_of_us), last_us)
    # In this order the instants ascend, which makes one fast look-up of them.
    at_us = np.stack([seen_from_us, first_us, last_us, seen_until_us], axis=1)
    at = calendar.position_us(runs.store[:, np.newaxis], at_us)
    seen_from, first, last, seen_until = at.T

    business = between_edges(edges)
    return Figures(
        store=store,
        business_us=business,
        uptime_us=within_windows(changed[is_up], until[is_up]),
        downtime_us=within_windows(changed[~is_up], until[~is_up]),
        lowest_us=within_windows(first[is_active], last[is_active]),
        highest_us=business - within_windows(first[~is_active], last[~is_active]),
        observed_us=within_windows(seen_from, seen_until),
    )
