"""The table `special_hours`: the hours of single dates, with their versions.

Parsing belongs to `special_hours_file`, the effect on business time to `business_time`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.business_time.special_hours import merge
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import timestamps_or_null
from storemon_pipeline.domain.windows import DAY_US, IntArray
from storemon_pipeline.loads.load_log import Load, RowCounts
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.stores.store_keys import store_keys

_VERSION: Final = ["store_key", "day", "is_dated", "valid_from_us"]

_APART_US: Final = 4 * DAY_US
"""Intervals of different versions lie this far apart on one axis, so that they never touch."""

_FURTHEST_EAST: Final = timedelta(hours=14)
"""No zone is further ahead of UTC."""

_LAST_FROM_FILES: Final = """
    SELECT s.starts_us, s.ends_us FROM special_hours s JOIN loads l USING (load_id)
    WHERE s.store_key = v.store_key AND s.local_date = v.local_date
      AND l.file_path IS NOT NULL AND s.is_dated = v.is_dated
      AND (NOT v.is_dated OR s.valid_from = coalesce(v.valid_from, '-infinity'))
    ORDER BY s.load_id DESC LIMIT 1
"""
_OTHER_LATER: Final = """
    SELECT FROM special_hours k
    WHERE k.store_key = v.store_key AND k.local_date = v.local_date AND k.valid_from > '-infinity'
      AND (k.starts_us, k.ends_us) IS DISTINCT FROM (v.starts_us, v.ends_us)
      AND NOT EXISTS (
          SELECT FROM special_hours n
          WHERE (n.store_key, n.local_date, n.valid_from)
                = (k.store_key, k.local_date, k.valid_from)
            AND (n.load_id, n.is_dated) > (k.load_id, k.is_dated)
      )
"""
_IN_FORCE: Final = """
    SELECT s.starts_us, s.ends_us FROM special_hours s
    WHERE s.store_key = v.store_key AND s.local_date = v.local_date
      AND CASE WHEN v.is_dated THEN s.valid_from = coalesce(v.valid_from, '-infinity')
               ELSE s.valid_from <= $1 END
    ORDER BY s.valid_from DESC, s.load_id DESC, s.is_dated DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class StoredSpecialHours:
    """The hours of a date that are in force; closed without any.

    `starts_us` and `ends_us` are microseconds since midnight of the date.
    """

    local_date: date
    starts_us: list[int]
    ends_us: list[int]
    loaded_at: datetime
    is_pushed: bool


