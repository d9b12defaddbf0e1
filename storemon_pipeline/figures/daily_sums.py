"""Sums of `store_uptime_daily` over stores, by local day, week or month."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa

from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.tables import (
    store_details,
    store_uptime_daily,
    store_uptime_daily_state,
)
from storemon_pipeline.stores.store_keys import keys_of


class Split(StrEnum):
    """What sums are grouped by."""

    GROUP = "group"
    REGION = "region"


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


def read_days_as_of(connection: sa.Connection) -> datetime | None:
    """The newest poll that the days include; None before they were first computed."""
    as_of: datetime | None = connection.scalar(sa.select(store_uptime_daily_state.c.as_of))
    return as_of


def read_fleet_periods(
    connection: sa.Connection,
    *,
    by: Period,
    split: Split | None,
    group: str | None,
    region: str | None,
    start: date | None,
    end: date | None,
    only: AbstractSet[str] | None = None,
) -> list[FleetPeriod]:
    """The sums of local dates in `[start, end)`, the newest period first.

    With `only`, the sums of these stores. An incident counts on each day on which it cost time.
    Raises ValueError for hours, which the table does not have.
    """
    if by is Period.HOUR:
        raise ValueError("store_uptime_daily has no hours")
    days, details = store_uptime_daily.c, store_details.c
    if by is Period.DAY:
        # A store has one row per day, so neither truncation nor a distinct count is needed.
        begin, stores = days.local_date.label("begin"), sa.func.count()
    else:
        begin = sa.cast(sa.func.date_trunc(by.value, days.local_date), sa.Date).label("begin")
        stores = sa.func.count(days.store_key.distinct())
    split_by: sa.ColumnElement[str | None] = sa.cast(sa.null(), sa.Text)
    if split is not None:
        split_by = details.group_name if split is Split.GROUP else details.region
    query = (
        sa.select(
            begin,
            split_by.label("split"),
            stores,
            *(
                sa.cast(sa.func.sum(amount), sa.BigInteger)
                for amount in (
                    days.business_us,
                    days.uptime_us,
                    days.downtime_us,
                    days.unknown_us,
                    days.uncertain_us,
                    days.lowest_uptime_us,
                    days.incidents,
                )
            ),
        )
        .select_from(
            store_uptime_daily.outerjoin(
                store_details, store_details.c.store_key == store_uptime_daily.c.store_key
            )
        )
        .group_by(sa.text("1"), sa.text("2"))
        .order_by(sa.text("1 DESC"), sa.text("2 NULLS LAST"))
    )
    for condition in (
        None if group is None else details.group_name == group,
        None if region is None else details.region == region,
        None if start is None else days.local_date >= start,
        None if end is None else days.local_date < end,
        None if only is None else days.store_key.in_(keys_of(only)),
    ):
        if condition is not None:
            query = query.where(condition)
    return [FleetPeriod(*tuple(row)) for row in connection.execute(query)]
