"""Likely ranges of uptime: limits around the figures that hold the truth nine times in ten.

The figures themselves come from `uptime`, the parameters from `model`. Amounts are hours in here,
as floats, and whole microseconds in what is given and returned.
"""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Final, Self, TypeVar

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import (
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    WINDOW_US,
    BoolArray,
    IntArray,
)
from storemon_pipeline.likelihood.bridges import FloatArray
from storemon_pipeline.likelihood.doubts import Doubt
from storemon_pipeline.likelihood.event_time import EventTime
from storemon_pipeline.likelihood.gaps import Gaps, Kind, find_open_gaps, first_status_runs
from storemon_pipeline.likelihood.model import StatusModel, StoreParameters
from storemon_pipeline.likelihood.tables import COLUMNS, NODES
from storemon_pipeline.uptime.figures import Figures, Positions
from storemon_pipeline.uptime.status_runs import StatusRuns

DEVIATIONS: Final = 1.645
"""Standard deviations from the mean within which nine of ten normal values lie."""

_Number = TypeVar("_Number", np.int64, np.float64)

_MEAN: Final = 0
_VARIANCE: Final = 1
_FACTORS: Final = slice(2, COLUMNS)
_REACH: Final = COLUMNS
"""Columns of moments. The reach adds up as it is: what could be wrong in one direction."""

_BILLION: Final = 1e9

_STEP_US: Final = 3 * MINUTE_US
"""Gaps are looked up by their length in whole steps; every node is one."""

_STEPS: Final = np.rint(np.array(NODES) * HOUR_US / _STEP_US).astype(np.int64)
_NODE_OF: Final = np.clip(
    np.searchsorted(_STEPS, np.arange(_STEPS[-1] + 1), side="right") - 1, 0, len(NODES) - 2
)
_SHARE_OF: Final = np.clip(
    (np.arange(len(_NODE_OF)) - _STEPS[_NODE_OF]) / np.diff(_STEPS)[_NODE_OF], 0.0, 1.0
).astype(np.float32)
"""Of each number of steps the node before it, and how far it is on the way to the next one."""

_SECONDS: Final = HOUR_US // SECOND_US
STORES_AT_A_TIME: Final = 4_000
"""Stores per chunk: smaller arrays reuse memory, larger ones take new pages each time."""


@dataclass(frozen=True, slots=True)
class LikelyRanges:
    """Likely ranges of uptime; every array has the same shape, that of the figures.

    `lowest_us <= uptime <= highest_us`, inside of 0 and the business time that is known.
    `mean_hours`, `variance` and `reach_hours` are what totals are made of: mean and variance of the
    uptime, and what a store that is switched off may lose or gain beside it.
    """

    lowest_us: IntArray
    highest_us: IntArray
    mean_hours: FloatArray
    variance: FloatArray
    reach_hours: FloatArray


