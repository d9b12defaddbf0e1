"""Sums of days over stores, by local day, week or month: mostly of `store_uptime_daily`."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import url_of
from storemon_pipeline.database.tables import (
    store_details,
    store_uptime_daily,
    store_uptime_daily_state,
    stores,
)
from storemon_pipeline.figures.data_version import data_version
from storemon_pipeline.fleet_days.computed_days import (
    SUMMED,
    SUMS_KEPT,
    DaysAsked,
    bytes_of_sums,
    read_computed_sums,
)
from storemon_pipeline.likelihood.doubts import REASONS_OF_TOTALS, doubts_of_counts
from storemon_pipeline.likelihood.spreads import ranges_of_spreads
from storemon_pipeline.polls.lake_of_polls import has_lake_of_polls
from storemon_pipeline.stores.store_keys import keys_of


class Split(StrEnum):
    """What sums are grouped by."""

    GROUP = "group"
    REGION = "region"


_COLUMN_OF: Final = {Split.GROUP: "d.group_name", Split.REGION: "d.region"}


@dataclass(frozen=True, slots=True)
class FleetPeriod:
    """Sums of one period of all stores, or of those of one group or region."""

    begin: date
    group: str | None
    stores: int
    business_us: int
    uptime_us: int
    downtime_us: int
    unknown_us: int
    uncertain_us: int
    lowest_uptime_us: int
    incidents: int
    likely_us: tuple[int, int] | None
    """The likely range of the uptime; None where days have no spread."""
    doubt: int
    """Why the likely range is not to be trusted."""


def read_days_as_of(connection: sa.Connection) -> datetime | None:
    """The newest poll that the days include; None before they were first computed."""
    as_of: datetime | None = connection.scalar(sa.select(store_uptime_daily_state.c.as_of))
    return as_of


def read_fleet_periods(  # noqa: PLR0913 - what is chosen, each by its name
    connection: sa.Connection,
    *,
    by: Period | None,
    split: Split | None,
    group: str | None,
    region: str | None,
    start: date | None,
    end: date | None,
    only: AbstractSet[str] | None = None,
    is_by_store: bool = False,
) -> list[FleetPeriod]:
    """The sums of local dates in `[start, end)`, the newest period first.

    Without `by` all dates are one period, which begins at `start`. With `only`, the sums of these
    stores. With `is_by_store`, those of each store, whose id is in `group`. An incident counts on
    each day on which it cost time.
    Raises ValueError for hours, which the table does not have.
    """
    if by is Period.HOUR:
        raise ValueError("store_uptime_daily has no hours")
    column = "s.store_id" if is_by_store else split and _COLUMN_OF[split]
    chosen = None if only is None else frozenset(only)
    asked = DaysAsked(by, column, group, region, start, end, chosen)
    if has_lake_of_polls(connection):
        with bulk_transaction(url_of(connection)) as bulk:
            return [_fleet_period(row) for row in read_computed_sums(bulk, asked)]
    # The days may be newer than this version: then nobody asks for it any more.
    key = (url_of(connection), data_version(connection), asked)

    def read() -> list[FleetPeriod]:
        query = _sums(by, split, group, region, start, end, only, is_by_store=is_by_store)
        return [_fleet_period(tuple(row)) for row in connection.execute(query)]

    return SUMS_KEPT.once(key, read, bytes_of_sums)


def _sums(
    by: Period | None,
    split: Split | None,
    group: str | None,
    region: str | None,
    start: date | None,
    end: date | None,
    only: AbstractSet[str] | None,
    *,
    is_by_store: bool,
) -> sa.Select[Any]:
    """The query of `read_fleet_periods`."""
    details = store_details.c
    split_by: sa.ColumnElement[str | None] = sa.cast(sa.null(), sa.Text)
    if split is not None:
        split_by = details.group_name if split is Split.GROUP else details.region
    sums = _periods_of_stores(by, start, end, only)
    own = sums.c
    source: sa.FromClause = sums
    if is_by_store:
        split_by = stores.c.store_id
        source = sums.join(stores, stores.c.store_key == own.store_key)
    query = (
        sa.select(
            own.begin,
            split_by.label("split"),
            sa.func.count(),
            *(
                sa.cast(sa.func.sum(own[name]), sa.BigInteger)
                for name in (*SUMMED, "likely_apart_s")
            ),
            # Whole numbers below 2**53, which are exact in any order.
            sa.func.sum(
                own.own_squares_s2
                + _square(own.likely_apart_s)
                + _square(own.likely_shared_deviation_s)
            ),
            sa.cast(sa.func.sum(own.likely_reach_minutes), sa.BigInteger),
            sa.func.bool_and(own.has_spread),
            *(
                sa.func.count().filter(own.likely_doubt.bitwise_and(int(reason)) > 0)
                for reason in REASONS_OF_TOTALS
            ),
        )
        .select_from(source.outerjoin(store_details, details.store_key == own.store_key))
        .group_by(sa.text("1"), sa.text("2"))
        .order_by(sa.text("1 DESC"), sa.text("2 NULLS LAST"))
    )
    if group is not None:
        query = query.where(details.group_name == group)
    if region is not None:
        query = query.where(details.region == region)
    return query


def _periods_of_stores(
    by: Period | None, start: date | None, end: date | None, only: AbstractSet[str] | None
) -> sa.Subquery:
    """The sums of each store's days by period: one row for each store and period."""
    days = store_uptime_daily.c
    spread = {
        "own_squares_s2": _square(days.likely_own_deviation_s),
        "likely_apart_s": days.likely_apart_s,
        "likely_shared_deviation_s": days.likely_shared_deviation_s,
        "likely_reach_minutes": days.likely_reach_minutes,
    }
    # No time is known of a store that has been silent for long: nothing to have a spread.
    has_spread = days.likely_apart_s.is_not(None) | (days.unknown_us == days.business_us)
    if by is Period.DAY:
        # A store has one row per day.
        query = sa.select(
            days.store_key,
            days.local_date.label("begin"),
            *(days[name] for name in SUMMED),
            *(amount.label(name) for name, amount in spread.items()),
            has_spread.label("has_spread"),
            days.likely_doubt,
        )
    else:
        begin: sa.ColumnElement[date] = (
            sa.cast(sa.literal(start), sa.Date)
            if by is None
            else sa.cast(sa.func.date_trunc(by.value, days.local_date), sa.Date)
        )
        query = sa.select(
            days.store_key,
            begin.label("begin"),
            *(sa.cast(sa.func.sum(days[name]), sa.BigInteger).label(name) for name in SUMMED),
            *(sa.func.sum(amount).label(name) for name, amount in spread.items()),
            sa.func.bool_and(has_spread).label("has_spread"),
            sa.func.bit_or(days.likely_doubt).label("likely_doubt"),
        ).group_by(sa.text("1"), sa.text("2"))
    if start is not None:
        query = query.where(days.local_date >= start)
    if end is not None:
        query = query.where(days.local_date < end)
    if only is not None:
        query = query.where(days.store_key.in_(keys_of(only)))
    return query.subquery("periods")


def _square(column: sa.ColumnElement[int]) -> sa.ColumnElement[float]:
    number = sa.cast(column, sa.Double)
    return number * number


def _fleet_period(row: tuple[Any, ...]) -> FleetPeriod:
    """A row of the query of `read_fleet_periods`."""
    begin, name, stores, *rest = row
    sums = dict(zip(SUMMED, rest, strict=False))
    apart_s, squares_s2, reach_minutes, has_spread, *having = rest[len(SUMMED) :]
    likely_us = None
    if has_spread:
        lowest, highest = ranges_of_spreads(
            *(np.array(amount or 0) for amount in (squares_s2, apart_s, reach_minutes)),
            uptime_us=np.array(sums["uptime_us"]),
            known_us=np.array(sums["business_us"] - sums["unknown_us"]),
        )
        likely_us = int(lowest), int(highest)
    doubt = int(doubts_of_counts(having, stores))
    return FleetPeriod(begin, name, stores, **sums, likely_us=likely_us, doubt=doubt)
