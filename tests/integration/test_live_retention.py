"""Retention: what is dropped, what is refused from then on, and that nothing else changes."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from api_server import failed_report, serve
from properties import holds_for
from stored import (
    HOUR,
    MAX_GAP,
    PUSHED,
    Row,
    at,
    execute,
    fetch,
    load,
    load_rows,
    stored_polls,
    stored_runs,
    superseded_polls,
)
from storemon_pipeline.checks.table_checks import count_unaccounted_polls
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.tables import metadata
from storemon_pipeline.defs.resources import Database, Lake, Retention
from storemon_pipeline.defs.retention import old_runs, retention_job
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.polls.retention import PollsNotKeptError
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.reports.requests import request_report
from storemon_pipeline.retention.enforce import check_all_status_runs, drop_old_data
from storemon_pipeline.uptime.status_runs import compress

DAYS = timedelta(days=1)
NOW = datetime(2023, 4, 1, tzinfo=UTC)
# Clocks start on Monday 23 January; a week has 168 hours.
WEEKS = ["00:00", "168:00", "336:00", "504:00"]


def drop(url: str, *, polls: float = 10_000, reports: float = 10_000) -> None:
    drop_old_data(url, keep_polls=polls * DAYS, keep_reports=reports * DAYS, now=NOW)


def partitions(url: str) -> list[str]:
    rows = fetch(url, "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
                 " WHERE inhparent = 'store_status'::regclass ORDER BY 1")  # fmt: skip
    return [row["name"].removeprefix("store_status_") for row in rows]


@pytest.fixture
def loaded(database_url: str) -> str:
    """A database with a poll at the beginning of each of four weeks, and each week's Sunday."""
    texts = [f"A {clock} up" for clock in WEEKS] + ["A 150:00 up", "A 318:00 up", "A 486:00 up"]
    load(database_url, *texts, file_path="polls.csv")
    return database_url


def test_raw_polls_go_by_the_week_and_one_week_before_the_border_stays(loaded: str) -> None:
    runs = stored_runs(loaded)
    # The newest poll is of Monday 13 February: seven days back is Monday the 6th.
    drop(loaded, polls=7)
    (state,) = fetch(loaded, "SELECT polls_kept_from FROM retention_state")
    assert state["polls_kept_from"] == datetime(2023, 2, 6, tzinfo=UTC)
    assert partitions(loaded) == ["2023_01_30", "2023_02_06", "2023_02_13"]
    assert stored_polls(loaded)[0] == "A 168:00 up"
    assert stored_runs(loaded) == runs
    with bulk_transaction(loaded) as bulk:
        assert count_unaccounted_polls(bulk) == 0
    assert check_all_status_runs(loaded).different == 0


def test_the_start_of_retention_never_moves_back(loaded: str) -> None:
    drop(loaded, polls=7)
    drop(loaded, polls=100)
    (state,) = fetch(loaded, "SELECT polls_kept_from FROM retention_state")
    assert state["polls_kept_from"] == datetime(2023, 2, 6, tzinfo=UTC)


def test_superseded_polls_go_with_their_polls(loaded: str) -> None:
    load(loaded, "A 00:00 down", "A 168:00 down", file_path="corrections.csv")
    drop(loaded, polls=7)
    assert superseded_polls(loaded) == ["A 168:00 up of load 1"]


def test_without_polls_there_is_nothing_to_do(database_url: str) -> None:
    dropped = drop_old_data(database_url, keep_polls=DAYS, keep_reports=DAYS, now=NOW)
    assert dropped.polls_kept_from is None


def test_a_poll_before_the_border_is_rejected_and_changes_nothing(
    loaded: str, tmp_path: Path
) -> None:
    drop(loaded, polls=7)
    polls, runs = stored_polls(loaded), stored_runs(loaded)
    (tmp_path / "store_status.csv").write_text(
        "store_id,timestamp_utc,status\n"
        "A,2023-02-05 23:59:59.999999,active\n"
        "A,2023-01-23 00:00:00,inactive\n"
    )
    loads = ingest_source(loaded, tmp_path, Source.STORE_STATUS, now=NOW, run_id=None)
    assert (loads.row_counts.rejected, loads.row_counts.read) == (2, 2)
    reasons = fetch(loaded, "SELECT DISTINCT reason FROM rejected_rows")
    assert reasons == [{"reason": "poll is older than the retention period"}]
    assert (stored_polls(loaded), stored_runs(loaded)) == (polls, runs)
    with serve(loaded) as client:
        row = {"store_id": "A", "timestamp_utc": "2023-02-05 23:00:00", "status": "active"}
        assert client.post("/polls", json=row).status_code == 422
        row["timestamp_utc"] = "2023-02-06 00:00:00"
        assert client.post("/polls", json=row).json()["rows_unchanged"] == 1


