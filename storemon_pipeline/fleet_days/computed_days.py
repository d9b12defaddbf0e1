"""Sums of local days that are computed when they are asked for: where the lake has the polls."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.business_time.local_periods import Period, begin_of
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import (
    DAY_US,
    WEEK_US,
    BoolArray,
    IntArray,
)
from storemon_pipeline.events.evidence_queries import read_first_evidence_of_all
from storemon_pipeline.figures.daily_table import DayRows, read_daily_state
from storemon_pipeline.figures.data_version import read_input_version
from storemon_pipeline.figures.refresh_daily import (
    DAY_REACH_US,
    EARLIEST_OFFSET_US,
    compute_stored_days,
)
from storemon_pipeline.figures.status_models import read_newest_fit, read_status_model
from storemon_pipeline.lake_files.cached_files import Kept
from storemon_pipeline.likelihood.doubts import REASONS_OF_TOTALS
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.stores.store_index import StoreIndex, read_stores

SUMMED: Final = (
    *("business_us", "uptime_us", "downtime_us", "unknown_us", "uncertain_us"),
    *("lowest_uptime_us", "incidents"),
)
"""The amounts of a day that are summed."""

SUMS_KEPT: Final = Kept(16 * 2**20)
"""Sums that were read, for the same question again: until something is loaded they hold."""

_BYTES_OF_SUM: Final = 700

_BEFORE_US: Final = 2 * DAY_US
"""Computed before the first day as well: the likely range of a day depends on gaps into it."""

_STORES_AND_WEEKS: Final = 100_000
"""The stores of a chunk times the weeks that are asked for: about a gigabyte."""


@dataclass(frozen=True, slots=True)
class DaysAsked:
    """What `read_fleet_periods` is asked.

    `split_by` is a column of the tables `s` (stores) or `d` (their details).
    """

    by: Period | None
    split_by: str | None
    group: str | None
    region: str | None
    start: date | None
    end: date | None
    only: frozenset[str] | None


def read_computed_sums(bulk: Bulk, asked: DaysAsked) -> list[tuple[Any, ...]]:
    """The rows that the query of `read_fleet_periods` would give, had all days been stored.

    The days reach to those of the last refresh.
    """
    state, lake = read_daily_state(bulk), read_lake_of_polls(bulk)
    if state is None or lake is None:
        return []
    fit = read_newest_fit(bulk)
    key = (
        bulk.scalar("SELECT current_database()::text AS name"),
        str(lake.folder),
        lake.manifest.version,
        read_input_version(bulk),
        state.as_of,
        fit and fit.status_model_id,
        asked,
    )
    return SUMS_KEPT.once(key, lambda: _compute(bulk, asked, state.as_of), bytes_of_sums)


def bytes_of_sums(sums: Sized) -> int:
    """About how much memory rows of sums take."""
    return _BYTES_OF_SUM * len(sums)


def _compute(bulk: Bulk, asked: DaysAsked, as_of: datetime) -> list[tuple[Any, ...]]:
    stores, name, names = _read_stores(bulk, asked)
    sums: dict[tuple[int, int], list[int]] = {}
    first = 0
    for chunk, rows in _days(bulk, stores, asked, as_of):
        for key, values in _sums(rows, name[first : first + len(chunk)], asked.by):
            known = sums.setdefault(key, [0] * len(values))
            sums[key] = [one + other for one, other in zip(known, values, strict=True)]
        first += len(chunk)
    return [
        _row(
            asked.start if asked.by is None else instant(-minus_begin_us).date(),
            names[number],
            values,
        )
        for (minus_begin_us, number), values in sorted(sums.items())
    ]


def _read_stores(bulk: Bulk, asked: DaysAsked) -> tuple[StoreIndex, IntArray, list[str | None]]:
    """The chosen stores, the number of the name of each, and the names in the database's order."""
    rows = bulk.fetch(
        f"""
        SELECT s.store_key, {asked.split_by or "NULL"}::text AS name,
               d.group_name, d.region,
               dense_rank() OVER (ORDER BY {asked.split_by or "1"} NULLS LAST) - 1 AS number
        FROM stores s LEFT JOIN store_details d USING (store_key)
        """  # noqa: S608  (names of columns)
    )
    stores = read_stores(bulk)
    place = stores.positions(rows["store_key"].to_numpy())
    is_chosen = np.ones(len(stores), np.bool_)
    for column, wanted in (("group_name", asked.group), ("region", asked.region)):
        if wanted is not None:
            is_chosen[place] &= np.asarray(
                pc.fill_null(pc.equal(rows[column], wanted), fill_value=False)
            )
    if asked.only is not None:
        is_chosen &= stores.marked(asked.only)
    number = np.empty(len(stores), np.int64)
    number[place] = rows["number"].to_numpy()
    named = dict(zip(rows["number"].to_pylist(), rows["name"].to_pylist(), strict=True))
    if is_chosen.all():
        return stores, number, [named[own] for own in range(len(named))]
    chosen = np.flatnonzero(is_chosen)
    return stores.take(chosen), number[chosen], [named[own] for own in range(len(named))]


