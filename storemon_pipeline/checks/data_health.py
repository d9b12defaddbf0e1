"""Health of the loaded data: loads of each source, rejected rows, stores without usable hours."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from storemon_pipeline.domain.rejections import TEXT_LIMIT, store_id_of_row
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.snapshot_rows import from_own_rows
from storemon_pipeline.polls.loads_of_polls import newest_loads_in_lake

_EXAMPLES: Final = 5

# A snapshot file is always read whole, so only the rejected rows of its last load count.
_CURRENT_LOADS: Final = """
    SELECT load_id, source, file_path, header FROM loads l
    WHERE undone_at IS NULL AND (
        source = 'store_status' OR file_path IS NULL OR load_id = (
            SELECT max(load_id) FROM loads n
            WHERE n.source = l.source AND n.file_path = l.file_path AND n.undone_at IS NULL
        )
    )
"""

_SNAPSHOT_LOADS: Final = "\n".join(
    f"UNION ALL SELECT '{source}', load_id {from_own_rows(source)}"
    for source in Source
    if source.is_snapshot
)


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The last load of a source, and row counts; these are None if only some stores are visible."""

    source: str
    last_loaded_at: datetime
    last_file_path: str | None
    last_checked_at: datetime | None
    """When its files were last checked; None if it was only pushed."""
    loads: int | None = None
    last_rows_read: int | None = None
    last_rows_rejected: int | None = None
    rows_loaded: int | None = None
    rows_replaced: int | None = None


@dataclass(frozen=True, slots=True)
class RejectedExample:
    """A rejected row with its place in the file."""

    file_path: str | None
    line: int
    row_text: str


@dataclass(frozen=True, slots=True)
class RejectedPendingRow:
    """A rejected row that is not corrected yet."""

    source: str
    reason: str
    file_path: str | None
    line: int
    row_text: str


@dataclass(frozen=True, slots=True)
class RejectedReason:
    """The pending rejected rows of a source with one reason: their number, and examples."""

    source: str
    reason: str
    rows: int
    examples: list[RejectedExample]


def read_source_health(connection: sa.Connection) -> list[SourceHealth]:
    """All sources that were ever loaded."""
    rows = connection.execute(
        sa.text(
            """
            SELECT DISTINCT ON (source) source, loaded_at, file_path, looked_at,
                   count(*) OVER sources, rows_read, rows_rejected,
                   (sum(rows_loaded) OVER sources)::bigint,
                   (sum(rows_replaced) OVER sources)::bigint
            FROM loads LEFT JOIN source_looks USING (source) WHERE undone_at IS NULL
            WINDOW sources AS (PARTITION BY source)
            ORDER BY source, load_id DESC
            """
        )
    )
    return [SourceHealth(*tuple(row)) for row in rows]


def read_source_health_of(
    connection: sa.Connection, store_ids: AbstractSet[str]
) -> list[SourceHealth]:
    """All sources with data of these stores, with the newest load of that data.

    For polls that is the load of a store's newest poll. There are no row counts, because loads also
    contain rows of other stores.
    """
    rows = connection.execute(
        sa.text(
            f"""
            WITH own AS (SELECT store_key FROM stores WHERE store_id = ANY (:store_ids)),
            own_loads AS (
                SELECT 'store_status' AS source, p.load_id FROM own CROSS JOIN LATERAL (
                    SELECT load_id FROM store_status p WHERE p.store_key = own.store_key
                    ORDER BY polled_at DESC LIMIT 1
                ) p
                UNION ALL SELECT 'store_status', unnest(CAST(:in_lake AS int[]))
                {_SNAPSHOT_LOADS}
            )
            SELECT source, loaded_at, file_path, looked_at
            FROM (SELECT source, max(load_id) AS load_id FROM own_loads GROUP BY source) newest
            JOIN loads USING (source, load_id)
            LEFT JOIN source_looks USING (source)
            ORDER BY source
            """  # noqa: S608  (a constant of this module)
        ),
        {
            "store_ids": sorted(store_ids),
            "in_lake": newest_loads_in_lake(connection, store_ids),
        },
    )
    return [SourceHealth(*tuple(row)) for row in rows]


