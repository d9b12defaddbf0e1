"""The newest figures made from the lake equal those from the database, whatever happens between."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg
import pytest

from api_server import serve
from chain import NOW, fill, refresh_weeks
from databases import Databases
from stored import at, execute, fetch, load, load_hours
from storemon_pipeline.contract import REFRESH_JOB
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.definitions import build_defs
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.data_version import read_load_version
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.lake.follow_database import import_database
from storemon_pipeline.lake.make_lake_uptime import (
    NewestMade,
    finish_lake_uptime,
    make_lake_uptime,
    plan_lake_uptime,
)
from storemon_pipeline.lake.move_polls import move_polls
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.settings import Settings

SHARES: Final = 2
NO_TELEMETRY: Final = {"telemetry": {"enabled": False}}


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
def other_url(databases: Databases, filled_url: str) -> Iterator[str]:
    """Another copy, whose database keeps the polls."""
    with databases.copied(filled_url) as url:
        yield url


def table(url: str) -> list[dict[str, Any]]:
    return fetch(url, "SELECT * FROM store_uptime ORDER BY store_key")


def state(url: str) -> list[dict[str, Any]]:
    return fetch(url, "SELECT * FROM store_uptime_state")


def from_database(url: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows and the state that the database's way makes; the table is as before then."""
    before, known = table(url), state(url)
    refresh_uptime(url, refreshed_at=NOW)
    made = table(url), state(url)
    assert before == known == []
    execute(url, "DELETE FROM store_uptime", "DELETE FROM store_uptime_state")
    return made


def plan(url: str, lake: LakeFolder, *, run_id: str = "run", shares: int = SHARES) -> int:
    return plan_lake_uptime(url, lake, run_id=run_id, shares=shares, now=NOW)


def make(lake: LakeFolder, *numbers: int) -> int:
    return sum(make_lake_uptime(lake, run_ids=("run",), number=number) for number in numbers)


def finish(url: str, lake: LakeFolder, *run_ids: str) -> NewestMade:
    return finish_lake_uptime(url, lake, run_ids=run_ids or ("run",), refreshed_at=NOW)


def leftovers(lake: LakeFolder) -> list[str]:
    return [*lake.names("report_plans"), *lake.names("report_rows")]


@pytest.mark.parametrize(("stores_per_bucket", "shares"), [(1, 2), (1, 7), (3, 2), (100, 1)])
def test_the_table_is_that_from_the_database(
    url: str, lake: LakeFolder, stores_per_bucket: int, shares: int
) -> None:
    rows, known = from_database(url)
    assert [len(rows), known[0]["stores"], known[0]["silent_stores"]] == [9, 9, 1]
    assert known[0]["as_of"] == at("200:00")
    import_database(url, lake, stores_per_bucket=stores_per_bucket)
    planned = plan(url, lake, shares=shares)
    assert planned == shares
    assert make(lake, *range(planned)) == 9
    assert table(url) == state(url) == []
    made = finish(url, lake)
    assert (table(url), state(url)) == (rows, known)
    assert (made.state.as_of, made.state.stores, made.state.silent_stores) == (at("200:00"), 9, 1)
    assert leftovers(lake) == []


@pytest.mark.parametrize("stores_per_bucket", [1, 3, 100])
def test_the_table_is_the_same_where_the_lake_has_the_polls(
    url: str, other_url: str, lake: LakeFolder, stores_per_bucket: int
) -> None:
    move_polls(url, lake, stores_per_bucket=stores_per_bucket)
    assert fetch(url, "SELECT * FROM status_runs LIMIT 1") == []
    for number, polls in enumerate(([], ["up 201:00 down", "znew 150:00 down", "9 150:30 up"])):
        for each in (url, other_url):
            load(each, *polls, file_path="other.csv")
            load_hours(each, f"up,{number},08:00,10:00,always")
            refresh_weeks(each)
        refresh_uptime(other_url, refreshed_at=NOW)
        make(lake, *range(plan(url, lake)))
        finish(url, lake)
        assert (table(url), state(url)) == (table(other_url), state(other_url))
    assert (state(url)[0]["as_of"], state(url)[0]["stores"]) == (at("201:00"), 10)


def test_an_undone_load_is_in_no_figure_where_the_lake_has_the_polls(
    url: str, lake: LakeFolder
) -> None:
    rows, known = from_database(url)
    move_polls(url, lake, stores_per_bucket=3)
    load(url, "up 201:00 down", "znew 150:00 down", file_path="other.csv")
    refresh_weeks(url)
    make(lake, *range(plan(url, lake)))
    (row,) = fetch(url, "SELECT load_id FROM loads WHERE file_path = 'other.csv'")
    undo_load(url, row["load_id"], now=NOW)
    assert finish(url, lake).state.as_of == at("200:00")
    assert (table(url), state(url)) == (rows, known)