def test_a_border_that_moved_while_a_file_was_read_refuses_the_load_whole(loaded: str) -> None:
    drop(loaded, polls=7)
    polls = stored_polls(loaded)
    with pytest.raises(PollsNotKeptError):
        load(loaded, "A 500:00 up", "A 100:00 up", file_path="read_before.csv")
    assert stored_polls(loaded) == polls


# Late polls behind the border make the runs that they would make if nothing had been dropped.

HOURS = 5 * 168
statuses = st.lists(st.integers(1, HOURS), max_size=12).map(sorted)
steps = st.sampled_from([1, 2, 3, 23])
late_polls = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        # From the border, which is the beginning of the fourth week, on.
        st.one_of(
            st.integers(0, 10).map(lambda halves: halves * HOUR // 2),
            st.integers(0, 2 * 168 * 2).map(lambda halves: halves * HOUR // 2),
        ),
        st.booleans(),
    ),
    max_size=8,
)


@holds_for(
    8,
    80,
    changes=st.tuples(statuses, statuses),
    step=st.tuples(steps, steps),
    max_gap_hours=st.sampled_from([3, 23]),
    batches=st.lists(late_polls, min_size=1, max_size=3),
)
def test_late_polls_make_the_same_runs_with_and_without_retention(
    database_url: str,
    changes: tuple[list[int], list[int]],
    step: tuple[int, int],
    max_gap_hours: int,
    batches: list[list[tuple[str, int, bool]]],
) -> None:
    empty(database_url)
    start_us = 1_674_432_000_000_000  # Monday 23 January 2023
    border_us = start_us + 3 * 168 * HOUR
    rows: list[Row] = []
    for store_id, changed, hours in zip("AB", changes, step, strict=True):
        rows += [
            (store_id, start_us + hour * HOUR, sum(c <= hour for c in changed) % 2 == 0)
            for hour in range(0, HOURS, hours)
        ]
    max_gap_us = max_gap_hours * HOUR
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        load_rows(bulk, rows, file_path="polls.csv", max_gap_us=max_gap_us)
    drop(database_url, polls=10)
    (state,) = fetch(database_url, "SELECT polls_kept_from FROM retention_state")
    assert state["polls_kept_from"] == datetime(2023, 2, 13, tzinfo=UTC)
    for number, batch in enumerate(batches):
        late = [(store_id, border_us + age, is_active) for store_id, age, is_active in batch]
        rows += late
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, late, file_path=f"late_{number}.csv", max_gap_us=max_gap_us)
        drop(database_url, polls=10)
    assert status_runs_from_rows(database_url) == expected_runs(rows, max_gap_us)


def status_runs_from_rows(url: str) -> list[tuple[str, int, int, bool, int]]:
    rows = fetch(
        url,
        "SELECT store_id, (extract(epoch FROM first_poll_at) * 1000000)::bigint AS first,"
        " (extract(epoch FROM last_poll_at) * 1000000)::bigint AS last, is_active, polls"
        " FROM status_runs JOIN stores USING (store_key) ORDER BY 1, 2",
    )
    return [
        (row["store_id"], row["first"], row["last"], row["is_active"], row["polls"]) for row in rows
    ]


def expected_runs(rows: Sequence[Row], max_gap_us: int) -> list[tuple[str, int, int, bool, int]]:
    final = {(store_id, polled_at): is_active for store_id, polled_at, is_active in rows}
    ordered = sorted(final)
    runs = compress(
        np.array(["AB".index(store_id) for store_id, _ in ordered], np.int64),
        np.array([polled_at for _, polled_at in ordered], np.int64),
        np.array([final[identity] for identity in ordered], np.bool_),
        max_gap_us=max_gap_us,
    )
    columns = (runs.first_poll_us, runs.last_poll_us, runs.is_active, runs.polls)
    return [
        ("AB"[store], *values)
        for store, *values in zip(
            runs.store.tolist(), *(column.tolist() for column in columns), strict=True
        )
    ]


def empty(url: str) -> None:
    execute(
        url,
        f"TRUNCATE {', '.join(table.name for table in metadata.sorted_tables)}",
        f"INSERT INTO database_parameters (max_gap_us) VALUES ({MAX_GAP})",
    )


# Reports.


def report(url: str, engine: sa.Engine, as_of: str | None = None) -> str:
    report_id = str(uuid.uuid4())
    with engine.begin() as connection:
        request_report(
            connection,
            report_id=report_id,
            as_of=None if as_of is None else at(as_of),
            policy=Policy.NEAREST,
        )
    make_waiting_reports(url, run_id="run", is_manual=False)
    return report_id


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    empty(database_url)
    with serve(database_url) as client:
        yield client


