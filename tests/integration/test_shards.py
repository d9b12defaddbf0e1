"""Results computed in shards equal those computed at once, whatever happens between the steps."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from asked_reports import csv_of, read, request
from report_job import run_report_job
from stored import at, execute, fetch, load, load_hours, load_zones
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.reports.make_reports import NO_POLLS, ReportsMade, make_waiting_reports
from storemon_pipeline.reports.make_shards import (
    _make_shard,
    finish_reports,
    finish_uptime,
    make_shards,
    plan_reports,
    plan_uptime,
)
from storemon_pipeline.reports.report_runs import record_end, record_launch
from storemon_pipeline.reports.requests import (
    ReportState,
    read_report,
)
from storemon_pipeline.reports.rows import read_report_table
from storemon_pipeline.reports.shards import LostShardError, read_shards
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

NOW = datetime(2023, 2, 1, 12, tzinfo=UTC)
STORES = ["up", "down", "é", "=1", "10", "9", "B", "a,b", "change", "silent"]


@pytest.fixture
def database_url(database_url: str) -> str:
    """Every test of this module finds the same polls."""
    url = database_url
    load(
        url,
        *(f"{store_id} {100 + 9 * number}:00 up" for number, store_id in enumerate(STORES[:-1])),
        *(f"{store_id} {101 + 9 * number}:30 down" for number, store_id in enumerate(STORES[1:-1])),
        "silent -200:00 up",
        "up 200:00 up",
    )
    load_hours(url, "10,0,09:00,17:00", "up,1,08:00,12:00", "é,6,22:00,02:00", "9,0,09:00,17:00")
    load_zones(url, "a,b,UTC".replace("a,b", "B"), "10,Asia/Kolkata", "é,Europe/Berlin")
    make_intervals(url)
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url, application_name="test", pool_size=2)
    yield engine
    engine.dispose()


def make_intervals(url: str) -> None:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)


def state(engine: sa.Engine, report_id: str) -> ReportState:
    return read(engine, report_id).state


def content(engine: sa.Engine, report_id: str) -> tuple[object, ...]:
    """Everything that a report says: counts, digest, bytes, rows."""
    report = read(engine, report_id)
    assert report.result_id is not None
    with engine.connect() as connection:
        rows = read_report_table(connection, report.result_id)
        return (
            report.as_of,
            report.policy,
            report.stores,
            report.silent_stores,
            report.csv_bytes,
            report.csv_sha256,
            csv_of(engine, report_id),
            rows.to_pylist(),
        )


def at_once(engine: sa.Engine, url: str, **asked: datetime | Policy) -> tuple[object, ...]:
    """What a report that is made at once says of the data of now."""
    report_id = request(engine, **asked)  # type: ignore[arg-type]
    make_waiting_reports(url, run_id="at once", is_manual=False)
    return content(engine, report_id)


def plan(url: str, shards: int, *, run_id: str = "run") -> int:
    return plan_reports(url, run_id=run_id, is_manual=False, shards=shards)


def make(url: str, numbers: range, *, run_id: str = "run") -> None:
    for number in numbers:
        make_shards(url, run_id=run_id, number=number, is_report=True)


def left_over(url: str) -> list[int]:
    """How many rows of unfinished results there are, of each kind."""
    results = "(SELECT result_id FROM report_results)"
    return [
        fetch(url, f"SELECT count(*)::int AS n FROM {table} WHERE result_id NOT IN {results}")[0][
            "n"
        ]
        for table in ("report_columns", "result_shards", "staged_uptime")
    ]


@pytest.mark.parametrize("shards", [1, 2, 7, 50])
def test_a_report_over_shards_is_the_report_over_all(
    engine: sa.Engine, database_url: str, shards: int
) -> None:
    asked = [{}, {"policy": Policy.PREVIOUS}, {"as_of": at("150:00")}]
    expected = [at_once(engine, database_url, **question) for question in asked]  # type: ignore[arg-type]
    ids = [request(engine, **question) for question in asked]  # type: ignore[arg-type]
    planned = plan(database_url, shards)
    assert planned == min(shards, len(STORES))
    make(database_url, range(planned))
    made = finish_reports(database_url, run_id="run").made
    assert [(result.reports, result.faults) for result in made] == [(1, 0)] * 3
    assert [content(engine, report_id) for report_id in ids] == expected
    assert left_over(database_url) == [0, 0, 0]


@pytest.mark.parametrize("shards", [2, 7])
def test_a_report_over_shards_has_storefronts_events_and_special_hours(
    engine: sa.Engine, database_url: str, shards: int
) -> None:
    fronts = [("B", "uber", "up"), ("B", "doordash", "10"), ("change", "uber", "=1")]
    event = {"from_utc": "2023-01-30 12:00:00", "to_utc": "2023-01-30 14:00:00", "state": "down"}
    hours = {"date": "2023-01-29", "start_time_local": "", "end_time_local": ""}
    for source, rows in {
        Source.CHANNELS: [
            {"store_id": store_id, "channel": channel, "channel_store_id": front}
            for store_id, channel, front in fronts
        ],
        Source.STORE_EVENTS: [event | {"store_id": store_id} for store_id in ("9", "10")],
        Source.SPECIAL_HOURS: [hours | {"store_id": "B", "valid_from": "always"}],
    }.items():
        push_rows(database_url, source, rows, now=NOW, patience=timedelta(seconds=1))
    make_intervals(database_url)
    expected = at_once(engine, database_url)
    lists = {row["store_id"]: row["storefronts"] for row in expected[-1]}  # type: ignore[attr-defined]
    assert {
        store_id: [one["channel_store_id"] for one in listed]
        for store_id, listed in lists.items()
        if listed
    } == {"B": ["10", "B", "up"], "change": ["=1", "change"]}
    assert lists.keys() == {*STORES} - {"up", "10", "=1", "silent"}
    report_id = request(engine)
    make(database_url, range(plan(database_url, shards)))
    finish_reports(database_url, run_id="run")
    assert content(engine, report_id) == expected


def test_shards_that_saw_other_data_are_made_again(engine: sa.Engine, database_url: str) -> None:
    report_id = request(engine, as_of=at("190:00"))
    make(database_url, range(plan(database_url, 4) - 2))
    load(database_url, "10 170:00 down", "0new 180:00 up", "znew 150:00 down")
    make(database_url, range(2, 3))
    load_hours(database_url, "change,0,09:00,17:00,always")
    make_intervals(database_url)
    make(database_url, range(3, 4))
    finish_reports(database_url, run_id="run")
    assert content(engine, report_id) == at_once(engine, database_url, as_of=at("190:00"))


def test_hours_that_were_loaded_count_once_their_weeks_are_made(
    engine: sa.Engine, database_url: str
) -> None:
    report_id = request(engine, as_of=at("190:00"))
    load_hours(database_url, "change,0,09:00,17:00,always")
    make(database_url, range(plan(database_url, 2)))
    make_intervals(database_url)
    finish_reports(database_url, run_id="run")
    assert content(engine, report_id) == at_once(engine, database_url, as_of=at("190:00"))


def test_shards_that_were_never_made_are_made_at_the_end(
    engine: sa.Engine, database_url: str
) -> None:
    report_id = request(engine)
    plan(database_url, 3)
    make(database_url, range(1, 2))
    finish_reports(database_url, run_id="run")
    assert content(engine, report_id) == at_once(engine, database_url)


def test_a_shard_that_is_made_twice_is_there_once(engine: sa.Engine, database_url: str) -> None:
    report_id = request(engine)
    planned = plan(database_url, 2)
    make(database_url, range(planned))
    make(database_url, range(planned))
    assert plan(database_url, 2) == planned
    finish_reports(database_url, run_id="run")
    assert content(engine, report_id) == at_once(engine, database_url)


def test_the_newest_poll_is_that_of_the_beginning(engine: sa.Engine, database_url: str) -> None:
    report_id = request(engine)
    planned = plan(database_url, 2)
    load(database_url, "up 205:00 down")
    make(database_url, range(planned))
    later = request(engine)
    finish_reports(database_url, run_id="run")
    assert content(engine, report_id)[0] == at("200:00")
    assert state(engine, later) is ReportState.WAITING


def test_a_run_that_dies_leaves_its_reports_waiting_and_its_shards_are_removed(
    engine: sa.Engine, database_url: str
) -> None:
    report_id = request(engine)
    with engine.begin() as connection:
        record_launch(connection, "dead")
    make(database_url, range(plan(database_url, 3, run_id="dead") - 1), run_id="dead")
    assert state(engine, report_id) is ReportState.WAITING
    assert left_over(database_url)[0] > 0
    with engine.begin() as connection:
        record_end(connection, "dead", is_success=False, error="It died.")
    make(database_url, range(plan(database_url, 3)))
    with pytest.raises(LostShardError):
        # What of the dead run goes on after all comes to nothing.
        make_lost_shard(database_url)
    finish_reports(database_url, run_id="run")
    assert content(engine, report_id) == at_once(engine, database_url)
    assert left_over(database_url) == [0, 0, 0]


def make_lost_shard(url: str) -> None:
    """Make a shard whose line vanishes meanwhile."""
    with bulk_transaction(url) as bulk:
        (shard, *_) = read_shards(bulk, "run", is_report=True)
    with bulk_transaction(url) as bulk:
        bulk.execute("DELETE FROM result_shards")
        _make_shard(bulk, shard)


def test_shards_planned_by_an_old_run_are_removed(engine: sa.Engine, database_url: str) -> None:
    request(engine)
    make(database_url, range(plan(database_url, 2, run_id="old")), run_id="old")
    execute(database_url, "UPDATE result_shards SET planned_at = planned_at - interval '1 day'")
    plan(database_url, 2)
    assert left_over(database_url)[0] == 0


def test_of_runs_that_meet_one_completes_a_report(engine: sa.Engine, database_url: str) -> None:
    report_id = request(engine)
    for run_id in ("one", "other"):
        make(database_url, range(plan(database_url, 2, run_id=run_id)), run_id=run_id)
    made = [finish_reports(database_url, run_id=run_id) for run_id in ("one", "other")]
    assert [len(done.made) for done in made] == [1, 0]
    assert content(engine, report_id) == at_once(engine, database_url)
    assert left_over(database_url) == [0, 0, 0]


def test_without_polls_a_report_fails_with_a_sentence(engine: sa.Engine, database_url: str) -> None:
    execute(database_url, "DELETE FROM status_runs")
    report_id = request(engine)
    assert plan(database_url, 2) == 0
    assert finish_reports(database_url, run_id="run") == ReportsMade((), 1)
    with engine.connect() as connection:
        report = read_report(connection, report_id)
    assert report is not None
    assert report.error == NO_POLLS


@pytest.mark.parametrize("shards", [2, 7])
def test_the_newest_figures_over_shards_equal_those_over_all_stores(
    database_url: str, shards: int
) -> None:
    expected = refresh_uptime(database_url, refreshed_at=NOW)
    query = "SELECT * FROM store_uptime ORDER BY store_key"
    rows = fetch(database_url, query)
    execute(database_url, "DELETE FROM store_uptime", "DELETE FROM store_uptime_state")
    for number in range(plan_uptime(database_url, run_id="run", shards=shards)):
        make_shards(database_url, run_id="run", number=number, is_report=False)
    assert fetch(database_url, query) == []
    assert finish_uptime(database_url, run_id="run", refreshed_at=NOW) == expected
    assert fetch(database_url, query) == rows
    assert left_over(database_url) == [0, 0, 0]


def test_newest_figures_whose_staged_rows_were_lost_stay_as_they_were(database_url: str) -> None:
    refresh_uptime(database_url, refreshed_at=NOW)
    query = "SELECT * FROM store_uptime ORDER BY store_key"
    rows = fetch(database_url, query)
    for number in range(plan_uptime(database_url, run_id="run", shards=2)):
        make_shards(database_url, run_id="run", number=number, is_report=False)
    execute(database_url, "DELETE FROM staged_uptime")
    with pytest.raises(LostShardError):
        finish_uptime(database_url, run_id="run", refreshed_at=NOW + timedelta(hours=1))
    assert fetch(database_url, query) == rows


@pytest.mark.parametrize(
    ("executor", "shards"),
    # Elsewhere each shard is one more process, with seconds of imports.
    [
        pytest.param("in_process", 3, marks=pytest.mark.slow),
        ("multiprocess", 2),
        pytest.param("dask", 2, marks=pytest.mark.slow),
    ],
)
def test_a_job_makes_its_shards_by_the_executor_of_the_settings(
    engine: sa.Engine, database_url: str, tmp_path: Path, executor: str, shards: int
) -> None:
    if executor == "dask":
        pytest.importorskip("dagster_dask")
    expected = at_once(engine, database_url)
    report_id = request(engine)
    logged = run_report_job(
        database_url, tmp_path, STOREMON_EXECUTOR=executor, STOREMON_SHARDS=str(shards)
    )
    assert content(engine, report_id) == expected
    assert len({line for line in logged.splitlines() if "stores" in line}) >= shards
