"""Sales of stores summed by period and by group, region or store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.local_periods import LocalPieces, Period, begin_of, divide
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.demand.demand_table import read_demand
from storemon_pipeline.demand.expected_sales import DemandCurves, sales_history
from storemon_pipeline.demand.money import Money
from storemon_pipeline.domain.windows import DAY_US, HOUR_US, BoolArray, IntArray
from storemon_pipeline.events.evidence_queries import with_events_since
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.polls.status_run_queries import read_status_runs_since
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_details import StoreDetails, read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.history import build_history

_STORES_PER_CHUNK: Final = 2_000
"""Stores of a chunk; a month of them takes about 50 MB."""

_NEAR_US: Final = 2 * DAY_US
"""No local midnight is further from UTC midnight of the same date."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - local time


@dataclass(frozen=True, slots=True)
class PeriodSales:
    """Sales of the stores with one currency, in the unit of `Money.exact`.

    `below` and `above` are how far the sales lost are from those at the lowest and the highest
    rates, in hundredths: the rates of one store go together, those of different stores do not.
    """

    lost: int
    up: int
    below: float
    above: float


@dataclass(frozen=True, slots=True)
class SalesOfPeriods:
    """Sales by begin of the period, name and currency, and the stores of each currency."""

    sums: dict[tuple[datetime, str | None, str], PeriodSales]
    stores: dict[str, frozenset[str]]

    def of(self, begin: datetime, name: str | None) -> list[tuple[str, PeriodSales]]:
        """The sales of one period and name, by currency."""
        return [
            (currency, self.sums[begin, name, currency])
            for currency in self.stores
            if (begin, name, currency) in self.sums
        ]


Wanted = Callable[[list[str], StoreDetails], BoolArray]
"""Which stores count, by their ids and details."""

Names = Callable[[list[str], StoreDetails], list[str | None]]
"""The name that each store's sales are summed under, by ids and details."""


def read_sales_of_days(
    url: str,
    *,
    by: Period | None,
    start: date,
    end: date,
    until: datetime | None,
    wanted: Wanted,
    names: Names,
) -> SalesOfPeriods | None:
    """The sales of local dates in `[start, end)` up to an instant; None without demand.

    By day, week or month. Without `by`, all dates are one period, which begins at `start`.
    """
    first_us, last_us = (
        (datetime.combine(day, time()) - _EPOCH) // timedelta(microseconds=1)
        for day in (start, end)
    )

    def pieces(calendar: Calendar) -> LocalPieces:
        days = divide(calendar.local_spans(), Period.DAY)
        kept = (days.begin_local_us >= first_us) & (days.begin_local_us < last_us)
        begin_us = days.begin_local_us[kept]
        return LocalPieces(
            days.store[kept],
            np.full(len(begin_us), first_us) if by is None else begin_of(begin_us, by),
            days.start_us[kept],
            days.end_us[kept],
        )

    return _read(url, first_us - _NEAR_US, last_us + _NEAR_US, until, pieces, wanted, names)


def read_sales_of_hours(
    url: str, *, start: datetime, end: datetime, wanted: Wanted, names: Names
) -> SalesOfPeriods | None:
    """The sales of the UTC hours that overlap `[start, end)`; None without demand."""
    start_us, end_us = microseconds(start) // HOUR_US * HOUR_US, microseconds(end)

    def pieces(calendar: Calendar) -> LocalPieces:
        hours = np.arange(start_us, calendar.end_us, HOUR_US)
        begin_us = np.tile(hours, calendar.stores)
        store = np.repeat(np.arange(calendar.stores), len(hours))
        return LocalPieces(store, begin_us, begin_us, begin_us + HOUR_US)

    return _read(url, start_us, end_us, end, pieces, wanted, names)


