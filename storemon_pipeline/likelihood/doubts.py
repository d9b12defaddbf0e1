"""Signs in the polls that the model does not fit a store: its range is not to be trusted."""

from collections.abc import Sequence
from enum import IntFlag
from typing import Final

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.likelihood.gaps import Gaps, Kind, find_gaps
from storemon_pipeline.uptime.status_runs import StatusRuns

_DEVIATIONS: Final = 3.0
"""What by chance alone happens to hardly any store."""

_LEAST_EDGES: Final = 3
_HABIT: Final = 2.0
"""Edges of a fleet that is switched off lie in changes this much more often than by chance."""

_LEAST_POLLS: Final = 30
_LEAST_STORES: Final = 5

_LEAST_SINGLE: Final = 3
"""So many outages that one poll alone saw are a habit, when there are more of them than others."""

_LEAST_SHARE: Final = 0.05
"""A total is doubted for a reason that this share of its stores has."""

_LONG_GAP: Final = 6
"""A pause of the poller is a gap this much longer than the mean one."""

_GAP_SPREAD: Final = 0.45
"""The standard deviation of a gap over its mean, when a third of the polls is missing at random."""


class Doubt(IntFlag):
    """Why a store's likely range is not to be trusted; reasons add up."""

    NONE = 0
    SWITCHED_OFF = 1
    """Its status changes around opening and closing more often than by chance."""
    MISSED_WHEN_DOWN = 2
    """Polls are missing more often while it is down."""
    FEW_POLLS = 4
    """It was polled too seldom for parameters of its own."""
    SHORT_OUTAGES = 8
    """Most of its outages were seen by one poll alone: how many were not seen is guessed."""


REASONS_OF_TOTALS: Final = (Doubt.SWITCHED_OFF, Doubt.MISSED_WHEN_DOWN)
"""The doubts for which the errors of stores add up instead of cancelling."""


def find_doubts(status_runs: StatusRuns, calendar: Calendar) -> IntArray:
    """The doubts about every store of the calendar, `(stores,)`, from status runs, one at least."""
    gaps = find_gaps(status_runs, begin_us=calendar.start_us, end_us=calendar.end_us)
    doubt = np.where(_is_switched_off(gaps, calendar), int(Doubt.SWITCHED_OFF), 0)
    doubt |= np.where(
        _is_missed_when_down(status_runs, calendar.stores), int(Doubt.MISSED_WHEN_DOWN), 0
    )
    polls = np.bincount(status_runs.store, status_runs.polls, calendar.stores)
    doubt |= np.where(polls < _LEAST_POLLS, int(Doubt.FEW_POLLS), 0)
    doubt |= np.where(_has_short_outages(status_runs, calendar.stores), int(Doubt.SHORT_OUTAGES), 0)
    return doubt


def doubts_of_totals(doubt: IntArray, group: IntArray, groups: int) -> IntArray:
    """The doubts about the totals of groups of stores, `(groups,)`; `doubt` and `group` are `(n,)`.

    Only `REASONS_OF_TOTALS`.
    """
    having = [np.bincount(group, (doubt & reason) > 0, groups) for reason in REASONS_OF_TOTALS]
    return doubts_of_counts(having, np.bincount(group, minlength=groups))


def doubts_of_counts(having: Sequence[npt.ArrayLike], stores: npt.ArrayLike) -> IntArray:
    """As `doubts_of_totals`, from how many stores each of `REASONS_OF_TOTALS` has.

    >>> doubts_of_counts([[5, 4], [0, 0]], [100, 100]).tolist()
    [1, 0]
    """
    found = np.zeros(np.shape(stores), np.int64)
    for reason, count in zip(REASONS_OF_TOTALS, map(np.asarray, having), strict=True):
        is_common = (count > 0) & (count >= _LEAST_SHARE * np.asarray(stores))
        found |= np.where(is_common, int(reason), 0)
    return found


def _has_short_outages(status_runs: StatusRuns, stores: int) -> BoolArray:
    """Whether most of a store's outages were seen by one poll, and several of them."""
    is_down = ~status_runs.is_active
    goes_on = (status_runs.store[1:] == status_runs.store[:-1]) & is_down[1:] & is_down[:-1]
    is_first, is_last = is_down.copy(), is_down.copy()
    is_first[1:] &= ~goes_on
    is_last[:-1] &= ~goes_on
    is_single = is_first & is_last & (status_runs.polls == 1)
    single, others = (
        np.bincount(status_runs.store[kind], minlength=stores)
        for kind in (is_single, is_first & ~is_single)
    )
    has_short_outages: BoolArray = (single >= _LEAST_SINGLE) & (single > others)
    return has_short_outages


