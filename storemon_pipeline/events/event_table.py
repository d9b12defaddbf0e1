"""The table `store_events`: loading from files and pushes, cancelling, undoing, listing.

Reading the stretches that events cover belongs to `evidence_queries`.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.corrections.correction_table import undo_corrections
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import INSTANT, timestamps
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.loads.load_log import NO_ROWS, Load, RowCounts
from storemon_pipeline.loads.snapshot_rows import undo_cancellable_rows
from storemon_pipeline.stores.store_keys import POLLED_STORES_SQL, store_keys
from storemon_pipeline.uptime.event_stretches import OPEN_EVENT

_IDENTITY: Final = ["store_key", "source", "from_us"]
_SAME_EVENT: Final = "(o.store_key, o.source, o.from_at) = (n.store_key, n.source, n.from_at)"
_IN_FORCE: Final = f"""
    SELECT o.to_at, o.is_up, o.reason FROM store_events o
    WHERE o.cancelled_by_load_id IS NULL AND {_SAME_EVENT}
    ORDER BY o.event_id DESC LIMIT 1
"""  # noqa: S608  (made of constants)
_LAST_OF_FILES: Final = f"""
    SELECT o.to_at, o.is_up, o.reason FROM store_events o JOIN loads l USING (load_id)
    WHERE l.file_path IS NOT NULL AND {_SAME_EVENT}
    ORDER BY o.event_id DESC LIMIT 1
"""  # noqa: S608  (made of constants)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that was neither replaced nor cancelled. `to_at` None: it has no end of its own."""

    event_id: int
    store_id: str
    from_at: datetime
    to_at: datetime | None
    is_up: bool
    reason: str
    source: str
    loaded_at: datetime


def write_events(
    bulk: Bulk, loads: Sequence[Load], frames: Sequence[pd.DataFrame]
) -> list[RowCounts]:
    """Write the events of some files or of a push that are new, with one frame and load per file.

    Each frame has the columns of `read_events_file`. An event is identified by store, source and
    start; of several rows for one event the last one counts. A row replaces the event in force. A
    row of a file is new when it differs from what files said last, so reading a file again does not
    undo a correction; a row of a push, when it differs from the event in force. An event that is in
    no file any more stays. No row is counted as rejected.
    """
    rows = pd.concat(frames, ignore_index=True)
    if rows.empty:
        return [NO_ROWS for _ in loads]
    part = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    store, ids = pd.factorize(rows["store_id"])
    rows = rows.assign(
        store_key=store_keys(bulk, ids.tolist())[store],
        load_id=np.array([load.load_id for load in loads])[part],
        part=part,
    )
    last = rows[~rows.duplicated(_IDENTITY, keep="last")]
    _stage(bulk, last)
    known = _LAST_OF_FILES if loads[0].file_path is not None else _IN_FORCE
    found = bulk.fetch(
        f"""
        SELECT k.is_up IS NULL OR (k.to_at, k.is_up, k.reason)
                   IS DISTINCT FROM (n.to_at, n.is_up, n.reason) AS is_new,
               f.is_up IS NOT NULL AS is_replacing
        FROM pg_temp.new_events n
        LEFT JOIN LATERAL ({known}) k ON true
        LEFT JOIN LATERAL ({_IN_FORCE}) f ON true
        ORDER BY n.row_number
        """  # noqa: S608  (made of constants)
    )
    is_new = np.array(found["is_new"].to_pylist(), np.bool_)
    is_replacing = np.array(found["is_replacing"].to_pylist(), np.bool_)
    _stage(bulk, last[is_new])
    bulk.execute(
        f"""
        UPDATE store_events o SET cancelled_by_load_id = n.load_id FROM pg_temp.new_events n
        WHERE o.cancelled_by_load_id IS NULL AND {_SAME_EVENT}
        """  # noqa: S608  (made of constants)
    )
    bulk.execute(
        """
        INSERT INTO store_events (store_key, source, from_at, to_at, is_up, reason, load_id)
        SELECT store_key, source, from_at, to_at, is_up, reason, load_id
        FROM pg_temp.new_events ORDER BY row_number
        """
    )
    count = len(loads)
    of_row = last["part"].to_numpy(np.int64)
    read = np.bincount(part, minlength=count)
    added = np.bincount(of_row[is_new & ~is_replacing], minlength=count)
    changed = np.bincount(of_row[is_new & is_replacing], minlength=count)
    return [
        RowCounts(int(new), int(other), int(total - new - other), 0)
        for total, new, other in zip(read, added, changed, strict=True)
    ]


