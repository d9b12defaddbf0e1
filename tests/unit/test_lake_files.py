"""Files of the lake without a database: versions, appended polls, crashes and competing writers."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import numpy as np
import pyarrow as pa
import pytest
from upath import UPath

from storemon_pipeline.domain.windows import HOUR_US
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.lake.clean_lake import UNUSED_FOR, VERSIONS_KEPT, Cleaned, clean_lake
from storemon_pipeline.lake.report_rows import ReportPlan, discard_runs, write_plan
from storemon_pipeline.lake_files.append_polls import LatePollsError, append_polls
from storemon_pipeline.lake_files.data_files import (
    PollRows,
    make_bucket,
    read_polls,
    read_status_runs,
    write_file,
    write_polls,
)
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import (
    DataFile,
    Kind,
    LakeChangedError,
    Manifest,
    NoLakeError,
    commit,
    kept_versions,
    read_contents,
    read_manifest,
)
from storemon_pipeline.lake_files.status_run_files import write_all_status_runs
from storemon_pipeline.uptime.status_runs import StatusRuns, compress

MAX_GAP = 3 * HOUR_US


@pytest.fixture(params=["folder", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path, memory: UPath) -> LakeFolder:
    """An empty lake, local and not."""
    return LakeFolder(str(tmp_path) if request.param == "folder" else f"memory://{memory.path}")


def polls(*rows: tuple[int, float, bool], load_id: int = 1) -> PollRows:
    """Polls of store, hour and status, which a load wrote."""
    store, hour, is_active = zip(*rows, strict=True)
    at_us = (np.array(hour) * HOUR_US).astype(np.int64)
    load_ids = np.full(len(store), load_id)
    return PollRows(np.array(store), at_us, np.array(is_active), load_ids).in_order()


def compressed(rows: PollRows) -> StatusRuns:
    return compress(rows.store_key, rows.at_us, rows.is_active, max_gap_us=MAX_GAP)


def first_files(lake: LakeFolder, rows: PollRows) -> list[DataFile]:
    """The files of a bucket with these polls."""
    ids = pa.array([str(key) for key in np.unique(rows.store_key)])
    stores = pa.table({"store_key": np.unique(rows.store_key), "store_id": ids})
    return [
        write_file(lake, Kind.STORES, stores),
        *write_all_status_runs(lake, compressed(rows)),
        write_polls(lake, rows, level=2),
    ]


def status_runs_of(lake: LakeFolder, files: list[DataFile]) -> list[tuple[object, ...]]:
    kinds = (Kind.STATUS_RUNS, Kind.LAST_STATUS_RUNS)
    return rows_of(
        read_status_runs(lake, [file for file in files if file.kind in kinds]).in_order()
    )


def rows_of(status_runs: StatusRuns) -> list[tuple[object, ...]]:
    return list(
        zip(
            status_runs.store.tolist(),
            status_runs.first_poll_us.tolist(),
            status_runs.last_poll_us.tolist(),
            status_runs.is_active.tolist(),
            status_runs.polls.tolist(),
            strict=True,
        )
    )


def empty_manifest(lake: LakeFolder) -> Manifest:
    bucket = make_bucket(lake, "", [], newest_poll_us=None)
    return Manifest(0, MAX_GAP, 0, "", (bucket,))


def test_earlier_status_runs_are_in_files_of_two_weeks_back_from_the_newest(
    lake: LakeFolder,
) -> None:
    weeks = 7 * 24
    hours = (0, 0.5 * weeks, weeks, 2.9 * weeks, 3 * weeks, 4 * weeks, 5 * weeks)
    # Each poll is a status run. The newest one of store 1 is at five weeks.
    rows = polls(*((1, hour, True) for hour in hours), (2, 3.5 * weeks, True))
    files = write_all_status_runs(lake, compressed(rows))
    ends = [
        (file.kind, [at / HOUR_US / weeks for at in read_status_runs(lake, [file]).last_poll_us])
        for file in files
    ]
    # Those of exactly two or four weeks before the newest belong to the period before.
    assert ends == [
        (Kind.STATUS_RUNS, [0, 0.5, 1]),
        (Kind.STATUS_RUNS, [2.9, 3]),
        (Kind.STATUS_RUNS, [4]),
        (Kind.LAST_STATUS_RUNS, [5, 3.5]),
    ]


def test_appended_polls_make_the_status_runs_of_all_polls(lake: LakeFolder) -> None:
    """Two stores are polled each hour for 30 hours, after 10 hours with a third one."""
    everything = polls((1, 0, True), (2, 0.5, False))
    files = first_files(lake, everything)
    for hour in range(1, 31):
        rows = [(1, hour, hour % 5 > 0), (2, hour + 0.5, hour % 20 > 0)]
        rows += [(3, hour + 0.1, True)] if hour > 10 and hour % 9 > 3 else []
        new = polls(*rows, load_id=1 + hour)
        files = append_polls(lake, files, new, max_gap_us=MAX_GAP)
        everything = PollRows(
            np.append(everything.store_key, new.store_key),
            np.append(everything.at_us, new.at_us),
            np.append(everything.is_active, new.is_active),
            np.append(everything.load_id, new.load_id),
        )
    kept = read_polls(lake, [file for file in files if file.kind is Kind.POLLS]).in_order()
    expected = everything.in_order()
    for name in ("store_key", "at_us", "is_active", "load_id"):
        assert np.array_equal(getattr(kept, name), getattr(expected, name))
    assert status_runs_of(lake, files) == rows_of(compressed(expected))
    # Of the files of 30 hours 24 were merged into one of a day.
    levels = [file.level for file in files if file.kind is Kind.POLLS]
    assert sorted(levels) == [0] * 6 + [1, 2]


def test_files_stay_few_when_polls_come_every_minute(
    lake: LakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storemon_pipeline.lake_files.append_polls._FILES_OF_LEVEL", (2, 2))
    everything = [(1, 0.0, True)]
    files = first_files(lake, polls(*everything))
    for minute in range(1, 65):
        later = (1, minute / 60, minute % 3 > 0)
        files = append_polls(lake, files, polls(later), max_gap_us=MAX_GAP)
        everything.append(later)
    expected = polls(*everything)
    kept = [file for file in files if file.kind is Kind.POLLS]
    assert [(file.level, file.rows) for file in kept] == [(2, 65)]
    assert np.array_equal(read_polls(lake, kept).at_us, expected.at_us)
    assert status_runs_of(lake, files) == rows_of(compressed(expected))
    # A week later the file is left as it is.
    for week in range(1, 9):
        files = append_polls(lake, files, polls((1, week * 168, True)), max_gap_us=MAX_GAP)
    assert sorted(file.rows for file in files if file.kind is Kind.POLLS) == [4, 4, 65]


def test_polls_that_are_not_later_are_refused_before_anything_is_written(lake: LakeFolder) -> None:
    files = first_files(lake, polls((1, 0, True), (2, 5, True)))
    before = lake.names(Kind.POLLS)
    with pytest.raises(LatePollsError, match="1 polls"):
        append_polls(lake, files, polls((1, 1, True), (2, 5, False)), max_gap_us=MAX_GAP)
    assert lake.names(Kind.POLLS) == before


def test_a_version_is_read_as_it_was_written(lake: LakeFolder) -> None:
    files = first_files(lake, polls((1, 0, True), (1, 1, False)))
    bucket = make_bucket(lake, "", files, newest_poll_us=HOUR_US)
    made = commit(lake, replace(empty_manifest(lake), buckets=(bucket,)))
    assert made.version == 1
    assert read_manifest(lake) == read_manifest(lake, 1) == made
    assert (made.stores, made.polls, made.status_runs) == (1, 2, 2)
    assert read_contents(lake, made.buckets[0]) == files


def test_there_is_no_lake_before_the_first_version(lake: LakeFolder) -> None:
    with pytest.raises(NoLakeError):
        read_manifest(lake)
    with pytest.raises(NoLakeError):
        read_manifest(lake, 7)


def test_of_many_writers_of_a_version_one_wins(tmp_path: Path) -> None:
    lake = LakeFolder(str(tmp_path))
    first = commit(lake, empty_manifest(lake))
    writers = 8
    ready = Barrier(writers)

    def write(number: int) -> bool:
        own = replace(first, load_id=number)
        ready.wait()
        try:
            commit(LakeFolder(str(tmp_path)), own)
        except LakeChangedError:
            return False
        return True

    with ThreadPoolExecutor(writers) as pool:
        wins = list(pool.map(write, range(writers)))
    assert wins.count(True) == 1
    newest = read_manifest(lake)
    assert (newest.version, newest.load_id) == (2, wins.index(True))


@pytest.mark.parametrize("step", ["link", "fsync", "write"])
def test_a_writer_that_dies_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    lake = LakeFolder(str(tmp_path))
    first = commit(lake, empty_manifest(lake))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "write":
        monkeypatch.setattr(LakeFolder, "_write_local", full)
    else:
        monkeypatch.setattr(f"os.{step}", full)
    with pytest.raises(UnreachableError, match="No space"):
        commit(lake, replace(first, load_id=9))
    monkeypatch.undo()
    assert read_manifest(lake) == first
    assert commit(lake, replace(first, load_id=10)).version == 2


def test_old_versions_and_their_files_are_deleted_after_a_day(lake: LakeFolder) -> None:
    now = datetime(2023, 2, 1, tzinfo=UTC)
    files = first_files(lake, polls((1, 0, True), (2, 5, True)))
    manifest = replace(
        empty_manifest(lake), buckets=(make_bucket(lake, "", files, newest_poll_us=0),)
    )
    for hour in range(6, 7 + VERSIONS_KEPT):
        manifest = commit(lake, manifest)
        contents = append_polls(
            lake,
            read_contents(lake, manifest.buckets[0]),
            polls((1, hour, hour % 2 == 0)),
            max_gap_us=MAX_GAP,
        )
        bucket = make_bucket(lake, "", contents, newest_poll_us=int(hour * HOUR_US))
        manifest = replace(manifest, buckets=(bucket,))
    newest = commit(lake, manifest)
    report = ReportPlan("run", 1, 0, 1, None, (), now)
    write_plan(lake, report)
    everything = status_runs_of(lake, read_contents(lake, newest.buckets[0]))

    assert clean_lake(lake, counting=newest.version, now=now) == Cleaned(versions=1, files=0)
    # The first version has a report, and its own last status runs are kept with it.
    assert status_runs_of(lake, read_contents(lake, read_manifest(lake, 1).buckets[0]))
    discard_runs(lake, ["run"])
    # The files of the empty bucket and of the version that is gone were noted a day before.
    later = clean_lake(lake, counting=newest.version, now=now + UNUSED_FOR)
    assert (later.versions, later.files > 0) == (1, True)
    last = clean_lake(lake, counting=newest.version, now=now + 2 * UNUSED_FOR)
    assert (last.versions, last.files > 0) == (0, True)
    assert clean_lake(lake, counting=newest.version, now=now + 3 * UNUSED_FOR) == Cleaned(0, 0)
    kept = [
        file
        for version in kept_versions(lake)
        for file in read_contents(lake, read_manifest(lake, version).buckets[0])
    ]
    assert len(kept_versions(lake)) == VERSIONS_KEPT
    assert {file.name for file in kept} == {
        f"{kind}/{name}" for kind in Kind for name in lake.names(kind)
    }
    assert status_runs_of(lake, read_contents(lake, read_manifest(lake).buckets[0])) == everything


@pytest.mark.parametrize(("step", "times"), [("os.fsync", 0), ("os.fsync", 2), ("os.link", 0)])
def test_a_writer_that_is_killed_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, times: int
) -> None:
    """It appends polls and commits; the kernel kills it at the first or at a later such call."""
    lake = LakeFolder(str(tmp_path))
    files = first_files(lake, polls((1, 0, True)))
    bucket = make_bucket(lake, "", files, newest_poll_us=0)
    first = commit(lake, replace(empty_manifest(lake), buckets=(bucket,)))
    later = polls((1, 1, False))

    def write() -> Manifest:
        appended = append_polls(lake, files, later, max_gap_us=MAX_GAP)
        bucket = make_bucket(lake, "", appended, newest_poll_us=HOUR_US)
        return commit(lake, replace(first, buckets=(bucket,)))

    left = times
    writer = os.fork()
    if writer == 0:

        def die(*_: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(step, die)
        write()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) == -signal.SIGKILL
    assert read_manifest(lake) == first
    assert status_runs_of(lake, read_contents(lake, first.buckets[0])) == [(1, 0, 0, True, 1)]
    # What the dead writer left is in no one's way.
    made = write()
    assert (made.version, made.polls) == (2, 2)