def test_without_a_status_model_there_are_no_likely_ranges(url: str, lake: LakeFolder) -> None:
    execute(url, "DELETE FROM status_models")
    rows, known = from_database(url)
    assert {row["likely_lowest_uptime_last_day_us"] for row in rows} == {None}
    make(lake, *range(plan(url, lake)))
    finish(url, lake)
    assert (table(url), state(url)) == (rows, known)


def test_without_polls_there_are_no_figures(database_url: str, lake: LakeFolder) -> None:
    load_hours(database_url, "A,0,09:00,17:00,always", "B,0,09:00,17:00,always")
    refresh_weeks(database_url)
    _, known = from_database(database_url)
    assert (known[0]["as_of"], known[0]["stores"], known[0]["silent_stores"]) == (None, 0, 2)
    assert plan(database_url, lake) == 0
    assert finish(database_url, lake).state.as_of is None
    assert (table(database_url), state(database_url)) == ([], known)


def test_a_lake_that_began_without_stores_gets_them(database_url: str, lake: LakeFolder) -> None:
    assert plan(database_url, lake) == 0
    assert finish(database_url, lake).state.stores == 0
    load(database_url, "A 200:00 up", "B 199:00 down")
    refresh_weeks(database_url)
    make(lake, *range(plan(database_url, lake)))
    made = finish(database_url, lake).state
    assert (made.as_of, made.stores, made.silent_stores) == (at("200:00"), 2, 0)
    rows = table(database_url)
    refresh_uptime(database_url, refreshed_at=NOW)
    assert table(database_url) == rows


def test_rows_that_no_step_made_are_made_at_the_end(url: str, lake: LakeFolder) -> None:
    import_database(url, lake, stores_per_bucket=3)
    rows, known = from_database(url)
    plan(url, lake)
    make(lake, 1)
    finish(url, lake)
    assert (table(url), state(url)) == (rows, known)


def test_figures_follow_later_loads(url: str, lake: LakeFolder) -> None:
    import_database(url, lake, stores_per_bucket=3)
    load(url, "up 201:00 down", "znew 150:00 down", "change 150:30 down")
    load_hours(url, "up,1,08:00,10:00,always")
    refresh_weeks(url)
    rows, known = from_database(url)
    make(lake, *range(plan(url, lake)))
    finish(url, lake)
    assert (table(url), state(url)) == (rows, known)
    assert known[0]["as_of"] == at("201:00")


def test_figures_are_of_the_loads_of_the_plan(url: str, lake: LakeFolder) -> None:
    rows, known = from_database(url)
    plan(url, lake)
    newest = fetch(url, "SELECT max(load_id) AS load_id FROM loads")[0]["load_id"]
    load(url, "up 201:00 down")
    make(lake, 0, 1)
    assert finish(url, lake).last_load_id == newest
    assert (table(url), state(url)) == (rows, known)


def test_the_instant_never_moves_back(url: str, lake: LakeFolder) -> None:
    load(url, "up 300:00 up", file_path="other.csv")
    refresh_uptime(url, refreshed_at=NOW)
    rows = table(url)
    execute(
        url,
        "DELETE FROM status_runs WHERE last_poll_at = '2023-02-04 12:00Z'::timestamptz",
        "DELETE FROM store_status WHERE polled_at = '2023-02-04 12:00Z'::timestamptz",
    )
    refresh_uptime(url, refreshed_at=NOW)
    expected = table(url)
    assert expected != rows
    make(lake, *range(plan(url, lake)))
    assert finish(url, lake).state.as_of == at("300:00")
    assert table(url) == expected


def test_figures_of_a_later_instant_stay(url: str, lake: LakeFolder) -> None:
    plan(url, lake)
    load(url, "up 201:00 down")
    refresh_uptime(url, refreshed_at=NOW + timedelta(hours=1))
    later = table(url), state(url)
    assert finish(url, lake).state.as_of == at("201:00")
    assert (table(url), state(url)) == later


def test_a_load_that_was_undone_meanwhile_is_in_no_figure(url: str, lake: LakeFolder) -> None:
    rows, known = from_database(url)
    load(url, "up 201:00 down", "znew 150:00 down", file_path="other.csv")
    refresh_weeks(url)
    make(lake, *range(plan(url, lake)))
    (row,) = fetch(url, "SELECT load_id FROM loads WHERE file_path = 'other.csv'")
    undo_load(url, row["load_id"], now=NOW)
    assert finish(url, lake).state.as_of == at("200:00")
    assert (table(url), state(url)) == (rows, known)
    assert leftovers(lake) == []


def test_steps_that_are_executed_again_change_nothing(url: str, lake: LakeFolder) -> None:
    make(lake, *range(plan(url, lake)))
    finish(url, lake)
    rows, known = table(url), state(url)
    assert make(lake, 0) == 0
    again = finish(url, lake)
    # So the next refresh computes them again, since loads may have come meanwhile.
    assert (again.state.stores, again.last_load_id) == (9, 0)
    assert (table(url), state(url)) == (rows, known)