def test_a_report_expires_when_newer_polls_have_come_for_long_enough(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 00:00 up", file_path="first")
    old, failed = report(database_url, engine), failed_report(engine, "no")
    load(database_url, "A 168:00 up", file_path="second")
    kept, of_the_past = report(database_url, engine), report(database_url, engine, "00:00")
    drop(database_url, reports=7)
    assert client.get(f"/reports/{old}.csv").status_code == 200
    drop(database_url, reports=6.9)
    assert client.get(f"/reports/{old}.csv").status_code == 410
    assert client.get(f"/get_report/{old}").status_code == 410
    assert client.get(f"/reports/{kept}.csv").status_code == 200
    assert client.get(f"/get_report/{failed}").json()["status"] == "Failed"
    # It speaks of an old instant, and was made when newer polls were there.
    assert client.get(f"/get_report/{of_the_past}").json()["revision"] == 2
    rows = fetch(database_url, "SELECT DISTINCT result_id FROM report_columns ORDER BY 1")
    assert [row["result_id"] for row in rows] == [2, 3]


def test_reports_on_the_dropped_weeks_are_unchanged(
    client: httpx.Client, loaded: str, engine: sa.Engine
) -> None:
    load(loaded, *(f"A {clock} up" for clock in WEEKS), "A 150:00 down", file_path="again")
    before = client.get(f"/reports/{report(loaded, engine, '160:00')}.csv").text
    assert before.count("\n") == 2
    drop(loaded, polls=1)
    assert client.get(f"/reports/{report(loaded, engine, '160:00')}.csv").text == before


# The job.


def resources(url: str, *, keep_polls_days: int) -> dict[str, object]:
    retention = Retention(keep_polls_days=keep_polls_days, keep_reports_days=365)
    return {"database": Database(url=url), "retention": retention, "lake": Lake()}


def test_the_job_drops_compares_and_purges(loaded: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = retention_job.execute_in_process(
            instance=instance, resources=resources(loaded, keep_polls_days=7)
        )
        assert result.success
    assert partitions(loaded) == ["2023_01_30", "2023_02_06", "2023_02_13"]


def test_the_job_succeeds_when_polls_were_pushed_since_the_last_refresh(loaded: str) -> None:
    refresh_daily(loaded)
    load(loaded, "A 505:00 down", "A 320:00 down", "B 505:00 down", file_path=PUSHED)
    with dg.DagsterInstance.ephemeral() as instance:
        result = retention_job.execute_in_process(
            instance=instance, resources=resources(loaded, keep_polls_days=90)
        )
    assert result.success


def test_the_job_fails_where_a_run_is_not_what_its_polls_make(loaded: str) -> None:
    execute(loaded, "UPDATE status_runs SET is_active = NOT is_active WHERE first_poll_at ="
            " (SELECT max(first_poll_at) FROM status_runs)")  # fmt: skip
    with dg.DagsterInstance.ephemeral() as instance:
        result = retention_job.execute_in_process(
            instance=instance,
            resources=resources(loaded, keep_polls_days=90),
            raise_on_error=False,
        )
    assert [event.step_key for event in result.get_step_failure_events()] == ["compare_every_run"]


def test_old_runs_of_dagster_are_purged_but_the_newest_of_each_job() -> None:
    @dg.op
    def nothing() -> None:
        pass

    @dg.job
    def some_job() -> None:
        nothing()

    @dg.job
    def other_job() -> None:
        nothing()

    with dg.DagsterInstance.ephemeral() as instance:
        run_ids = [job.execute_in_process(instance=instance).run_id for job in
                   (some_job, other_job, some_job, some_job)]  # fmt: skip
        later = datetime.now(UTC) + DAYS
        assert list(old_runs(instance, later)) == [run_ids[2], run_ids[0]]
        assert list(old_runs(instance, later - 2 * DAYS)) == []


def test_a_run_with_the_newest_materialization_of_an_asset_is_kept() -> None:
    has_news = True

    @dg.multi_asset(specs=[dg.AssetSpec("table", skippable=True)])
    def refresh() -> Iterator[dg.MaterializeResult[None]]:
        if has_news:
            yield dg.MaterializeResult()

    job = dg.Definitions(assets=[refresh], jobs=[dg.define_asset_job("job")]).resolve_job_def("job")
    with dg.DagsterInstance.ephemeral() as instance:
        older = job.execute_in_process(instance=instance).run_id
        job.execute_in_process(instance=instance)
        has_news = False
        skipped = job.execute_in_process(instance=instance).run_id
        job.execute_in_process(instance=instance)
        assert list(old_runs(instance, datetime.now(UTC) + DAYS)) == [skipped, older]
