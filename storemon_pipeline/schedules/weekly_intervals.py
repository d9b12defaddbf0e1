"""The table `business_hour_intervals`: the normalised week of each store and version of hours.

`store_weeks` holds the same in fewer rows: stores with the same week share a pattern.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.business_time.weeks import WeekIntervals, normalise_weeks
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.first_rows import key_built_afterwards
from storemon_pipeline.database.instants import microseconds_of, timestamps_or_minus_infinity
from storemon_pipeline.domain.windows import WEEK_US, BoolArray, IntArray
from storemon_pipeline.stores.store_index import StoreIndex

_KEYS_PER_CHUNK: Final = 100_000

_BIG_ENDIAN: Final = ">i8"
"""PostgreSQL's byte order. A digest is the SHA-256 of a pattern's alternating starts and ends."""

_ALL_STORES: Final = "SELECT store_key FROM stores"
_TAKE_MARKED: Final = """
    WITH marked AS (DELETE FROM stale_weeks RETURNING store_key)
    SELECT store_key FROM stores JOIN marked USING (store_key)
"""


@dataclass(frozen=True, slots=True)
class IntervalCounts:
    """Row counts of the table. `stores_without_hours` are always open."""

    stores_rebuilt: int
    stores_without_hours: int
    intervals: int


def refresh_intervals(bulk: Bulk) -> IntervalCounts:
    """Rebuild the intervals of new stores and of stores whose rows of hours have changed.

    Of versions with the same start the last one loaded counts. A store without hours is always
    open. Without changes nothing is read but the counts.
    """
    _take_stale_stores(bulk)
    (stale,) = bulk.fetch(
        "SELECT count(*) AS stores, min(store_key) AS first, max(store_key) AS last"
        " FROM pg_temp.stale_stores"
    ).to_pylist()
    rebuilt = stale["stores"]
    if rebuilt:
        for table in ("business_hour_intervals", "store_weeks"):
            bulk.execute(
                f"DELETE FROM {table} t USING pg_temp.stale_stores s"  # noqa: S608  (one of two)
                " WHERE t.store_key = s.store_key"
            )
        with key_built_afterwards(bulk, "business_hour_intervals", rows=rebuilt):
            for first in range(stale["first"], stale["last"] + 1, _KEYS_PER_CHUNK):
                _append_intervals(bulk, first, first + _KEYS_PER_CHUNK - 1)
            bulk.execute(
                """
                INSERT INTO business_hour_intervals
                       (store_key, valid_from, start_us_of_week, end_us_of_week)
                SELECT store_key, '-infinity', 0, $1 FROM pg_temp.stale_stores s
                WHERE NOT EXISTS (SELECT FROM business_hours b WHERE b.store_key = s.store_key)
                """,
                (WEEK_US,),
            )
        bulk.execute(
            """
            INSERT INTO intervals_state AS s (revision, last_store_key)
            SELECT 1, max(store_key) FROM stores
            ON CONFLICT (is_only_row) DO UPDATE
            SET revision = s.revision + 1, last_store_key = excluded.last_store_key
            """
        )
        for table in ("business_hour_intervals", "store_weeks", "week_patterns"):
            bulk.execute(f"ANALYZE {table}")
    (counts,) = bulk.fetch(
        """
        SELECT count(*) AS intervals, count(*) FILTER (WHERE load_id IS NULL) AS always_open
        FROM business_hour_intervals
        """
    ).to_pylist()
    return IntervalCounts(rebuilt, counts["always_open"], counts["intervals"])


def read_week(bulk: Bulk, stores: StoreIndex, *, as_of: datetime) -> tuple[list[int], list[int]]:
    """Starts and ends of the weekly intervals in force at an instant, for an index with one store.

    They are microseconds since Monday 00:00; a store without hours has the whole week.
    """
    rows = bulk.fetch(
        """
        SELECT start_us_of_week, end_us_of_week FROM business_hour_intervals
        WHERE store_key = $1 AND valid_from = (
            SELECT max(valid_from) FROM business_hour_intervals
            WHERE store_key = $1 AND valid_from <= $2
        )
        ORDER BY start_us_of_week
        """,
        (stores.only_key, as_of),
    )
    if rows.num_rows == 0:
        return [0], [WEEK_US]
    return rows["start_us_of_week"].to_pylist(), rows["end_us_of_week"].to_pylist()


def _take_stale_stores(bulk: Bulk) -> None:
    """Move the stores that triggers marked to the temporary table `stale_stores`.

    Without an earlier refresh nothing is marked, and all stores are stale.
    """
    is_first = bulk.scalar("SELECT NOT EXISTS (SELECT FROM intervals_state) AS is_first")
    bulk.stage("stale_stores", bulk.fetch(_ALL_STORES if is_first else _TAKE_MARKED))


def _append_intervals(bulk: Bulk, first: int, last: int) -> None:
    """Normalise and write the hours of the stale stores with these keys."""
    rows = bulk.fetch(
        """
        SELECT b.store_key, b.load_id, b.day_of_week, b.start_us, b.end_us,
               CASE WHEN b.valid_from <> '-infinity' THEN b.valid_from END AS valid_from
        FROM business_hours b JOIN pg_temp.stale_stores USING (store_key)
        WHERE b.store_key BETWEEN $1 AND $2
        """,
        (first, last),
    )
    if rows.num_rows == 0:
        return
    rows = _last_loaded(rows)
    store_key = rows["store_key"].to_numpy().astype(np.int64)
    valid_from_us = microseconds_of(rows["valid_from"])
    load_id = rows["load_id"].to_numpy().astype(np.int64)
    # For each store and start only one load counts, so these two identify the version.
    order = np.lexsort((valid_from_us, store_key))
    is_first = _begins(store_key[order], valid_from_us[order])
    week = np.empty(len(order), np.int64)
    week[order] = np.cumsum(is_first) - 1
    intervals = normalise_weeks(
        week,
        rows["day_of_week"].to_numpy().astype(np.int64),
        rows["start_us"].to_numpy(),
        rows["end_us"].to_numpy(),
    )
    version = order[is_first]
    versions = {
        "store_key": pa.array(store_key[version].astype(np.int32)),
        "valid_from": timestamps_or_minus_infinity(valid_from_us[version]),
        "load_id": pa.array(load_id[version].astype(np.int32)),
    }
    bulk.append(
        "business_hour_intervals",
        pa.table(
            {name: values.take(pa.array(intervals.week)) for name, values in versions.items()}
            | {"start_us_of_week": intervals.start_us, "end_us_of_week": intervals.end_us}
        ),
    )
    patterns, pattern = _distinct(intervals)
    bulk.stage("new_patterns", patterns)
    bulk.stage(
        "new_weeks",
        pa.table(
            {
                "store_key": versions["store_key"],
                "valid_from": versions["valid_from"],
                "pattern": pattern,
            }
        ),
    )
    bulk.execute(
        """
        INSERT INTO week_patterns (digest, start_us_of_week, end_us_of_week)
        SELECT digest, start_us_of_week, end_us_of_week FROM pg_temp.new_patterns
        ON CONFLICT (digest) DO NOTHING
        """
    )
    bulk.execute(
        """
        INSERT INTO store_weeks (store_key, valid_from, week_id)
        SELECT w.store_key, w.valid_from, k.week_id
        FROM pg_temp.new_weeks w
        JOIN pg_temp.new_patterns n USING (pattern) JOIN week_patterns k USING (digest)
        """
    )


def _last_loaded(rows: pa.Table) -> pa.Table:
    """Of the rows of a store with one start, those that were loaded last."""
    load_id = rows["load_id"].to_numpy()
    if (load_id == load_id[0]).all():
        return rows
    keys = rows["store_key"].to_numpy(), microseconds_of(rows["valid_from"])
    order = np.lexsort((load_id, *keys))
    first = np.flatnonzero(_begins(*(key[order] for key in keys)))
    last = np.append(first[1:], len(order)) - 1
    newest = np.repeat(load_id[order][last], last - first + 1)
    return rows.take(pa.array(np.sort(order[load_id[order] == newest])))


def _begins(*keys: IntArray) -> BoolArray:
    """Where the values of sorted keys differ from those before."""
    begins = np.ones(len(keys[0]), np.bool_)
    begins[1:] = np.any([np.diff(key) != 0 for key in keys], axis=0)
    return begins


def _distinct(weeks: WeekIntervals) -> tuple[pa.Table, IntArray]:
    """The distinct patterns of the weeks `0, 1, …`, and the number of the pattern of each week."""
    first_row = np.searchsorted(weeks.week, np.arange(int(weeks.week[-1]) + 2))
    bounds = np.stack([weeks.start_us, weeks.end_us], axis=1).astype(_BIG_ENDIAN)
    content, bytes_per_row = bounds.tobytes(), bounds.itemsize * 2
    number: dict[bytes, int] = {}
    pattern = np.array(
        [
            number.setdefault(content[bytes_per_row * first : bytes_per_row * end], len(number))
            for first, end in pairwise(first_row.tolist())
        ]
    )
    ends = [np.frombuffer(bounds_of, _BIG_ENDIAN).reshape(-1, 2).T.tolist() for bounds_of in number]
    hours = pa.list_(pa.int64())
    return (
        pa.table(
            {
                "pattern": np.arange(len(number)),
                "digest": pa.array([sha256(of).digest() for of in number], pa.binary()),
                "start_us_of_week": pa.array([start for start, _ in ends], hours),
                "end_us_of_week": pa.array([end for _, end in ends], hours),
            }
        ),
        pattern,
    )
