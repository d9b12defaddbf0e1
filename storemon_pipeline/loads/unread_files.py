"""The table `unread_files`: files of the data folder that are not read, with the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa
import sqlalchemy as sa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.rejections import printable
from storemon_pipeline.domain.sources import Source


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file of a source that cannot be used. `modified_ns` (since 1970) is 0 if unknown."""

    file_path: str
    reason: str
    modified_ns: int = 0

    def __str__(self) -> str:
        return f"{self.file_path} cannot be used: {self.reason}"


@dataclass(frozen=True, slots=True)
class PassedOverFile:
    """A file that is not read because of its name or columns; `source` None: it has none."""

    file_path: str
    source: Source | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file_path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A row of `unread_files`: a file that was refused, or else passed over.

    `source` is None for a file of no source. `changed_at` is when a refused file
    was last written, if that is known.
    """

    file_path: str
    source: str | None
    reason: str
    is_refused: bool
    found_at: datetime
    changed_at: datetime | None

    def __str__(self) -> str:
        return f"{self.file_path}: {self.reason}"


_SELECT: Final = """
    SELECT file_path, source, reason, is_refused, found_at, changed_at FROM unread_files
    ORDER BY is_refused DESC, file_path
"""


def record_refused_files(
    bulk: Bulk, source: Source, refused: Sequence[RefusedFile], *, found_at: datetime
) -> None:
    """Make these the refused files of the source. Files refused before keep their `found_at`."""
    bulk.execute(
        "DELETE FROM unread_files WHERE is_refused AND source = $1 AND NOT (file_path = ANY ($2))",
        # The driver cannot infer a type for an empty list.
        (source.value, [file.file_path for file in refused] or [""]),
    )
    for file in refused:
        changed_at = instant(file.modified_ns // 1_000) if file.modified_ns else None
        bulk.execute(
            """
            INSERT INTO unread_files (file_path, source, reason, is_refused, found_at, changed_at)
            VALUES ($1, $2, $3, true, $4, $5)
            ON CONFLICT (file_path) DO UPDATE
            SET source = excluded.source, reason = excluded.reason, is_refused = true,
                changed_at = excluded.changed_at
            """,
            (file.file_path, source.value, printable(file.reason), found_at, changed_at),
        )


def record_passed_over_files(
    bulk: Bulk, passed_over: Sequence[PassedOverFile], *, found_at: datetime
) -> None:
    """Make these the files that are passed over. Earlier ones keep their `found_at`."""
    bulk.stage(
        "passed_over_files",
        pa.table(
            {
                "file_path": pa.array([file.file_path for file in passed_over], pa.string()),
                "source": pa.array(
                    [file.source and file.source.value for file in passed_over], pa.string()
                ),
                "reason": pa.array([file.reason for file in passed_over], pa.string()),
            }
        ),
    )
    bulk.execute(
        """
        DELETE FROM unread_files u WHERE NOT is_refused AND NOT EXISTS (
            SELECT FROM pg_temp.passed_over_files p WHERE p.file_path = u.file_path
        )
        """
    )
    bulk.execute(
        """
        INSERT INTO unread_files (file_path, source, reason, is_refused, found_at)
        SELECT DISTINCT ON (file_path) file_path, source, reason, false, $1
        FROM pg_temp.passed_over_files
        ON CONFLICT (file_path) DO UPDATE
        SET source = excluded.source, reason = excluded.reason, is_refused = false
        """,
        (found_at,),
    )


def read_refused_files(bulk: Bulk) -> list[UnreadFile]:
    """All refused files, by path."""
    return [file for file in fetch_unread_files(bulk) if file.is_refused]


def fetch_unread_files(bulk: Bulk) -> list[UnreadFile]:
    """All files that are not read, by path: the refused ones first."""
    return [UnreadFile(**row) for row in bulk.fetch(_SELECT).to_pylist()]


def read_unread_files(connection: sa.Connection) -> list[UnreadFile]:
    """As fetch_unread_files."""
    return [UnreadFile(*row) for row in connection.execute(sa.text(_SELECT))]


def summary(files: Sequence[UnreadFile]) -> str:
    """How many files there are, with the first of them.

    >>> at = datetime(2023, 1, 24)
    >>> file = UnreadFile("closures.csv", "closures", "no column store_id", True, at, None)
    >>> summary([file]), summary([file, file])
    ('closures.csv: no column store_id', '2, such as closures.csv: no column store_id')
    """
    return f"{len(files)}, such as {files[0]}" if len(files) > 1 else str(files[0])
