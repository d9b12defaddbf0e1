"""The differences between two results for one instant, and the loads in between."""

from bisect import bisect_right
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.amounts import ROUNDED_COLUMNS
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import LOOKBACK_US
from storemon_pipeline.loads.snapshot_rows import from_own_rows, load_columns
from storemon_pipeline.polls.loads_of_polls import loads_in_lake
from storemon_pipeline.reports.columns import STORE_ID, decode_figures, no_rows
from storemon_pipeline.reports.rows import only, read_first_ids, read_part

Figures = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class StoreDifference:
    """The figures of a store in both results; None if it has no row."""

    store_id: str
    before: Figures | None
    after: Figures | None


@dataclass(frozen=True, slots=True)
class DifferenceCounts:
    """How many stores differ, by kind of difference."""

    changed: int
    appeared: int
    vanished: int


@dataclass(frozen=True, slots=True)
class LoadBetween:
    """A load that only the later result includes."""

    load_id: int
    source: Source
    file_path: str | None
    loaded_at: datetime
    rows_loaded: int
    rows_replaced: int
    rows_removed: int
    undoes_load_id: int | None


@dataclass(frozen=True, slots=True)
class Differences:
    """How many stores differ between two results, and a page of them in the report's order."""

    counts: DifferenceCounts
    stores: list[StoreDifference]


def compare_results(
    connection: sa.Connection,
    *,
    results: tuple[int, int],
    behind: str,
    limit: int,
    stores: AbstractSet[str] | None = None,
) -> Differences:
    """The differences of all stores or of `stores`; the page begins after the id `behind`."""
    before, after = (_Reader(connection, result_id) for result_id in results)
    counts = np.zeros(3, np.int64)
    page: list[StoreDifference] = []
    # In ranges of ids, so that no more than a part of each result is in memory.
    starts = sorted({"", *before.first_ids, *after.first_ids})
    for first, end in zip(starts, [*starts[1:], None], strict=True):
        if stores is not None and not any(_is_within(store, first, end) for store in stores):
            continue
        one, other = (only(reader.rows(first, end), stores) for reader in (before, after))
        differing = _compare(one, other)
        counts += [len(ids) for ids in differing]
        ids = pa.concat_arrays(differing)
        ids = ids.filter(pc.greater(ids, behind))
        page += _store_differences(ids.take(pc.sort_indices(ids))[: limit - len(page)], one, other)
    return Differences(DifferenceCounts(*counts.tolist()), page)


def _is_within(store_id: str, first: str, end: str | None) -> bool:
    return first <= store_id and (end is None or store_id < end)


class _Reader:
    """Reads the rounded figures of a result by ranges of ids, and keeps the last part."""

    def __init__(self, connection: sa.Connection, result_id: int) -> None:
        self._connection = connection
        self._result_id = result_id
        self.first_ids = read_first_ids(connection, result_id)
        self._part = -1
        self._rows = no_rows()

    def rows(self, first: str, end: str | None) -> pa.Table:
        """The rows of the stores with ids in `[first, end)`, which are all in one part."""
        part = bisect_right(self.first_ids, first) - 1
        if part != self._part:
            self._rows = (
                no_rows()
                if part < 0
                else decode_figures(read_part(self._connection, self._result_id, part))
            )
            self._part = part
        is_within = pc.greater_equal(self._rows[STORE_ID], first)
        if end is not None:
            is_within = pc.and_(is_within, pc.less(self._rows[STORE_ID], end))
        return self._rows.filter(is_within)


def _compare(before: pa.Table, after: pa.Table) -> list[pa.Array]:
    """The ids of the stores that have changed, appeared and vanished."""
    one, other = (rows[STORE_ID].combine_chunks() for rows in (before, after))
    place = pc.index_in(one, value_set=other)
    both, same_store = before.filter(pc.is_valid(place)), after.take(pc.drop_null(place))
    is_changed = np.zeros(both.num_rows, np.bool_)
    for name in ROUNDED_COLUMNS:
        is_changed |= pc.not_equal(both[name], same_store[name]).to_numpy()
    return [
        both[STORE_ID].combine_chunks().filter(pa.array(is_changed)),
        other.filter(pc.invert(pc.is_in(other, one))),
        one.filter(pc.is_null(place)),
    ]