def read_rejected_reasons(connection: sa.Connection) -> list[RejectedReason]:
    """The pending rejected rows by source and reason, the most frequent first."""
    rows = connection.execute(
        sa.text(
            f"""
            SELECT source, reason, total, file_path, line, row_text FROM (
                SELECT l.source, r.reason, l.file_path, r.line, r.row_text,
                       count(*) OVER reasons AS total,
                       row_number() OVER (PARTITION BY l.source, r.reason
                                          ORDER BY r.rejected_row_id DESC) AS number
                FROM rejected_rows r JOIN ({_CURRENT_LOADS}) l USING (load_id)
                WHERE r.replayed_by_load_id IS NULL
                WINDOW reasons AS (PARTITION BY l.source, r.reason)
            ) AS numbered
            WHERE number <= :examples
            ORDER BY total DESC, source, reason, number
            """  # noqa: S608  (a constant of this module)
        ),
        {"examples": _EXAMPLES},
    )
    found: dict[tuple[str, str], RejectedReason] = {}
    for source, reason, total, file_path, line, row_text in rows:
        kind = found.setdefault((source, reason), RejectedReason(source, reason, total, []))
        kind.examples.append(RejectedExample(file_path, line, row_text))
    return list(found.values())


def read_rejected_rows(
    connection: sa.Connection,
    *,
    source: Source | None,
    reason: str | None,
    only: AbstractSet[str] | None,
    offset: int,
    limit: int,
) -> tuple[int, list[RejectedPendingRow]]:
    """The number of pending rejected rows, and one page of them, the newest first.

    With `only` those of these stores.
    """
    rows = connection.execute(
        sa.text(
            f"""
            SELECT l.source, r.reason, l.file_path, r.line, left(r.row_text, :length), l.header,
                   count(*) OVER ()
            FROM rejected_rows r JOIN ({_CURRENT_LOADS}) l USING (load_id)
            WHERE r.replayed_by_load_id IS NULL
                  AND (cast(:source AS text) IS NULL OR l.source = :source)
                  AND (cast(:reason AS text) IS NULL OR r.reason = :reason)
                  AND (:is_for_all OR l.header IS NOT NULL)
            ORDER BY r.rejected_row_id DESC OFFSET :offset LIMIT :limit
            """  # noqa: S608  (a constant of this module)
        ),
        {
            "source": source,
            "reason": reason,
            "is_for_all": only is None,
            "length": TEXT_LIMIT + 1,
            "offset": offset if only is None else 0,
            "limit": limit if only is None else None,
        },
    ).all()
    if only is None:
        found = [RejectedPendingRow(*row[:5]) for row in rows]
        return (rows[0][-1] if rows else 0), found
    own = [
        RejectedPendingRow(*row[:5]) for row in rows if store_id_of_row(row.header, row[4]) in only
    ]
    return len(own), own[offset : offset + limit]


def read_rejected_reasons_of(
    connection: sa.Connection, store_ids: AbstractSet[str]
) -> list[RejectedReason]:
    """As `read_rejected_reasons`, for rows of these stores only."""
    rows = connection.execute(
        sa.text(
            f"""
            SELECT l.source, r.reason, l.file_path, r.line, r.row_text, l.header
            FROM rejected_rows r JOIN ({_CURRENT_LOADS}) l USING (load_id)
            WHERE r.replayed_by_load_id IS NULL AND l.header IS NOT NULL
            ORDER BY r.rejected_row_id DESC
            """  # noqa: S608  (a constant of this module)
        )
    )
    found: dict[tuple[str, str], list[RejectedExample]] = {}
    for source, reason, file_path, line, row_text, header in rows:
        if store_id_of_row(header, row_text) in store_ids:
            own = found.setdefault((source, reason), [])
            own.append(RejectedExample(file_path, line, row_text))
    return sorted(
        (
            RejectedReason(source, reason, len(own), own[:_EXAMPLES])
            for (source, reason), own in found.items()
        ),
        key=lambda kind: (-kind.rows, kind.source, kind.reason),
    )
