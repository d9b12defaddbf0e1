"""What the engine needs of the database for an instant: stores, runs and business calendars."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.storage.bulk import Bulk
from storemon_pipeline.storage.instants import microseconds_of
from storemon_pipeline.storage.run_rows import runs_of
from storemon_pipeline.uptime.calendar import (
    EVERY_STORE,
    OPEN_END,
    Calendar,
    Closures,
    HoursVersions,
    ZoneVersions,
    build_calendar,
)
from storemon_pipeline.uptime.runs import Runs
from storemon_pipeline.uptime.weeks import WeekIntervals
from storemon_pipeline.uptime.windows import LOOKBACK_US, WEEK_US, IntArray

LOOKBACK: Final = timedelta(microseconds=LOOKBACK_US)


@dataclass(frozen=True, slots=True)
class Choice:
    """A condition on `store_key`, and the parameters that it names."""

    condition: str
    parameters: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class StoreIndex:
    """Stores in the order of their ids' bytes; the engine knows a store by its position.

    All that are known (`is_whole`), or some of them.
    """

    store_ids: pa.Array
    store_keys: IntArray
    is_whole: bool = False

    def __len__(self) -> int:
        return len(self.store_keys)

    def take(self, positions: IntArray) -> "StoreIndex":
        """The stores at these positions alone, which ascend."""
        return StoreIndex(self.store_ids.take(pa.array(positions)), self.store_keys[positions])

    def choice(self, *, parameter: int = 1) -> Choice:
        """What chooses these stores' rows of a table; `$parameter` and on are its parameters."""
        if self.is_whole:
            return Choice("true", ())
        if len(self) == 1:
            return Choice(f"store_key = ${parameter}", (self.only_key,))
        # As a constant: the planner knows how many there are, and rows are looked up in a hash.
        keys = ",".join(map(str, np.sort(self.store_keys).tolist()))
        return Choice(f"store_key = ANY ('{{{keys}}}'::int[])", ())

    @property
    def only_key(self) -> int:
        """The key of a store that is alone here, else 0: no store has it."""
        return int(self.store_keys[0]) if len(self) == 1 else 0

    def positions(self, keys: IntArray) -> IntArray:
        """The position of each key, shape `(n,)`; every key is known."""
        position = np.empty(int(self.store_keys.max(initial=0)) + 1, np.int64)
        position[self.store_keys] = np.arange(len(self))
        return position[keys]


def read_stores(bulk: Bulk) -> StoreIndex:
    """Every known store."""
    rows = bulk.fetch("SELECT store_key, store_id FROM stores")
    # Arrow compares strings by their bytes, as the contract orders a report.
    rows = rows.take(pc.sort_indices(rows["store_id"]))
    return StoreIndex(
        rows["store_id"].combine_chunks(),
        rows["store_key"].to_numpy().astype(np.int64),
        is_whole=True,
    )


def read_store(bulk: Bulk, store_id: str) -> StoreIndex | None:
    """One store alone, or None when nothing has named it."""
    rows = bulk.fetch("SELECT store_key, store_id FROM stores WHERE store_id = $1", (store_id,))
    if rows.num_rows == 0:
        return None
    return StoreIndex(
        rows["store_id"].combine_chunks(), rows["store_key"].to_numpy().astype(np.int64)
    )


def read_runs(bulk: Bulk, stores: StoreIndex, *, as_of: datetime) -> Runs:
    """The runs with a poll in the look-back before an instant, by position of their store."""
    chosen = stores.choice(parameter=3)
    rows = bulk.fetch(
        f"""
        SELECT store_key, first_poll_at, last_poll_at, is_active, polls
        FROM status_runs
        WHERE first_poll_at <= $1 AND last_poll_at > $1 - $2 AND {chosen.condition}
        """,  # noqa: S608  (conditions are made of names and numbers)
        (as_of, LOOKBACK, *chosen.parameters),
    )
    return runs_of(rows, stores.positions(rows["store_key"].to_numpy()))


def read_calendar(
    bulk: Bulk, stores: StoreIndex, *, start_us: int, end_us: int, has_closures: bool = True
) -> Calendar:
    """Business time of the stores in `[start_us, end_us]`, from the versions that count.

    Without closures it is what would be business time if there were none.
    """
    weeks, hours = _read_hours(bulk, stores)
    return build_calendar(
        stores=len(stores),
        start_us=start_us,
        end_us=end_us,
        weeks=weeks,
        hours=hours,
        zones=_read_zones(bulk, stores),
        closures=_read_closures(bulk, stores) if has_closures else None,
    )


def read_report_calendar(bulk: Bulk, stores: StoreIndex, *, as_of_us: int) -> Calendar:
    """The calendar of a report's longest window."""
    return read_calendar(bulk, stores, start_us=as_of_us - WEEK_US, end_us=as_of_us)


def _read_hours(bulk: Bulk, stores: StoreIndex) -> tuple[WeekIntervals, HoursVersions]:
    chosen = stores.choice()
    rows = bulk.fetch(
        f"""
        SELECT store_key, nullif(valid_from, '-infinity') AS valid_from,
               start_us_of_week, end_us_of_week
        FROM business_hour_intervals
        WHERE load_id IS NOT NULL AND {chosen.condition}
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    store = stores.positions(rows["store_key"].to_numpy())
    valid_from_us = microseconds_of(rows["valid_from"])
    start_us = rows["start_us_of_week"].to_numpy()
    order = np.lexsort((start_us, valid_from_us, store))
    store, valid_from_us = store[order], valid_from_us[order]
    is_first = np.ones(len(store), np.bool_)
    is_first[1:] = (store[1:] != store[:-1]) | (valid_from_us[1:] != valid_from_us[:-1])
    week = np.cumsum(is_first) - 1
    intervals = WeekIntervals(week, start_us[order], rows["end_us_of_week"].to_numpy()[order])
    versions = HoursVersions(
        store[is_first], valid_from_us[is_first], np.arange(int(is_first.sum()))
    )
    return intervals, versions


def _read_zones(bulk: Bulk, stores: StoreIndex) -> ZoneVersions:
    chosen = stores.choice()
    rows = bulk.fetch(
        f"""
        SELECT store_key, nullif(valid_from, '-infinity') AS valid_from, timezone
        FROM store_timezones WHERE {chosen.condition} ORDER BY load_id, row_number
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    zones = rows["timezone"].combine_chunks().dictionary_encode()
    return ZoneVersions(
        stores.positions(rows["store_key"].to_numpy()),
        microseconds_of(rows["valid_from"]),
        zones.indices.to_numpy().astype(np.int64),
        tuple(zones.dictionary.to_pylist()),
    )


def _read_closures(bulk: Bulk, stores: StoreIndex) -> Closures:
    chosen = stores.choice()
    rows = bulk.fetch(
        f"""
        SELECT store_key, start_local, end_local FROM closures
        WHERE cancelled_by_load_id IS NULL AND (store_key IS NULL OR ({chosen.condition}))
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    key = rows["store_key"]
    is_for_all = pc.is_null(key).to_numpy()
    store = (
        stores.positions(pc.fill_null(key, stores.store_keys[0]).to_numpy()) if len(stores) else key
    )
    return Closures(
        np.where(is_for_all, EVERY_STORE, store),
        rows["start_local"].cast(pa.int64()).to_numpy(),
        pc.fill_null(rows["end_local"].cast(pa.int64()), OPEN_END).to_numpy(),
    )
