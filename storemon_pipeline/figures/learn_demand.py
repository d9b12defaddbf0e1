"""Learning expected sales from orders: a version for each store, once a week."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.demand.expected_sales import HOURS_OF_WEEK, hour_of_week
from storemon_pipeline.demand.learned_rates import FloatArray, learn_rates
from storemon_pipeline.demand.learned_table import (
    OrdersOfStores,
    has_orders,
    read_newest_version,
    read_orders,
    read_selling_stores,
    write_learned,
)
from storemon_pipeline.domain.windows import HOUR_US, BoolArray, IntArray
from storemon_pipeline.events.evidence_queries import with_events_since
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.polls.status_run_queries import read_status_runs_since
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_details import read_groups
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.history import build_history

PERIOD: Final = timedelta(weeks=8)
"""Demand is learned from the orders of this period up to the newest poll."""

_EVERY: Final = timedelta(weeks=1)
"""A version of a store takes 4 KB, and a day more of orders changes little."""

_STORES_AT_ONCE: Final = 1_000
"""The hours of eight weeks of these stores take some 200 MB."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """What each store sold in the hours that count, and how many these were: `(stores, 168)`."""

    amount: FloatArray
    hours: FloatArray
    squares: FloatArray


def learn_demand_when_due(url: str) -> int:
    """Learn a version of demand if there are orders and none was learned for a week.

    Returns the number of its stores; 0 if it is not due.
    """
    with bulk_transaction(url) as bulk:
        if not has_orders(bulk):
            return 0
        as_of = read_newest_poll(bulk)
        newest = read_newest_version(bulk)
        if as_of is None or (newest is not None and as_of < newest + _EVERY):
            return 0
        return _learn(bulk, as_of)


def _learn(bulk: Bulk, as_of: datetime) -> int:
    """Write a version that holds from the newest poll on; returns the number of its stores."""
    end = instant(microseconds(as_of) // HOUR_US * HOUR_US)
    start = end - PERIOD
    selling = read_selling_stores(bulk, start, end)
    keys: list[IntArray] = []
    groups: list[str] = []
    currencies: list[str] = []
    sums: list[_Sums] = []
    for stores in selling.chunks(_STORES_AT_ONCE):
        if len(stores) == 0:
            return 0
        sales = read_orders(bulk, stores, start, end)
        found = _sum_up(bulk, stores, sales, start, end, as_of)
        sold = np.flatnonzero(found.amount.sum(axis=1) > 0)
        keys.append(stores.store_keys[sold])
        groups += read_groups(bulk, stores.take(sold))
        currencies += [sales.currency[position] for position in sold.tolist()]
        sums.append(_Sums(found.amount[sold], found.hours[sold], found.squares[sold]))
    key = np.concatenate(keys)
    if len(key) == 0:
        return 0
    amount = np.concatenate([one.amount for one in sums])
    squares = np.concatenate([one.squares for one in sums])
    learned = learn_rates(
        amount,
        np.concatenate([one.hours for one in sums]),
        squares.sum(axis=1) / amount.sum(axis=1),
        _numbered(groups),
    )
    write_learned(bulk, key, currencies, learned, valid_from=as_of)
    return len(key)


def _sum_up(
    bulk: Bulk,
    stores: StoreIndex,
    sales: OrdersOfStores,
    start: datetime,
    end: datetime,
    as_of: datetime,
) -> _Sums:
    """Sum the hours that count by hour of the local week.

    An hour counts if the store was open in it and known to be up while it was open, and if it lies
    between the hours of the store's first and last order of the period.
    """
    start_us, end_us = microseconds(start), microseconds(end)
    of_period = (end_us - start_us) // HOUR_US
    status_runs = read_status_runs_since(bulk, stores, since=start, until=as_of)
    status_runs = with_events_since(bulk, stores, status_runs, since=start, until=as_of)
    calendar = read_calendar(bulk, stores, start_us=start_us, end_us=end_us)
    store = np.repeat(np.arange(len(stores)), of_period)
    hour = np.tile(np.arange(of_period), len(stores))
    hour_us = start_us + hour * HOUR_US
    spent = build_history(status_runs, calendar).amounts(store, hour_us, hour_us + HOUR_US)
    first, last = np.full(len(stores), of_period), np.full(len(stores), -1)
    np.minimum.at(first, sales.store, sales.hour)
    np.maximum.at(last, sales.store, sales.hour)
    counts: BoolArray = (
        (spent.uptime_us > 0)
        & (spent.uptime_us == spent.business_us)
        & (hour > first[store])
        & (hour < last[store])
    )
    cell = store * HOURS_OF_WEEK + _local_hours(calendar, store, hour_us)
    row = sales.store * of_period + sales.hour
    is_sold = counts[row]

    def summed(cells: IntArray, weights: npt.ArrayLike) -> FloatArray:
        shape = (len(stores), HOURS_OF_WEEK)
        sums = np.bincount(cells, weights, minlength=shape[0] * shape[1])
        return np.asarray(sums.reshape(shape), np.float64)

    sold = cell[row[is_sold]]
    return _Sums(
        summed(sold, sales.amount[is_sold]),
        summed(cell, np.where(counts, spent.business_us, 0) / HOUR_US),
        summed(sold, sales.squares[is_sold]),
    )


def _local_hours(calendar: Calendar, store: IntArray, hour_us: IntArray) -> IntArray:
    """The hour of the local week in which the middle of each UTC hour lies."""
    spans = calendar.local_spans()
    length = calendar.end_us - calendar.start_us + 1
    middle_us = hour_us + HOUR_US // 2
    span = np.searchsorted(
        spans.store * length + (spans.start_us - calendar.start_us),
        store * length + (middle_us - calendar.start_us),
        side="right",
    )
    return hour_of_week(middle_us + spans.offset_us[span - 1])


def _numbered(groups: list[str]) -> IntArray:
    """A number for each group; a store without one is a group of its own."""
    names = [name or f"\0{position}" for position, name in enumerate(groups)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
