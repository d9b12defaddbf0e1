"""Moving all polls into the lake and back, and what comes meanwhile."""

import errno
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import adbc_driver_manager
import dagster as dg
import pytest
from typer.testing import CliRunner

from asked_reports import csv_of, request
from databases import Databases
from stored import (
    at,
    fetch,
    load,
    load_hours,
    load_rows,
    load_zones,
    read_rows,
    stored_polls,
    stored_runs,
    superseded_polls,
)
from storemon_pipeline.commands.cli import app
from storemon_pipeline.contract import REFRESH_JOB, RETENTION_JOB
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.definitions import build_defs
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.lake import describe_stores
from storemon_pipeline.lake.clean_lake import VERSIONS_KEPT, clean_lake
from storemon_pipeline.lake.describe_stores import LakeDiffersError
from storemon_pipeline.lake.follow_database import refresh_lake
from storemon_pipeline.lake.make_lake_reports import make_lake_reports
from storemon_pipeline.lake.move_polls import move_polls
from storemon_pipeline.lake.write_bucket import StoreRows, write_store_rows
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import (
    DataFile,
    Manifest,
    commit_free,
    newest_version,
    read_manifest,
)
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.polls.retention import PollsNotKeptError
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.retention.enforce import drop_old_data
from storemon_pipeline.retention.restore_from_lake import restore_polls
from storemon_pipeline.sample_data import write_sample_data
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.settings import Settings

NOW: Final = datetime(2023, 3, 1, tzinfo=UTC)
DAYS: Final = timedelta(days=1)


def refresh_weeks(url: str) -> None:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)


def status(hour: int, number: int) -> str:
    return "down" if hour % 31 == number else "up"


@pytest.fixture(scope="module")
def filled_url(databases: Databases) -> Iterator[str]:
    """Three stores with polls of three weeks, hours and zones."""
    with databases.taken() as url:
        fill(url)
        yield url


@pytest.fixture
def url(databases: Databases, filled_url: str) -> Iterator[str]:
    """A copy of it for each test."""
    with databases.copied(filled_url) as url:
        yield url


def fill(url: str) -> None:
    for hour in range(0, 504, 12):
        load(
            url,
            *(
                f"{store_id} {hour + more}:{3 * number:02} {status(hour + more, number)}"
                for number, store_id in enumerate(("A", "B", "é"))
                for more in range(12)
            ),
            file_path=f"{hour:03}.csv",
        )
    load_hours(url, *(f"A,{day},09:00,17:00,always" for day in range(6)))
    load_zones(url, "A,Europe/Berlin", "B,UTC")
    refresh_weeks(url)


def command(*arguments: str) -> list[str]:
    return CliRunner().invoke(app, ["lake", *arguments]).output.splitlines()


def everything(url: str) -> list[Any]:
    """Polls with their loads, status runs, what was superseded, and the newest poll."""
    return [
        stored_polls(url),
        stored_runs(url),
        superseded_polls(url),
        fetch(url, "SELECT store_key, polled_at, load_id FROM store_status ORDER BY 1, 2"),
        fetch(url, "SELECT polled_at FROM newest_poll"),
    ]


def reports(url: str, lake: LakeFolder | None, run_id: str) -> list[str]:
    """The CSV of the newest report, and of two about past instants."""
    engine = create_engine(url, application_name="test", pool_size=1)
    asked = [
        request(engine, **question)
        for question in ({}, {"as_of": at("300:00")}, {"policy": Policy.PREVIOUS})
    ]
    if lake is None:
        made = make_waiting_reports(url, run_id=run_id, is_manual=False)
    else:
        made = make_lake_reports(url, lake, run_id=run_id, is_manual=False, now=NOW)
    assert [report.faults for report in made.made] == [0, 0, 0]
    files = [csv_of(engine, report_id) for report_id in asked]
    engine.dispose()
    return files


