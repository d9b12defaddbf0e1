"""Reports made from the lake equal those made from the database, whatever was loaded when."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner
from upath import UPath

from asked_reports import csv_of, read, request
from chain import NOW, STORES, fill, refresh_weeks
from databases import Databases
from report_job import run_report_job
from stored import (
    at,
    at_us,
    fetch,
    load,
    load_hours,
    stored_polls,
    stored_runs,
)
from storemon_pipeline.commands.cli import app
from storemon_pipeline.contract import REFRESH_JOB, REPORT_JOB
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.definitions import build_defs
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.lake import follow_database
from storemon_pipeline.lake.database_rows import Counts
from storemon_pipeline.lake.follow_database import import_database, refresh_lake
from storemon_pipeline.lake.make_lake_reports import (
    finish_lake_reports,
    make_lake_reports,
    plan_lake_reports,
)
from storemon_pipeline.lake.report_rows import discard_runs, make_share
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import (
    Kind,
    LakeChangedError,
    commit,
    read_contents,
    read_manifest,
)
from storemon_pipeline.reports.make_reports import NO_POLLS, ReportsMade, make_waiting_reports
from storemon_pipeline.reports.requests import ReportState
from storemon_pipeline.reports.rows import read_report_table
from storemon_pipeline.retention.enforce import drop_old_data
from storemon_pipeline.settings import Settings

ASKED: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"policy": Policy.PREVIOUS},
    {"as_of": at("150:00")},
    {"as_of": at("150:00"), "policy": Policy.PREVIOUS},
    {"as_of": at("104:17:03.000001")},
)


@pytest.fixture(scope="module")
def filled_url(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with databases.taken() as url:
        fill(url, tmp_path_factory.mktemp("data"))
        yield url


@pytest.fixture
def url(databases: Databases, filled_url: str) -> Iterator[str]:
    """A copy of it for each test."""
    with databases.copied(filled_url) as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = create_engine(url, application_name="test", pool_size=2)
    yield engine
    engine.dispose()


def contents(engine: sa.Engine, report_ids: list[str]) -> list[tuple[object, ...]]:
    """Everything that reports say: counts, digest, bytes, rows."""
    said: list[tuple[object, ...]] = []
    for report_id in report_ids:
        report = read(engine, report_id)
        assert report.result_id is not None
        with engine.connect() as connection:
            rows = read_report_table(connection, report.result_id)
        said.append(
            (
                report.as_of,
                report.policy,
                report.stores,
                report.silent_stores,
                report.csv_sha256,
                report.status_model_id,
                csv_of(engine, report_id),
                rows.to_pylist(),
            )
        )
    return said


def asked(engine: sa.Engine) -> list[str]:
    return [request(engine, **question) for question in ASKED]


def from_database(engine: sa.Engine, url: str) -> list[tuple[object, ...]]:
    report_ids = asked(engine)
    make_waiting_reports(url, run_id="database", is_manual=False)
    return contents(engine, report_ids)


def make(url: str, lake: LakeFolder, *, run_id: str = "run") -> ReportsMade:
    return make_lake_reports(url, lake, run_id=run_id, is_manual=False, now=NOW)


def from_lake(
    engine: sa.Engine, url: str, lake: LakeFolder, *, run_id: str = "run"
) -> list[tuple[object, ...]]:
    report_ids = asked(engine)
    made = make(url, lake, run_id=run_id)
    assert [(one.reports, one.faults) for one in made.made] == [(1, 0)] * len(ASKED)
    return contents(engine, report_ids)


@pytest.mark.parametrize("stores_per_bucket", [1, 3, 100])
def test_a_report_from_the_lake_is_that_from_the_database(
    engine: sa.Engine, url: str, lake: LakeFolder, stores_per_bucket: int
) -> None:
    imported = import_database(url, lake, stores_per_bucket=stores_per_bucket)
    assert imported.manifest.version == 1
    assert len(imported.manifest.buckets) == -(-len(STORES) // stores_per_bucket)
    assert imported.database.polls == fetch(url, "SELECT count(*) AS n FROM store_status")[0]["n"]
    assert from_lake(engine, url, lake) == from_database(engine, url)
    assert lake.names("report_rows") == lake.names("report_plans") == []
    assert read_manifest(lake).version == 1


def test_a_lake_needs_no_local_folder(engine: sa.Engine, url: str, memory: UPath) -> None:
    lake = LakeFolder(f"memory://{memory.path}/lake")
    assert from_lake(engine, url, lake) == from_database(engine, url)


def test_later_polls_are_appended(engine: sa.Engine, url: str, lake: LakeFolder) -> None:
    import_database(url, lake, stores_per_bucket=3)
    before = read_manifest(lake)
    load(url, "up 201:00 down", "change 202:00 up", "change 203:00 down", "silent 203:00 up")
    assert from_lake(engine, url, lake) == from_database(engine, url)
    after = read_manifest(lake)
    assert (after.version, after.polls) == (2, before.polls + 4)
    # Only the buckets of these stores have other files: the order is that of bytes.
    is_same = [old == new for old, new in zip(before.buckets, after.buckets, strict=True)]
    assert is_same == [True, False, False, True]
    # Nothing was copied again: what was there stays, but for the last status runs.
    for old, new in zip(before.buckets, after.buckets, strict=True):
        kept = {f.name for f in read_contents(lake, old) if f.kind is not Kind.LAST_STATUS_RUNS}
        assert kept <= {file.name for file in read_contents(lake, new)}


def test_late_and_corrected_polls_are_in_the_lake(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    import_database(url, lake, stores_per_bucket=3)
    load(url, "change 150:30 down", "change 151:10 down", "up 150:00 down", file_path=None)
    assert from_lake(engine, url, lake) == from_database(engine, url)


def test_new_stores_and_other_hours_are_in_the_lake(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    import_database(url, lake, stores_per_bucket=3)
    load(url, "0new 180:00 up", "znew 150:00 down", "mnew 199:00 up")
    refresh_weeks(url)
    assert from_lake(engine, url, lake) == from_database(engine, url)
    load_hours(url, "10,0,10:00,11:00,always", "0new,0,10:00,11:00,always")
    refresh_weeks(url)
    assert from_lake(engine, url, lake, run_id="again") == from_database(engine, url)
    assert read_manifest(lake).stores == len(STORES) + 3


def test_a_lake_that_outgrows_its_buckets_is_divided_again(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    import_database(url, lake, stores_per_bucket=100)
    manifest = refresh_lake(url, lake, stores_per_bucket=4)
    assert len(manifest.buckets) == 1
    load(url, "0new 180:00 up")
    assert len(refresh_lake(url, lake, stores_per_bucket=4).buckets) == 3
    assert from_lake(engine, url, lake) == from_database(engine, url)


def test_an_undone_load_is_undone_in_the_lake(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    load(url, "up 201:00 down", "znew 150:00 down", file_path="other.csv")
    refresh_weeks(url)
    import_database(url, lake, stores_per_bucket=3)
    (row,) = fetch(url, "SELECT load_id FROM loads WHERE file_path = 'other.csv'")
    undo_load(url, row["load_id"], now=NOW)
    assert from_lake(engine, url, lake) == from_database(engine, url)
    assert read_manifest(lake).stores == len(STORES)


def test_polls_that_the_database_has_dropped_stay_in_the_lake(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    import_database(url, lake)
    polls = read_manifest(lake).polls
    load(url, "up 900:00 up", "change 899:00 up")
    day = at("24:00") - at("00:00")
    dropped = drop_old_data(url, keep_polls=20 * day, keep_reports=20 * day, now=NOW)
    assert dropped.poll_partitions > 0
    load(url, "change 890:00 up")  # late, so the bucket is copied again
    assert refresh_lake(url, lake).polls == polls + 3
    assert from_lake(engine, url, lake) == from_database(engine, url)


def test_shares_are_made_in_any_order_and_missing_ones_at_the_end(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    import_database(url, lake, stores_per_bucket=3)
    expected = from_database(engine, url)
    report_ids = asked(engine)
    shares = plan_lake_reports(url, lake, run_id="run", is_manual=False, shares=3, now=NOW)
    assert shares == 3
    # What is loaded after the plan is in no row.
    load(url, "up 300:00 down", "znew 150:00 down")
    make_share(lake, run_ids=("run",), number=2)
    make_share(lake, run_ids=("run",), number=0)
    make_share(lake, run_ids=("run",), number=0)
    made = finish_lake_reports(url, lake, run_ids=("run",))
    assert [(one.reports, one.faults) for one in made.made] == [(1, 0)] * len(ASKED)
    assert contents(engine, report_ids) == expected


def test_a_step_that_is_planned_again_keeps_to_its_version(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    request(engine)
    for _ in range(2):
        plan_lake_reports(url, lake, run_id="run", is_manual=False, shares=1, now=NOW)
        load(url, "up 300:00 down")
    (made,) = finish_lake_reports(url, lake, run_ids=("run",)).made
    assert (made.question.as_of, made.faults) == (at("200:00"), 0)


def test_of_runs_that_meet_one_completes_a_report(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    report_id = request(engine)
    for run_id in ("one", "other"):
        plan_lake_reports(url, lake, run_id=run_id, is_manual=False, shares=2, now=NOW)
    later = request(engine)
    made = [finish_lake_reports(url, lake, run_ids=(run_id,)).made for run_id in ("one", "other")]
    assert [len(done) for done in made] == [1, 0]
    assert read(engine, report_id).state is ReportState.COMPLETE
    assert read(engine, later).state is ReportState.WAITING
    assert lake.names("report_rows") == lake.names("report_plans") == []


def test_steps_that_are_executed_again_find_their_reports_complete(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    report_id = request(engine)
    plan_lake_reports(url, lake, run_id="run", is_manual=False, shares=1, now=NOW)
    make_share(lake, run_ids=("run",), number=0)
    finish_lake_reports(url, lake, run_ids=("run",))
    complete = contents(engine, [report_id])
    later = request(engine)
    assert make_share(lake, run_ids=("run",), number=0) == 0
    assert finish_lake_reports(url, lake, run_ids=("run",)) == ReportsMade((), 0)
    assert contents(engine, [report_id]) == complete
    assert read(engine, later).state is ReportState.WAITING


def test_a_bucket_is_listed_once_its_rows_are_there(
    engine: sa.Engine, url: str, tmp_path: Path
) -> None:
    class Breaking(LakeFolder):
        def _write(self, name: str, content: bytes, *, is_lasting: bool) -> None:
            if name.endswith("000001.lines"):
                raise UnreachableError("It broke.")
            super()._write(name, content, is_lasting=is_lasting)

    lake = Breaking(str(tmp_path / "lake"))
    import_database(url, lake, stores_per_bucket=3)
    report_id = request(engine)
    plan_lake_reports(url, lake, run_id="run", is_manual=False, shares=1, now=NOW)
    with pytest.raises(UnreachableError, match=r"It broke\."):
        make_share(lake, run_ids=("run",), number=0)
    lists = [name for name in lake.names("report_rows") if name.endswith(".json")]
    assert lists == ["run_0-000000.json"]
    assert len(finish_lake_reports(url, LakeFolder(str(lake)), run_ids=("run",)).made) == 1
    assert contents(engine, [report_id]) == from_database(engine, url)[:1]


def test_a_run_goes_on_with_the_steps_of_another(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    report_id = request(engine)
    plan_lake_reports(url, lake, run_id="first", is_manual=False, shares=1, now=NOW)
    assert make_share(lake, run_ids=("second", "first"), number=0) == len(STORES) - 1
    assert len(finish_lake_reports(url, lake, run_ids=("second", "first")).made) == 1
    assert read(engine, report_id).state is ReportState.COMPLETE
    assert lake.names("report_rows") == lake.names("report_plans") == []


def test_a_run_whose_plan_is_gone_says_that_its_reports_wait(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    request(engine)
    plan_lake_reports(url, lake, run_id="run", is_manual=False, shares=1, now=NOW)
    discard_runs(lake, ["run"])
    with pytest.raises(dg.Failure) as caught, map_failures():
        finish_lake_reports(url, lake, run_ids=("run",))
    assert caught.value.description == (
        f"The lake {lake} has no plan of this run any more, and 1 report of it must still be made: "
        "start a new run."
    )


def test_a_lake_that_cannot_be_used_is_said_in_one_sentence(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    manifest = import_database(url, lake).manifest
    contents_name = manifest.buckets[0].contents
    request(engine)
    plan_lake_reports(url, lake, run_id="run", is_manual=False, shares=1, now=NOW)
    lake.delete([contents_name])
    with pytest.raises(dg.Failure) as caught, map_failures():
        make_share(lake, run_ids=("run",), number=0)
    assert caught.value.description == (
        f"The lake {lake} has lost the file {contents_name}, which a version of it needs: bring it "
        "back from a copy, or let `storemon lake import` make a lake in another folder."
    )
    assert not caught.value.allow_retries


def test_a_lake_that_differs_is_not_tried_again(
    url: str, lake: LakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counts(stores=10, polls=1_234, status_runs=1)
    monkeypatch.setattr(follow_database, "count_rows", lambda _: counts)
    with pytest.raises(dg.Failure) as caught, map_failures():
        import_database(url, lake)
    (rows,) = fetch(url, "SELECT count(*) AS polls FROM store_status")
    (runs,) = fetch(url, "SELECT count(*) AS runs FROM status_runs")
    assert caught.value.description == (
        f"The lake {lake} stays as it was: 10 stores, {rows['polls']} polls, {runs['runs']} status "
        "runs were read back, and the database has 10 stores, 1,234 polls, 1 status run."
    )
    assert not caught.value.allow_retries


def test_what_a_dead_run_left_is_deleted_after_hours(
    engine: sa.Engine, url: str, lake: LakeFolder
) -> None:
    report_id = request(engine)
    plan_lake_reports(url, lake, run_id="dead", is_manual=False, shares=1, now=NOW)
    make_share(lake, run_ids=("dead",), number=0)
    assert read(engine, report_id).state is ReportState.WAITING
    for hours, left in ((6, 1), (7, 0)):
        now = NOW + timedelta(hours=hours)
        make_lake_reports(url, lake, run_id=f"run {hours}", is_manual=False, now=now)
        assert len(lake.names("report_plans")) == left
    assert lake.names("report_rows") == []
    assert read(engine, report_id).state is ReportState.COMPLETE


def test_without_polls_reports_fail(database_url: str, lake: LakeFolder) -> None:
    engine = create_engine(database_url, application_name="test", pool_size=2)
    report_id = request(engine)
    assert make(database_url, lake).failed == 1
    report = read(engine, report_id)
    assert (report.state, report.error) == (ReportState.FAILED, NO_POLLS)
    engine.dispose()


def test_a_report_without_rows_is_a_report(engine: sa.Engine, url: str, lake: LakeFolder) -> None:
    report_id = request(engine, as_of=at("-500:00"))
    make(url, lake)
    assert csv_of(engine, report_id).count("\n") == 1


def test_of_two_writers_one_wins_and_the_other_begins_again(url: str, lake: LakeFolder) -> None:
    import_database(url, lake)
    old = read_manifest(lake)
    load(url, "up 300:00 down")
    assert refresh_lake(url, lake).version == 2
    with pytest.raises(LakeChangedError):
        commit(lake, old)
    assert read_manifest(lake).version == 2


@pytest.mark.parametrize("shards", [1, 2])
def test_a_job_makes_reports_from_the_lake(
    engine: sa.Engine,
    url: str,
    lake: LakeFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shards: int,
) -> None:
    expected = from_database(engine, url)
    report_ids = asked(engine)
    monkeypatch.setenv("STOREMON_DATABASE_URL", url)
    monkeypatch.setenv("STOREMON_DATA", str(tmp_path))
    monkeypatch.setenv("STOREMON_LAKE", str(lake))
    job = build_defs(Settings(shards=shards, lake=str(lake))).resolve_job_def(REPORT_JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
    assert contents(engine, report_ids) == expected
    assert read_manifest(lake).version == 1


def test_a_refresh_appends_what_came(
    url: str, lake: LakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOREMON_DATABASE_URL", url)
    monkeypatch.setenv("STOREMON_DATA", str(tmp_path))
    monkeypatch.setenv("STOREMON_LAKE", str(lake))
    job = build_defs(Settings()).resolve_job_def(REFRESH_JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        for version in (1, 2):
            load(url, f"up {200 + version}:00 down")
            done = job.execute_in_process(
                instance=instance, asset_selection=[dg.AssetKey("lake")], raise_on_error=True
            )
            (made,) = done.asset_materializations_for_node("lake")
            manifest = read_manifest(lake)
            assert made.metadata["version"].value == manifest.version == version
            assert made.metadata["dagster/row_count"].value == manifest.polls
            assert manifest.newest_poll_us == at_us(f"{200 + version}:00")


def test_without_a_lake_there_is_no_asset_of_it() -> None:
    keys = {spec.key for spec in build_defs(Settings(lake=None)).resolve_all_asset_specs()}
    assert dg.AssetKey("lake") not in keys


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "shards"), [("multiprocess", 2), ("dask", 2)])
def test_a_job_makes_reports_from_the_lake_in_several_processes(
    engine: sa.Engine, url: str, lake: LakeFolder, tmp_path: Path, executor: str, shards: int
) -> None:
    if executor == "dask":
        pytest.importorskip("dagster_dask")
    import_database(url, lake, stores_per_bucket=3)
    expected = from_database(engine, url)
    report_ids = asked(engine)
    logged = run_report_job(
        url,
        tmp_path,
        STOREMON_LAKE=str(lake),
        STOREMON_EXECUTOR=executor,
        STOREMON_SHARDS=str(shards),
    )
    assert contents(engine, report_ids) == expected
    assert all(f"shard {number} has" in logged for number in range(shards))
    assert lake.names("report_plans") == []


def test_the_command_imports_and_says_what_the_lake_holds(url: str, tmp_path: Path) -> None:
    place = ["--lake", str(tmp_path / "lake")]
    imported = CliRunner().invoke(app, ["lake", "import", *place, "--database-url", url])
    assert imported.exit_code == 0, imported.output
    (counts,) = fetch(
        url,
        "SELECT (SELECT count(*) FROM stores) AS stores, (SELECT count(*) FROM store_status) AS"
        " polls, (SELECT count(*) FROM status_runs) AS status_runs",
    )
    said = "{stores} stores, {polls} polls, {status_runs} status runs".format(**counts)
    assert imported.output.splitlines()[:2] == [f"database: {said}", f"lake:     {said}"]
    shown = CliRunner().invoke(app, ["lake", "show", *place])
    assert shown.output.splitlines()[0] == said
    assert shown.output.splitlines()[1].startswith("version 1: 1 bucket, ")


def test_exported_polls_make_the_same_database(
    url: str, other_database_url: str, lake: LakeFolder, tmp_path: Path
) -> None:
    import_database(url, lake, stores_per_bucket=4)
    load(url, "up 201:00 down", "change 202:00 up")
    refresh_lake(url, lake)
    data = tmp_path / "data"
    said = CliRunner().invoke(
        app, ["lake", "export", str(data / "store_status"), "--lake", str(lake)]
    )
    polls = len(stored_polls(url))
    assert said.output.splitlines() == [
        f"lake:  {polls} polls in 3 buckets",
        f"files: {polls} polls in 3 files",
    ]
    ingest_source(other_database_url, data, Source.STORE_STATUS, now=NOW, run_id=None)
    assert stored_polls(other_database_url) == stored_polls(url)
    assert stored_runs(other_database_url) == stored_runs(url)


def test_without_a_lake_the_commands_say_what_to_do(tmp_path: Path) -> None:
    none = CliRunner().invoke(app, ["lake", "show"], env={"STOREMON_LAKE": ""})
    assert (none.exit_code, none.output) == (
        1,
        "storemon: No lake is set: use --lake or STOREMON_LAKE.\n",
    )
    empty = CliRunner().invoke(app, ["lake", "show", "--lake", str(tmp_path)])
    assert empty.exit_code == 1
    assert "`storemon lake import` makes one" in empty.output
