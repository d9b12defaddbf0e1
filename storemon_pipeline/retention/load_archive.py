"""Loading an archived week of polls back."""

from dataclasses import dataclass
from datetime import datetime

from storemon_pipeline.checks.table_checks import compare_all_status_runs
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_log import NO_ROWS, RowCounts, close_load, open_load
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.polls.poll_rows import read_polls_file
from storemon_pipeline.polls.poll_table import write_poll_load
from storemon_pipeline.polls.poll_weeks import (
    BEGINNING,
    has_status_run,
    has_week,
    read_times_of_loads,
    restore_week,
)
from storemon_pipeline.polls.retention import (
    read_drop_border,
    read_polls_kept_from,
    read_polls_kept_from_us,
    set_start_of_retention,
)
from storemon_pipeline.retention.poll_archive import ArchivedFile, PollArchive


class ArchiveLoadError(Exception):
    """This file cannot be loaded back; `str()` says why."""


@dataclass(frozen=True, slots=True)
class ArchiveLoad:
    """The load of an archived week; `is_restored` when this database had dropped its polls."""

    load_id: int
    row_counts: RowCounts
    is_restored: bool


def load_archive(url: str, archive: PollArchive, name: str, *, now: datetime) -> ArchiveLoad:
    """The database has the polls of a file of the archive, by one load, or by none after an error.

    Into the database that dropped them, they return as they were, and retention begins with them.
    Status runs and all figures stay the same. Into another database they are new polls. Raises
    ArchiveLoadError, FileNotFoundError, UnreachableError and UnusableFileError.
    """
    with archive.opened(name) as file, bulk_transaction(url, is_writing_polls=True) as bulk:
        kept_from = read_polls_kept_from(bulk)
        border = read_drop_border(bulk)
        lake = read_lake_of_polls(bulk)
        if border is not None and file.week.end <= border:
            if lake is not None:
                raise ArchiveLoadError(
                    f"All other polls are in the lake {lake.folder}. Bring them back with "
                    "`storemon lake restore`, load the archive, and move all into the lake again."
                )
            return _restore(bulk, file, name, border=border, now=now)
        has_polls = lake is not None or has_week(bulk, file.week)
        is_of_this_database = has_polls and _has_loads(bulk, file)
        if is_of_this_database or (kept_from is not None and file.week.start < kept_from):
            raise ArchiveLoadError("The database has the polls of this week.")
        read = read_polls_file(
            file.file, now_us=microseconds(now), kept_from_us=read_polls_kept_from_us(bulk)
        )
        load_id, row_counts = write_poll_load(
            bulk,
            read.polls,
            read.rejected,
            file_path=name,
            run_id=None,
            loaded_at=now,
            header=read.header,
        )
        return ArchiveLoad(load_id, row_counts, is_restored=False)


def _restore(
    bulk: Bulk, file: ArchivedFile, name: str, *, border: datetime, now: datetime
) -> ArchiveLoad:
    """The dropped week is in the database again, as it was."""
    week = file.week
    # Late polls need all polls after them, so no polls may be missing between two weeks.
    if week.end < border and has_status_run(bulk, start=week.end, end=border):
        raise ArchiveLoadError(
            f"Polls from {week.end.date()} to {border.date()} are not in the database. Load the "
            "archives of these weeks first, the newest before the others."
        )
    if not _has_loads(bulk, file):
        raise ArchiveLoadError(
            "Another database wrote this file, and this one no longer keeps polls of that time. "
            "Load it into a new database."
        )
    load = open_load(bulk, Source.STORE_STATUS, file_path=name, run_id=None, loaded_at=now)
    polls = restore_week(bulk, week, file.parts())
    # Before the first poll of all there is none that a late poll would need.
    is_first = not has_status_run(bulk, start=BEGINNING, end=week.start)
    set_start_of_retention(bulk, week.start if is_first else week.end)
    compared = compare_all_status_runs(bulk, max_gap_us=read_max_gap_us(bulk))
    if compared.different:
        raise ArchiveLoadError(
            f"{compared.different} of {compared.compared} status runs differ from these polls, so "
            "they are not those that were dropped."
        )
    # The status runs count these polls already, so none of them is new.
    row_counts = close_load(bulk, load, NO_ROWS + RowCounts(0, 0, polls, 0), ())
    return ArchiveLoad(load.load_id, row_counts, is_restored=True)


def _has_loads(bulk: Bulk, file: ArchivedFile) -> bool:
    """Whether this database has all loads of the file's rows."""
    times = file.times_of_loads()
    return read_times_of_loads(bulk, times) == times