def test_polls_move_into_the_lake_and_back(url: str, lake: LakeFolder) -> None:
    before, made = everything(url), reports(url, None, "before")
    # Each store has a poll each hour of three weeks, and 17 times it is down for one; that splits
    # its time up into 18 parts, of store A, which is down at the very first hour, into 17.
    place = ["--lake", str(lake), "--database-url", url]
    assert command("move", *place)[1:4] == [
        "lake:     3 stores, 1,512 polls, 104 status runs",
        "Every file was read back: it has what the database has.",
        "version 1: 1 bucket, " + f"{read_manifest(lake).bytes:,} bytes",
    ]
    assert (stored_polls(url), stored_runs(url)) == ([], [])
    assert fetch(url, "SELECT polled_at FROM newest_poll") == before[-1]
    assert reports(url, lake, "moved") == made
    assert command("move", *place) == [f"storemon: The polls are in the lake {lake} already."]
    assert command("import", *place) == [f"storemon: The polls are in the lake {lake} already."]
    assert command("restore", *place[2:]) == [
        "1,512 polls of 3 weeks are back.",
        "104 status runs were computed again from all polls: none differs.",
    ]
    assert everything(url) == before
    assert reports(url, None, "restored") == made
    assert reports(url, lake, "following") == made


def change(url: str, folder: Path) -> None:
    """Later, late and changed polls, new stores, new hours, and two loads that are undone."""
    load(url, "A 505:00 up", "B 505:03 down", file_path="later.csv")
    load(url, "A 200:30 down", "é 505:06 up", "zz 505:00 up", file_path="late.csv")
    load(url, "B 100:03 down", "B 101:03 down", file_path="changed.csv")
    load(url, "B 100:03 up", file_path=None)
    load(url, "A 506:00 down", "wrong 506:00 down", file_path="wrong.csv")
    folder.mkdir(exist_ok=True)
    (folder / "business_hours.csv").write_text(
        "store_id,day,start_time_local,end_time_local,valid_from\nzz,1,08:00,12:00,always\n"
        "A,1,08:00,20:00,2023-02-06T00:00:00Z\n"
    )
    ingest_source(url, folder, Source.BUSINESS_HOURS, now=NOW, run_id=None)
    refresh_weeks(url)
    for file in ("wrong.csv", "changed.csv"):
        undo_load(url, load_of(url, file), now=NOW)


def load_of(url: str, file: str) -> int:
    """The newest load of a file."""
    rows = fetch(url, "SELECT file_path, load_id FROM loads WHERE undoes_load_id IS NULL")
    return max(int(row["load_id"]) for row in rows if row["file_path"] == file)


def test_what_comes_after_the_move_counts_as_in_a_database(
    databases: Databases, url: str, lake: LakeFolder, tmp_path: Path
) -> None:
    with databases.copied(url) as moved:
        move_polls(moved, lake, stores_per_bucket=2)
        for each in (url, moved):
            change(each, tmp_path / "data")
        assert [row["store_id"] for row in fetch(moved, "SELECT store_id FROM stores")] == [
            row["store_id"] for row in fetch(url, "SELECT store_id FROM stores")
        ]
        assert reports(moved, lake, "moved") == reports(url, None, "stayed")
        assert superseded_polls(moved) == superseded_polls(url)
        assert stored_polls(moved) == []
        restore_polls(moved)
        assert everything(moved) == everything(url)
        load(moved, "A 510:00 up")
        load(url, "A 510:00 up")
        assert reports(moved, lake, "following") == reports(url, None, "still")


def counting(url: str) -> Manifest:
    with bulk_transaction(url) as bulk:
        lake = read_lake_of_polls(bulk)
    assert lake is not None
    return lake.manifest


KILLED_LOAD: Final = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from storemon_pipeline.polls.arrivals import lake_poll_table
from storemon_pipeline.polls.poll_bodies import BodyFormat
from storemon_pipeline.polls.push_polls import push_polls

