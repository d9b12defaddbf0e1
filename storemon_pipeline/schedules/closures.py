"""Planned closures: loading them from files and pushes, cancelling and listing them.

Their effect on business time belongs to `business_time.calendar`.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.calendar import EVERY_STORE, OPEN_END
from storemon_pipeline.business_time.zones import utc_offset_us, zone_of
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.loads.load_log import Load, RowCounts
from storemon_pipeline.stores.store_details import read_zones_of
from storemon_pipeline.stores.store_keys import store_keys

EVERY_STORE_ID: Final = "*"

_START_US: Final = "(extract(epoch FROM c.start_local) * 1000000)::bigint"
_END_US: Final = f"coalesce((extract(epoch FROM c.end_local) * 1000000)::bigint, {OPEN_END})"
_SELECT: Final = """
    SELECT c.closure_id, coalesce(s.store_id, '*') AS store_id, c.start_local, c.end_local,
           c.reason, c.author, l.loaded_at
    FROM closures c JOIN loads l USING (load_id) LEFT JOIN stores s USING (store_key)
    WHERE c.cancelled_by_load_id IS NULL
"""
_WHAT: Final = ["store_key", "start_local_us", "end_local_us", "reason"]


@dataclass(frozen=True, slots=True)
class StoredClosure:
    """A closure in force. `store_id` `*` means every store, `end_local` None an open end."""

    closure_id: int
    store_id: str
    start_local: datetime
    end_local: datetime | None
    reason: str
    author: str | None
    loaded_at: datetime


def write_closures(
    bulk: Bulk, loads: Sequence[Load], frames: Sequence[pd.DataFrame]
) -> list[RowCounts]:
    """Insert new closures; for files also cancel the closures that are no longer in any file.

    There is one frame and load per file. A frame has the columns `store_id`, `start_local_us`,
    `end_local_us` (OPEN_END: none), `reason`, `is_utc`. Times in UTC are stored in the local time
    of the store, by its zone at the load. Files hold all closures of their source: a closure
    that was in a file and is now in none is cancelled by the last load, and a changed row is
    another closure. A closure that was cancelled by hand stays cancelled, even if it is still in a
    file. A push only adds closures. No row is counted as rejected; a closure counts as replaced
    when it takes the place of one with the same store and start.
    """
    joined = pd.concat(frames, ignore_index=True)
    rows = _with_keys(bulk, _in_local_time(bulk, joined, as_of=loads[0].loaded_at))
    part = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    distinct = rows.drop_duplicates()
    is_from_files = loads[0].file_path is not None
    stored = _stored(bulk, is_from_files=is_from_files)
    known = pd.MultiIndex.from_frame(stored[_WHAT])
    is_new = ~pd.MultiIndex.from_frame(distinct[_WHAT]).isin(known)
    new = distinct[is_new]
    vanished = stored.iloc[:0]
    if is_from_files:
        is_vanished = ~known.isin(pd.MultiIndex.from_frame(distinct[_WHAT])) & stored["is_in_force"]
        vanished = stored[is_vanished]
        _cancel(bulk, loads[-1], vanished["closure_id"].to_numpy(np.int64))
    part_of_new = part[new.index]
    load_ids = np.array([load.load_id for load in loads], np.int32)
    _append(bulk, new, load_ids[part_of_new])
    starts = ["store_key", "start_local_us"]
    replaced_starts = pd.MultiIndex.from_frame(vanished[starts])
    is_replacing = pd.MultiIndex.from_frame(new[starts]).isin(replaced_starts)
    read = np.bincount(part, minlength=len(loads))
    replaced = np.bincount(part_of_new[is_replacing], minlength=len(loads))
    loaded = np.bincount(part_of_new[~is_replacing], minlength=len(loads))
    return [
        RowCounts(int(added), int(changed), int(total - added - changed), 0)
        for total, added, changed in zip(read, loaded, replaced, strict=True)
    ]


def write_author(bulk: Bulk, load_id: int | None, author: str | None) -> None:
    """Keep who pushed the closures of a load."""
    bulk.execute("UPDATE closures SET author = $2 WHERE load_id = $1", (load_id, author))


def cancel_closure(
    bulk: Bulk, load: Load, closure_id: int, *, only_stores: AbstractSet[str] | None = None
) -> bool:
    """Cancel a closure of one of these stores; False when no such closure is in force."""
    rows = bulk.fetch(
        """
        UPDATE closures SET cancelled_by_load_id = $1
        WHERE closure_id = $2 AND cancelled_by_load_id IS NULL
          AND ($3 = 0 OR store_key IN (SELECT store_key FROM stores WHERE store_id = ANY ($4)))
        RETURNING closure_id
        """,
        (load.load_id, closure_id, *_only(only_stores)),
    )
    return bool(rows.num_rows)


def read_closures(
    bulk: Bulk,
    *,
    only_stores: AbstractSet[str] | None = None,
    after: int = 0,
    ended_after: datetime = datetime.min,  # noqa: DTZ901  (a local time)
    limit: int = 1_000,
) -> list[StoredClosure]:
    """The closures in force with ids above `after`, by id; of these stores, or of all.

    Closures of every store are included, those that were over at a local time are not.
    """
    rows = bulk.fetch(
        f"""
        {_SELECT}
          AND c.closure_id > $1
          AND ($2 = 0 OR c.store_key IS NULL OR s.store_id = ANY ($3))
          AND (c.end_local IS NULL OR c.end_local > $4)
        ORDER BY c.closure_id LIMIT $5
        """,
        (after, *_only(only_stores), ended_after, limit),
    ).to_pylist()
    return [StoredClosure(**row) for row in rows]


def _only(store_ids: AbstractSet[str] | None) -> tuple[int, list[str]]:
    """Whether stores are limited, and the ids; the driver cannot infer a type for an empty list."""
    return int(store_ids is not None), sorted(store_ids or {""})


def find_closure(bulk: Bulk, frame: pd.DataFrame) -> StoredClosure:
    """The closure in force that equals the only row of `frame`; ValueError if there is none."""
    (row,) = _with_keys(bulk, frame).to_dict("records")
    rows = bulk.fetch(
        f"""
        {_SELECT}
          AND coalesce(c.store_key, $1) = $2 AND {_START_US} = $3 AND {_END_US} = $4
          AND c.reason = $5
        """,
        (EVERY_STORE, *row.values()),
    )
    (found,) = rows.to_pylist()
    return StoredClosure(**found)


def _in_local_time(bulk: Bulk, frame: pd.DataFrame, *, as_of: datetime) -> pd.DataFrame:
    """The rows with all times in the local time of their stores."""
    is_utc = frame["is_utc"].to_numpy(np.bool_)
    if not is_utc.any():
        return frame
    zones = read_zones_of(bulk, set(frame["store_id"][is_utc]), as_of=as_of)
    keys = frame["store_id"].map(zones)
    moved = frame.copy()
    for name in ("start_local_us", "end_local_us"):
        at_us = frame[name].to_numpy(np.int64).copy()
        for row in np.flatnonzero(is_utc & (at_us != OPEN_END)).tolist():
            at_us[row] += utc_offset_us(zone_of(keys[row]), int(at_us[row]))
        moved[name] = at_us
    return moved


def _with_keys(bulk: Bulk, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with store keys in place of ids; EVERY_STORE for closures of all stores."""
    is_every = (frame["store_id"] == EVERY_STORE_ID).to_numpy(np.bool_)
    named = frame["store_id"][~is_every]
    ids = pd.Index(named.unique())
    keys = np.full(len(frame), EVERY_STORE, np.int64)
    if len(ids):
        keys[~is_every] = store_keys(bulk, ids.tolist())[ids.get_indexer(named)]
    return pd.DataFrame(
        {
            "store_key": keys,
            "start_local_us": frame["start_local_us"].to_numpy(np.int64),
            "end_local_us": frame["end_local_us"].to_numpy(np.int64),
            "reason": frame["reason"].to_numpy(object),
        }
    )


