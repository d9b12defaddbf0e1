"""Old polls go to an archive before they are dropped, and come back as they were."""

import multiprocessing
import os
import random
import signal
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from api_server import serve
from asked_reports import request
from databases import Databases
from stored import (
    HOUR,
    PUSHED,
    at_us,
    execute,
    fetch,
    load,
    load_rows,
    stored_polls,
    stored_runs,
    superseded_polls,
)
from storemon_pipeline.checks.table_checks import count_unaccounted_polls
from storemon_pipeline.commands.cli import app
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.defs.resources import Database, Lake, Retention
from storemon_pipeline.defs.retention import retention_job
from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.polls.poll_weeks import PollWeek
from storemon_pipeline.polls.retention import PollsNotKeptError
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.retention import enforce
from storemon_pipeline.retention import load_archive as loading
from storemon_pipeline.retention.enforce import check_all_status_runs, drop_old_data
from storemon_pipeline.retention.load_archive import ArchiveLoadError, load_archive
from storemon_pipeline.retention.poll_archive import PollArchive

NOW = datetime(2023, 4, 1, tzinfo=UTC)
DAYS = timedelta(days=1)
TABLES = (
    "SELECT * FROM store_status ORDER BY store_key, polled_at",
    "SELECT * FROM superseded_polls ORDER BY store_key, polled_at, load_id",
    "SELECT * FROM status_runs ORDER BY store_key, first_poll_at",
)


def drop(url: str, archive: PollArchive | None, *, keep_days: float = 7) -> None:
    drop_old_data(
        url, keep_polls=keep_days * DAYS, keep_reports=10_000 * DAYS, now=NOW, archive=archive
    )


def tables(url: str) -> list[object]:
    return [fetch(url, query) for query in TABLES]


def mondays(archive: PollArchive) -> list[str]:
    return [week.week.monday.isoformat() for week in archive.list_weeks()]