lake_poll_table.set_lake_of_polls = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
body = b"store_id,timestamp_utc,status\\n" + b"".join(
    b"%s,2023-02-%s UTC,inactive\\n" % row
    for row in ((b"A", b"17 00:00:00"), (b"B", b"04 12:10:00"), (b"wrong", b"17 00:00:00"))
)
push_polls(
    sys.argv[1], body, BodyFormat.CSV, now=datetime.now(UTC), is_rejecting=False,
    patience=timedelta(seconds=20),
)
"""
"""It pushes polls, and dies when the manifest is there but not named."""


def test_a_load_that_is_killed_before_its_commit_has_not_been(url: str, lake: LakeFolder) -> None:
    move_polls(url, lake)
    before, made = counting(url), reports(url, lake, "before")
    described = counting(url)
    done = subprocess.run([sys.executable, "-c", KILLED_LOAD, url], check=False)
    assert done.returncode == -signal.SIGKILL
    assert newest_version(lake) == described.version + 1
    assert counting(url) == described
    assert described.polls == before.polls
    assert reports(url, lake, "after") == made
    # The next load begins with the version that counts, and has the next number that is free.
    load(url, "A 504:30 up")
    assert (counting(url).version, counting(url).polls) == (described.version + 2, before.polls + 1)
    assert counting(url).stores == 3
    restore_polls(url)
    assert stored_polls(url)[-1] == "é 503:06 up"
    assert "A 504:30 up" in stored_polls(url)
    assert not any("600:00" in poll for poll in stored_polls(url))


def test_a_failed_load_leaves_a_version_that_does_not_count(url: str, lake: LakeFolder) -> None:
    move_polls(url, lake)
    before = counting(url)

    def fail() -> None:
        with bulk_transaction(url, is_writing_polls=True) as bulk:
            load_rows(bulk, read_rows(["A 600:00 down"]), file_path="a.csv")
            assert bulk.scalar("SELECT 1 / 0") == 1

    with pytest.raises(adbc_driver_manager.Error, match="division by zero"):
        fail()
    assert newest_version(lake) == before.version + 1
    assert counting(url) == before
    # The asset deletes old versions; it keeps the one that counts, however old it is.
    for _ in range(VERSIONS_KEPT):
        commit_free(lake, before)
    clean_lake(lake, counting=before.version, now=NOW)
    restore_polls(url)
    assert not any("600:00" in poll for poll in stored_polls(url))
    # Nor does the version of the failed load count for the lake that follows the database again.
    assert refresh_lake(url, lake).polls == before.polls


def test_a_store_with_polls_in_the_lake_alone_is_not_forgotten(
    url: str, lake: LakeFolder, tmp_path: Path
) -> None:
    move_polls(url, lake)
    (tmp_path / "timezones.csv").write_text("store_id,timezone_str\nB,Asia/Kolkata\nother,UTC\n")
    ingest_source(url, tmp_path, Source.STORE_TIMEZONES, now=NOW, run_id=None)
    undo_load(url, load_of(url, "timezones.csv"), now=NOW)
    stores = [row["store_id"] for row in fetch(url, "SELECT store_id FROM stores ORDER BY 1")]
    assert "other" not in stores
    assert "B" in stores
    load(url, "wrong 505:00 up", file_path="wrong.csv")
    undo_load(url, load_of(url, "wrong.csv"), now=NOW)
    assert fetch(url, "SELECT store_id FROM former_stores ORDER BY 1") == [
        {"store_id": "other"},
        {"store_id": "wrong"},
    ]


def test_retention_keeps_all_polls_of_the_lake(url: str, lake: LakeFolder) -> None:
    move_polls(url, lake)
    dropped = drop_old_data(url, keep_polls=DAYS, keep_reports=DAYS, now=NOW, lake=lake)
    assert (dropped.poll_partitions, dropped.polls_kept_from) == (0, None)
    assert counting(url).polls == 1_512
    load(url, "A 00:30 down")
    restore_polls(url)
    assert "A 00:30 down" in stored_polls(url)


def test_polls_that_were_dropped_before_come_back_from_the_lake_as_well(
    url: str, lake: LakeFolder
) -> None:
    before = everything(url)
    drop_old_data(url, keep_polls=0 * DAYS, keep_reports=DAYS, now=NOW, lake=lake)
    assert len(stored_polls(url)) < len(before[0])
    moved = move_polls(url, lake)
    assert moved.manifest.polls == len(before[0])
    assert fetch(url, "SELECT lake FROM retention_state") == [{"lake": None}]
    assert restore_polls(url).polls == len(before[0])
    assert everything(url) == before


def test_only_the_lake_that_has_the_polls_is_brought_up_to_date(
    url: str, lake: LakeFolder, tmp_path: Path
) -> None:
    move_polls(url, lake)
    with pytest.raises(LakeDiffersError, match="set STOREMON_LAKE to it"):
        refresh_lake(url, LakeFolder(str(tmp_path / "other")))


def test_an_empty_database_moves_and_is_filled_in_the_lake(
    database_url: str, lake: LakeFolder
) -> None:
    assert move_polls(database_url, lake).manifest.polls == 0
    load_hours(database_url, "B,0,09:00,17:00,always")
    refresh_weeks(database_url)
    load(database_url, "A 09:00 up", "B 10:00 down", "C 09:30 up")
    described = refresh_lake(database_url, lake)
    assert (described.stores, described.polls, len(described.buckets)) == (3, 3, 1)
    restore_polls(database_url)
    assert stored_polls(database_url) == ["A 09:00 up", "B 10:00 down", "C 09:30 up"]


def test_buckets_with_too_many_stores_are_divided_when_their_hours_come(
    url: str, lake: LakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_polls(url, lake)
    monkeypatch.setattr(describe_stores, "STORES_PER_BUCKET", 2)
    load_hours(url, *(f"{name},0,09:00,17:00,always" for name in ("A", "C", "D", "E", "F")))
    refresh_weeks(url)
    described = refresh_lake(url, lake)
    assert [bucket.stores for bucket in described.buckets] == [2, 2, 2, 1]
    # The polls went along with A, B and é.
    assert [bucket.polls for bucket in described.buckets] == [1_008, 0, 0, 504]
    assert reports(url, lake, "divided")[0].count("\n") == 4


def refresh(settings: Settings) -> dg.ExecuteInProcessResult:
    job = build_defs(settings).resolve_job_def(REFRESH_JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, raise_on_error=True)


def test_a_refresh_and_the_job_of_retention_work_on_the_lake_alone(
    database_url: str, lake: LakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    write_sample_data(data, stores=20, days=3, seed=1)
    for name, value in {"DATABASE_URL": database_url, "DATA": str(data), "LAKE": str(lake)}.items():
        monkeypatch.setenv(f"STOREMON_{name}", value)
    settings = Settings(lake=str(lake), data=str(data))
    refresh(settings)
    polls = len(stored_polls(database_url))
    move_polls(database_url, lake)
    with (data / "store_status.csv").open("a") as file:
        # The last line may be half a line: it is a load that is undone when the file has grown.
        file.write("new,active,2023-01-25 10:00:00 UTC\nnew,inactive,2023-01-25 11:0")
    assert all(checks_of(refresh(settings)).values())
    assert counting(database_url).polls == polls + 1
    with (data / "store_status.csv").open("a") as file:
        file.write("0:00 UTC\nnew,active,2023-01-25 12:00:00 UTC")
    assert all(checks_of(refresh(settings)).values())
    with (data / "store_status.csv").open("a") as file:
        file.write("\nnew,active,2023-01-25 13:00:00 UTC\n")
    checks = checks_of(refresh(settings))
    assert {"no_poll_lost", "runs_match_polls"} <= checks.keys()
    assert all(checks.values())
    assert counting(database_url).polls == polls + 4
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs(settings).resolve_job_def(RETENTION_JOB)
        assert job.execute_in_process(instance=instance).success
    assert counting(database_url).polls == polls + 4
    restore_polls(database_url)
    assert [poll for poll in stored_polls(database_url) if poll.startswith("new ")] == [
        "new 58:00 up",
        "new 59:00 down",
        "new 60:00 up",
        "new 61:00 up",
    ]


def checks_of(done: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """The checks of the sources and of status runs, and whether they passed."""
    return {
        one.check_name: one.passed
        for one in done.get_asset_check_evaluations()
        if one.asset_key.path[-1] in {"store_status", "status_runs", "store_uptime"}
    }


@pytest.mark.parametrize("times", [0, 3])
def test_a_full_disk_leaves_the_version_before(
    url: str, lake: LakeFolder, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    move_polls(url, lake, stores_per_bucket=1)
    before = counting(url)
    left = times

    def full(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UnreachableError, match="No space left"):
        load(url, "A 505:00 up", "B 505:00 up", "é 20:00 down")
    monkeypatch.undo()
    assert counting(url) == before
    assert fetch(url, "SELECT count(*) AS n FROM superseded_polls") == [{"n": 0}]
    load(url, "A 505:00 up", "B 505:00 up", "é 20:00 down")
    assert counting(url).polls == before.polls + 3


@pytest.mark.parametrize(
    ("polls", "hours"),
    [
        ((), ()),
        (("A 505:00 up",), ()),
        (("B 505:00 up", "new 505:00 down"), ()),
        (("A 505:00 up",), ("B,3,07:00,19:00,always",)),
    ],
    ids=["nothing", "polls", "a new store", "hours"],
)
def test_what_comes_while_stores_are_described_is_not_lost(
    databases: Databases,
    url: str,
    lake: LakeFolder,
    monkeypatch: pytest.MonkeyPatch,
    polls: tuple[str, ...],
    hours: tuple[str, ...],
) -> None:
    described = []

    def come(each: str) -> None:
        load(each, *polls)
        if hours:
            load_hours(each, *hours, file_path="other.csv")
            refresh_weeks(each)

    def write(lake: LakeFolder, rows: StoreRows) -> list[DataFile]:
        described.append(rows.stores.store_ids.to_pylist())
        if len(described) == 1:
            come(moved)
        return write_store_rows(lake, rows)

    with databases.copied(url) as moved:
        move_polls(moved, lake, stores_per_bucket=1)
        for each in (url, moved):
            load_hours(each, "A,2,10:00,12:00,always", file_path="more.csv")
            refresh_weeks(each)
        come(url)
        monkeypatch.setattr(describe_stores, "write_store_rows", write)
        refresh_lake(moved, lake)
        assert reports(moved, lake, "moved") == reports(url, None, "stayed")
    # The buckets begin with A, B and é. Those that got polls meanwhile are described again.
    again = [name for name in ("A", "B") if any(poll.startswith(name) for poll in polls)]
    if not hours:
        assert [ids[0] for ids in described] == ["A", "B", "é", *again]


def test_polls_that_were_dropped_without_a_lake_stay_away(url: str, lake: LakeFolder) -> None:
    drop_old_data(url, keep_polls=0 * DAYS, keep_reports=DAYS, now=NOW)
    before = everything(url)
    assert len(before[0]) == 3 * 2 * 168  # of three weeks, two
    move_polls(url, lake)
    with pytest.raises(PollsNotKeptError, match="are no longer kept"):
        load(url, "A 167:30 down")
    load(url, "A 400:30 down", file_path=None)
    newest = fetch(url, "SELECT max(load_id) AS load_id FROM loads")[0]["load_id"]
    undo_load(url, newest, now=NOW)
    restored = restore_polls(url)
    assert restored.polls == len(before[0])
    assert everything(url) == before