def read_special_hours(
    bulk: Bulk, store_id: str, *, first: date, last: date, as_of: datetime
) -> list[StoredSpecialHours]:
    """The special hours of a store in force at an instant, by date; none for an unknown store."""
    rows = bulk.fetch(
        """
        SELECT local_date, starts_us, ends_us, loaded_at, file_path IS NULL AS is_pushed
        FROM (
            SELECT DISTINCT ON (local_date) local_date, starts_us, ends_us, load_id
            FROM special_hours JOIN stores USING (store_key)
            WHERE store_id = $1 AND local_date BETWEEN $2 AND $3 AND valid_from <= $4
            ORDER BY local_date, valid_from DESC, load_id DESC, is_dated DESC
        ) s JOIN loads USING (load_id)
        WHERE starts_us IS NOT NULL ORDER BY local_date
        """,
        (store_id, first, last, as_of),
    ).to_pylist()
    return [StoredSpecialHours(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class SpecialHoursOfStore:
    """The hours that held on a date of a store; closed without any. As in StoredSpecialHours."""

    store_id: str
    local_date: date
    starts_us: list[int]
    ends_us: list[int]


def read_special_hours_between(
    bulk: Bulk, stores: StoreIndex, *, begin: date, end: date, as_of: datetime
) -> list[SpecialHoursOfStore]:
    """The special hours of the dates `[begin, end)`, as they were known when each date was over.

    They are sorted by date and store. Dates count as over at midnight in UTC, or at `as_of`.
    """
    chosen = stores.condition(parameter=4)
    rows = bulk.fetch(
        f"""
        SELECT store_id, local_date, starts_us, ends_us
        FROM (
            SELECT DISTINCT ON (store_key, local_date) store_key, local_date, starts_us, ends_us
            FROM special_hours
            WHERE local_date >= $1 AND local_date < $2
              AND valid_from <= least($3, (local_date + 1)::timestamptz)
              AND ({chosen.sql})
            ORDER BY store_key, local_date, valid_from DESC, load_id DESC, is_dated DESC
        ) s JOIN stores USING (store_key)
        WHERE starts_us IS NOT NULL ORDER BY local_date, store_id
        """,  # noqa: S608  (conditions are made of names and numbers)
        (begin, end, as_of, *chosen.parameters),
    ).to_pylist()
    return [SpecialHoursOfStore(**row) for row in rows]


def withdraw_special_hours(bulk: Bulk, load: Load, store_id: str, day: date) -> bool:
    """Let the weekly hours hold on a date again, in the past too; False without special hours."""
    rows = bulk.fetch(
        """
        WITH newest AS (
            SELECT DISTINCT ON (valid_from) store_key, valid_from, starts_us
            FROM special_hours JOIN stores USING (store_key)
            WHERE store_id = $2 AND local_date = $3
            ORDER BY valid_from, load_id DESC, is_dated DESC
        )
        INSERT INTO special_hours (store_key, local_date, valid_from, load_id, is_dated)
        SELECT store_key, $3, valid_from, $1, true FROM newest
        WHERE EXISTS (SELECT FROM newest WHERE starts_us IS NOT NULL)
        RETURNING store_key
        """,
        (load.load_id, store_id, day),
    )
    return bool(rows.num_rows)


def write_special_hours(
    bulk: Bulk, loads: Sequence[Load], frames: Sequence[pd.DataFrame]
) -> list[RowCounts]:
    """Write the versions that are new; the snapshot has one frame and load per file.

    The rows of a store, date and `valid_from` are one version, whatever file they are from. Rows
    without `valid_from` hold always if they are the first of their store and date, else from the
    load on. A version from files is new when it differs from the last one from files; a version
    from a push, when it differs from the one in force. A version from a push that holds always
    takes the place of all versions of its date. A date that was in a file and is now in none is
    withdrawn while it has begun in no zone; past ones stay. No row is counted as rejected.
    """
    frame = pd.concat(frames, ignore_index=True)
    part = np.repeat(np.arange(len(frames)), [len(rows) for rows in frames])
    is_from_files = loads[0].file_path is not None
    is_pushed = str(not is_from_files).lower()
    version, versions = _versions(bulk, frame, part, np.array([load.load_id for load in loads]))
    bulk.stage("special_versions", versions)
    new = bulk.fetch(
        f"""
        SELECT v.version, EXISTS (
            SELECT FROM special_hours k
            WHERE k.store_key = v.store_key AND k.local_date = v.local_date
        ) AS is_known
        FROM pg_temp.special_versions v
        LEFT JOIN LATERAL ({_LAST_FROM_FILES if is_from_files else _IN_FORCE}) s ON true
        WHERE s.starts_us IS DISTINCT FROM v.starts_us OR s.ends_us IS DISTINCT FROM v.ends_us
           OR {is_pushed} AND v.is_dated AND v.valid_from IS NULL AND EXISTS ({_OTHER_LATER})
        """,  # noqa: S608  (constants)
        () if is_from_files else (loads[0].loaded_at,),
    )
    bulk.stage("new_special_versions", new)
    bulk.execute(
        """
        INSERT INTO special_hours
               (store_key, local_date, valid_from, load_id, is_dated, starts_us, ends_us)
        SELECT store_key, local_date,
               CASE WHEN is_dated THEN coalesce(valid_from, '-infinity')
                    WHEN is_known THEN $1 ELSE '-infinity' END,
               load_id, is_dated, starts_us, ends_us
        FROM pg_temp.special_versions JOIN pg_temp.new_special_versions USING (version)
        """,
        (loads[0].loaded_at,),
    )
    if is_from_files:
        _withdraw_vanished(bulk, loads[-1])
    else:
        _replace_later(bulk)
    is_new, is_known = np.zeros((2, len(versions)), np.bool_)
    is_new[new["version"].to_numpy()] = True
    is_known[new["version"].to_numpy()] = new["is_known"].to_numpy()
    read, loaded, replaced = (
        np.bincount(part[chosen[version]], minlength=len(loads)).tolist()
        for chosen in (np.ones(len(versions), np.bool_), is_new & ~is_known, is_new & is_known)
    )
    return [
        RowCounts(added, changed, total - added - changed, 0)
        for total, added, changed in zip(read, loaded, replaced, strict=True)
    ]


def undo_special_hours(bulk: Bulk, load_id: int) -> IntArray:
    """Delete the versions of a load; return the keys of their stores.

    If a store and date lose their first version, the next one without `valid_from` holds always.
    """
    undone = bulk.fetch(
        "DELETE FROM special_hours WHERE load_id = $1 RETURNING store_key, local_date", (load_id,)
    )
    bulk.stage("undone_dates", undone)
    bulk.execute(
        """
        UPDATE special_hours s SET valid_from = '-infinity'
        FROM (
            SELECT store_key, local_date, min(load_id) AS load_id
            FROM special_hours JOIN (SELECT DISTINCT * FROM pg_temp.undone_dates) u
                 USING (store_key, local_date)
            GROUP BY store_key, local_date
        ) f
        WHERE s.store_key = f.store_key AND s.local_date = f.local_date AND s.load_id = f.load_id
          AND NOT s.is_dated
        """
    )
    return np.unique(undone["store_key"].to_numpy())


def _versions(
    bulk: Bulk, frame: pd.DataFrame, part: IntArray, load_ids: IntArray
) -> tuple[IntArray, pa.Table]:
    """The number of the version of each row, and the versions; their intervals are merged."""
    store, ids = pd.factorize(frame["store_id"])
    keys = store_keys(bulk, ids.tolist())[store] if len(ids) else np.zeros(0, np.int64)
    rows = pd.DataFrame(
        {
            "store_key": keys,
            "day": frame["day"].to_numpy(np.int64),
            "is_dated": frame["valid_from_us"].notna().to_numpy(),
            "valid_from_us": frame["valid_from_us"].fillna(ALWAYS).astype("int64").to_numpy(),
        }
    )
    groups = rows.groupby(_VERSION, sort=True)
    version = groups.ngroup().to_numpy().astype(np.int64)
    versions = rows[_VERSION].drop_duplicates().sort_values(_VERSION)
    last_part = np.zeros(len(versions), np.int64)
    np.maximum.at(last_part, version, part)
    start_us, end_us = (frame[name].to_numpy(np.int64) for name in ("start_us", "end_us"))
    is_open, origin = start_us < end_us, version * _APART_US
    start, end = merge((origin + start_us)[is_open], (origin + end_us)[is_open])
    first = np.searchsorted(start // _APART_US, np.arange(len(versions) + 1)).astype(np.int32)
    starts, ends = (
        pa.ListArray.from_arrays(first, edge - start // _APART_US * _APART_US)
        for edge in (start, end)
    )
    return version, pa.table(
        {
            "version": np.arange(len(versions)),
            "store_key": versions["store_key"].to_numpy(np.int32),
            "local_date": pa.array(versions["day"].to_numpy(np.int32)).cast(pa.date32()),
            "is_dated": versions["is_dated"].to_numpy(np.bool_),
            "valid_from": timestamps_or_null(versions["valid_from_us"].to_numpy(np.int64)),
            "load_id": load_ids[last_part].astype(np.int32),
            "starts_us": starts,
            "ends_us": ends,
        }
    )


def _replace_later(bulk: Bulk) -> None:
    """Write the new versions that hold always from each instant, too, from which others hold."""
    bulk.execute(
        """
        INSERT INTO special_hours
               (store_key, local_date, valid_from, load_id, is_dated, starts_us, ends_us)
        SELECT DISTINCT v.store_key, v.local_date, k.valid_from, v.load_id, true, v.starts_us,
               v.ends_us
        FROM pg_temp.special_versions v JOIN pg_temp.new_special_versions USING (version)
        JOIN special_hours k USING (store_key, local_date)
        WHERE v.is_dated AND v.valid_from IS NULL AND k.valid_from > '-infinity'
        """
    )


def _withdraw_vanished(bulk: Bulk, load: Load) -> None:
    """Withdraw the dates ahead that an earlier file named, and the files of this load do not."""
    bulk.execute(
        """
        INSERT INTO special_hours (store_key, local_date, valid_from, load_id, is_dated)
        SELECT store_key, local_date, $1, $2, false
        FROM (
            SELECT DISTINCT ON (store_key, local_date) store_key, local_date, load_id, starts_us
            FROM special_hours WHERE local_date > $3::date
            ORDER BY store_key, local_date, load_id DESC
        ) s JOIN loads USING (load_id)
        WHERE file_path IS NOT NULL AND starts_us IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_temp.special_versions v
            WHERE v.store_key = s.store_key AND v.local_date = s.local_date
        )
        """,
        (load.loaded_at, load.load_id, (load.loaded_at + _FURTHEST_EAST).date()),
    )
