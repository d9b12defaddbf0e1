"""Changing polls and status runs that a bucket has: late polls, corrections, undone loads.

Files never change, so those that have a changed row are written again. The cost depends on their
number, not on the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storemon_pipeline.domain.store_instants import pairs, sort_keys
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.lake_files.append_polls import merged
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
from storemon_pipeline.lake_files.manifest import DataFile, Kind
from storemon_pipeline.lake_files.polls_of_period import read_polls_of_keys
from storemon_pipeline.lake_files.status_run_files import last_of_stores
from storemon_pipeline.uptime.status_runs import StatusRuns


@dataclass(frozen=True, slots=True)
class PollChanges:
    """Polls that a bucket gets, those that it has with another status or load, and those it loses.

    All are sorted by key and instant.
    """

    new: PollRows
    changed: PollRows
    gone: PollRows


def read_since(
    lake: LakeFolder, files: Sequence[DataFile], keys: IntArray, *, since_us: int
) -> tuple[PollRows, StatusRuns]:
    """The polls of stores from an instant on, and their status runs that end from it on, in order.

    `keys` ascend.
    """
    recent = [file for file in files if file.last_us >= since_us]
    polls = read_polls_of_keys(lake, of_kind(recent, Kind.POLLS), keys)
    status_runs = read_status_runs(
        lake, [*of_kind(recent, Kind.STATUS_RUNS), *of_kind(files, Kind.LAST_STATUS_RUNS)]
    )
    is_wanted = np.isin(status_runs.store, keys) & (status_runs.last_poll_us >= since_us)
    return polls.take(polls.at_us >= since_us).in_order(), status_runs.take(is_wanted).in_order()


def rewrite_bucket(
    lake: LakeFolder,
    files: Sequence[DataFile],
    polls: PollChanges,
    *,
    old: StatusRuns,
    new: StatusRuns,
) -> list[DataFile]:
    """The files of a bucket after changes of polls, and of the status runs of their stores.

    `old` are all status runs of these stores from the first changed one on, `new` what takes their
    place, both sorted.
    """
    return [
        *of_stores(files),
        *_status_run_files(lake, files, old, new),
        *_poll_files(lake, of_kind(files, Kind.POLLS), polls),
    ]


def _poll_files(lake: LakeFolder, files: Sequence[DataFile], polls: PollChanges) -> list[DataFile]:
    at_us = np.concatenate([polls.changed.at_us, polls.gone.at_us])
    after: list[DataFile] = []
    for file in files:
        if len(at_us) and file.last_us >= at_us.min() and file.first_us <= at_us.max():
            after += _rewritten(lake, file, polls)
        else:
            after.append(file)
    return merged(lake, [*after, write_polls(lake, polls.new)] if len(polls.new) else after)


def _rewritten(lake: LakeFolder, file: DataFile, polls: PollChanges) -> list[DataFile]:
    """The file with changed polls, and without those that are gone; none if no other is left."""
    rows = read_polls(lake, [file])
    own, changed = _same(rows, polls.changed)
    gone, _ = _same(rows, polls.gone)
    if len(own) + len(gone) == 0:
        return [file]
    is_active, load_id = rows.is_active.copy(), rows.load_id.copy()
    is_active[own] = polls.changed.is_active[changed]
    load_id[own] = polls.changed.load_id[changed]
    left = PollRows(rows.store_key, rows.at_us, is_active, load_id).take(_all_but(rows, gone))
    return [write_polls(lake, left, level=file.level)] if len(left) else []


def _same(rows: PollRows, others: PollRows) -> tuple[IntArray, IntArray]:
    """The positions of polls of the same store and instant in both."""
    return pairs(*sort_keys(rows.store_key, rows.at_us, others.store_key, others.at_us))


def _all_but(rows: PollRows | StatusRuns, positions: IntArray) -> BoolArray:
    is_kept = np.ones(len(rows), np.bool_)
    is_kept[positions] = False
    return is_kept


def _status_run_files(
    lake: LakeFolder, files: Sequence[DataFile], old: StatusRuns, new: StatusRuns
) -> list[DataFile]:
    """The files of status runs, in which those of `new` have taken the place of those of `old`."""
    touched = np.union1d(old.store, new.store)
    last = read_status_runs(lake, of_kind(files, Kind.LAST_STATUS_RUNS))
    newest, closed = _last_and_others(new)
    closed_files = of_kind(files, Kind.STATUS_RUNS)
    silent = np.setdiff1d(touched, newest.store)
    if len(silent):
        # All polls of their last status runs are gone: an earlier one of the store is the last now.
        earlier = _before(read_status_runs(lake, closed_files).in_order(), silent, old)
        old = old.merge(earlier)
        newest = newest.merge(earlier)
    after: list[DataFile] = []
    for file in closed_files:
        if len(old) == 0 or file.last_us < old.last_poll_us.min():
            after.append(file)
            continue
        rows = read_status_runs(lake, [file])
        of_old, _ = _same_status_runs(rows, old)
        of_closed, kept = _same_status_runs(rows, closed)
        is_equal = _are_equal(rows, of_closed, closed, kept)
        stale = np.setdiff1d(of_old, of_closed[is_equal])
        closed = closed.take(_all_but(closed, kept[is_equal]))
        if len(stale) == 0:
            after.append(file)
        elif len(stale) < len(rows):
            left = rows.take(_all_but(rows, stale))
            after.append(write_status_runs(lake, Kind.STATUS_RUNS, left, level=file.level))
    if len(closed):
        after.append(write_status_runs(lake, Kind.STATUS_RUNS, closed))
    others = last.take(~np.isin(last.store, touched))
    newest_file = write_status_runs(lake, Kind.LAST_STATUS_RUNS, others.merge(newest))
    return [*merged(lake, after), newest_file]


def _last_and_others(status_runs: StatusRuns) -> tuple[StatusRuns, StatusRuns]:
    """The last status run of each store, and the others."""
    last = last_of_stores(status_runs)
    return status_runs.take(last), status_runs.take(_all_but(status_runs, last))


def _before(status_runs: StatusRuns, silent: IntArray, old: StatusRuns) -> StatusRuns:
    """The last status run of each of these stores that is not among the old ones."""
    of_old, _ = _same_status_runs(status_runs, old)
    is_left = _all_but(status_runs, of_old) & np.isin(status_runs.store, silent)
    return _last_and_others(status_runs.take(is_left))[0]


def _same_status_runs(rows: StatusRuns, others: StatusRuns) -> tuple[IntArray, IntArray]:
    """The positions of status runs of the same store and first poll in both."""
    keys = sort_keys(rows.store, rows.first_poll_us, others.store, others.first_poll_us)
    return pairs(*keys)


def _are_equal(
    rows: StatusRuns, of_rows: IntArray, others: StatusRuns, of_others: IntArray
) -> BoolArray:
    one, other = rows.take(of_rows), others.take(of_others)
    equal: BoolArray = (
        (one.last_poll_us == other.last_poll_us)
        & (one.is_active == other.is_active)
        & (one.polls == other.polls)
    )
    return equal
