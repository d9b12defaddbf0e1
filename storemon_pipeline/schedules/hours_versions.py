"""Reading the versions of one store's weekly hours, whether they are in force or not."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from storemon_pipeline.business_time.weeks import normalise_weeks
from storemon_pipeline.database.bulk import Bulk


@dataclass(frozen=True, slots=True)
class HoursVersion:
    """Weekly hours that a load wrote; `valid_from` None holds always.

    `starts` and `ends` are microseconds since Monday 00:00, sorted and disjoint.
    """

    load_id: int
    valid_from: datetime | None
    loaded_at: datetime
    is_pushed: bool
    starts: list[int]
    ends: list[int]


def read_hours_versions(bulk: Bulk, store_id: str) -> list[HoursVersion]:
    """All versions of a store's hours, the last loaded first; empty for an unknown store."""
    rows = bulk.fetch(
        """
        SELECT load_id, nullif(valid_from, '-infinity') AS valid_from, l.loaded_at,
               l.file_path IS NULL AS is_pushed,
               array_agg(day_of_week::bigint) AS days,
               array_agg(start_us) AS starts, array_agg(end_us) AS ends
        FROM business_hours JOIN stores USING (store_key) JOIN loads l USING (load_id)
        WHERE store_id = $1
        GROUP BY load_id, valid_from, l.loaded_at, l.file_path
        ORDER BY load_id DESC, business_hours.valid_from DESC
        """,
        (store_id,),
    ).to_pylist()
    found = []
    for row in rows:
        days, starts, ends = (
            np.array(row.pop(name), np.int64) for name in ("days", "starts", "ends")
        )
        week = normalise_weeks(np.zeros(len(days), np.int64), days, starts, ends)
        found.append(HoursVersion(**row, starts=week.start_us.tolist(), ends=week.end_us.tolist()))
    return found


def has_pushed_hours(bulk: Bulk, store_id: str, load_id: int) -> bool:
    """Whether the load is a push of hours of this store, and is not undone."""
    return bool(
        bulk.scalar(
            """
            SELECT EXISTS (
                SELECT FROM business_hours
                JOIN stores USING (store_key) JOIN loads l USING (load_id)
                WHERE load_id = $1 AND store_id = $2 AND l.file_path IS NULL
            ) AS is_of_store
            """,
            (load_id, store_id),
        )
    )
