"""Loading the files of a source: what is new in the data folder is in the database afterwards."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import assert_never

import pandas as pd

from storemon_pipeline.ingest.hours import read_hours_file
from storemon_pipeline.ingest.polls import Polls, read_polls_file
from storemon_pipeline.ingest.rejects import Reason, RejectedRow
from storemon_pipeline.ingest.sources import Source, find_file
from storemon_pipeline.ingest.text_files import Progress
from storemon_pipeline.ingest.zones import read_zones_file
from storemon_pipeline.storage.bulk import Bulk, bulk_transaction
from storemon_pipeline.storage.instants import microseconds
from storemon_pipeline.storage.loads import (
    NOTHING,
    Accounts,
    FileState,
    Load,
    close_load,
    open_load,
    read_file_state,
    write_file_state,
)
from storemon_pipeline.storage.parameters import read_max_gap_us
from storemon_pipeline.storage.polls import load_polls, polled_bounds_us
from storemon_pipeline.storage.versions import BUSINESS_HOURS, STORE_TIMEZONES, load_versions


@dataclass(frozen=True, slots=True)
class FileLoad:
    """What became of a file. `load_id` is None when it was not read, being as it was before."""

    file_path: str
    load_id: int | None
    accounts: Accounts
    rejected: tuple[RejectedRow, ...]

    @property
    def rejected_by_reason(self) -> dict[Reason, int]:
        """How many rows were rejected for each reason."""
        return dict(Counter(row.reason for row in self.rejected))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a file said, read but not yet written."""

    rows: Polls | pd.DataFrame
    rejected: Sequence[RejectedRow]
    bytes_read: int


def ingest_file(
    url: str,
    data: Path,
    source: Source,
    *,
    now: datetime,
    run_id: str | None,
    on_progress: Progress | None = None,
) -> FileLoad:
    """The rows of the source's file are in the database, the bad ones as rejected rows.

    `now` is the ingesting clock. A file that is what it was when last read is not read again.
    Everything is written in one transaction. Raises MissingSourceError and UnusableFileError; the
    database is then as it was.
    """
    path = find_file(data, source)
    file_path = path.relative_to(data).as_posix()
    status = path.stat()
    with bulk_transaction(url) as bulk:
        known = read_file_state(bulk, source, file_path)
    if known and (known.size_bytes, known.modified_ns) == (status.st_size, status.st_mtime_ns):
        return FileLoad(file_path, None, NOTHING, ())
    read = _read(path, source, now=now, on_progress=on_progress)
    state = FileState(
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        bytes_read=read.bytes_read,
        fingerprint=fingerprint(path, read.bytes_read),
    )
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        load = open_load(bulk, source, file_path=file_path, run_id=run_id, loaded_at=now)
        accounts = _write(bulk, load, read.rows) + Accounts(0, 0, 0, len(read.rejected))
        polled_us = polled_bounds_us(read.rows) if isinstance(read.rows, Polls) else None
        close_load(bulk, load, accounts, read.rejected, polled_us=polled_us)
        write_file_state(bulk, load, state)
    return FileLoad(file_path, load.load_id, accounts, tuple(read.rejected))


def fingerprint(path: Path, size: int) -> str:
    """A digest of the first `size` bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, 1 << 20))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _read(path: Path, source: Source, *, now: datetime, on_progress: Progress | None) -> _Rows:
    match source:
        case Source.STORE_STATUS:
            polls = read_polls_file(path, now_us=microseconds(now), on_progress=on_progress)
            return _Rows(polls.polls, polls.rejected, polls.bytes_read)
        case Source.BUSINESS_HOURS:
            hours = read_hours_file(path)
            return _Rows(hours.frame, hours.rejected, hours.bytes_read)
        case Source.STORE_TIMEZONES:
            zones = read_zones_file(path)
            return _Rows(zones.frame, zones.rejected, zones.bytes_read)
        case Source.CLOSURES:
            raise NotImplementedError("closures are not loaded from files yet")
        case _:
            assert_never(source)


def _write(bulk: Bulk, load: Load, rows: Polls | pd.DataFrame) -> Accounts:
    if isinstance(rows, Polls):
        return load_polls(bulk, load, rows, max_gap_us=read_max_gap_us(bulk))
    table = BUSINESS_HOURS if load.source is Source.BUSINESS_HOURS else STORE_TIMEZONES
    return load_versions(bulk, load, table, rows)
