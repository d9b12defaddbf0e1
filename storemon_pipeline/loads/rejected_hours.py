"""Stores without opening hours because all rows of their hours were rejected.

They count as always open, so that they are marked wherever they are shown or counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.rejections import store_id_of_row

# A file of hours is always read whole, so only the rejected rows of its last load count.
_REJECTED: Final = """
    SELECT l.header, r.row_text, l.loaded_at
    FROM rejected_rows r JOIN loads l USING (load_id)
    WHERE r.replayed_by_load_id IS NULL AND l.undone_at IS NULL AND l.header IS NOT NULL
      AND l.source = 'business_hours' AND (l.file_path IS NULL OR l.load_id = (
        SELECT max(n.load_id) FROM loads n
        WHERE n.source = l.source AND n.file_path = l.file_path AND n.undone_at IS NULL
      ))
"""
_WITHOUT_HOURS: Final = """
    SELECT s.store_id FROM stores s
    WHERE NOT EXISTS (SELECT FROM business_hours h WHERE h.store_key = s.store_key)
      AND s.store_id = ANY
"""


@dataclass(frozen=True, slots=True)
class RejectedHours:
    """The ids of the stores, in order, and when the first of their rows was rejected."""

    store_ids: tuple[str, ...]
    since: datetime | None


def read_rejected_hours(connection: sa.Connection) -> RejectedHours:
    """The stores without hours because all their rows were rejected.

    Rows that cannot be parsed are of no store.
    """
    named = _first_rejections(tuple(row) for row in connection.execute(sa.text(_REJECTED)))
    if not named:
        return RejectedHours((), None)
    query = sa.text(f"{_WITHOUT_HOURS} (:named)")
    return _of_stores(named, connection.execute(query, {"named": list(named)}).scalars())


def fetch_rejected_hours(bulk: Bulk) -> RejectedHours:
    """As read_rejected_hours."""
    named = _first_rejections(tuple(row.values()) for row in bulk.fetch(_REJECTED).to_pylist())
    if not named:
        return RejectedHours((), None)
    rows = bulk.fetch(f"{_WITHOUT_HOURS} ($1)", (list(named),))
    return _of_stores(named, rows["store_id"].to_pylist())


def _first_rejections(rows: Iterable[tuple[Any, ...]]) -> dict[str, datetime]:
    """When the first row of each store was rejected."""
    found: dict[str, datetime] = {}
    for header, row_text, loaded_at in rows:
        store_id = store_id_of_row(header, row_text)
        if store_id:
            found[store_id] = min(loaded_at, found.get(store_id, loaded_at))
    return found


def _of_stores(named: Mapping[str, datetime], store_ids: Iterable[str]) -> RejectedHours:
    found = sorted(store_ids)
    return RejectedHours(tuple(found), min((named[one] for one in found), default=None))
