"""Closings of many stores: the closures that one push added, read as one."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.stores.store_index import StoreIndex

_SELECT: Final = """
    SELECT l.load_id, l.loaded_at, min(c.author) AS author, min(c.reason) AS reason,
           min(c.start_local) AS start_local,
           CASE WHEN count(c.end_local) = count(*) THEN max(c.end_local) END AS end_local,
           min(c.closure_id) FILTER (WHERE c.store_key IS NULL) AS closure_id,
           count(*) FILTER (WHERE c.cancelled_by_load_id IS NULL) AS closures,
           count(*) FILTER (WHERE c.cancelled_by_load_id IS NOT NULL) AS cancelled
    FROM loads l JOIN closures c USING (load_id) LEFT JOIN stores s USING (store_key)
    WHERE l.source = 'closures' AND l.file_path IS NULL AND l.undone_at IS NULL
      AND ($1 = 0 OR l.load_id = $1)
    GROUP BY l.load_id
    HAVING (count(*) > 1 OR bool_or(c.store_key IS NULL))
       AND bool_or(c.cancelled_by_load_id IS NULL)
       AND ($2 = 0 OR bool_and(coalesce(s.store_id = ANY ($3), false)))
    ORDER BY l.load_id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Closing:
    """Closures of several stores, or one of every store, that one push added.

    `closures` are in force, `cancelled` were cancelled one by one. `closure_id` is that of the
    closure of every store. `end_local` None: an open end.
    """

    load_id: int
    loaded_at: datetime
    author: str | None
    reason: str
    start_local: datetime
    end_local: datetime | None
    closure_id: int | None
    closures: int
    cancelled: int


def read_closings(bulk: Bulk, *, only_stores: AbstractSet[str] | None, limit: int) -> list[Closing]:
    """The newest closings, the last first; with `only_stores`, those of none but these stores."""
    return _read(bulk, 0, only_stores, limit)


def read_closing(
    bulk: Bulk, load_id: int, *, only_stores: AbstractSet[str] | None
) -> Closing | None:
    """The closing of a load; None unless some of it is in force, and all of it of these stores."""
    found = _read(bulk, load_id, only_stores, 1) if load_id else []
    return found[0] if found else None


def read_stores_of_closing(bulk: Bulk, stores: StoreIndex, load_id: int) -> IntArray:
    """The positions of the stores that a closing closes, ascending."""
    rows = bulk.fetch(
        """
        SELECT store_key FROM closures JOIN stores USING (store_key)
        WHERE load_id = $1 AND cancelled_by_load_id IS NULL
        """,
        (load_id,),
    )
    return np.unique(stores.positions(rows["store_key"].to_numpy()))


def _read(
    bulk: Bulk, load_id: int, only_stores: AbstractSet[str] | None, limit: int
) -> list[Closing]:
    # The driver cannot infer a type for an empty list.
    only = (int(only_stores is not None), sorted(only_stores or {""}))
    rows = bulk.fetch(_SELECT, (load_id, *only, limit)).to_pylist()
    return [Closing(**row) for row in rows]