def _days(
    bulk: Bulk, stores: StoreIndex, asked: DaysAsked, as_of: datetime
) -> Iterator[tuple[StoreIndex, DayRows]]:
    """The days of dates in `[start, end)`, in chunks of the stores."""
    start, end = asked.start, asked.end
    earliest_us = microseconds(read_first_evidence_of_all(bulk) or as_of)
    since_us = ALWAYS if start is None else _midnight_us(start) - EARLIEST_OFFSET_US - _BEFORE_US
    until_us = microseconds(as_of)
    if end is not None:
        last_us = _midnight_us(end) - DAY_US - EARLIEST_OFFSET_US
        until_us = min(until_us, last_us + DAY_REACH_US)
    if len(stores) == 0 or until_us < earliest_us:
        return
    until = instant(until_us)
    weeks = (until_us - max(since_us, earliest_us)) // WEEK_US
    model = read_status_model(bulk)
    for chunk in stores.chunks(max(_STORES_AND_WEEKS // max(weeks, 1), 1_000)):
        made, _, _ = compute_stored_days(bulk, chunk, np.full(len(chunk), since_us), until, model)
        begin_us = made.days.begin_local_us
        is_wanted = np.ones(len(begin_us), np.bool_)
        if start is not None:
            is_wanted &= begin_us >= _midnight_us(start)
        if end is not None:
            is_wanted &= begin_us < _midnight_us(end)
        yield chunk, made.take(is_wanted)


def _midnight_us(day: date) -> int:
    return microseconds(datetime.combine(day, time(), UTC))


def _sums(
    rows: DayRows, name: IntArray, by: Period | None
) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """The sums of some stores, by the negative begin of the period and the number of the name.

    `name` has the number of each store's name. The last column is the number of stores whose days
    have no spread.
    """
    days = rows.days
    if len(days.store) == 0:
        return
    begin_us = np.zeros_like(days.begin_local_us)
    if by is not None:
        begin_us = begin_of(days.begin_local_us, by)
    amounts = days.amounts
    has_no_spread = np.zeros(len(days.store), np.bool_)
    apart, own, shared, reach, doubt = (np.zeros(len(days.store), np.int64) for _ in range(5))
    if rows.spreads is None:
        has_no_spread = amounts.unknown_us != amounts.business_us
    else:
        spreads = rows.spreads
        apart, own, shared, reach, doubt = (
            part.astype(np.int64)
            for part in (
                spreads.apart_s,
                spreads.own_deviation_s,
                spreads.shared_deviation_s,
                spreads.reach_minutes,
                spreads.doubt,
            )
        )
    # Days are sorted by store and day.
    is_first = np.append(
        True, (days.store[1:] != days.store[:-1]) | (begin_us[1:] != begin_us[:-1])
    )
    edges = np.flatnonzero(is_first)

    def of_stores(values: IntArray | BoolArray) -> IntArray:
        summed: IntArray = np.add.reduceat(values, edges, dtype=np.int64)
        return summed

    of_amounts = {
        name: days.incidents if name == "incidents" else getattr(amounts, name) for name in SUMMED
    }
    apart, shared = of_stores(apart), of_stores(shared)
    squares = of_stores(own * own) + apart * apart + shared * shared
    doubt = np.bitwise_or.reduceat(doubt, edges)
    values = np.stack(
        [
            np.ones(len(edges), np.int64),
            *map(of_stores, of_amounts.values()),
            apart,
            squares,
            of_stores(reach),
            *((doubt & int(reason)) > 0 for reason in REASONS_OF_TOTALS),
            of_stores(has_no_spread) > 0,
        ],
        axis=1,
    )
    begin_us, number = begin_us[edges], name[days.store[edges]]
    order = np.lexsort((number, -begin_us))
    begin_us, number = begin_us[order], number[order]
    first = np.flatnonzero(
        np.append(True, (begin_us[1:] != begin_us[:-1]) | (number[1:] != number[:-1]))
    )
    for place, summed in zip(
        first.tolist(), np.add.reduceat(values[order], first, axis=0).tolist(), strict=True
    ):
        yield (-int(begin_us[place]), int(number[place])), summed


def _row(begin: date | None, name: str | None, values: list[int]) -> tuple[Any, ...]:
    stores, *rest = values
    split = len(SUMMED) + 3
    sums, having, without_spread = rest[:split], rest[split:-1], rest[-1]
    return (begin, name, stores, *sums, without_spread == 0, *having)
