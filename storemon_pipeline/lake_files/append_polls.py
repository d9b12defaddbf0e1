"""Adding later polls to a bucket, at a cost that does not depend on its history."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from storemon_pipeline.domain.windows import WEEK_US, BoolArray, IntArray
from storemon_pipeline.lake_files.data_files import (
    PollRows,
    of_kind,
    of_stores,
    read_polls,
    read_status_runs,
    write_polls,
    write_status_runs,
)
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Bucket, DataFile, Kind, read_contents
from storemon_pipeline.lake_files.status_run_files import last_of_stores
from storemon_pipeline.uptime.status_runs import StatusRuns, extend

_FILES_OF_LEVEL: Final = (24, 7)
"""So many files of a level are merged into one of the next: hours into days, days into weeks."""


class LatePollsError(Exception):
    """Some polls are not later than their store's newest one: its status runs must be made anew."""


def begin_appending(lake: LakeFolder, bucket: Bucket) -> list[DataFile]:
    """The files of a bucket; those that `append_polls` needs are read ahead."""
    files = read_contents(lake, bucket)
    lake.begin_reading(file.name for file in of_kind(files, Kind.LAST_STATUS_RUNS))
    return files


def append_polls(
    lake: LakeFolder,
    files: Sequence[DataFile],
    polls: PollRows,
    *,
    max_gap_us: int,
    last: StatusRuns | None = None,
) -> list[DataFile]:
    """The files of a bucket after these polls, which are sorted by key and instant.

    `last` are the bucket's last status runs, where they were read already. Of the old files that
    are left out none was changed. Raises LatePollsError before anything is written.
    """
    if last is None:
        last = read_status_runs(lake, of_kind(files, Kind.LAST_STATUS_RUNS))
    touched = _with_polls(last, polls)
    extended = extend(
        last.take(touched), polls.store_key, polls.at_us, polls.is_active, max_gap_us=max_gap_us
    )
    is_last = np.zeros(len(extended), np.bool_)
    is_last[last_of_stores(extended)] = True
    newest = last.take(~touched).merge(extended.take(is_last))
    closed = extended.take(~is_last)
    status_runs = of_kind(files, Kind.STATUS_RUNS)
    if len(closed):
        status_runs.append(write_status_runs(lake, Kind.STATUS_RUNS, closed))
    own_polls = [*of_kind(files, Kind.POLLS), write_polls(lake, polls)]
    return [
        *of_stores(files),
        *merged(lake, status_runs),
        write_status_runs(lake, Kind.LAST_STATUS_RUNS, newest),
        *merged(lake, own_polls),
    ]


def _with_polls(last: StatusRuns, polls: PollRows) -> BoolArray:
    """Which of the status runs have later polls of their store. Raises LatePollsError."""
    place = np.searchsorted(last.store, polls.store_key)
    is_known = place < len(last)
    is_known[is_known] = last.store[place[is_known]] == polls.store_key[is_known]
    known: IntArray = place[is_known]
    late = int((polls.at_us[is_known] <= last.last_poll_us[known]).sum())
    if late:
        raise LatePollsError(f"{late} polls are not later than their store's newest poll")
    touched = np.zeros(len(last), np.bool_)
    touched[known] = True
    return touched


def merged(lake: LakeFolder, files: list[DataFile]) -> list[DataFile]:
    """The files of one kind, of which many small ones were merged."""
    for level, most in enumerate(_FILES_OF_LEVEL):
        small = [file for file in files if file.level == level]
        if len(small) >= most:
            others = [file for file in files if file.level != level]
            files = [*others, _merge(lake, small, level=level + 1)]
    return _with_whole_weeks(lake, files)


def _with_whole_weeks(lake: LakeFolder, files: list[DataFile]) -> list[DataFile]:
    """The files, of which the newest large ones were merged if together they are less than a week.

    So their number stays small as well when polls come every minute.
    """
    level, most = len(_FILES_OF_LEVEL), _FILES_OF_LEVEL[-1]
    large = sorted((file for file in files if file.level == level), key=lambda file: file.last_us)
    newest = large[-most:]
    if len(newest) < most or newest[-1].last_us - min(one.first_us for one in newest) >= WEEK_US:
        return files
    others = [file for file in files if file not in newest]
    return [*others, _merge(lake, newest, level=level)]


def _merge(lake: LakeFolder, files: list[DataFile], *, level: int) -> DataFile:
    if files[0].kind is Kind.POLLS:
        return write_polls(lake, read_polls(lake, files).in_order(), level=level)
    status_runs = read_status_runs(lake, files).in_order()
    return write_status_runs(lake, Kind.STATUS_RUNS, status_runs, level=level)
