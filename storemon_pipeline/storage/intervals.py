"""The table `business_hour_intervals`: the normalised week of each store and version of hours."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from storemon_pipeline.storage.bulk import Bulk
from storemon_pipeline.storage.instants import microseconds_of, timestamps_or_null
from storemon_pipeline.storage.uptime_inputs import StoreIndex
from storemon_pipeline.uptime.weeks import normalise_weeks
from storemon_pipeline.uptime.windows import WEEK_US


@dataclass(frozen=True, slots=True)
class IntervalCounts:
    """What the table holds: `stores_without_hours` are open always."""

    stores_rebuilt: int
    stores_without_hours: int
    intervals: int


def refresh_intervals(bulk: Bulk) -> IntervalCounts:
    """The intervals of every store are those of its versions of hours that count.

    Of versions that start at the same instant the last one loaded counts. A store that has none is
    always open. Only stores whose versions are not those that the table was made of are rebuilt.
    """
    _find_stale_stores(bulk)
    rebuilt = int(bulk.scalar("SELECT count(*) FROM pg_temp.stale_stores"))
    if rebuilt:
        bulk.execute(
            """
            DELETE FROM business_hour_intervals i USING pg_temp.stale_stores s
            WHERE i.store_key = s.store_key
            """
        )
        _append_intervals(bulk)
        bulk.execute(
            """
            INSERT INTO business_hour_intervals
                   (store_key, valid_from, start_us_of_week, end_us_of_week)
            SELECT store_key, '-infinity', 0, $1 FROM pg_temp.stale_stores s
            WHERE NOT EXISTS (SELECT FROM business_hours b WHERE b.store_key = s.store_key)
            """,
            (WEEK_US,),
        )
        bulk.execute("ANALYZE business_hour_intervals")
    (counts,) = bulk.fetch(
        """
        SELECT count(*) AS intervals, count(*) FILTER (WHERE load_id IS NULL) AS always_open
        FROM business_hour_intervals
        """
    ).to_pylist()
    return IntervalCounts(rebuilt, counts["always_open"], counts["intervals"])


def read_week(bulk: Bulk, stores: StoreIndex, *, as_of: datetime) -> tuple[list[int], list[int]]:
    """The intervals of the only store of an index that hold at an instant: starts and ends.

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


def _find_stale_stores(bulk: Bulk) -> None:
    """The table `stale_stores`: stores whose intervals come from other versions than now count."""
    bulk.execute("DROP TABLE IF EXISTS pg_temp.stale_stores, pg_temp.counted_versions")
    bulk.execute(
        """
        CREATE TEMPORARY TABLE counted_versions AS
        SELECT store_key, valid_from, max(load_id) AS load_id
        FROM business_hours GROUP BY store_key, valid_from
        """
    )
    bulk.execute(
        """
        CREATE TEMPORARY TABLE stale_stores AS
        WITH built AS (
            SELECT DISTINCT store_key, valid_from, load_id FROM business_hour_intervals
        ), wanted AS (
            SELECT store_key, valid_from, load_id FROM pg_temp.counted_versions
            UNION ALL
            SELECT store_key, '-infinity', NULL FROM stores s
            WHERE NOT EXISTS (SELECT FROM business_hours b WHERE b.store_key = s.store_key)
        )
        SELECT DISTINCT store_key FROM (
            (SELECT * FROM wanted EXCEPT SELECT * FROM built)
            UNION ALL
            (SELECT * FROM built EXCEPT SELECT * FROM wanted)
        ) AS different
        """
    )


def _append_intervals(bulk: Bulk) -> None:
    """The stale stores' hours are normalised and written."""
    rows = bulk.fetch(
        """
        SELECT b.store_key, b.load_id, b.day_of_week, b.start_us, b.end_us,
               CASE WHEN b.valid_from <> '-infinity' THEN b.valid_from END AS valid_from
        FROM business_hours b
        JOIN pg_temp.counted_versions USING (store_key, valid_from, load_id)
        JOIN pg_temp.stale_stores USING (store_key)
        """
    )
    version, week = np.unique(
        np.stack(
            [
                rows["store_key"].to_numpy().astype(np.int64),
                microseconds_of(rows["valid_from"]),
                rows["load_id"].to_numpy().astype(np.int64),
            ]
        ),
        axis=1,
        return_inverse=True,
    )
    intervals = normalise_weeks(
        week.reshape(-1),
        rows["day_of_week"].to_numpy().astype(np.int64),
        rows["start_us"].to_numpy(),
        rows["end_us"].to_numpy(),
    )
    store_key, valid_from_us, load_id = version[:, intervals.week]
    bulk.stage(
        "new_intervals",
        pa.table(
            {
                "store_key": store_key.astype(np.int32),
                "valid_from": timestamps_or_null(valid_from_us),
                "start_us_of_week": intervals.start_us,
                "end_us_of_week": intervals.end_us,
                "load_id": load_id.astype(np.int32),
            }
        ),
    )
    bulk.execute(
        """
        INSERT INTO business_hour_intervals
               (store_key, valid_from, start_us_of_week, end_us_of_week, load_id)
        SELECT store_key, coalesce(valid_from, '-infinity'),
               start_us_of_week, end_us_of_week, load_id
        FROM pg_temp.new_intervals
        """
    )
