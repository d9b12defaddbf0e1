"""Loading the files of a source: what is new in the data folder is in the database afterwards.

find_files.py finds them, and file_changes.py tells what is new in each.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.rejections import Reason, RejectedRow, UnusableFileError
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.csv_text import Progress
from storemon_pipeline.files.fingerprints import fingerprint
from storemon_pipeline.files.folders import Folder, FoundFile, open_file
from storemon_pipeline.files.formats import Format, OpenFile, format_of
from storemon_pipeline.files.snapshots import SnapshotRead
from storemon_pipeline.ingestion.file_changes import (
    Plan,
    has_been_read,
    plan_reading,
    plan_whole,
    portions,
)
from storemon_pipeline.ingestion.find_files import find_files
from storemon_pipeline.ingestion.sources import SNAPSHOTS
from storemon_pipeline.loads.file_states import (
    FileState,
    forget_removed_files,
    read_file_states,
    write_file_state,
)
from storemon_pipeline.loads.load_log import NO_ROWS, Load, RowCounts, close_load, open_load
from storemon_pipeline.loads.load_undo import read_load, record_undo
from storemon_pipeline.loads.refresh_lock import refresh_lock
from storemon_pipeline.loads.source_checks import record_check, renew_check
from storemon_pipeline.polls.poll_rows import PollsRead, read_polls_file
from storemon_pipeline.polls.poll_table import load_polls, polled_bounds_us, undo_polls
from storemon_pipeline.polls.retention import read_polls_kept_from_us


class UnusableFilesError(Exception):
    """Files that could not be used; what was usable has been loaded."""

    def __init__(self, errors: Sequence[UnusableFileError]) -> None:
        super().__init__("; ".join(str(error) for error in errors))


@dataclass(frozen=True, slots=True)
class FileLoad:
    """One load of one file."""

    file_path: str
    load_id: int
    row_counts: RowCounts
    rejected: tuple[RejectedRow, ...]


@dataclass(frozen=True, slots=True)
class SourceLoad:
    """What became of the files of a source: the loads in their order, and who could not be used.

    `files` counts all that are there; those without a load were as they had been before.
    """

    files: int
    loads: tuple[FileLoad, ...]
    unusable: tuple[UnusableFileError, ...]

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

    def raise_unusable(self) -> None:
        """Raise UnusableFilesError when there is a file that could not be used."""
        if self.unusable:
            raise UnusableFilesError(self.unusable)


@dataclass(frozen=True, slots=True)
class _Refresh:
    """What all files of one refresh have in common."""

    url: str
    source: Source
    now: datetime
    run_id: str | None
    on_progress: Progress | None
    kept_from_us: int | None

    def open_load(self, bulk: Bulk, file_path: str) -> Load:
        return open_load(
            bulk, self.source, file_path=file_path, run_id=self.run_id, loaded_at=self.now
        )


def ingest_source(
    url: str,
    data: str | Path | Folder,
    source: Source,
    *,
    now: datetime,
    run_id: str | None,
    on_progress: Progress | None = None,
) -> SourceLoad:
    """The rows of the source's files are in the database, the bad ones as rejected rows.

    `now` is the ingesting clock. What was read before is not read again: an unchanged file not at
    all, of a poll file that was appended to only what is new. Each poll file is loaded in a
    transaction of its own, in the order of find_files, and one that cannot be used leaves the
    others alone. The files of a snapshot are one union, read whole when one of them has changed
    and written in one transaction, or not at all when one of them cannot be used. A file that has
    vanished changes nothing.

    A second call for a source waits until the first one is done. Raises MissingSourceError,
    LocationError, UnreachableError and PollsNotKeptError.
    """
    with refresh_lock(url, source):
        with bulk_transaction(url) as bulk:
            known = read_file_states(bulk, source)
            kept_from_us = read_polls_kept_from_us(bulk)
        refresh = _Refresh(url, source, now, run_id, on_progress, kept_from_us)
        files = find_files(data, source)
        ingest = _ingest_snapshot if source.is_snapshot else _ingest_polls
        load = ingest(refresh, files, known)
        if not load.unusable:
            with bulk_transaction(url) as bulk:
                record_check(bulk, source, now)
        return load


def note_missing_source(url: str, source: Source, *, now: datetime) -> None:
    """An optional source without a file was looked for, if it ever had one."""
    with bulk_transaction(url) as bulk:
        renew_check(bulk, source, now)


def _ingest_polls(
    refresh: _Refresh, files: Sequence[FoundFile], known: dict[str, FileState]
) -> SourceLoad:
    loads: list[FileLoad] = []
    unusable: list[UnusableFileError] = []
    for file in files:
        state = known.get(file.file_path)
        if has_been_read(file, state):
            continue
        try:
            loads += _ingest_poll_file(refresh, file, state)
        except UnusableFileError as error:
            unusable.append(error)
        except FileNotFoundError:
            continue  # it has vanished since the folder was listed
    return SourceLoad(len(files), tuple(loads), tuple(unusable))


def _ingest_poll_file(
    refresh: _Refresh, file: FoundFile, known: FileState | None
) -> list[FileLoad]:
    """What is new in a poll file is loaded: its whole lines, then a last line without an end.

    The latter may still turn out to have been half a line. It is a load of its own, which is undone
    as soon as the file goes on. Of a large file the whole lines are several loads, as if it had
    grown meanwhile: a process that dies has to read on only from the last of them.
    """
    loads: list[FileLoad] = []
    with open_file(file) as (stream, opened):
        plan = plan_reading(opened, stream, known, now=refresh.now)
        state = _new_state(opened, plan, known)
        undone = known.tail_load_id if known is not None and plan.is_continued else None
        tail = plan.tail
        for part in portions(opened, stream, plan):
            if loads:
                part = replace(part, first_line=state.lines_read + 1, header=state.header)  # noqa: PLW2901
            read = _read_polls(refresh, OpenFile(str(file.path), stream, part))
            state = replace(
                state,
                bytes_read=part.end,
                lines_read=read.next_line - 1,
                fingerprint=_fingerprint(stream, plan, part.end),
                header=_header(file, read),
            )
            load = _load_polls(refresh, file, read, state, undone=undone)
            loads.append(load)
            state = replace(state, load_id=load.load_id)
            undone = None
            if tail is not None:
                tail = replace(tail, first_line=read.next_line, header=read.header)
        if tail is not None:
            read = _read_polls(refresh, OpenFile(str(file.path), stream, tail))
            loads.append(_load_polls(refresh, file, read, state, undone=undone, is_tail=True))
        if not loads:
            with bulk_transaction(refresh.url, is_writing_polls=True) as bulk:
                if undone is not None:
                    _take_back_tail(bulk, undone, undone_at=refresh.now)
                write_file_state(bulk, refresh.source, file.file_path, state)
    return loads


def _new_state(file: FoundFile, plan: Plan, known: FileState | None) -> FileState:
    """How the file is known from now on, before anything new is read of it."""
    goes_on = known if plan.is_continued else None
    return FileState(
        load_id=known.load_id if known else None,
        size_bytes=plan.size_bytes,
        modified_ns=file.modified_ns,
        etag=file.etag,
        bytes_read=plan.bytes_read,
        lines_read=goes_on.lines_read if goes_on else 0,
        fingerprint=plan.fingerprint,
        header=goes_on.header if goes_on else None,
        tail_load_id=None,
    )


def _fingerprint(stream: BinaryIO, plan: Plan, end: int) -> str:
    return plan.fingerprint if end == plan.bytes_read else fingerprint(stream, end)


def _header(file: FoundFile, read: PollsRead) -> str | None:
    """The header under which more lines can be read; only plain text is ever read on."""
    return read.header if format_of(file.file_path) is Format.CSV else None


def _read_polls(refresh: _Refresh, file: OpenFile) -> PollsRead:
    return read_polls_file(
        file,
        now_us=microseconds(refresh.now),
        kept_from_us=refresh.kept_from_us,
        on_progress=refresh.on_progress,
    )


def _load_polls(
    refresh: _Refresh,
    file: FoundFile,
    read: PollsRead,
    state: FileState,
    *,
    undone: int | None,
    is_tail: bool = False,
) -> FileLoad:
    """Write what was read, in one transaction with how the file is known from then on."""
    with bulk_transaction(refresh.url, is_writing_polls=True) as bulk:
        if undone is not None:
            _take_back_tail(bulk, undone, undone_at=refresh.now)
        load = refresh.open_load(bulk, file.file_path)
        row_counts = load_polls(
            bulk, load, read.polls, max_gap_us=read_max_gap_us(bulk)
        ) + _rejected_row_counts(read.rejected)
        close_load(
            bulk,
            load,
            row_counts,
            read.rejected,
            polled_us=polled_bounds_us(read.polls),
            header=read.header,
        )
        made = replace(state, load_id=load.load_id, tail_load_id=load.load_id if is_tail else None)
        write_file_state(bulk, refresh.source, file.file_path, made)
    return FileLoad(file.file_path, load.load_id, row_counts, read.rejected)


def _ingest_snapshot(
    refresh: _Refresh, files: Sequence[FoundFile], known: dict[str, FileState]
) -> SourceLoad:
    if all(has_been_read(file, known.get(file.file_path)) for file in files):
        return SourceLoad(len(files), (), ())
    reads: list[tuple[FoundFile, FileState, SnapshotRead]] = []
    is_changed = False
    unusable: list[UnusableFileError] = []
    for file in files:
        state = known.get(file.file_path)
        try:
            with open_file(file) as (stream, opened):
                plan = plan_whole(stream, state)
                read = SNAPSHOTS[refresh.source].read(OpenFile(str(file.path), stream))
        except UnusableFileError as error:
            unusable.append(error)
            continue
        except FileNotFoundError:
            continue  # it has vanished since the folder was listed
        is_changed |= not plan.is_continued
        reads.append((opened, _new_state(opened, plan, state), read))
    if unusable:
        return SourceLoad(len(files), (), tuple(unusable))
    loads = []
    with bulk_transaction(refresh.url, is_writing_polls=True) as bulk:
        if is_changed:
            loads = _load_snapshot(refresh, bulk, reads)
        else:
            for file, state, _ in reads:
                write_file_state(bulk, refresh.source, file.file_path, state)
    return SourceLoad(len(files), tuple(loads), ())


def _load_snapshot(
    refresh: _Refresh, bulk: Bulk, reads: Sequence[tuple[FoundFile, FileState, SnapshotRead]]
) -> list[FileLoad]:
    """Write the union of the files; each of them is a load of its own, in their order."""
    loads = [refresh.open_load(bulk, file.file_path) for file, _, _ in reads]
    frames = [read.frame for _, _, read in reads]
    counts = SNAPSHOTS[refresh.source].write(bulk, loads, frames)
    made = []
    for (file, state, read), load, written in zip(reads, loads, counts, strict=True):
        row_counts = written + _rejected_row_counts(read.rejected)
        close_load(bulk, load, row_counts, read.rejected, header=read.header)
        write_file_state(bulk, refresh.source, file.file_path, replace(state, load_id=load.load_id))
        made.append(FileLoad(file.file_path, load.load_id, row_counts, read.rejected))
    forget_removed_files(bulk, refresh.source, [load.file_path for load in made])
    return made


def _take_back_tail(bulk: Bulk, load_id: int, *, undone_at: datetime) -> None:
    """What was taken for a last line is as if it had never been, for the file has gone on there."""
    load = read_load(bulk, load_id)
    if load is None or load.undone_at is not None:  # undone by hand
        return
    removed = undo_polls(bulk, load_id, max_gap_us=read_max_gap_us(bulk))
    record_undo(bulk, load, undone_at=undone_at, rows_removed=removed)


def _rejected_row_counts(rejected: Sequence[RejectedRow]) -> RowCounts:
    """The row counts of rejected rows."""
    return RowCounts(0, 0, 0, len(rejected))