def test_a_run_may_make_reports_as_well(url: str, lake: LakeFolder) -> None:
    plan(url, lake)
    lake.write("report_plans/run.json", b"of reports")
    lake.write("report_rows/run_0-000000.json", b"of reports")
    finish(url, lake)
    assert leftovers(lake) == ["run.json", "run_0-000000.json"]


@pytest.fixture
def in_shards(url: str, lake: LakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREMON_DATABASE_URL", url)
    monkeypatch.setenv("STOREMON_DATA", str(tmp_path))
    monkeypatch.setenv("STOREMON_LAKE", str(lake))
    monkeypatch.setenv("STOREMON_SHARDS", str(SHARES))
    import_database(url, lake, stores_per_bucket=3)


def refresh_job() -> dg.JobDefinition:
    return build_defs(Settings()).resolve_job_def(REFRESH_JOB)


def steps_of(done: dg.JobExecutionResult) -> list[str]:
    """The steps of the newest figures that a run has done."""
    made = [event.step_key or "" for event in done.get_step_success_events()]
    return [step for step in made if step.startswith("store_uptime.")]


@pytest.mark.usefixtures("in_shards")
def test_a_refresh_makes_them_in_shards(url: str, tmp_path: Path) -> None:
    rows, known = from_database(url)
    job = dg.reconstructable(refresh_job)
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=NO_TELEMETRY) as instance:
        done = dg.execute_job(job, instance, asset_selection=[dg.AssetKey("store_uptime")])
        assert done.success
        made = instance.get_latest_materialization_event(dg.AssetKey("store_uptime"))
        steps = steps_of(done)
    assert steps == [
        "store_uptime.plan_store_uptime",
        "store_uptime.shard_of_store_uptime[0]",
        "store_uptime.shard_of_store_uptime[1]",
        "store_uptime.finish_store_uptime",
    ]
    assert table(url) == rows
    (now,) = state(url)
    assert now | {"refreshed_at": NOW} == known[0]
    assert made is not None
    assert made.asset_materialization is not None
    metadata = made.asset_materialization.metadata
    assert metadata["dagster/row_count"].value == 9
    with bulk_transaction(url) as bulk:
        assert metadata["load_version"].value == read_load_version(bulk)


@pytest.mark.usefixtures("in_shards")
def test_pages_and_sales_are_the_same(
    url: str, other_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders.csv").write_text(
        "store_id,ordered_at,amount,currency\n"
        + "".join(
            f"change,2023-01-{day} {hour:02}:10,{hour}.50,EUR\n"
            for day in range(23, 31)
            for hour in range(8, 12)
        )
    )
    answers = []
    for each, shards in ((url, SHARES), (other_url, 1)):
        ingest_source(each, tmp_path, Source.HOURLY_ORDERS, now=NOW, run_id=None)
        monkeypatch.setenv("STOREMON_DATABASE_URL", each)
        monkeypatch.setenv("STOREMON_SHARDS", str(shards))
        with dg.DagsterInstance.ephemeral() as instance:
            done = refresh_job().execute_in_process(
                instance=instance, asset_selection=[dg.AssetKey("store_uptime")]
            )
        assert done.success
        with serve(each) as client:
            said = [client.get(path).json() for path in ("/stores", "/incidents", "/fleet/uptime")]
        answers.append((plain(said), table(each), fetch(each, "SELECT * FROM learned_demand")))
    assert answers[0] == answers[1]
    stores = {store["store_id"]: store for store in answers[0][0][0]["stores"]}
    assert stores["silent"]["figures"] is None
    assert stores["change"]["figures"] is not None
    assert len(answers[0][2]) > 0


def plain(body: Any) -> Any:  # noqa: ANN401 - JSON
    """The answer without the moment at which it was made."""
    if isinstance(body, dict):
        moments = {"computed_at", "evaluated_at", "refreshed_at"}
        return {name: plain(value) for name, value in body.items() if name not in moments}
    return [plain(value) for value in body] if isinstance(body, list) else body


@pytest.mark.usefixtures("in_shards")
def test_a_run_goes_on_where_another_failed(url: str, tmp_path: Path) -> None:
    rows, _ = from_database(url)
    job = dg.reconstructable(refresh_job)
    selected = [dg.AssetKey("store_uptime")]
    execute(url, "ALTER TABLE store_uptime RENAME TO elsewhere")
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=NO_TELEMETRY) as instance:
        failed = dg.execute_job(job, instance, asset_selection=selected, raise_on_error=False)
        assert not failed.success
        execute(url, "ALTER TABLE elsewhere RENAME TO store_uptime")
        goes_on = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
        done = dg.execute_job(job, instance, asset_selection=selected, reexecution_options=goes_on)
        assert steps_of(done) == ["store_uptime.finish_store_uptime"]
    assert table(url) == rows