def _is_switched_off(gaps: Gaps, calendar: Calendar) -> BoolArray:
    """Whether openings and closings lie in gaps with a change more often than other instants."""
    change = np.flatnonzero(gaps.kind <= Kind.CHANGE)
    store = gaps.store[change]
    low = np.maximum(gaps.low_us[change], calendar.start_us)
    high = np.clip(gaps.high_us[change], low, calendar.end_us)
    opened, start, end = calendar.all_open_intervals()
    width = calendar.end_us - calendar.start_us + 1
    at = np.concatenate([start, end])
    of_store = np.concatenate([opened, opened])
    inside = (at > calendar.start_us) & (at < calendar.end_us)
    key = np.sort((of_store * width + (at - calendar.start_us))[inside])
    # An end that is the next beginning opens and closes nothing.
    is_twin = np.zeros(len(key), np.bool_)
    is_twin[1:] |= key[1:] == key[:-1]
    is_twin[:-1] |= key[1:] == key[:-1]
    key = key[~is_twin]
    origin = store * width - calendar.start_us
    hits = np.searchsorted(key, origin + high, side="left") - np.searchsorted(
        key, origin + low, side="right"
    )
    seen = np.bincount(store, np.minimum(hits, 1), calendar.stores)
    edges = np.bincount(key // width, minlength=calendar.stores)
    share = np.bincount(store, high - low, calendar.stores) / width
    expected = edges * share
    is_sure = (seen >= _LEAST_EDGES) & (
        seen > expected + _DEVIATIONS * np.sqrt(expected * (1 - share)) + 0.5
    )
    # Where it is a habit of the fleet, one time is enough.
    is_habit = seen.sum() > max(_HABIT * expected.sum(), _LEAST_EDGES)
    is_switched_off: BoolArray = is_sure | (is_habit & (seen > expected))
    return is_switched_off


def _is_missed_when_down(status_runs: StatusRuns, stores: int) -> BoolArray:
    """Whether gaps between down polls are longer than between up polls.

    Of a store by itself; else of the fleet, which every store with a down poll then shares: either
    within stores that are up and down by turns, or between stores up and stores down.
    """
    gaps, length = (
        np.stack(
            [np.bincount(status_runs.store[of], amount[of], stores) for of in _sides(status_runs)]
        )
        for amount in (status_runs.polls - 1, status_runs.last_poll_us - status_runs.first_poll_us)
    )
    # By the store's own gaps while up, so that stores polled seldom do not count as missed.
    has_both = (gaps > 0).all(axis=0)
    expected = np.where(has_both, gaps[1] * length[0] / np.maximum(gaps[0], 1), 0.0)
    is_down = np.bincount(status_runs.store, ~status_runs.is_active, stores) > 0
    up, down = gaps.sum(axis=1)
    polled = np.flatnonzero(gaps[1] >= _LEAST_POLLS)
    of_fleet = (
        _is_longer(length[1, has_both].sum(), expected.sum(), gaps[1, has_both].sum(), 1.04, 2.5)
        or (
            len(polled) >= _LEAST_STORES
            and _is_longer(length[1].sum(), down * length[0].sum() / max(up, 1), down, 1.1, 5.0)
        )
        or _are_gaps_beside_down_polls_longer(status_runs, stores)
    )
    own = [_is_longer(*row, 1.08, 4.0) for row in zip(length[1], expected, gaps[1], strict=True)]
    return np.array(own) | (is_down & of_fleet)


def _are_gaps_beside_down_polls_longer(status_runs: StatusRuns, stores: int) -> bool:
    """Whether the gaps before and after down polls are longer than those of up polls.

    Unlike the gaps between two down polls these are many also where outages are short. They have
    the same length whatever the law of outages, when polls are missing at random.
    """
    inside = status_runs.last_poll_us - status_runs.first_poll_us
    mean = inside.sum() / max((status_runs.polls - 1).sum(), 1)
    between = status_runs.first_poll_us[1:] - status_runs.last_poll_us[:-1]
    is_gap = (status_runs.store[1:] == status_runs.store[:-1]) & (between <= _LONG_GAP * mean)
    length = 2 * inside
    count = 2 * (status_runs.polls - 1)
    for beside in (slice(1, None), slice(None, -1)):
        length[beside] += np.where(is_gap, between, 0)
        count[beside] += is_gap
    gaps, lengths = (
        np.stack(
            [np.bincount(status_runs.store[of], amount[of], stores) for of in _sides(status_runs)]
        )
        for amount in (count, length)
    )
    has_both = (gaps > 0).all(axis=0)
    expected = gaps[1] * lengths[0] / np.maximum(gaps[0], 1)
    # Each gap is counted at both of its ends.
    return _is_longer(
        lengths[1, has_both].sum(), expected[has_both].sum(), gaps[1, has_both].sum() / 2, 1.05, 4.0
    )


def _sides(status_runs: StatusRuns) -> tuple[BoolArray, BoolArray]:
    return status_runs.is_active, ~status_runs.is_active


def _is_longer(
    length: float, expected: float, gaps: float, ratio: float, deviations: float
) -> bool:
    """Whether gaps are together longer than expected by this ratio and number of deviations."""
    least = max(ratio, 1 + deviations * _GAP_SPREAD / max(gaps, 1) ** 0.5)
    return bool(expected > 0 and length > least * expected)