@pytest.fixture(params=["local", "remote"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> PollArchive:
    remote = f"memory://{uuid.uuid4().hex}/polls"
    return PollArchive(str(tmp_path / "archive") if request.param == "local" else remote)


@pytest.fixture
def local(tmp_path: Path) -> PollArchive:
    return PollArchive(str(tmp_path / "archive"))


@pytest.fixture
def database_url(databases: Databases, five_weeks_url: str) -> Iterator[str]:
    with databases.copied(five_weeks_url) as url:
        yield url


@pytest.fixture
def loaded_url(database_url: str) -> str:
    """The URL of a database with five weeks of polls from Monday 23 January on, some corrected."""
    return database_url


@pytest.fixture(scope="module")
def five_weeks_url(module_database_url: str) -> str:
    """Load the polls once, for each test to have a copy."""
    dice = random.Random(5)  # noqa: S311 - a test's dice
    for begin in range(0, 5 * 168, 84):
        rows = [
            (store, at_us("00:00") + hour * HOUR + dice.randrange(HOUR), dice.random() < 0.8)
            for hour in range(begin, begin + 84, 2)
            for store in ("A", "ö2", "=C")
        ]
        with bulk_transaction(module_database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, rows, file_path=f"{begin}.csv")
            # Every seventh row is corrected, and every fourteenth twice.
            corrected = [(store, at, not is_active) for store, at, is_active in rows[::7]]
            load_rows(bulk, corrected, file_path=f"{begin}_corrected.csv")
            load_rows(bulk, rows[::14], file_path=PUSHED)
    return module_database_url


def test_dropped_weeks_are_in_the_archive_first(loaded_url: str, archive: PollArchive) -> None:
    polls = stored_polls(loaded_url)
    superseded = superseded_polls(loaded_url)
    drop(loaded_url, archive)
    # The newest poll is of Sunday 26 February: the limit is Monday the 13th, and a week more stays.
    assert mondays(archive) == ["2023-01-23", "2023-01-30"]
    rows = sum(week.polls for week in archive.list_weeks())
    left = len(stored_polls(loaded_url)) + len(superseded_polls(loaded_url))
    assert rows + left == len(polls) + len(superseded)
    assert rows > 0
    drop(loaded_url, archive)
    assert mondays(archive) == ["2023-01-23", "2023-01-30"]


def test_weeks_that_are_loaded_back_are_as_they_were(loaded_url: str, archive: PollArchive) -> None:
    before = tables(loaded_url)
    period = "?from=2023-01-23T00:00:00Z&to=2023-02-06T00:00:00Z"
    with serve(loaded_url) as client:
        shown = client.get(f"/stores/A/timeline{period}").json()
        drop(loaded_url, archive)
        oldest, newest = archive.list_weeks()
        with pytest.raises(ArchiveLoadError, match="from 2023-01-30 to 2023-02-06"):
            load_archive(loaded_url, archive, oldest.name, now=NOW)
        for week in (newest, oldest):
            loaded = load_archive(loaded_url, archive, week.name, now=NOW)
            assert loaded.is_restored
            assert loaded.row_counts.unchanged == week.polls
        assert tables(loaded_url) == before
        assert client.get(f"/stores/A/timeline{period}").json() == shown
    assert check_all_status_runs(loaded_url).different == 0
    with bulk_transaction(loaded_url) as bulk:
        assert count_unaccounted_polls(bulk) == 0
    # Late polls and undone loads are possible again.
    load(loaded_url, "A 100:00:00.5 up", file_path="late.csv")
    undo_load(loaded_url, 2, now=NOW)
    assert check_all_status_runs(loaded_url).different == 0
    with pytest.raises(ArchiveLoadError, match="has the polls of this week"):
        load_archive(loaded_url, archive, oldest.name, now=NOW)


def test_a_week_that_was_loaded_back_is_archived_again(
    loaded_url: str, archive: PollArchive
) -> None:
    drop(loaded_url, archive)
    names = [week.name for week in archive.list_weeks()]
    load_archive(loaded_url, archive, names[-1], now=NOW)
    drop(loaded_url, archive, keep_days=20)
    # The setting now keeps that week.
    assert PollWeek(datetime(2023, 1, 30, tzinfo=UTC).date()).partition in partitions(loaded_url)
    drop(loaded_url, archive)
    assert [week.name for week in archive.list_weeks()] == names
    assert len(partitions(loaded_url)) == 3


def partitions(url: str) -> list[str]:
    rows = fetch(url, "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
                 " WHERE inhparent = 'store_status'::regclass ORDER BY 1")  # fmt: skip
    return [row["name"] for row in rows]


def test_another_database_takes_the_files_as_new_polls(
    loaded_url: str, other_database_url: str, archive: PollArchive
) -> None:
    polls, runs = stored_polls(loaded_url), stored_runs(loaded_url)
    drop(loaded_url, archive)
    kept = stored_polls(loaded_url)
    for week in archive.list_weeks():
        loaded = load_archive(other_database_url, archive, week.name, now=NOW)
        assert not loaded.is_restored
    assert stored_polls(other_database_url) == [poll for poll in polls if poll not in kept]
    load(other_database_url, *kept, file_path="rest.csv")
    assert stored_runs(other_database_url) == runs


def test_a_report_on_an_archived_week_is_the_same_before_between_and_after(
    loaded_url: str, engine: sa.Engine, local: PollArchive
) -> None:
    as_of = datetime(2023, 1, 28, 12, tzinfo=UTC)

    def csv() -> str:
        report_id = request(engine, as_of=as_of)
        make_waiting_reports(loaded_url, run_id=str(uuid.uuid4()), is_manual=False)
        with serve(loaded_url) as client:
            return client.get(f"/reports/{report_id}.csv").text

    before = csv()
    assert before.count("\n") == 4
    drop(loaded_url, local)
    assert csv() == before
    for week in reversed(local.list_weeks()):
        load_archive(loaded_url, local, week.name, now=NOW)
    assert csv() == before


@pytest.mark.parametrize(
    ("loaded_at", "reason"),
    [
        pytest.param("2023-02-02", "Another database wrote this file", id="other-loads"),
        pytest.param("2023-02-01", "360 of 360 status runs differ", id="loads-at-the-same-time"),
    ],
)
def test_the_file_of_another_database_is_refused_where_the_week_was_dropped(
    loaded_url: str,
    other_database_url: str,
    local: PollArchive,
    tmp_path: Path,
    loaded_at: str,
    reason: str,
) -> None:
    load(other_database_url, "A 170:00 up", "A 900:00 up", file_path="polls.csv")
    execute(other_database_url, f"UPDATE loads SET loaded_at = '{loaded_at}'")
    drop(other_database_url, PollArchive(str(tmp_path / "other")))
    drop(loaded_url, local)
    before = tables(loaded_url)
    (of_another,) = PollArchive(str(tmp_path / "other")).list_weeks()
    with pytest.raises(ArchiveLoadError, match=reason):
        load_archive(loaded_url, PollArchive(str(tmp_path / "other")), of_another.name, now=NOW)
    assert tables(loaded_url) == before


def test_a_damaged_file_is_refused(loaded_url: str, local: PollArchive, tmp_path: Path) -> None:
    drop(loaded_url, local)
    name = local.list_weeks()[-1].name
    path = tmp_path / "archive" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnusableFileError, match="damaged"):
        load_archive(loaded_url, local, name, now=NOW)


def test_without_room_in_the_archive_the_polls_stay_and_the_rest_of_retention_goes_on(
    loaded_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    polls = stored_polls(loaded_url)
    report_id = request(engine, as_of=datetime(2023, 1, 28, tzinfo=UTC))
    make_waiting_reports(loaded_url, run_id="run", is_manual=False)
    load(loaded_url, "A 2000:00 up", file_path="later.csv")
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises(UnreachableError, match="archive"):
        drop_old_data(
            loaded_url,
            keep_polls=60 * DAYS,
            keep_reports=7 * DAYS,
            now=NOW,
            archive=PollArchive(str(tmp_path / "archive")),
        )
    assert stored_polls(loaded_url)[: len(polls) // 3] == polls[: len(polls) // 3]
    with serve(loaded_url) as client:
        assert client.get(f"/get_report/{report_id}").status_code == 410


def test_the_retention_job_archives(loaded_url: str, local: PollArchive) -> None:
    retention = Retention(keep_polls_days=7, keep_reports_days=365, poll_archive=str(local))
    with dg.DagsterInstance.ephemeral() as instance:
        result = retention_job.execute_in_process(
            instance=instance,
            resources={
                "database": Database(url=loaded_url),
                "retention": retention,
                "lake": Lake(),
            },
        )
    assert result.success
    assert mondays(local) == ["2023-01-23", "2023-01-30"]


# A process that is killed.


def killed(function: Callable[[], None]) -> None:
    """Run a function in a process of its own that kills itself."""
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    process.join(180)
    assert process.exitcode == -signal.SIGKILL


def kill_this(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    "moment", ["before the first file", "while a file is written", "after the files"]
)
def test_a_process_killed_while_archiving_loses_and_duplicates_nothing(
    loaded_url: str, local: PollArchive, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    before = tables(loaded_url)

    def die() -> None:
        match moment:
            case "before the first file":
                monkeypatch.setattr(enforce, "read_week", kill_this)
            case "while a file is written":
                # It has its unfinished name.
                monkeypatch.setattr("storemon_pipeline.retention.poll_archive._flush", kill_this)
            case _:
                monkeypatch.setattr(enforce, "drop_weeks", kill_this)
        drop(loaded_url, local)

    killed(die)
    assert tables(loaded_url) == before
    with pytest.raises(PollsNotKeptError):
        # What is being archived changes no more.
        load(loaded_url, "A 10:00 down", file_path="late.csv")
    drop(loaded_url, local)
    assert mondays(local) == ["2023-01-23", "2023-01-30"]
    for week in reversed(local.list_weeks()):
        load_archive(loaded_url, local, week.name, now=NOW)
    assert tables(loaded_url) == before


@pytest.mark.parametrize("step", ["restore_week", "compare_all_status_runs", "close_load"])
def test_a_process_killed_while_loading_back_changes_nothing(
    loaded_url: str, local: PollArchive, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = tables(loaded_url)
    drop(loaded_url, local)
    dropped = tables(loaded_url)
    name = local.list_weeks()[-1].name

    def die() -> None:
        monkeypatch.setattr(loading, step, kill_this)
        load_archive(loaded_url, local, name, now=NOW)

    killed(die)
    assert tables(loaded_url) == dropped
    for week in reversed(local.list_weeks()):
        load_archive(loaded_url, local, week.name, now=NOW)
    assert tables(loaded_url) == before


def test_a_poll_takes_six_bytes_at_most(other_database_url: str, local: PollArchive) -> None:
    dice = random.Random(1)  # noqa: S311 - a test's dice
    stores = [str(dice.randrange(10**18, 10**19)) for _ in range(150)]
    start = at_us("00:00")
    # Hourly loads in which instants have microseconds, as real ones do.
    with bulk_transaction(other_database_url, is_writing_polls=True) as bulk:
        for hour in range(168):
            rows = [(store, start + hour * HOUR + dice.randrange(HOUR), True) for store in stores]
            load_rows(bulk, rows, file_path=PUSHED)
    load(other_database_url, "A 900:00 up", file_path=PUSHED)
    drop(other_database_url, local)
    (week,) = local.list_weeks()
    assert week.polls == 168 * 150
    # Ids and the times of the loads take 20 kB in a file of any size.
    assert (week.size_bytes - 20_000) / week.polls <= 6


# The commands.


@pytest.fixture
def run(loaded_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("STOREMON_DATABASE_URL", loaded_url)

    def run(*arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == status, result.output
        return result.output

    return run


def test_the_commands_list_archives_and_load_them(
    run: Callable[..., str],
    loaded_url: str,
    local: PollArchive,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "No archive is set" in run("archives", status=1)
    monkeypatch.setenv("STOREMON_POLL_ARCHIVE", str(local))
    assert run("archives") == "Nothing was archived yet.\n"
    drop(loaded_url, local)
    older, newer = run("archives").splitlines()
    assert "2023-01-23 to 2023-01-30" in older
    name, _, rest = newer.partition("  ")
    polls = rest.split("  ")[1].removesuffix(" polls")
    refused = run("load-archive", older.split()[0], status=1)
    assert "the newest before the others" in refused
    assert f"{polls} polls are back as they were" in run("load-archive", name)
    assert "There is no polls.parquet" in run("load-archive", "polls.parquet", status=1)