def _store_differences(
    store_ids: pa.Array, before: pa.Table, after: pa.Table
) -> list[StoreDifference]:
    one, other = (
        _by_store(rows.filter(pc.is_in(rows[STORE_ID], store_ids))) for rows in (before, after)
    )
    return [StoreDifference(name, one.get(name), other.get(name)) for name in store_ids.to_pylist()]


def _by_store(rows: pa.Table) -> dict[str, Figures]:
    figures = rows.select(ROUNDED_COLUMNS).to_pylist()
    return dict(zip(rows[STORE_ID].to_pylist(), figures, strict=True))


_SNAPSHOT_LOADS: Final = "\n".join(
    f"UNION ALL SELECT {column} {from_own_rows(source)}"
    for source in Source
    if source.is_snapshot and source.changes_figures
    for column in load_columns(source)
)

# Loads with rows in the tables now about some stores, or about every store.
_OF_STORES: Final = f"""
    AND load_id IN (
        WITH own AS (SELECT store_key FROM stores WHERE store_id = ANY (:stores))
        SELECT load_id FROM store_status JOIN own USING (store_key)
        WHERE polled_at <= :as_of AND polled_at > :as_of - :look_back * interval '1 microsecond'
        UNION ALL SELECT unnest(CAST(:in_lake AS int[]))
        {_SNAPSHOT_LOADS}
        UNION ALL SELECT load_id FROM corrections JOIN own USING (store_key)
        UNION ALL SELECT cancelled_by_load_id FROM corrections JOIN own USING (store_key)
    )
"""  # noqa: S608  (a constant of this module)


def read_loads_between(
    connection: sa.Connection,
    *,
    results: tuple[int, int],
    as_of: datetime,
    limit: int,
    stores: AbstractSet[str] | None = None,
) -> list[LoadBetween]:
    """The loads that may have made two results on `as_of` differ, oldest first.

    Only loads that changed something count, and of polls only those within the look-back. With
    `stores`, only loads that rows about these stores still refer to: undone rows are not kept.
    """
    is_seen, in_lake = "", []
    if stores is not None:
        is_seen = _OF_STORES
        end_us = microseconds(as_of) + 1
        in_lake = loads_in_lake(connection, stores, start_us=end_us - LOOKBACK_US, end_us=end_us)
    rows = connection.execute(
        sa.text(
            f"""
            SELECT load_id, source, file_path, loaded_at, rows_loaded, rows_replaced, rows_removed,
                   undoes_load_id
            FROM loads
            WHERE load_id > (SELECT min(coalesce(last_load_id, 0)) FROM report_results
                             WHERE result_id IN (:one, :other))
              AND load_id <= (SELECT max(coalesce(last_load_id, 0)) FROM report_results
                              WHERE result_id IN (:one, :other))
              AND (rows_loaded + rows_replaced + rows_removed > 0
                   OR undoes_load_id IS NOT NULL OR source IN ('closures', 'special_hours'))
              AND (source <> 'store_status'
                   OR (first_polled_at <= :as_of
                       AND last_polled_at > :as_of - :look_back * interval '1 microsecond'))
              {is_seen}
            ORDER BY load_id LIMIT :limit
            """  # noqa: S608  (one of two constants)
        ),
        {
            "one": results[0],
            "other": results[1],
            "as_of": as_of,
            "look_back": LOOKBACK_US,
            "limit": limit,
            "stores": None if stores is None else sorted(stores),
            "in_lake": in_lake,
        },
    ).mappings()
    return [_load(dict(row)) for row in rows]


def _load(row: dict[str, Any]) -> LoadBetween:
    return LoadBetween(**row | {"source": Source(row["source"])})
