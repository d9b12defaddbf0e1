"""The records of one refresh of a source: its common inputs, and the loads that it made."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from storemon_pipeline.domain.rejections import Reason, RejectedRow, UnusableFileError
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.csv_text import Progress
from storemon_pipeline.files.folders import FoundFile, printable_path
from storemon_pipeline.loads.load_log import NO_ROWS, RowCounts
from storemon_pipeline.loads.unread_files import RefusedFile


def refuse(file: FoundFile, error: UnusableFileError) -> RefusedFile:
    """The file with the reason why it cannot be used."""
    return RefusedFile(printable_path(file.file_path), error.reason, file.modified_ns)


@dataclass(frozen=True, slots=True)
class Refresh:
    """What all files of one refresh have in common. `now` is the ingesting clock."""

    url: str
    source: Source
    now: datetime
    run_id: str | None
    on_progress: Progress | None
    kept_from_us: int | None


@dataclass(frozen=True, slots=True)
class FileLoad:
    """One load of one file."""

    file_path: str
    load_id: int
    row_counts: RowCounts
    rejected: tuple[RejectedRow, ...]


@dataclass(frozen=True, slots=True)
class SourceLoad:
    """The result of refreshing a source: its loads in their order, and the refused files.

    `files` counts all files that were found; one without a load had not changed.
    """

    files: int
    loads: tuple[FileLoad, ...]
    refused: tuple[RefusedFile, ...]

    @property
    def row_counts(self) -> RowCounts:
        """The sum over all loads."""
        return sum((load.row_counts for load in self.loads), NO_ROWS)

    @property
    def load_ids(self) -> list[int]:
        """The loads that were made."""
        return [load.load_id for load in self.loads]

    @property
    def rejected_by_reason(self) -> dict[Reason, int]:
        """How many rows were rejected for each reason."""
        return dict(Counter(row.reason for load in self.loads for row in load.rejected))