def _stored(bulk: Bulk, *, is_from_files: bool) -> pd.DataFrame:
    """The stored closures to compare with: those still in files, or else all in force."""
    is_known = (
        "l.file_path IS NOT NULL AND (u.load_id IS NULL OR u.file_path IS NULL)"
        if is_from_files
        else "u.load_id IS NULL"
    )
    rows = bulk.fetch(
        f"""
        SELECT c.closure_id, coalesce(c.store_key, $1) AS store_key,
               {_START_US} AS start_local_us, {_END_US} AS end_local_us,
               c.reason, c.cancelled_by_load_id IS NULL AS is_in_force
        FROM closures c JOIN loads l USING (load_id)
        LEFT JOIN loads u ON u.load_id = c.cancelled_by_load_id
        WHERE {is_known}
        """,  # noqa: S608  (one of two constants)
        (EVERY_STORE,),
    )
    frame = pd.DataFrame(
        {
            name: rows[name].to_numpy().astype(np.int64)
            for name in ("closure_id", "store_key", "start_local_us", "end_local_us")
        }
    )
    frame["reason"] = np.array(rows["reason"].to_pylist(), object)
    frame["is_in_force"] = np.array(rows["is_in_force"].to_pylist(), np.bool_)
    return frame


def _cancel(bulk: Bulk, load: Load, closure_ids: IntArray) -> None:
    if len(closure_ids) == 0:
        return
    bulk.stage("vanished_closures", pa.table({"closure_id": closure_ids.astype(np.int32)}))
    bulk.execute(
        """
        UPDATE closures c SET cancelled_by_load_id = $1
        FROM pg_temp.vanished_closures v WHERE v.closure_id = c.closure_id
        """,
        (load.load_id,),
    )


def _append(bulk: Bulk, rows: pd.DataFrame, load_ids: npt.NDArray[np.int32]) -> None:
    store_key = rows["store_key"].to_numpy(np.int64)
    end_us = rows["end_local_us"].to_numpy(np.int64)
    bulk.append(
        "closures",
        pa.table(
            {
                "store_key": pa.array(store_key, mask=store_key == EVERY_STORE).cast(pa.int32()),
                "start_local": pa.array(rows["start_local_us"].to_numpy(np.int64)).cast(
                    pa.timestamp("us")
                ),
                "end_local": pa.array(end_us, mask=end_us == OPEN_END).cast(pa.timestamp("us")),
                "reason": pa.array(rows["reason"].tolist(), pa.string()),
                "load_id": load_ids,
            }
        ),
    )