def _read(
    url: str,
    start_us: int,
    end_us: int,
    until: datetime | None,
    pieces: Callable[[Calendar], LocalPieces],
    wanted: Wanted,
    names: Names,
) -> SalesOfPeriods | None:
    sums = _Sums()
    with bulk_transaction(url) as bulk:
        newest = read_newest_poll(bulk)
        stores = read_stores(bulk)
        if newest is None or read_demand(bulk, stores.take(np.zeros(0, np.int64))) is None:
            return None
        until_us = min(microseconds(newest if until is None else until), microseconds(newest))
        details = read_details(bulk, stores, as_of=newest)
        store_ids = stores.store_ids.to_pylist()
        name_of = names(store_ids, details)
        chosen = np.flatnonzero(wanted(store_ids, details))
        end_us = min(end_us, until_us)
        if start_us >= end_us:
            return SalesOfPeriods({}, {})
        for positions, own, curves in _with_demand(bulk, stores, chosen):
            calendar = read_calendar(bulk, own, start_us=start_us, end_us=end_us)
            since = instant(start_us)
            status_runs = with_events_since(
                bulk,
                own,
                read_status_runs_since(bulk, own, since=since, until=newest),
                since=since,
                until=newest,
            )
            estimates = build_history(status_runs, calendar).estimates
            history = sales_history(curves, calendar, estimates)
            part = pieces(calendar)
            amounts = history.amounts(part.store, part.start_us, part.end_us)
            sums.add(
                part,
                [(name_of[place], curves.currency[row]) for row, place in enumerate(positions)],
                amounts.lost,
                amounts.up,
                amounts.distances(),
            )
            sums.add_stores(own.store_ids.to_pylist(), curves.currency)
    return sums.result()


def _with_demand(
    bulk: Bulk, stores: StoreIndex, chosen: IntArray
) -> Iterator[tuple[list[int], StoreIndex, DemandCurves]]:
    """The chosen stores that have demand, some at a time: positions, index and curves."""
    for first in range(0, len(chosen), _STORES_PER_CHUNK):
        positions = chosen[first : first + _STORES_PER_CHUNK]
        curves = read_demand(bulk, stores.take(positions))
        if curves is None or not curves.has_curve.any():
            continue
        own = np.flatnonzero(curves.has_curve)
        yield positions[own].tolist(), stores.take(positions[own]), curves.take(own)


class _Sums:
    """Sums over chunks of stores."""

    def __init__(self) -> None:
        self._exact: dict[tuple[int, str | None, str], list[int]] = {}
        self._squares: dict[tuple[int, str | None, str], list[float]] = {}
        self._stores: dict[str, list[str]] = {}

    def add(
        self,
        pieces: LocalPieces,
        keys: list[tuple[str | None, str | None]],
        lost: Money,
        up: Money,
        distances: tuple[IntArray | np.ndarray, IntArray | np.ndarray],
    ) -> None:
        """Add the pieces of some stores; `keys` has name and currency of each store."""
        different = sorted(set(keys), key=str)
        number = {key: code for code, key in enumerate(different)}
        code = np.array([number[key] for key in keys], np.int64)
        begins, label = np.unique(pieces.begin_local_us, return_inverse=True)
        group = code[pieces.store] * len(begins) + label
        groups = len(different) * len(begins)
        exact = [_summed(amount, group, groups).exact() for amount in (lost, up)]
        of_store = pieces.store * len(begins) + label
        squares = []
        for distance in distances:
            linear = np.bincount(of_store, distance, minlength=len(keys) * len(begins))
            by_store = linear.reshape(len(keys), len(begins)) ** 2
            total = np.zeros((len(different), len(begins)))
            np.add.at(total, code, by_store)
            squares.append(total.ravel().tolist())
        for row in np.unique(group).tolist():
            name, currency = different[row // len(begins)]
            if currency is None:
                continue
            key = int(begins[row % len(begins)]), name, currency
            own, own_squares = (
                self._exact.setdefault(key, [0, 0]),
                self._squares.setdefault(key, [0.0, 0.0]),
            )
            for place in (0, 1):
                own[place] += exact[place][row]
                own_squares[place] += squares[place][row]

    def add_stores(self, store_ids: list[str], currencies: list[str | None]) -> None:
        """Add the stores of each currency."""
        for store_id, currency in zip(store_ids, currencies, strict=True):
            if currency is not None:
                self._stores.setdefault(currency, []).append(store_id)

    def result(self) -> SalesOfPeriods:
        """All sums."""
        return SalesOfPeriods(
            {
                (_EPOCH + timedelta(microseconds=begin_us), name, currency): PeriodSales(
                    lost, up, *(square**0.5 for square in self._squares[begin_us, name, currency])
                )
                for (begin_us, name, currency), (lost, up) in self._exact.items()
            },
            {currency: frozenset(self._stores[currency]) for currency in sorted(self._stores)},
        )


def _summed(amount: Money, group: IntArray, groups: int) -> Money:
    """The sum of each group, exactly."""
    whole, part = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    np.add.at(whole, group, amount.whole)
    np.add.at(part, group, amount.part)
    return Money.of(whole, part)
