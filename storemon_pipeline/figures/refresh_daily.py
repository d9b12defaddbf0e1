"""Refreshing `store_uptime_daily`: new hours, and older days whose data has changed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.database.bulk import Bulk, bulk_transaction, writer_and_reader
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.database.overlap import Work, overlapping
from storemon_pipeline.domain.windows import (
    DAY_US,
    HOUR_US,
    LOOKBACK_US,
    WEEK_US,
    IntArray,
)
from storemon_pipeline.events.evidence_queries import (
    read_first_evidence_of_all,
    with_events_since,
)
from storemon_pipeline.figures.daily_table import (
    DailyState,
    DayRows,
    count_different_days,
    read_daily_state,
    read_kept_from,
    read_last_load_id,
    read_stale_stores,
    write_daily_state,
    write_days,
)
from storemon_pipeline.figures.status_models import ModelVersion, read_status_model
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.likelihood.model import RECIPE
from storemon_pipeline.likelihood.spreads import compute_spreads
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.polls.status_run_queries import (
    CHUNKS_PER_QUERY,
    read_status_runs_since,
    split_into_chunks,
)
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.daily import NEVER, compute_days
from storemon_pipeline.uptime.status_runs import StatusRuns

_ALWAYS_MADE_US: Final = 4 * HOUR_US
"""Recomputed in each refresh. The triggers that mark stores as stale ignore such recent data."""

DAY_REACH_US: Final = 3 * DAY_US + 2 * LOOKBACK_US
"""From a day's first midnight anywhere: the day, and the later polls that estimates look at.

