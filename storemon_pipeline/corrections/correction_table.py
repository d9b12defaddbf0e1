"""The table `corrections`: entering, taking back, undoing and listing.

What they change belongs to `events.evidence_queries` and `schedules.calendars`.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum, unique
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds_of
from storemon_pipeline.loads.load_log import Load
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.stores.store_keys import POLLED_STORES_SQL
from storemon_pipeline.uptime.event_stretches import EventStretches, no_stretches, resolve_events

_EVER: Final = datetime.min.replace(tzinfo=UTC)
_SELECT: Final = f"""
    SELECT c.correction_id, s.store_id, c.from_at, c.to_at, c.kind, c.reason, c.author,
           c.recorded_at
    FROM corrections c JOIN ({POLLED_STORES_SQL}) s USING (store_key)
    WHERE c.cancelled_by_load_id IS NULL
"""  # noqa: S608  (a constant)


@unique
class Kind(StrEnum):
    """What the time of a correction counts as."""

    TAKEN_OUT = "taken_out"
    """No opening time, as in a closure."""
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class NewCorrection:
    """A correction to enter; `author` is None when nobody has signed in."""

    store_id: str
    from_at: datetime
    to_at: datetime
    kind: Kind
    reason: str
    author: str | None


@dataclass(frozen=True, slots=True)
class StoredCorrection:
    """A correction in force of the time `[from_at, to_at)`."""

    correction_id: int
    store_id: str
    from_at: datetime
    to_at: datetime
    kind: Kind
    reason: str
    author: str | None
    recorded_at: datetime


def overlaps_another(bulk: Bulk, store_key: int, new: NewCorrection) -> bool:
    """Whether a correction of the store in force covers some of the time already."""
    return bool(
        bulk.scalar(
            """
            SELECT EXISTS (
                SELECT FROM corrections WHERE store_key = $1 AND cancelled_by_load_id IS NULL
                AND from_at < $3 AND to_at > $2
            ) AS overlaps
            """,
            (store_key, new.from_at, new.to_at),
        )
    )


def write_correction(bulk: Bulk, load: Load, store_key: int, new: NewCorrection) -> int:
    """Insert a correction; return its id."""
    return int(
        bulk.scalar(
            """
            INSERT INTO corrections
                (store_key, from_at, to_at, kind, reason, author, recorded_at, load_id)
            VALUES ($1, $2, $3, $4, $5, nullif($6, ''), $7, $8) RETURNING correction_id
            """,
            (
                store_key,
                new.from_at,
                new.to_at,
                new.kind.value,
                new.reason,
                new.author or "",
                load.loaded_at,
                load.load_id,
            ),
        )
    )


def cancel_correction(
    bulk: Bulk,
    load: Load,
    correction_id: int,
    *,
    author: str | None,
    only_stores: AbstractSet[str] | None,
) -> bool:
    """Take back a correction of one of these stores; False when no such one is in force."""
    rows = bulk.fetch(
        """
        UPDATE corrections SET cancelled_by_load_id = $1, cancelled_at = $2,
               cancelled_by = nullif($3, '')
        WHERE correction_id = $4 AND cancelled_by_load_id IS NULL
          AND ($5 = 0 OR store_key IN (SELECT store_key FROM stores WHERE store_id = ANY ($6)))
        RETURNING correction_id
        """,
        (load.load_id, load.loaded_at, author or "", correction_id, *_only(only_stores)),
    )
    return bool(rows.num_rows)


def undo_corrections(bulk: Bulk, load_id: int) -> None:
    """Restore the corrections that a load took back, and delete those that it entered."""
    bulk.execute(
        """
        UPDATE corrections SET cancelled_by_load_id = NULL, cancelled_at = NULL, cancelled_by = NULL
        WHERE cancelled_by_load_id = $1
        """,
        (load_id,),
    )
    bulk.execute("DELETE FROM corrections WHERE load_id = $1", (load_id,))


def read_corrections(
    bulk: Bulk,
    *,
    only_stores: AbstractSet[str] | None = None,
    after: int = 0,
    limit: int = 1_000,
) -> list[StoredCorrection]:
    """The corrections in force with ids above `after`, by id; of these stores, or of all."""
    rows = bulk.fetch(
        f"""
        {_SELECT} AND c.correction_id > $1 AND ($2 = 0 OR s.store_id = ANY ($3))
        ORDER BY c.correction_id LIMIT $4
        """,
        (after, *_only(only_stores), limit),
    ).to_pylist()
    return [_stored(row) for row in rows]


def read_corrections_within(
    bulk: Bulk, stores: StoreIndex, start: datetime, end: datetime
) -> list[StoredCorrection]:
    """The corrections in force of these stores that touch `[start, end)`, by start."""
    chosen = stores.condition(parameter=3)
    rows = bulk.fetch(
        f"""
        {_SELECT} AND c.from_at < $2 AND c.to_at > $1
          AND c.store_key IN (SELECT store_key FROM stores WHERE {chosen.sql})
        ORDER BY c.from_at, s.store_id
        """,  # noqa: S608  (conditions are made of names and numbers)
        (start, end, *chosen.parameters),
    ).to_pylist()
    return [_stored(row) for row in rows]


def read_corrected_stretches(
    bulk: Bulk, stores: StoreIndex, *, until: datetime, since: datetime = _EVER
) -> EventStretches:
    """The time that counts as up or down, of corrections that touch `(since, until]`, whole.

    `event` is the id of the correction, negative.
    """
    chosen = stores.condition(parameter=3)
    rows = bulk.fetch(
        f"""
        SELECT correction_id, store_key, from_at, to_at, kind = 'up' AS is_up FROM corrections
        WHERE cancelled_by_load_id IS NULL AND kind <> 'taken_out'
          AND from_at <= $1 AND to_at > $2 AND {chosen.sql}
        ORDER BY correction_id
        """,  # noqa: S608  (conditions are made of names and numbers)
        (until, since, *chosen.parameters),
    )
    return corrected_stretches(rows, stores)


def corrected_stretches(rows: pa.Table, stores: StoreIndex) -> EventStretches:
    """As `read_corrected_stretches`, from rows by `correction_id`."""
    if rows.num_rows == 0:
        return no_stretches()
    return resolve_events(
        stores.positions(rows["store_key"].to_numpy()),
        microseconds_of(rows["from_at"]),
        microseconds_of(rows["to_at"]),
        rows["is_up"].to_numpy(),
        -rows["correction_id"].to_numpy().astype(np.int64),
        np.zeros(rows.num_rows, np.int64),
    )


def _stored(row: dict[str, object]) -> StoredCorrection:
    return StoredCorrection(**(row | {"kind": Kind(str(row["kind"]))}))  # type: ignore[arg-type]


def _only(store_ids: AbstractSet[str] | None) -> tuple[int, list[str]]:
    """Whether stores are limited, and the ids; the driver cannot infer a type for an empty list."""
    return int(store_ids is not None), sorted(store_ids or {""})
