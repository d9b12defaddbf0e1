"""What stands between the files and figures that can be believed: loads, rejected rows, gaps."""

import csv
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from storemon_pipeline.ingest.sources import Source

_EXAMPLES: Final = 5

# A snapshot's file is read whole each time: only what its last load turned away still counts.
_STANDING_LOADS: Final = """
    SELECT load_id, source, file_path, header FROM loads l
    WHERE undone_at IS NULL AND (
        source = 'store_status' OR file_path IS NULL OR load_id = (
            SELECT max(load_id) FROM loads n
            WHERE n.source = l.source AND n.file_path = l.file_path AND n.undone_at IS NULL
        )
    )
"""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The last load of a source, and its rows in all loads."""

    source: str
    loads: int
    last_loaded_at: datetime
    last_file_path: str | None
    last_rows_read: int
    last_rows_rejected: int
    rows_loaded: int
    rows_replaced: int


@dataclass(frozen=True, slots=True)
class RejectedExample:
    """A rejected row as it stood in its file."""

    file_path: str | None
    line: int
    row_text: str


@dataclass(frozen=True, slots=True)
class RejectedReason:
    """The rows of a source that were rejected for one reason and still wait, some of them shown."""

    source: str
    reason: str
    rows: int
    examples: list[RejectedExample]


def read_source_health(connection: sa.Connection) -> list[SourceHealth]:
    """Every source that was ever loaded."""
    rows = connection.execute(
        sa.text(
            """
            SELECT DISTINCT ON (source) source, count(*) OVER sources, loaded_at, file_path,
                   rows_read, rows_rejected, (sum(rows_loaded) OVER sources)::bigint,
                   (sum(rows_replaced) OVER sources)::bigint
            FROM loads WHERE undone_at IS NULL
            WINDOW sources AS (PARTITION BY source)
            ORDER BY source, load_id DESC
            """
        )
    )
    return [SourceHealth(*tuple(row)) for row in rows]


def read_rejected_reasons(connection: sa.Connection) -> list[RejectedReason]:
    """The rejected rows that wait, by source and reason, the most frequent first."""
    rows = connection.execute(
        sa.text(
            f"""
            SELECT source, reason, total, file_path, line, row_text FROM (
                SELECT l.source, r.reason, l.file_path, r.line, r.row_text,
                       count(*) OVER reasons AS total,
                       row_number() OVER (PARTITION BY l.source, r.reason
                                          ORDER BY r.rejected_row_id DESC) AS number
                FROM rejected_rows r JOIN ({_STANDING_LOADS}) l USING (load_id)
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


def read_stores_of_rejected_hours(connection: sa.Connection) -> list[str]:
    """Ids of stores that have no hours because each row of theirs was rejected, in order.

    They count as always open. A row whose text cannot be taken apart names no store.
    """
    rows = connection.execute(
        sa.text(
            f"""
            SELECT l.header, r.row_text
            FROM rejected_rows r JOIN ({_STANDING_LOADS}) l USING (load_id)
            WHERE r.replayed_by_load_id IS NULL AND l.source = :source AND l.header IS NOT NULL
            """  # noqa: S608  (a constant of this module)
        ),
        {"source": Source.BUSINESS_HOURS.value},
    )
    named = {_store_id(header, text) for header, text in rows} - {None, ""}
    if not named:
        return []
    with_hours = connection.execute(
        sa.text(
            """
            SELECT s.store_id FROM stores s WHERE s.store_id = ANY(:named)
            AND EXISTS (SELECT FROM business_hours h WHERE h.store_key = s.store_key)
            """
        ),
        {"named": list(named)},
    ).scalars()
    return sorted(str(store_id) for store_id in named - set(with_hours))


def _store_id(header: str, text: str) -> str | None:
    names, cells = (next(csv.reader([line]), []) for line in (header, text))
    places = [name.strip().lower() for name in names]
    if "store_id" not in places or len(cells) <= places.index("store_id"):
        return None
    return cells[places.index("store_id")].strip()
