"""The table `objectives`: loading from files and pushes, cancelling, listing, reading.

Which objective holds for a store belongs to `precedence`.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds_of, timestamps_or_null
from storemon_pipeline.loads.load_log import NO_ROWS, Load, RowCounts
from storemon_pipeline.objectives.objectives_file import NONE
from storemon_pipeline.objectives.precedence import AppliesTo, Version
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.stores.store_keys import store_keys

_NO_STORE: Final = 0
"""No store has this key."""

_SAME_OBJECTIVE: Final = (
    "(o.applies_to, coalesce(o.store_key, 0), o.name, o.period)"
    " = (n.applies_to, n.store_key, n.name, n.period)"
)
_SAME_START: Final = "o.is_dated = n.is_dated AND (NOT n.is_dated OR o.valid_from = n.dated_from)"
_LAST_OF_FILES: Final = f"""
    SELECT o.objective_percent, true AS is_known FROM objectives o JOIN loads l USING (load_id)
    LEFT JOIN loads u ON u.load_id = o.cancelled_by_load_id
    WHERE l.file_path IS NOT NULL AND {_SAME_OBJECTIVE} AND {_SAME_START}
    ORDER BY o.objective_id DESC LIMIT 1
"""  # noqa: S608  (made of constants)
_IN_FORCE: Final = f"""
    SELECT o.objective_percent, true AS is_known FROM objectives o
    WHERE o.cancelled_by_load_id IS NULL AND {_SAME_OBJECTIVE}
      AND CASE WHEN n.is_dated THEN o.valid_from = n.dated_from ELSE o.valid_from <= $1 END
    ORDER BY o.valid_from DESC, o.objective_id DESC LIMIT 1
