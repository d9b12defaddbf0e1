"""Keeping `store_uptime_daily` current: the new hours, and what late data has changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from storemon_pipeline.storage.bulk import Bulk, bulk_transaction
from storemon_pipeline.storage.daily import (
    count_different_days,
    read_daily_as_of,
    read_kept_from,
    read_stale_stores,
    write_days,
)
from storemon_pipeline.storage.history_inputs import read_first_polls, read_runs_since
from storemon_pipeline.storage.instants import instant, microseconds
from storemon_pipeline.storage.uptime_inputs import StoreIndex, read_calendar, read_stores
from storemon_pipeline.storage.uptime_state import read_newest_poll
from storemon_pipeline.uptime.calendar import ALWAYS
from storemon_pipeline.uptime.daily import NEVER, Days, make_days
from storemon_pipeline.uptime.windows import DAY_US, IntArray

_CHECKED_STORES: Final = 200


@dataclass(frozen=True, slots=True)
class DailyRefresh:
    """What a refresh of the days did; `as_of` is None while there are no polls."""

    as_of: datetime | None
    days_written: int
    stores_mended: int


@dataclass(frozen=True, slots=True)
class DaysComparison:
    """How many days were made again from all runs, and how many were not as stored."""

    compared: int
    different: int


def refresh_daily(url: str) -> DailyRefresh:
    """The days are those that all runs, hours, zones and closures of now make.

    Every store's days since 24 hours before the last refresh are made again; of stores that
    something older has changed for, all days since then. Writers of polls wait meanwhile.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        newest = read_newest_poll(bulk)
        if newest is None:
            return DailyRefresh(None, 0, 0)
        stores = read_stores(bulk)
        first_poll_us = read_first_polls(bulk, stores)
        changed_us = np.full(len(stores), ALWAYS)
        mended = 0
        before = read_daily_as_of(bulk)
        if before is not None:
            changed_us[:] = microseconds(before) - DAY_US
            stale = read_stale_stores(bulk)
            mended = len(stale.store_keys)
            position = stores.positions(stale.store_keys)
            changed_us[position] = np.minimum(changed_us[position], stale.since_us)
            changed_us = np.maximum(changed_us, _kept_from_us(bulk))
        days, from_day = _make(bulk, stores, np.maximum(changed_us, first_poll_us), newest)
        # What was made of polls that are gone goes too: there are no days before the first poll.
        border = np.where(changed_us < first_poll_us, changed_us // DAY_US + 2, from_day)
        write_days(bulk, stores, days, from_day=np.minimum(border, from_day), as_of=newest)
        return DailyRefresh(newest, len(days.store), mended)


def compare_daily(url: str, *, seed: int) -> DaysComparison:
    """Make all days of some stores again, drawn by `seed`, and compare them with the stored."""
    with bulk_transaction(url) as bulk:
        as_of = read_daily_as_of(bulk)
        if as_of is None:
            return DaysComparison(0, 0)
        stores = read_stores(bulk)
        drawn = np.random.default_rng(seed).permutation(len(stores))[:_CHECKED_STORES]
        since_us = np.full(len(stores), NEVER)
        since_us[drawn] = np.maximum(read_first_polls(bulk, stores), _kept_from_us(bulk))[drawn]
        days, from_day = _make(bulk, stores, since_us, as_of)
        return DaysComparison(
            len(days.store), count_different_days(bulk, stores, days, from_day=from_day)
        )


def _kept_from_us(bulk: Bulk) -> int:
    """Since when days can be made again: two days after the oldest poll that is surely kept."""
    kept_from = read_kept_from(bulk)
    return ALWAYS if kept_from is None else microseconds(kept_from) + 2 * DAY_US


def _make(
    bulk: Bulk, stores: StoreIndex, since_us: IntArray, newest: datetime
) -> tuple[Days, IntArray]:
    """The days of each store since the day of an instant (`NEVER`: none), and that day."""
    newest_us = microseconds(newest)
    start_us = min(int(since_us.min(initial=newest_us)), newest_us) - 2 * DAY_US
    calendar = read_calendar(bulk, stores, start_us=start_us, end_us=newest_us)
    runs = read_runs_since(bulk, stores, since=instant(start_us), until=newest)
    return make_days(runs, calendar, since_us=since_us)