Polls further apart than twice the look-back never bound the same outage.
"""

EARLIEST_OFFSET_US: Final = 14 * HOUR_US
"""Local midnight is at most this long before midnight UTC."""

STORES_PER_REFRESHED_CHUNK: Final = 100_000
"""Stores per chunk for a week of days: the first refresh takes a gigabyte for one."""

_CHECKED_STORES: Final = 200
_CHECKED_DAYS: Final = 9
_STORES_PER_CHUNK: Final = 1_000
"""Stores in memory with all of their days."""


@dataclass(frozen=True, slots=True)
class DailyRefresh:
    """The result of a refresh; `as_of` is None while there are no polls."""

    as_of: datetime | None
    days_written: int
    stores_mended: int


@dataclass(frozen=True, slots=True)
class DaysComparison:
    """How many days were recomputed from all status runs, and how many of them differ."""

    compared: int
    different: int


def refresh_daily(url: str) -> DailyRefresh:
    """Bring all days up to date with the status runs, hours, zones and closures.

    For every store the days since shortly before the last refresh are recomputed. For stores whose
    older data has changed, all days since that change are. When the zones' rules have changed, or
    the recipe of the status model, all days are. Days before the start of poll retention are no
    exception, because status runs are never dropped. Writers of polls wait meanwhile. Where the
    lake has the polls, no day is stored: from now on days reach to the newest poll.
    """
    with (
        writer_and_reader(url, is_writing_polls=True) as (bulk, reader),
        overlapping() as hand_over,
    ):
        newest = read_newest_poll(bulk)
        if newest is None:
            return DailyRefresh(None, 0, 0)
        stores = read_stores(bulk)
        before = read_daily_state(bulk)
        stale = read_stale_stores(bulk)
        last_load_id = read_last_load_id(bulk)
        mended = stores.positions(stale.store_keys)
        model = read_status_model(reader)
        recipe = None if model is None else RECIPE
        state = DailyState(newest, last_load_id, RULES_RELEASE, recipe)
        if read_lake_of_polls(bulk) is not None:
            hand_over(partial(write_daily_state, bulk, state))
            return DailyRefresh(newest, 0, 0)
        writing = _Writing(bulk, reader, hand_over, model)
        always_us = ALWAYS
        if (
            before is not None
            and before.zone_rules == RULES_RELEASE
            and (model is None or before.likely_recipe == RECIPE)
        ):
            always_us = microseconds(before.as_of) - _ALWAYS_MADE_US
        changed_us = np.full(len(stores), always_us)
        changed_us[mended] = np.minimum(always_us, stale.since_us)
        # First all stores, read without a list of keys; then the stale ones, from earlier on.
        begin_us = np.full(len(stores), always_us)
        written = _refresh_in_parts(writing, stores, begin_us, newest)
        older = np.flatnonzero(changed_us < begin_us)
        if len(older):
            written += _refresh_in_parts(writing, stores.take(older), changed_us[older], newest)
        hand_over(partial(write_daily_state, bulk, state))
        return DailyRefresh(newest, written, len(mended))


def compare_daily(url: str, *, seed: int) -> DaysComparison:
    """Recompute the last nine days of some stores, drawn by `seed`, and compare them.

    Days that the next refresh will change are left out. Where the lake has the polls, none is
    stored.
    """
    with bulk_transaction(url) as bulk:
        state = read_daily_state(bulk)
        if state is None or read_lake_of_polls(bulk) is not None:
            return DaysComparison(0, 0)
        stores = read_stores(bulk)
        drawn = np.random.default_rng(seed).permutation(len(stores))[:_CHECKED_STORES]
        since_us = microseconds(state.as_of) - _CHECKED_DAYS * DAY_US
        drawn.sort()
        settled_us = _settled_until_us(bulk, stores, state)[drawn]
        return _compare_days(bulk, stores.take(drawn), since_us, settled_us, state.as_of)


def compare_all_days(url: str) -> DaysComparison:
    """As `compare_daily`, for all days of all stores within poll retention."""
    with bulk_transaction(url) as bulk:
        state = read_daily_state(bulk)
        if state is None or read_lake_of_polls(bulk) is not None:
            return DaysComparison(0, 0)
        stores = read_stores(bulk)
        settled_us = _settled_until_us(bulk, stores, state)
        compared = different = 0
        for first in range(0, len(stores), _STORES_PER_CHUNK):
            chunk = np.arange(first, min(first + _STORES_PER_CHUNK, len(stores)))
            part = _compare_days(bulk, stores.take(chunk), ALWAYS, settled_us[chunk], state.as_of)
            compared += part.compared
            different += part.different
        return DaysComparison(compared, different)


@dataclass(frozen=True, slots=True)
class _Writing:
    """The transaction that writes, one that reads, and how to hand work over to the first.

    `model` is the version of the status model that spreads come from, None without one.
    """

    bulk: Bulk
    reader: Bulk
    hand_over: Callable[[Work], None]
    model: ModelVersion | None


def _refresh_in_parts(
    writing: _Writing, stores: StoreIndex, changed_us: IntArray, newest: datetime
) -> int:
    """Recompute the days of each store since an instant; return how many.

    In parts of some chunks of stores; the more days, the smaller.
    """
    earliest = read_first_evidence_of_all(writing.reader) or newest
    reach_us = microseconds(newest) - max(
        int(changed_us.min(initial=NEVER)), microseconds(earliest)
    )
    weeks = max(reach_us // WEEK_US, 1)
    stores_per_chunk = max(STORES_PER_REFRESHED_CHUNK // weeks, _STORES_PER_CHUNK)
    written = first = 0
    for part in stores.chunks(stores_per_chunk * CHUNKS_PER_QUERY):
        end = first + len(part)
        written += _refresh_part(writing, part, changed_us[first:end], newest, stores_per_chunk)
        first = end
    return written


def _refresh_part(
    writing: _Writing,
    stores: StoreIndex,
    changed_us: IntArray,
    newest: datetime,
    stores_per_chunk: int,
) -> int:
    start_us = _start_us(writing.reader, changed_us, newest)
    read = _read_evidence(writing.reader, stores, start_us, newest)
    made: list[tuple[StoreIndex, DayRows]] = []
    borders: list[IntArray] = []
    first = 0
    for chunk, status_runs in split_into_chunks(stores, read, stores_per_chunk):
        changed = changed_us[first : first + len(chunk)]
        rows, from_day, first_poll_us = _compute_days(
            writing.reader, chunk, status_runs, changed, start_us, newest, writing.model
        )
        # Days before the first poll are deleted: their polls are gone.
        border = np.where(changed < first_poll_us, changed // DAY_US + 2, from_day)
        borders.append(np.minimum(border, from_day))
        made.append((chunk, rows))
        first += len(chunk)
    writing.hand_over(
        partial(write_days, writing.bulk, stores, made, from_day=np.concatenate(borders))
    )
    return sum(len(rows.days.store) for _, rows in made)


def _settled_until_us(bulk: Bulk, stores: StoreIndex, state: DailyState) -> IntArray:
    """Up to which instant each store's days need no refresh, shape `(stores,)`.

    Data that was loaded since the refresh may have changed the days after it. Other rules of zones
    may have changed all.
    """
    if state.zone_rules != RULES_RELEASE:
        return np.full(len(stores), ALWAYS)
    if read_last_load_id(bulk) == state.last_load_id:
        return np.full(len(stores), NEVER)
    settled_us = np.full(len(stores), microseconds(state.as_of) - _ALWAYS_MADE_US)
    stale = read_stale_stores(bulk)
    changed = stores.positions(stale.store_keys)
    settled_us[changed] = np.minimum(settled_us[changed], stale.since_us)
    return settled_us


def _compare_days(
    bulk: Bulk, stores: StoreIndex, since_us: int, settled_us: IntArray, as_of: datetime
) -> DaysComparison:
    kept_from = read_kept_from(bulk)
    if kept_from is not None:
        # Two days later: a local day begins up to a day before the UTC day.
        since_us = max(since_us, microseconds(kept_from) + 2 * DAY_US)
    since = np.full(len(stores), since_us)
    rows, from_day, _ = compute_stored_days(bulk, stores, since, as_of, None)
    # A local date begins less than a day before the UTC date.
    before_day = np.where(settled_us < NEVER, settled_us // DAY_US - 1, NEVER)
    days = rows.days
    days = days.take(days.begin_local_us // DAY_US < before_day[days.store])
    different = count_different_days(bulk, stores, days, from_day=from_day, before_day=before_day)
    return DaysComparison(len(days.store), different)


def compute_stored_days(
    bulk: Bulk,
    stores: StoreIndex,
    changed_us: IntArray,
    newest: datetime,
    model: ModelVersion | None,
) -> tuple[DayRows, IntArray, IntArray]:
    """The days of each store since the day of an instant, but none before its first poll.

    Also the first day that was made (`NEVER`: none), and an instant of each store, its first poll
    where that lies behind the asked one. The arrays have shape `(stores,)`. Without a version of
    the status model the days have no spread.
    """
    start_us = _start_us(bulk, changed_us, newest)
    status_runs = _read_evidence(bulk, stores, start_us, newest)
    return _compute_days(bulk, stores, status_runs, changed_us, start_us, newest, model)


def _read_evidence(bulk: Bulk, stores: StoreIndex, start_us: int, newest: datetime) -> StatusRuns:
    since = instant(start_us)
    return with_events_since(
        bulk,
        stores,
        read_status_runs_since(bulk, stores, since=since, until=newest),
        since=since,
        until=newest,
    )


def _start_us(bulk: Bulk, changed_us: IntArray, newest: datetime) -> int:
    """From where on status runs and hours are needed for the days since these instants."""
    newest_us = microseconds(newest)
    first = read_first_evidence_of_all(bulk)
    earliest_us = newest_us if first is None else microseconds(first)
    return min(max(int(changed_us.min()), earliest_us), newest_us) - 2 * DAY_US


def _compute_days(
    bulk: Bulk,
    stores: StoreIndex,
    status_runs: StatusRuns,
    changed_us: IntArray,
    start_us: int,
    newest: datetime,
    model: ModelVersion | None,
) -> tuple[DayRows, IntArray, IntArray]:
    """As `compute_stored_days`, with the status runs since `start_us`."""
    calendar = read_calendar(bulk, stores, start_us=start_us, end_us=microseconds(newest))
    first_poll_us = np.full(len(stores), NEVER)
    # From the last to the first: of the runs of a store the first one stays.
    first_poll_us[status_runs.store[::-1]] = status_runs.first_poll_us[::-1]
    days, from_day = compute_days(
        status_runs, calendar, since_us=np.maximum(changed_us, first_poll_us)
    )
    if model is None or len(days.store) == 0:
        return DayRows(days, None, None), from_day, first_poll_us
    spreads = compute_spreads(
        status_runs,
        calendar,
        model.model,
        model.parameters_of(stores),
        store=days.store,
        start_us=days.start_us,
        end_us=days.end_us,
        amounts=days.amounts,
    )
    return DayRows(days, spreads, model.status_model_id), from_day, first_poll_us