"""  # noqa: S608  (made of constants)


@dataclass(frozen=True, slots=True)
class StoredObjective:
    """A version of an objective that was not cancelled.

    `name` is the id of the store, or the name of the group or region, or empty for all stores.
    `objective` None: no such objective from then on. `valid_from` None: always.
    """

    objective_id: int
    applies_to: AppliesTo
    name: str
    objective: Decimal | None
    by: Period
    valid_from: datetime | None
    loaded_at: datetime


def write_objectives(
    bulk: Bulk, loads: Sequence[Load], frames: Sequence[pd.DataFrame]
) -> list[RowCounts]:
    """Write the versions of a snapshot that are new. The snapshot has one frame and load per file.

    Each frame has the columns of `read_objectives_file`. Of several rows for one objective and
    start the last one counts. Rows without `valid_from` hold always if they are the objective's
    first, else from the load on. A version from files is new when it differs from the last one from
    files; a version from a push, when it differs from the one in force. An objective that is in no
    file any more stays. No row is counted as rejected.
    """
    rows = pd.concat(frames, ignore_index=True)
    if rows.empty:
        return [NO_ROWS for _ in loads]
    part = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    is_store = (rows["applies_to"] == AppliesTo.STORE).to_numpy(np.bool_)
    key = np.full(len(rows), _NO_STORE)
    ids = pd.Index(rows["name"][is_store].unique())
    if len(ids):
        key[is_store] = store_keys(bulk, ids.tolist())[ids.get_indexer(rows["name"][is_store])]
    frame = pd.DataFrame(
        {
            "applies_to": rows["applies_to"],
            "store_key": key,
            "name": rows["name"].where(~is_store, ""),
            "period": rows["by"],
            "is_dated": rows["valid_from_us"].notna(),
            "valid_from_us": rows["valid_from_us"].fillna(ALWAYS).astype("int64"),
            "objective": rows["objective"].where(rows["objective"] != NONE),
        }
    )
    identity = [name for name in frame.columns if name != "objective"]
    last = frame[~frame.duplicated(identity, keep="last")]
    _stage(bulk, last)
    known = _LAST_OF_FILES if loads[0].file_path is not None else _IN_FORCE
    found = bulk.fetch(
        f"""
        SELECT n.row_number,
               k.is_known IS NULL OR k.objective_percent IS DISTINCT FROM n.objective_percent
                   AS is_new,
               NOT EXISTS (
                   SELECT FROM objectives o
                   WHERE o.cancelled_by_load_id IS NULL AND {_SAME_OBJECTIVE}
               ) AS is_first
        FROM (
            SELECT row_number, applies_to, store_key, name, period, is_dated,
                   coalesce(valid_from, '-infinity') AS dated_from,
                   objective::numeric(7, 4) AS objective_percent
            FROM pg_temp.new_objectives
        ) n
        LEFT JOIN LATERAL ({known}) k ON true
        WHERE $1::timestamptz IS NOT NULL
        ORDER BY n.row_number
        """,  # noqa: S608  (made of constants)
        (loads[0].loaded_at,),
    )
    is_new = np.array(found["is_new"].to_pylist(), np.bool_)
    is_first = np.array(found["is_first"].to_pylist(), np.bool_)
    _append(bulk, loads, last[is_new], part[last.index[is_new]], is_first[is_new])
    count = len(loads)
    read = np.bincount(part, minlength=count)
    added = np.bincount(part[last.index[is_new & is_first]], minlength=count)
    changed = np.bincount(part[last.index[is_new & ~is_first]], minlength=count)
    return [
        RowCounts(int(new), int(other), int(total - new - other), 0)
        for total, new, other in zip(read, added, changed, strict=True)
    ]


def _stage(bulk: Bulk, rows: pd.DataFrame, **columns: npt.NDArray[np.generic]) -> None:
    bulk.stage(
        "new_objectives",
        pa.table(
            {
                "row_number": pa.array(np.arange(len(rows)), pa.int32()),
                "store_key": rows["store_key"].to_numpy(np.int32),
                "is_dated": rows["is_dated"].to_numpy(np.bool_),
                "valid_from": timestamps_or_null(rows["valid_from_us"].to_numpy(np.int64)),
                "objective": pa.array(
                    [text if isinstance(text, str) else None for text in rows["objective"]],
                    pa.string(),
                ),
            }
            | {
                name: pa.array(rows[name].tolist(), pa.string())
                for name in ("applies_to", "name", "period")
            }
            | columns
        ),
    )


def _append(
    bulk: Bulk,
    loads: Sequence[Load],
    rows: pd.DataFrame,
    part: npt.NDArray[np.intp],
    is_first: npt.NDArray[np.bool_],
) -> None:
    load_ids = np.array([load.load_id for load in loads], np.int32)
    _stage(bulk, rows, load_id=load_ids[part], is_first=is_first)
    bulk.execute(
        """
        INSERT INTO objectives (applies_to, store_key, name, period, valid_from, is_dated,
                                objective_percent, load_id)
        SELECT applies_to, nullif(store_key, 0), name, period,
               CASE WHEN is_dated OR is_first THEN coalesce(valid_from, '-infinity') ELSE $1 END,
               is_dated, objective::numeric(7, 4), load_id
        FROM pg_temp.new_objectives ORDER BY row_number
        """,
        (loads[0].loaded_at,),
    )


def cancel_objective(
    bulk: Bulk, load: Load, objective_id: int, *, only_stores: AbstractSet[str] | None = None
) -> bool:
    """Cancel a version of one of these stores; False when there is no such version."""
    rows = bulk.fetch(
        """
        UPDATE objectives SET cancelled_by_load_id = $1
        WHERE objective_id = $2 AND cancelled_by_load_id IS NULL
          AND ($3 = 0 OR store_key IN (SELECT store_key FROM stores WHERE store_id = ANY ($4)))
        RETURNING objective_id
        """,
        (load.load_id, objective_id, *_only(only_stores)),
    )
    return bool(rows.num_rows)


def read_stored_objectives(
    bulk: Bulk,
    *,
    only_stores: AbstractSet[str] | None = None,
    after: int = 0,
    limit: int = 1_000,
) -> list[StoredObjective]:
    """The versions with ids above `after`, by id; those that concern these stores, or all."""
    rows = bulk.fetch(
        """
        WITH own AS (
            SELECT s.store_key, d.group_name, d.region
            FROM stores s LEFT JOIN store_details d USING (store_key)
            WHERE $2 = 1 AND s.store_id = ANY ($3)
        )
        SELECT o.objective_id, o.applies_to, coalesce(s.store_id, o.name) AS name,
               o.objective_percent::text AS objective, o.period AS by,
               nullif(o.valid_from, '-infinity') AS valid_from, l.loaded_at
        FROM objectives o JOIN loads l USING (load_id) LEFT JOIN stores s USING (store_key)
        WHERE o.cancelled_by_load_id IS NULL AND o.objective_id > $1
          AND ($2 = 0 OR o.applies_to = 'all'
               OR o.store_key IN (SELECT store_key FROM own)
               OR o.applies_to = 'group' AND o.name IN (SELECT group_name FROM own)
               OR o.applies_to = 'region' AND o.name IN (SELECT region FROM own))
        ORDER BY o.objective_id LIMIT $4
        """,
        (after, *_only(only_stores), limit),
    ).to_pylist()
    return [
        StoredObjective(
            **row
            | {
                "applies_to": AppliesTo(row["applies_to"]),
                "objective": None if row["objective"] is None else Decimal(row["objective"]),
                "by": Period(row["by"]),
            }
        )
        for row in rows
    ]


def _only(store_ids: AbstractSet[str] | None) -> tuple[int, list[str]]:
    """Whether stores are limited, and the ids; the driver cannot infer a type for an empty list."""
    return int(store_ids is not None), sorted(store_ids or {""})


def read_versions(bulk: Bulk, stores: StoreIndex) -> list[Version]:
    """All versions that may hold for these stores, in the order in which they were loaded."""
    rows = bulk.fetch(
        """
        SELECT applies_to, store_key, name, period,
               nullif(valid_from, '-infinity') AS valid_from, objective_percent::text AS percent
        FROM objectives
        WHERE cancelled_by_load_id IS NULL AND ($1 = 0 OR store_key IS NULL OR store_key = $1)
        ORDER BY objective_id
        """,
        (stores.only_key,),
    )
    return [
        Version(
            AppliesTo(applies_to),
            name if store_key is None else store_key,
            Period(period),
            valid_from_us,
            None if percent is None else Decimal(percent),
        )
        for applies_to, store_key, name, period, valid_from_us, percent in zip(
            rows["applies_to"].to_pylist(),
            rows["store_key"].to_pylist(),
            rows["name"].to_pylist(),
            rows["period"].to_pylist(),
            microseconds_of(rows["valid_from"]).tolist(),
            rows["percent"].to_pylist(),
            strict=True,
        )
    ]


def read_objectives_changed_at(bulk: Bulk) -> datetime | None:
    """When a load last set or cancelled an objective; None if none ever did."""
    changed_at: datetime | None = bulk.scalar(
        """
        SELECT max(loaded_at) AS changed_at FROM loads
        WHERE source = 'objectives' AND rows_loaded + rows_replaced > 0
        """
    )
    return changed_at
