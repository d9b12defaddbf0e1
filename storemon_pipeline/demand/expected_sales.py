"""Expected sales of business time, as one cumulative function of all stores.

A demand curve is a rate for each of the 168 local hours of the week. It holds in the local time of
its store. So an hour that clocks skip has no sales, and one that they repeat has them twice, as
business time has.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.demand.money import Money, earned
from storemon_pipeline.domain.windows import DAY_US, HOUR_US, WEEK_US, BoolArray, IntArray
from storemon_pipeline.uptime.estimates import Estimates, Status

FloatArray = npt.NDArray[np.float64]

HOURS_OF_WEEK: Final = 168

_MONDAY_SHIFT_US: Final = 3 * DAY_US
"""1970-01-01 was a Thursday."""


@dataclass(frozen=True, slots=True)
class DemandCurves:
    """Versions of demand curves, in order of store and of start.

    `store` and `valid_from_us` have shape `(n,)`; `rate`, of shape `(n, 168)`, is in hundredths of
    a currency unit per hour, from Monday 00:00 on, and below 10**12. The first version of a store
    holds before it as well. Of versions with one start the later row counts. `currency` has a text
    for each store of the index, None for one without a curve: it has no expected sales.

    `lowest` and `highest` are the 90 % range of a learned rate, and None where no curve is learned.
    """

    store: IntArray
    valid_from_us: IntArray
    rate: IntArray
    currency: list[str | None]
    lowest: IntArray | None = None
    highest: IntArray | None = None

    @property
    def has_curve(self) -> BoolArray:
        """Which stores have a curve, shape `(stores,)`."""
        return np.array([one is not None for one in self.currency], np.bool_)

    def take(self, positions: IntArray) -> Self:
        """The curves of the stores at these ascending positions, which are numbered from 0."""
        number = np.full(len(self.currency), -1)
        number[positions] = np.arange(len(positions))
        own = np.flatnonzero(number[self.store] >= 0)
        return type(self)(
            number[self.store[own]],
            self.valid_from_us[own],
            self.rate[own],
            [self.currency[position] for position in positions.tolist()],
            None if self.lowest is None else self.lowest[own],
            None if self.highest is None else self.highest[own],
        )

    def at_lowest(self) -> Self:
        """The curves with the lowest rates of their ranges."""
        return self if self.lowest is None else replace(self, rate=self.lowest)

    def at_highest(self) -> Self:
        """The curves with the highest rates of their ranges."""
        return self if self.highest is None else replace(self, rate=self.highest)


@dataclass(frozen=True, slots=True)
class ExpectedSales:
    """The expected sales of each store's business time; see `expect_sales`.

    The arrays are by step: a stretch of one store in which the offset of its clock and its curve
    stay the same, and in which it is open or not.
    """

    calendar: Calendar
    _key: IntArray
    _local_us: IntArray
    _curve: IntArray
    _is_open: BoolArray
    _before: Money
    _rate: IntArray
    _sum_before: IntArray

    def until(self, store: IntArray, at_us: IntArray) -> Money:
        """The expected sales of all stores before each one, and of its own up to each instant.

        The arrays have shape `(n,)`. The sales in `[a, b)` are the difference of two results.
        Instants outside of the calendar are clipped to it.
        """
        key = _key(self.calendar, store, at_us)
        step = np.searchsorted(self._key, key, side="right") - 1
        inside = _up_to(
            self._rate,
            self._sum_before,
            self._curve[step],
            self._local_us[step] + (key - self._key[step]),
        ) - _up_to(self._rate, self._sum_before, self._curve[step], self._local_us[step])
        return self._before.take(step) + inside.where(self._is_open[step])

    def between(self, store: IntArray, start_us: IntArray, end_us: IntArray) -> Money:
        """The expected sales of each store in each `[start_us, end_us)`; shape `(n,)`."""
        return self.until(store, end_us) - self.until(store, start_us)


def hour_of_week(local_us: IntArray) -> IntArray:
    """The number of the hour of the week of local times, from Monday 00:00 on.

    >>> hour_of_week(np.array([4 * DAY_US, 5 * HOUR_US])).tolist()
    [0, 77]
    """
    in_week_us: IntArray = (local_us + _MONDAY_SHIFT_US) % WEEK_US
    return in_week_us // HOUR_US


def expect_sales(curves: DemandCurves, calendar: Calendar) -> ExpectedSales:
    """The cumulative expected sales of the stores of a calendar."""
    spans = calendar.local_spans()
    span_key = _key(calendar, spans.store, spans.start_us)
    opened, open_from, open_until = calendar.all_open_intervals()
    open_key = _key(calendar, opened, open_from)
    close_key = _key(calendar, opened, open_until)
    # Row 0 is the curve of stores without one: no sales.
    rate = np.concatenate([np.zeros((1, HOURS_OF_WEEK), np.int64), curves.rate])
    every = np.arange(calendar.stores)
    is_first = np.append(True, curves.store[1:] != curves.store[:-1])[: len(curves.store)]
    since_us = np.where(is_first, calendar.start_us, curves.valid_from_us)
    curve_key = np.append(
        _key(calendar, every, np.full(calendar.stores, calendar.start_us)),
        _key(calendar, curves.store, since_us),
    )
    curve = np.append(np.zeros(calendar.stores, np.int64), 1 + np.arange(len(curves.store)))
    # Stable: a version comes after the empty curve of its store and after older versions.
    order = np.argsort(curve_key, kind="stable")
    curve_key, curve = curve_key[order], curve[order]

    key = np.unique(np.concatenate([span_key, curve_key, open_key, close_key]))
    span = np.searchsorted(span_key, key, side="right") - 1
    length = calendar.end_us - calendar.start_us + 1
    local_us = calendar.start_us + key % length + spans.offset_us[span]
    of_step = curve[np.searchsorted(curve_key, key, side="right") - 1]
    interval = np.searchsorted(open_key, key, side="right") - 1
    is_open = (interval >= 0) & (key < np.append(close_key, 0)[interval])
    sum_before = np.zeros((len(rate), HOURS_OF_WEEK + 1), np.int64)
    np.cumsum(rate, axis=1, out=sum_before[:, 1:])
    lasts = np.diff(key, append=key[-1:])
    of_steps = _up_to(rate, sum_before, of_step, local_us + lasts) - _up_to(
        rate, sum_before, of_step, local_us
    )
    before = of_steps.where(is_open).until()
    return ExpectedSales(calendar, key, local_us, of_step, is_open, before, rate, sum_before)


@dataclass(frozen=True, slots=True)
class SalesAmounts:
    """The expected sales of stretches of time, by the status of the store; shape `(n,)` each.

    Time of unknown status is in neither. `lost_at` are the sales lost at the lowest and the highest
    rates of learned curves; None where no curve is learned.
    """

    up: Money
    lost: Money
    lost_at: tuple[Money, Money] | None = None

    def take(self, which: IntArray) -> Self:
        """The amounts at these positions."""
        lost_at = self.lost_at
        return type(self)(
            self.up.take(which),
            self.lost.take(which),
            None if lost_at is None else (lost_at[0].take(which), lost_at[1].take(which)),
        )

    def distances(self) -> tuple[FloatArray, FloatArray]:
        """How far the sales lost are from those at the lowest and at the highest rates.

        In hundredths of a currency unit; 0 where no curve is learned.
        """
        if self.lost_at is None:
            none = np.zeros(len(self.lost.whole))
            return none, none
        below, above = self.lost - self.lost_at[0], self.lost_at[1] - self.lost
        return below.whole + below.part / HOUR_US, above.whole + above.part / HOUR_US

    def distances_at(self, position: int) -> tuple[float, float]:
        """The distances of one stretch."""
        below, above = self.take(np.array([position])).distances()
        return float(below[0]), float(above[0])

    @property
    def expected(self) -> Money:
        """The expected sales of all time of known status."""
        return self.up + self.lost


@dataclass(frozen=True, slots=True)
class SalesHistory:
    """Cumulative expected sales by status; see `build_sales_history`."""

    _sales: ExpectedSales
    _key: IntArray
    _begin: Money
    _before: tuple[Money, Money]
    _status: npt.NDArray[np.int8]
    _at_range: tuple[Self, Self] | None = None

    def amounts(self, store: IntArray, start_us: IntArray, end_us: IntArray) -> SalesAmounts:
        """The sales of each store in each `[start_us, end_us)`; the arrays have shape `(n,)`."""
        first, last = self._until(store, start_us), self._until(store, end_us)
        up, lost = (until - since for since, until in zip(first, last, strict=True))
        if self._at_range is None:
            return SalesAmounts(up, lost)
        lowest, highest = (one.amounts(store, start_us, end_us).lost for one in self._at_range)
        return SalesAmounts(up, lost, (lowest, highest))

    def _until(self, store: IntArray, at_us: IntArray) -> list[Money]:
        estimate = (
            np.searchsorted(self._key, _key(self._sales.calendar, store, at_us), side="right") - 1
        )
        inside = self._sales.until(store, at_us) - self._begin.take(estimate)
        return [
            before.take(estimate) + inside.where(self._status[estimate] == status)
            for status, before in zip((Status.UP, Status.DOWN), self._before, strict=True)
        ]


def build_sales_history(estimates: Estimates, sales: ExpectedSales) -> SalesHistory:
    """The expected sales of estimates that fill the calendar of the sales."""
    calendar = sales.calendar
    begin = sales.until(estimates.store, estimates.start_us)
    within = sales.until(estimates.store, estimates.end_us) - begin
    up, lost = (
        within.where(estimates.status == status).until() for status in (Status.UP, Status.DOWN)
    )
    key = _key(calendar, estimates.store, estimates.start_us)
    return SalesHistory(sales, key, begin, (up, lost), estimates.status)


def sales_history(curves: DemandCurves, calendar: Calendar, estimates: Estimates) -> SalesHistory:
    """The expected sales of estimates that fill the calendar, with the range of learned curves."""

    def of(own: DemandCurves) -> SalesHistory:
        return build_sales_history(estimates, expect_sales(own, calendar))

    history = of(curves)
    if curves.lowest is None:
        return history
    return replace(history, _at_range=(of(curves.at_lowest()), of(curves.at_highest())))


def _key(calendar: Calendar, store: IntArray, at_us: IntArray) -> IntArray:
    """One sortable integer for a store and an instant, clipped to the calendar."""
    at = np.clip(at_us, calendar.start_us, calendar.end_us)
    return store * (calendar.end_us - calendar.start_us + 1) + (at - calendar.start_us)


def _up_to(rate: IntArray, sum_before: IntArray, curve: IntArray, local_us: IntArray) -> Money:
    """The sales of curves from a Monday in 1969 up to a local time, without opening hours."""
    week, in_week_us = np.divmod(local_us + _MONDAY_SHIFT_US, WEEK_US)
    hour, in_hour_us = np.divmod(in_week_us, HOUR_US)
    whole = week * sum_before[curve, HOURS_OF_WEEK] + sum_before[curve, hour]
    part = earned(rate[curve, hour], in_hour_us)
    return Money(whole + part.whole, part.part)