@dataclass(frozen=True, slots=True)
class OpenTime:
    """What a model makes of the time that polls leave open, for any stretch of a calendar.

    It knows the stores from `first_store` on, to the last one with a status run. `gaps` are those
    with business time, of the store i places later at `[first_gap[i], first_gap[i + 1])`; on the
    calendar's axis each lies at `[low, high)`. `before` has shape `(COLUMNS + 1, gaps + 1)`: the
    moments of all gaps before each, in billionths, as whole numbers: their sums are exact, so that
    a store's range does not depend on the stores beside it. `in_status_runs` holds those of an hour
    inside of up and of down status runs, `(2, COLUMNS, stores)`. What `events` cover is certain.
    """

    calendar: Calendar
    model: StatusModel
    shares: npt.NDArray[np.float32]
    parameters: StoreParameters
    first_store: int
    gaps: Gaps
    low: IntArray
    high: IntArray
    first_gap: IntArray
    before: IntArray
    in_status_runs: FloatArray
    events: EventTime | None

    @classmethod
    def of(
        cls,
        status_runs: StatusRuns,
        calendar: Calendar,
        model: StatusModel,
        parameters: StoreParameters,
        *,
        shares: npt.NDArray[np.float32] | None = None,
        positions: Positions | None = None,
    ) -> Self:
        """Weigh the gaps of status runs, one at least, none of which begins after the calendar.

        `shares` are those of the model, and `positions` those of the status runs, when they are
        known already.
        """
        if shares is None:
            shares = model.shares()
        if positions is None:
            positions = _positions(status_runs, calendar)
        gaps, low, high = find_open_gaps(
            status_runs, positions, begin_us=calendar.start_us, end_us=calendar.end_us
        )
        first_store, last_store = int(status_runs.store[0]), int(status_runs.store[-1])
        open_time = cls(
            calendar,
            model,
            shares,
            parameters,
            first_store,
            gaps,
            low,
            high,
            np.searchsorted(gaps.store, np.arange(first_store, last_store + 2)),
            np.zeros((COLUMNS + 1, len(low) + 1), np.int64),
            _inside_status_runs(status_runs, shares, model.gap_factor, parameters.of_class),
            EventTime.of(status_runs, calendar),
        )
        moments = open_time._of_parts(slice(None), gaps.low_us, gaps.high_us, low, high)
        np.cumsum(moments, axis=1, out=open_time.before[:, 1:])
        return open_time

    def ranges(
        self,
        store: IntArray,
        start_us: IntArray,
        end_us: IntArray,
        *,
        uptime_us: IntArray,
        lowest_us: IntArray,
        highest_us: IntArray,
        known_us: IntArray,
    ) -> LikelyRanges:
        """The likely range of each store in each `[start_us, end_us)`; the arrays share a shape.

        `store` may be a column, for all of a row. Of each store there is a status run. `uptime_us`
        is the figure, `lowest_us` and `highest_us` its bounds, and `known_us` the business time
        that is not unknown, as in `Figures` and `Amounts`.
        """
        moments = self._moments(
            store,
            start_us,
            end_us,
            lowest_us=lowest_us,
            highest_us=highest_us,
            known_us=known_us,
        )
        variance = np.maximum(moments[_VARIANCE], 0.0)
        for factor in moments[_FACTORS]:
            variance += factor * factor
        mean, reach = moments[_MEAN], np.maximum(moments[_REACH], 0.0)
        half = DEVIATIONS * self.model.widening * np.sqrt(variance) + reach
        lowest, highest = _around(mean, half, uptime_us, known_us)
        return LikelyRanges(lowest, highest, mean, variance, reach)

    def mean_and_deviations(
        self,
        store: IntArray,
        start_us: IntArray,
        end_us: IntArray,
        *,
        lowest_us: IntArray,
        highest_us: IntArray,
        known_us: IntArray,
    ) -> FloatArray:
        """Mean, own and shared deviation and reach of each stretch, `(4, n)`; as for `ranges`.

        The own deviation is of what is independent of the store's other stretches.
        """
        moments = self._moments(
            store,
            start_us,
            end_us,
            lowest_us=lowest_us,
            highest_us=highest_us,
            known_us=known_us,
        )
        return np.stack(
            [
                moments[_MEAN],
                np.sqrt(np.maximum(moments[_VARIANCE], 0.0)),
                np.sqrt((moments[_FACTORS] ** 2).sum(axis=0)),
                np.maximum(moments[_REACH], 0.0),
            ]
        )

    def _moments(
        self,
        store: IntArray,
        start_us: IntArray,
        end_us: IntArray,
        *,
        lowest_us: IntArray,
        highest_us: IntArray,
        known_us: IntArray,
    ) -> FloatArray:
        """The moments of each stretch, between and inside of status runs."""
        of_all = np.broadcast_to(store, start_us.shape).ravel()
        moments = self._between(of_all, start_us.ravel(), end_us.ravel()) / _BILLION
        moments = moments.reshape(-1, *start_us.shape)
        of_store = store - self.first_store
        certain_us = lowest_us, known_us - highest_us
        if self.events is not None:
            of_events = self.events.within(of_all, start_us.ravel(), end_us.ravel())
            certain_us = (
                np.maximum(certain_us[0] - of_events[0].reshape(start_us.shape), 0),
                np.maximum(certain_us[1] - of_events[1].reshape(start_us.shape), 0),
            )
            moments[_MEAN] += of_events[0].reshape(start_us.shape) / HOUR_US
        for inside, amount in zip(self.in_status_runs, certain_us, strict=True):
            hours = amount / HOUR_US
            # Column by column, so that no array of all of them is made.
            for column, of_hour in enumerate(inside):
                moments[column] += of_hour[of_store] * hours
        return moments

    def _between(self, store: IntArray, start_us: IntArray, end_us: IntArray) -> IntArray:
        """The moments of the gaps of each store in each stretch, `(COLUMNS + 1, n)`."""
        gaps = self.gaps
        width = self.calendar.end_us - self.calendar.start_us + 1
        own = gaps.store * width - self.calendar.start_us
        origin = store * width - self.calendar.start_us
        first = self.first_gap[store - self.first_store]
        late = np.flatnonzero(start_us > self.calendar.start_us)
        if len(late):
            key = (origin + start_us)[late]
            high_us = np.minimum(gaps.high_us, self.calendar.end_us)
            first[late] = np.searchsorted(own + high_us, key, side="right")
        until = self.first_gap[store - self.first_store + 1]
        early = np.flatnonzero(end_us < self.calendar.end_us)
        if len(early):
            key = (origin + end_us)[early]
            low_us = np.maximum(gaps.low_us, self.calendar.start_us)
            until[early] = np.searchsorted(own + low_us, key, side="left")
        np.maximum(until, first, out=until)
        moments = self.before.take(until, axis=1)
        moments -= self.before.take(first, axis=1)
        some = np.flatnonzero(until > first)
        first, last = first[some], until[some] - 1
        is_cut = gaps.low_us[first] < start_us[some]
        is_cut |= (gaps.high_us[first] > end_us[some]) & (first == last)
        self._cut(moments, some[is_cut], first[is_cut], start_us, end_us)
        is_cut = (gaps.high_us[last] > end_us[some]) & (first < last)
        self._cut(moments, some[is_cut], last[is_cut], start_us, end_us)
        return moments

    def _cut(
        self,
        moments: IntArray,
        rows: IntArray,
        gap: IntArray,
        start_us: IntArray,
        end_us: IntArray,
    ) -> None:
        """Replace the whole of each row's gap in the moments by the part inside the stretch."""
        if len(rows) == 0:
            return
        gaps = self.gaps.take(gap)
        begin = np.maximum(gaps.low_us, start_us[rows])
        end = np.minimum(gaps.high_us, end_us[rows])
        low = self._place(gaps.store, begin, self.low[gap], begin > gaps.low_us)
        high = self._place(gaps.store, end, self.high[gap], end < gaps.high_us)
        change = self.before.take(gap, axis=1)
        change -= self.before.take(gap + 1, axis=1)
        some = np.flatnonzero(high > low)
        change[:, some] += self._of_parts(gap[some], begin[some], end[some], low[some], high[some])
        for amount, by in zip(moments, change, strict=True):
            amount[rows] += by

    def _place(
        self, store: IntArray, at_us: IntArray, known: IntArray, is_unknown: BoolArray
    ) -> IntArray:
        """The positions of instants on the calendar's axis, where they are not known yet."""
        which = np.flatnonzero(is_unknown)
        place = known.copy()
        place[which] = self.calendar.position_us(store[which], at_us[which])
        return place

    def _of_parts(
        self,
        which: IntArray | slice,
        begin_us: IntArray,
        end_us: IntArray,
        low: IntArray,
        high: IntArray,
    ) -> IntArray:
        """The moments of some business time in `[begin_us, end_us)` of each gap.

        It lies at `[low, high)` on the calendar's axis. The shape is `(COLUMNS + 1, n)`.
        """
        gaps = self.gaps.take(which)
        whole_us, business_us, kind = gaps.high_us - gaps.low_us, high - low, gaps.kind
        hours = business_us / HOUR_US
        moments = np.zeros((COLUMNS + 1, len(hours)))
        moments[:COLUMNS] = _look_up(
            self.shares, self.parameters.of_class[gaps.store], kind, whole_us
        ).T
        changes = np.flatnonzero((business_us < whole_us) & (kind <= Kind.CHANGE))
        share = moments[_MEAN, changes]
        moments *= hours
        moments[_VARIANCE] *= hours
        if len(changes):
            parts = gaps.take(changes)
            begin, until = self._where(
                parts, begin_us[changes], end_us[changes], low[changes], high[changes]
            )
            mean, variance = _of_change(share, whole_us[changes] / HOUR_US, begin, until)
            # What lies in several pieces counts as if it lay in one.
            moments[_MEAN, changes] = mean * hours[changes] / (until - begin)
            moments[_VARIANCE, changes] *= variance
            self._reach_over_edges(moments, parts, changes, hours)
        moments *= _BILLION
        return np.rint(moments, out=moments).astype(np.int64)

    def _reach_over_edges(
        self, moments: FloatArray, parts: Gaps, changes: IntArray, hours: FloatArray
    ) -> None:
        """Where a store is switched off, nothing tells when: up or down until the edge, each time.

        So these errors add up as they are.
        """
        is_edge = (self.parameters.doubt[parts.store] & Doubt.SWITCHED_OFF) > 0
        edges = changes[is_edge]
        if len(edges) == 0:
            return
        moments[:, edges] = 0.0
        moments[_MEAN, edges] = moments[_REACH, edges] = hours[edges] / 2

    def _where(
        self,
        gaps: Gaps,
        begin_us: IntArray,
        end_us: IntArray,
        low: IntArray,
        high: IntArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Hours from the down poll to where the business time of each change begins and ends."""
        business = high - low
        forward, backward = begin_us + business, end_us - business
        is_first = self.calendar.position_us(gaps.store, forward) == high
        is_last = ~is_first & (self.calendar.position_us(gaps.store, backward) == low)
        begin = np.where(is_last, backward, begin_us) - gaps.low_us
        until = np.where(is_first, forward, end_us) - gaps.low_us
        length = gaps.high_us - gaps.low_us
        is_down_first = gaps.is_down_first
        return (
            np.where(is_down_first, begin, length - until) / HOUR_US,
            np.where(is_down_first, until, length - begin) / HOUR_US,
        )


def likely_ranges(
    status_runs: StatusRuns,
    calendar: Calendar,
    figures: Figures,
    model: StatusModel,
    parameters: StoreParameters,
    *,
    as_of_us: int,
    positions: Positions | None = None,
) -> LikelyRanges:
    """The likely ranges of figures made of these status runs and this calendar; each `(n, 3)`.

    `status_runs` are those that count for a report, as `counted_status_runs` gives them. The
    calendar ends at `as_of_us`. `positions` save looking them up again: those that
    `compute_with_positions` gave for a calendar of the longest window.
    """
    counts = np.arange(0, calendar.stores + STORES_AT_A_TIME, STORES_AT_A_TIME)
    of_status_runs = np.searchsorted(status_runs.store, counts).tolist()
    of_rows = np.searchsorted(figures.store, counts).tolist()
    start = as_of_us - np.array(list(WINDOW_US.values()))
    shares = model.shares()
    none = np.empty((0, len(WINDOW_US)))
    parts = [LikelyRanges(none.astype(np.int64), none.astype(np.int64), none, none, none)]
    for first, own_status_runs, own_rows in zip(
        counts.tolist(), pairwise(of_status_runs), pairwise(of_rows), strict=False
    ):
        if own_rows[0] == own_rows[1]:
            continue
        rows = slice(*own_rows)
        end = min(first + STORES_AT_A_TIME, calendar.stores)
        open_time = OpenTime.of(
            status_runs.take(slice(*own_status_runs)),
            calendar.slice_stores(first, end),
            model,
            parameters,
            shares=shares,
            positions=None if positions is None else positions.take(rows, slice(*own_status_runs)),
        )
        store = figures.store[rows]
        shape = (len(store), len(WINDOW_US))
        parts.append(
            open_time.ranges(
                store[:, np.newaxis],
                np.broadcast_to(start, shape),
                np.full(shape, as_of_us),
                uptime_us=figures.uptime_us[rows],
                lowest_us=figures.lowest_uptime_us[rows],
                highest_us=figures.highest_uptime_us[rows],
                known_us=figures.business_us[rows],
            )
        )
    return LikelyRanges(
        *(
            np.concatenate([getattr(part, name.name) for part in parts])
            for name in fields(LikelyRanges)
        )
    )


def total_ranges(
    ranges: LikelyRanges,
    group: IntArray,
    groups: int,
    *,
    uptime_us: IntArray,
    known_us: IntArray,
) -> tuple[IntArray, IntArray]:
    """Lowest and highest likely uptime of groups of the ranges' first axis, `(groups, ...)`.

    `group` has shape `(n,)`. The errors of stores are independent but for what the model makes
    wrong of all of them: half of what lies between its own total and the figures' total counts as
    a deviation of that.
    """

    def summed(amount: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
        sums = np.zeros((groups, *amount.shape[1:]), amount.dtype)
        np.add.at(sums, group, amount)
        return sums

    apart = ranges.mean_hours - uptime_us / HOUR_US
    return limits_of_totals(
        summed(ranges.variance + apart**2),
        summed(apart),
        summed(ranges.reach_hours),
        uptime_us=summed(uptime_us),
        known_us=summed(known_us),
    )


def limits_of_totals(
    variance: FloatArray,
    apart_hours: FloatArray,
    reach_hours: FloatArray,
    *,
    uptime_us: IntArray,
    known_us: IntArray,
) -> tuple[IntArray, IntArray]:
    """As `total_ranges`, from sums over the stores.

    `apart_hours` is by how much the mean lies above the figure; its square counts in `variance`.
    """
    half = DEVIATIONS * np.sqrt(variance + (apart_hours / 2) ** 2) + reach_hours
    return _around(uptime_us / HOUR_US, half, uptime_us, known_us)


def _positions(status_runs: StatusRuns, calendar: Calendar) -> Positions:
    store = status_runs.store[first_status_runs(status_runs)]
    at_us = np.stack([status_runs.first_poll_us, status_runs.last_poll_us])
    np.clip(at_us, calendar.start_us, calendar.end_us, out=at_us)
    first, last = calendar.ascending_positions_us(status_runs.store, at_us)
    period = np.array([[calendar.start_us], [calendar.end_us]])
    begin, end = calendar.position_us(store, period)
    return Positions(begin, end, first, last)


def _around(
    middle: FloatArray, half: FloatArray, uptime_us: IntArray, known_us: IntArray
) -> tuple[IntArray, IntArray]:
    """The limits in whole seconds, outward, around the figure as well, inside of what is known."""
    lowest = np.floor((middle - half) * _SECONDS).astype(np.int64) * SECOND_US
    highest = np.ceil((middle + half) * _SECONDS).astype(np.int64) * SECOND_US
    return (
        np.maximum(np.minimum(lowest, uptime_us), 0),
        np.minimum(np.maximum(highest, uptime_us), known_us),
    )


def _look_up(
    shares: npt.NDArray[np.float32], of_class: IntArray, kind: IntArray, length_us: IntArray
) -> npt.NDArray[np.float32]:
    """The rows of the tables for gaps of these lengths, between the nodes; `(n, COLUMNS)`."""
    steps = np.minimum((length_us + _STEP_US // 2) // _STEP_US, len(_NODE_OF) - 1)
    rows = shares.reshape(-1, COLUMNS)
    row = (of_class * len(Kind) + kind) * len(NODES) + _NODE_OF[steps]
    found: npt.NDArray[np.float32] = rows.take(row, axis=0)
    further = rows.take(row + 1, axis=0)
    further -= found
    further *= _SHARE_OF[steps, np.newaxis]
    found += further
    return found


def _inside_status_runs(
    status_runs: StatusRuns, shares: npt.NDArray[np.float32], gap_factor: float, of_class: IntArray
) -> FloatArray:
    """The moments of an hour inside of up and of down status runs, `(2, COLUMNS, stores)`.

    The stores are all from that of the first status run to that of the last.
    """
    first = first_status_runs(status_runs)
    store = status_runs.store[first]
    place = store - store[0]
    polls, length = status_runs.polls, status_runs.last_poll_us - status_runs.first_poll_us
    if not polls.all():  # what events say has no gaps
        polls, length = np.maximum(polls, 1), length * (polls > 0)
    gaps = np.maximum(np.add.reduceat(polls - 1, first), 1)
    length = np.add.reduceat(length, first)
    step = length / gaps * gap_factor
    kind = np.repeat([int(Kind.UP_STATUS_RUN), int(Kind.DOWN_STATUS_RUN)], len(store))
    found = _look_up(shares, np.tile(of_class[store], 2), kind, np.tile(step.astype(np.int64), 2)).T
    both = np.zeros((2, COLUMNS, place[-1] + 1))
    for moments, own in zip(both, np.split(found, 2, axis=1), strict=True):
        moments[:, place] = own
        # Each of the gaps that an hour holds has its own error.
        moments[_VARIANCE, place] *= step / HOUR_US
    return both


def _of_change(
    share: FloatArray, hours: FloatArray, begin: FloatArray, until: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and relative variance of the uptime in a part of gaps in which the status changes.

    `share` is the mean of the whole gap, over its length. `begin` and `until` are hours from the
    down poll. Either the status changes at once beside one of the polls, or in any instant alike;
    how likely each is follows from the share. The variance is one of shares of the part, over that
    of shares of the whole gap, so that what a table says of the whole is kept.

    >>> one, half = np.array([1.0]), np.array([0.5])
    >>> mean, variance = _of_change(half, one, half, one)
    >>> mean.tolist(), variance.round(4).tolist()
    ([0.375], [1.25])
    """
    at_once = np.abs(2 * share - 1)
    is_up = share > 0.5  # noqa: PLR2004  # nearer to the down poll than to the up poll
    length = until - begin
    area = (until**2 - begin**2) / (2 * hours)
    square = (until * (until**2 - begin**2) - 2 * (until**3 - begin**3) / 3) / hours
    mean = (1 - at_once) * area + at_once * is_up * length
    second = (1 - at_once) * square + at_once * is_up * length**2
    of_whole = at_once * is_up + (1 - at_once) / 3 - share**2
    return mean, np.maximum(second - mean**2, 0.0) / np.maximum(of_whole, 1e-9) / length**2