def _stage(bulk: Bulk, rows: pd.DataFrame) -> None:
    to_us = rows["to_us"].to_numpy(np.int64)
    bulk.stage(
        "new_events",
        pa.table(
            {
                "row_number": pa.array(np.arange(len(rows)), pa.int32()),
                "store_key": rows["store_key"].to_numpy(np.int32),
                "source": pa.array(rows["source"].tolist(), pa.string()),
                "from_at": timestamps(rows["from_us"].to_numpy(np.int64)),
                "to_at": pa.array(to_us, mask=to_us == OPEN_EVENT).cast(INSTANT),
                "is_up": rows["is_up"].to_numpy(np.bool_),
                "reason": pa.array(rows["reason"].tolist(), pa.string()),
                "load_id": rows["load_id"].to_numpy(np.int32),
            }
        ),
    )


def undo_events(bulk: Bulk, load_id: int) -> IntArray:
    """Delete the events of a load and restore those that it replaced or cancelled.

    An event that a later load has replaced again stays replaced. Corrections are loads of this
    source, and are undone too. Returns the keys of the stores of
    the deleted ones.
    """
    keys = undo_cancellable_rows(bulk, load_id, Source.STORE_EVENTS)
    undo_corrections(bulk, load_id)
    bulk.execute(
        f"""
        UPDATE store_events o SET cancelled_by_load_id = n.load_id FROM store_events n
        WHERE o.cancelled_by_load_id IS NULL AND n.cancelled_by_load_id IS NULL
          AND {_SAME_EVENT} AND n.event_id > o.event_id
        """  # noqa: S608  (made of constants)
    )
    return keys


def cancel_event(
    bulk: Bulk, load: Load, event_id: int, *, only_stores: AbstractSet[str] | None = None
) -> bool:
    """Cancel an event of one of these stores; False when no such event is in force."""
    rows = bulk.fetch(
        f"""
        UPDATE store_events SET cancelled_by_load_id = $1
        WHERE event_id = $2 AND cancelled_by_load_id IS NULL
          AND ($3 = 0 OR store_key IN (
              SELECT store_key FROM ({POLLED_STORES_SQL}) s WHERE store_id = ANY ($4)
          ))
        RETURNING event_id
        """,  # noqa: S608  (a constant)
        (load.load_id, event_id, *_only(only_stores)),
    )
    return bool(rows.num_rows)


def read_stored_events(
    bulk: Bulk,
    *,
    only_stores: AbstractSet[str] | None = None,
    after: int = 0,
    limit: int = 1_000,
) -> list[StoredEvent]:
    """The events in force with ids above `after`, by id; of these stores, or of all."""
    rows = bulk.fetch(
        f"""
        SELECT e.event_id, s.store_id, e.from_at, e.to_at, e.is_up, e.reason, e.source, l.loaded_at
        FROM store_events e JOIN loads l USING (load_id)
        JOIN ({POLLED_STORES_SQL}) s USING (store_key)
        WHERE e.cancelled_by_load_id IS NULL AND e.event_id > $1
          AND ($2 = 0 OR s.store_id = ANY ($3))
        ORDER BY e.event_id LIMIT $4
        """,  # noqa: S608  (a constant)
        (after, *_only(only_stores), limit),
    ).to_pylist()
    return [StoredEvent(**row) for row in rows]


def _only(store_ids: AbstractSet[str] | None) -> tuple[int, list[str]]:
    """Whether stores are limited, and the ids; the driver cannot infer a type for an empty list."""
    return int(store_ids is not None), sorted(store_ids or {""})
