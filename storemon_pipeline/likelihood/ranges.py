"""Likely ranges of uptime: limits around the figures that hold the truth nine times in ten.

The figures themselves come from `uptime`, the parameters from `model`. Amounts are hours in here,
as floats, and whole microseconds in what is given and returned.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import HOUR_US, SECOND_US, WINDOW_US, BoolArray, IntArray
from storemon_pipeline.likelihood.bridges import FloatArray
from storemon_pipeline.likelihood.doubts import Doubt
from storemon_pipeline.likelihood.gaps import Gaps, Kind, find_gaps, first_runs
from storemon_pipeline.likelihood.model import StatusModel, StoreParameters
from storemon_pipeline.likelihood.tables import COLUMNS, NODES
from storemon_pipeline.uptime.figures import Figures
from storemon_pipeline.uptime.status_runs import Runs

DEVIATIONS: Final = 1.645
"""Nine of ten values of a normal distribution lie so many standard deviations from its mean."""

_MEAN: Final = 0
_VARIANCE: Final = 1
_FACTORS: Final = slice(2, COLUMNS)
_REACH: Final = COLUMNS
"""Columns of moments. The reach adds up as it is: what could be wrong in one direction."""

_NODES: Final = np.array(NODES)
_SECONDS: Final = HOUR_US // SECOND_US


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

    `before` has shape `(gaps + 1, COLUMNS + 1)`: the moments of all gaps before each. `in_up_run`
    and `in_down_run` hold those of an hour inside of runs, `(stores, COLUMNS + 1)`.
    """

    calendar: Calendar
    model: StatusModel
    parameters: StoreParameters
    gaps: Gaps
    before: FloatArray
    is_edge: BoolArray
    in_up_run: FloatArray
    in_down_run: FloatArray
    key: IntArray

    @classmethod
    def of(
        cls, runs: Runs, calendar: Calendar, model: StatusModel, parameters: StoreParameters
    ) -> Self:
        """Weigh the gaps of runs, one at least, none of which begins after the calendar."""
        gaps = find_gaps(runs, begin_us=calendar.start_us, end_us=calendar.end_us)
        low, high = calendar.ascending_positions_us(
            gaps.store, np.stack([gaps.low_us, gaps.high_us])
        )
        business = high - low
        is_changing = gaps.kind <= Kind.CHANGE
        is_edge = is_changing & (business < gaps.high_us - gaps.low_us)
        is_edge &= (parameters.doubt[gaps.store] & Doubt.SWITCHED_OFF) > 0
        is_of_interest = np.flatnonzero(business)
        width = calendar.end_us - calendar.start_us + 1
        up, down = _inside_runs(runs, calendar.stores, model, parameters)
        before = np.zeros((len(gaps.store) + 1, COLUMNS + 1))
        open_time = cls(
            calendar,
            model,
            parameters,
            gaps,
            before,
            is_edge,
            up,
            down,
            gaps.store * width + (gaps.low_us - calendar.start_us),
        )
        before[is_of_interest + 1] = open_time._of_parts(
            is_of_interest,
            gaps.low_us[is_of_interest],
            gaps.high_us[is_of_interest],
            business[is_of_interest],
        )
        np.cumsum(before, axis=0, out=before)
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

        `uptime_us` is the figure, `lowest_us` and `highest_us` its bounds, and `known_us` the
        business time that is not unknown, as in `Figures` and `Amounts`.
        """
        moments = self._between(store.ravel(), start_us.ravel(), end_us.ravel())
        moments += (lowest_us.ravel() / HOUR_US)[:, np.newaxis] * self.in_up_run[store.ravel()]
        inside_down = (known_us - highest_us).ravel() / HOUR_US
        moments += inside_down[:, np.newaxis] * self.in_down_run[store.ravel()]
        factors = moments[:, _FACTORS]
        variance = np.maximum(moments[:, _VARIANCE], 0.0) + (factors * factors).sum(axis=1)
        mean, variance, reach = (
            amount.reshape(store.shape)
            for amount in (moments[:, _MEAN], variance, np.maximum(moments[:, _REACH], 0.0))
        )
        half = DEVIATIONS * self.model.widening * np.sqrt(variance) + reach
        lowest, highest = _around(mean, half, uptime_us, known_us)
        return LikelyRanges(lowest, highest, mean, variance, reach)

    def _between(self, store: IntArray, start_us: IntArray, end_us: IntArray) -> FloatArray:
        """The moments of the gaps of each store in each stretch, `(n, COLUMNS + 1)`."""
        gaps = self.gaps
        origin = store * (self.calendar.end_us - self.calendar.start_us + 1)
        origin -= self.calendar.start_us
        first = np.maximum(np.searchsorted(self.key, origin + start_us, side="right") - 1, 0)
        last = np.maximum(np.searchsorted(self.key, origin + end_us, side="left") - 1, first)
        moments: FloatArray = self.before[last + 1] - self.before[first]
        is_cut = (gaps.low_us[first] < start_us) | (gaps.high_us[first] > end_us)
        self._cut(moments, np.flatnonzero(is_cut), first, start_us, end_us)
        is_cut = (gaps.high_us[last] > end_us) & (last > first)
        self._cut(moments, np.flatnonzero(is_cut), last, start_us, end_us)
        moments[gaps.store[first] != store] = 0.0
        return moments

    def _cut(
        self,
        moments: FloatArray,
        rows: IntArray,
        gap: IntArray,
        start_us: IntArray,
        end_us: IntArray,
    ) -> None:
        """Replace the whole of each row's gap in the moments by the part inside the stretch."""
        of_row = gap[rows]
        moments[rows] -= self.before[of_row + 1] - self.before[of_row]
        begin = np.maximum(self.gaps.low_us[of_row], start_us[rows])
        end = np.minimum(self.gaps.high_us[of_row], end_us[rows])
        some = np.flatnonzero(begin < end)
        rows, of_row, begin, end = rows[some], of_row[some], begin[some], end[some]
        place = self.calendar.position_us(self.gaps.store[of_row], np.stack([begin, end]))
        business = place[1] - place[0]
        some = np.flatnonzero(business)
        moments[rows[some]] += self._of_parts(of_row[some], begin[some], end[some], business[some])

    def _of_parts(
        self, gap: IntArray, begin_us: IntArray, end_us: IntArray, business_us: IntArray
    ) -> FloatArray:
        """The moments of the business time in `[begin_us, end_us)` of each gap."""
        gaps = self.gaps
        whole_us = gaps.high_us[gap] - gaps.low_us[gap]
        of_class = self.parameters.of_class[gaps.store[gap]]
        moments = np.zeros((len(gap), COLUMNS + 1))
        kind = gaps.kind[gap]
        moments[:, :COLUMNS] = _look_up(self.model.tables, of_class, kind, whole_us / HOUR_US)
        hours = business_us / HOUR_US
        parts = np.flatnonzero((business_us < whole_us) & (kind <= Kind.CHANGE))
        share = moments[parts, _MEAN]
        moments *= hours[:, np.newaxis]
        moments[:, _VARIANCE] *= hours
        if len(parts):
            begin, until = self._where(gap[parts], begin_us[parts], end_us[parts],
                                       business_us[parts])
            mean, variance = _of_change(share, whole_us[parts] / HOUR_US, begin, until)
            # What lies in several pieces counts as if it lay in one.
            inside = hours[parts] / (until - begin)
            moments[parts, _MEAN] = mean * inside
            moments[parts, _VARIANCE] *= variance
        edges = np.flatnonzero(self.is_edge[gap])
        # When it was switched off is unknown: up or down all the while, and so at every edge.
        moments[edges] = 0.0
        moments[edges, _MEAN] = moments[edges, _REACH] = hours[edges] / 2
        return moments

    def _where(
        self, gap: IntArray, begin_us: IntArray, end_us: IntArray, business_us: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Hours from the down poll to where the business time of each change begins and ends."""
        gaps = self.gaps
        store = gaps.store[gap]
        at = np.stack([begin_us, begin_us + business_us, end_us - business_us, end_us])
        place = self.calendar.position_us(store, at)
        is_first = place[1] - place[0] == business_us
        is_last = ~is_first & (place[3] - place[2] == business_us)
        begin = np.where(is_last, at[2], begin_us) - gaps.low_us[gap]
        until = np.where(is_first, at[1], end_us) - gaps.low_us[gap]
        length = gaps.high_us[gap] - gaps.low_us[gap]
        is_down_first = gaps.is_down_first[gap]
        return (
            np.where(is_down_first, begin, length - until) / HOUR_US,
            np.where(is_down_first, until, length - begin) / HOUR_US,
        )


def likely_ranges(
    runs: Runs,
    calendar: Calendar,
    figures: Figures,
    model: StatusModel,
    parameters: StoreParameters,
    *,
    as_of_us: int,
) -> LikelyRanges:
    """The likely ranges of figures made of these runs and this calendar; each `(n, 3)`.

    `runs` are those that count for a report, as `counted_runs` gives them. The calendar ends at
    `as_of_us`.
    """
    if len(figures.store) == 0:
        none = np.zeros(figures.uptime_us.shape)
        return LikelyRanges(figures.lowest_us, figures.highest_us, none, none, none)
    open_time = OpenTime.of(runs, calendar, model, parameters)
    start = as_of_us - np.array(list(WINDOW_US.values()))
    shape = figures.uptime_us.shape
    return open_time.ranges(
        np.broadcast_to(figures.store[:, np.newaxis], shape),
        np.broadcast_to(start, shape),
        np.full(shape, as_of_us),
        uptime_us=figures.uptime_us,
        lowest_us=figures.lowest_us,
        highest_us=figures.highest_us,
        known_us=figures.business_us,
    )


def total_ranges(
    ranges: LikelyRanges,
    group: IntArray,
    groups: int,
    model: StatusModel,
    *,
    uptime_us: IntArray,
    known_us: IntArray,
) -> tuple[IntArray, IntArray]:
    """Lowest and highest likely uptime of groups of the ranges' first axis, `(groups, ...)`.

    `group` has shape `(n,)`. The errors of stores are independent but for what the model makes
    wrong of all of them: half of what lies between its own total and the figures' total counts as
    a deviation of that.
    """

    def summed(amount: FloatArray | IntArray) -> FloatArray:
        sums = np.zeros((groups, *amount.shape[1:]), amount.dtype)
        np.add.at(sums, group, amount)
        return sums

    apart = ranges.mean_hours - uptime_us / HOUR_US
    variance = summed(ranges.variance + apart**2)
    common = summed(apart) / 2
    half = DEVIATIONS * np.sqrt(model.total_widening**2 * variance + common**2)
    half += summed(ranges.reach_hours)
    total = summed(uptime_us)
    return _around(total / HOUR_US, half, total, summed(known_us))


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


def _look_up(tables: FloatArray, of_class: IntArray, kind: IntArray, hours: FloatArray) -> FloatArray:
    """The rows of the tables for gaps of these lengths, between the nodes; `(n, COLUMNS)`."""
    at = np.clip(np.searchsorted(_NODES, hours) - 1, 0, len(_NODES) - 2)
    low = _NODES[at]
    share = np.clip((hours - low) / (_NODES[at + 1] - low), 0.0, 1.0)
    rows = tables.reshape(-1, COLUMNS)
    row = (of_class * len(Kind) + kind) * len(_NODES) + at
    first = rows[row]
    first += share[:, np.newaxis] * (rows[row + 1] - first)
    return first


def _inside_runs(
    runs: Runs, stores: int, model: StatusModel, parameters: StoreParameters
) -> tuple[FloatArray, FloatArray]:
    """The moments of an hour inside of up and of down runs, each `(stores, COLUMNS + 1)`."""
    first = first_runs(runs)
    gaps = np.maximum(np.add.reduceat(runs.polls - 1, first), 1)
    length = np.add.reduceat(runs.last_poll_us - runs.first_poll_us, first)
    hours = np.ones(stores)
    hours[runs.store[first]] = length / gaps / HOUR_US * model.gap_factor
    both = []
    for kind in (Kind.UP_RUN, Kind.DOWN_RUN):
        moments = np.zeros((stores, COLUMNS + 1))
        kinds = np.full(stores, int(kind))
        moments[:, :COLUMNS] = _look_up(model.tables, parameters.of_class, kinds, hours)
        # Each of the gaps that an hour holds has its own error.
        moments[:, _VARIANCE] *= hours
        both.append(moments)
    return both[0], both[1]


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
