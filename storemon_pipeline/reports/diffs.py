"""The differences between two results for one instant, and the loads in between."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from storemon_pipeline.database.tables import uptime_report
from storemon_pipeline.domain.amounts import ROUNDED_COLUMNS
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import LOOKBACK_US
from storemon_pipeline.loads.snapshot_rows import from_own_rows, load_columns
from storemon_pipeline.stores.store_keys import ALL_STORES_SQL

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


def _differences(stores: AbstractSet[str] | None) -> str:
    """The stores whose rows differ, as a common table expression."""
    columns = ", ".join(
        f"b.{name} AS before_{name}, a.{name} AS after_{name}" for name in ROUNDED_COLUMNS
    )
    is_seen = "" if stores is None else " AND s.store_id = ANY (:stores)"
    both = [", ".join(f"{side}.{name}" for name in ROUNDED_COLUMNS) for side in "ba"]
    return f"""
        WITH differences AS (
            SELECT s.store_id, b.store_key IS NOT NULL AS is_before,
                   a.store_key IS NOT NULL AS is_after, {columns}
            FROM (SELECT * FROM {uptime_report.name} WHERE result_id = :before) b
            FULL JOIN (SELECT * FROM {uptime_report.name} WHERE result_id = :after) a
                   USING (store_key)
            JOIN ({ALL_STORES_SQL}) s USING (store_key)
            WHERE ({both[0]}) IS DISTINCT FROM ({both[1]}){is_seen}
        )
    """  # noqa: S608  (names of columns are constants)


def count_differences(
    connection: sa.Connection, *, results: tuple[int, int], stores: AbstractSet[str] | None = None
) -> DifferenceCounts:
    """How many stores differ between two results, of `stores` or of all."""
    row = connection.execute(
        sa.text(
            f"""
            {_differences(stores)}
            SELECT count(*) FILTER (WHERE is_before AND is_after),
                   count(*) FILTER (WHERE NOT is_before), count(*) FILTER (WHERE NOT is_after)
            FROM differences
            """  # noqa: S608  (as above)
        ),
        {
            "before": results[0],
            "after": results[1],
            "stores": None if stores is None else sorted(stores),
        },
    ).one()
    return DifferenceCounts(*row)


def read_differences(
    connection: sa.Connection,
    *,
    results: tuple[int, int],
    behind: str,
    limit: int,
    stores: AbstractSet[str] | None = None,
) -> list[StoreDifference]:
    """The stores that differ, in the report's order, after the id `behind`."""
    rows = connection.execute(
        sa.text(
            f"""
            {_differences(stores)}
            SELECT * FROM differences WHERE store_id > :behind ORDER BY store_id LIMIT :limit
            """  # noqa: S608  (as above)
        ),
        {
            "before": results[0],
            "after": results[1],
            "behind": behind,
            "limit": limit,
            "stores": None if stores is None else sorted(stores),
        },
    ).mappings()
    return [
        StoreDifference(
            row["store_id"],
            _figures(row, "before") if row["is_before"] else None,
            _figures(row, "after") if row["is_after"] else None,
        )
        for row in rows
    ]


def _figures(row: sa.RowMapping, side: str) -> Figures:
    return {name: row[f"{side}_{name}"] for name in ROUNDED_COLUMNS}


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
        {_SNAPSHOT_LOADS}
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
    is_seen = "" if stores is None else _OF_STORES
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
                   OR undoes_load_id IS NOT NULL OR source = 'closures')
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
        },
    ).mappings()
    return [_load(dict(row)) for row in rows]


def _load(row: dict[str, Any]) -> LoadBetween:
    return LoadBetween(**row | {"source": Source(row["source"])})
