"""Requests for reports, the runs that make them, and their results in the tables."""

import hashlib
import threading
import uuid
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import adbc_driver_manager
import numpy as np
import pytest
import sqlalchemy as sa

from asked_reports import read, request
from stored import execute, fetch, load
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.amounts import ROUNDED_COLUMNS, UNKNOWN
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.csv_file import HEADER
from storemon_pipeline.reports.report_runs import (
    has_uncovered_request,
    open_runs,
    record_end,
    record_launch,
    record_reading,
)
from storemon_pipeline.reports.requests import (
    ReportState,
    count_by_state,
    read_report,
    request_report,
)
from storemon_pipeline.reports.results import (
    Question,
    Result,
    ResultWriter,
    complete_reports,
    fail_reports,
    take_waiting_reports,
)
from storemon_pipeline.reports.rows import count_stores, read_csv_chunk, read_report_table
from storemon_pipeline.stores.store_index import read_stores
from storemon_pipeline.uptime.figures import Figures
from waiting import eventually

AS_OF = datetime(2023, 1, 25, 18, 13, 22, 479220, tzinfo=UTC)
WORDS = "The run that makes it has failed."


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url, application_name="test", pool_size=2)
    yield engine
    engine.dispose()


def attempts(engine: sa.Engine, report_id: str) -> int:
    with engine.connect() as connection:
        return int(
            connection.execute(
                sa.text("SELECT attempts FROM reports WHERE report_id::text = :report_id"),
                {"report_id": report_id},
            ).scalar_one()
        )


def taken(url: str) -> list[str]:
    """Take what waits in a transaction that ends at once."""
    with bulk_transaction(url) as bulk:
        return [report.report_id for report in take_waiting_reports(bulk)]


class TestRequests:
    """A request is a row that waits until it is complete or has failed."""

    def test_a_request_is_read_back_as_it_was_made(self, engine: sa.Engine) -> None:
        report_id = str(uuid.uuid4())
        with engine.begin() as connection:
            made = request_report(
                connection, report_id=report_id, as_of=AS_OF, policy=Policy.PREVIOUS
            )
        assert read(engine, report_id) == made
        assert made.state is ReportState.WAITING
        assert (made.requested_as_of, made.policy) == (AS_OF, Policy.PREVIOUS)
        assert (made.as_of, made.stores, made.completed_at, made.error) == (None,) * 4
        assert abs(datetime.now(UTC) - made.requested_at) < timedelta(minutes=1)

    def test_an_unknown_id_has_no_report(self, engine: sa.Engine) -> None:
        request(engine)
        with engine.connect() as connection:
            assert read_report(connection, str(uuid.uuid4())) is None

    def test_states_are_counted_all_of_them(self, engine: sa.Engine, database_url: str) -> None:
        with engine.connect() as connection:
            assert count_by_state(connection) == dict.fromkeys(ReportState, 0)
        ids = [request(engine) for _ in range(3)]
        with bulk_transaction(database_url) as bulk:
            fail_reports(bulk, ids[:2], WORDS)
        with engine.connect() as connection:
            assert count_by_state(connection) == {
                ReportState.WAITING: 1,
                ReportState.COMPLETE: 0,
                ReportState.FAILED: 2,
                ReportState.EXPIRED: 0,
            }


class TestTaking:
    """What one transaction has taken, no other can take, until it ends."""

    def test_reports_are_taken_in_the_order_of_their_requests(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        ids = [request(engine), request(engine, as_of=AS_OF, policy=Policy.PREVIOUS)]
        with bulk_transaction(database_url) as bulk:
            first, second = take_waiting_reports(bulk)
        assert [first.report_id, second.report_id] == ids
        assert (first.as_of, first.policy) == (None, Policy.NEAREST)
        assert (second.as_of, second.policy) == (AS_OF, Policy.PREVIOUS)

    def test_nothing_waits_in_an_empty_table(self, database_url: str) -> None:
        assert taken(database_url) == []

    def test_two_transactions_never_take_the_same_and_never_wait(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        old = [request(engine) for _ in range(3)]
        with bulk_transaction(database_url) as one:
            assert [report.report_id for report in take_waiting_reports(one)] == old
            new = request(engine)
            with bulk_transaction(database_url) as another:
                another.execute("SET LOCAL lock_timeout = '1s'")
                assert [report.report_id for report in take_waiting_reports(another)] == [new]
                # Neither does a third one find anything.
                assert taken(database_url) == []
        assert sorted(taken(database_url)) == sorted([*old, new])

    def test_a_report_taken_in_a_rolled_back_transaction_waits_again(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        report_id = request(engine)

        def fail_half_way() -> None:
            with bulk_transaction(database_url) as bulk:
                take_waiting_reports(bulk)
                fail_reports(bulk, [report_id], WORDS)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail_half_way()
        assert read(engine, report_id).state is ReportState.WAITING
        assert taken(database_url) == [report_id]

    def test_a_report_taken_by_a_killed_session_waits_again(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        report_id = request(engine)

        def take_and_die() -> None:
            with bulk_transaction(database_url) as bulk:
                process = bulk.scalar("SELECT pg_backend_pid()")
                take_waiting_reports(bulk)
                with engine.begin() as connection:
                    connection.execute(sa.select(sa.func.pg_terminate_backend(process, 5_000)))
                assert taken(database_url) == [report_id]
                fail_reports(bulk, [report_id], WORDS)

        with pytest.raises(adbc_driver_manager.OperationalError):
            take_and_die()
        assert read(engine, report_id).state is ReportState.WAITING

    def test_of_a_snapshot_that_is_too_old_nothing_is_taken_twice(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        report_id = request(engine)

        def take_late() -> None:
            with bulk_transaction(database_url) as late:
                late.fetch("SELECT count(*) FROM reports")
                with bulk_transaction(database_url) as bulk:
                    take_waiting_reports(bulk)
                    fail_reports(bulk, [report_id], WORDS)
                take_waiting_reports(late)

        # The same error as for a lost connection: the run is tried again.
        with pytest.raises(adbc_driver_manager.OperationalError, match="40001"):
            take_late()


def some_figures() -> Figures:
    """Figures of the stores at positions 0 and 2, in microseconds."""
    minute, hour = 60_000_000, 3_600_000_000
    up = np.array([[30 * minute, 3 * hour + 180_000, hour], [0, 0, 540_000]])
    down = np.array([[30 * minute, 5 * hour, 2 * hour], [0, 1, 167 * hour]])
    return Figures(
        store=np.array([0, 2]),
        business_us=up + down,
        uptime_us=up,
        downtime_us=down,
        lowest_uptime_us=up // 2,
        highest_uptime_us=up + down // 2,
        observed_us=up + 1,
        likely_lowest_uptime_us=np.full((2, 3), UNKNOWN),
        likely_highest_uptime_us=np.full((2, 3), UNKNOWN),
        likely_apart_s=np.zeros((2, 3), np.int32),
        likely_deviation_s=np.zeros((2, 3), np.int32),
        likely_reach_s=np.zeros((2, 3), np.int32),
        doubt=np.zeros(2, np.int64),
    )


def figures_of_row(figures: Figures, row: int) -> Figures:
    """One row of the figures, about the first store of an index."""
    one = {field.name: getattr(figures, field.name)[[row]] for field in fields(Figures)}
    return Figures(**one | {"store": np.array([0])})


class TestResults:
    """A result has its rows, its CSV and its counts, and the reports that it answers."""

    @pytest.fixture
    def csv(self) -> bytes:
        # Half a ten-thousandth of an hour is 180,000 microseconds: 3.00005 is rounded to even.
        return (
            f"{HEADER}\n"
            "A,30.0000,3.0000,1.0000,30.0000,5.0000,2.0000\n"
            "C,0.0000,0.0000,0.0002,0.0000,0.0000,167.0000\n"
        ).encode()

    @pytest.fixture
    def result(self, database_url: str) -> Result:
        load(database_url, "C 09:00 up", "B 09:00 up", "A 09:00 up", "D 09:00 up")
        with bulk_transaction(database_url) as bulk:
            writer = ResultWriter(bulk)
            figures = some_figures()
            # Store A, then the others.
            for row, stores in enumerate(read_stores(bulk).chunks(2)):
                writer.add(stores, figures_of_row(figures, row))
            return writer.finish(
                Question(AS_OF, Policy.PREVIOUS, None), run_id="run", silent_stores=2
            )

    def test_counts_equal_those_of_the_figures(self, result: Result, csv: bytes) -> None:
        assert (result.stores, result.silent_stores) == (2, 2)
        assert result.csv_bytes == len(csv)

    def test_the_reports_it_answers_are_complete_with_it(
        self, engine: sa.Engine, database_url: str, result: Result, csv: bytes
    ) -> None:
        ids = [request(engine) for _ in range(3)]
        with bulk_transaction(database_url) as bulk:
            complete_reports(bulk, ids[:2], result.result_id)
        for report_id in ids[:2]:
            report = read(engine, report_id)
            assert report.state is ReportState.COMPLETE
            assert (report.as_of, report.policy) == (AS_OF, Policy.NEAREST)
            assert (report.stores, report.silent_stores) == (2, 2)
            assert report.result_id == result.result_id
            assert (report.csv_bytes, report.csv_chunks) == (len(csv), 2)
            assert report.csv_sha256 == hashlib.sha256(csv).hexdigest()
            assert report.completed_at is not None
            assert report.completed_at >= report.requested_at
        assert read(engine, ids[2]).state is ReportState.WAITING

    def test_its_csv_is_made_of_its_rows_part_by_part(
        self, engine: sa.Engine, result: Result, csv: bytes
    ) -> None:
        with engine.connect() as connection:
            chunks = [read_csv_chunk(connection, result.result_id, number) for number in range(2)]
            with pytest.raises(sa.exc.NoResultFound):
                read_csv_chunk(connection, result.result_id, 2)
            with pytest.raises(sa.exc.NoResultFound):
                read_csv_chunk(connection, result.result_id + 1, 0)
        assert [chunk.count(b"\n") for chunk in chunks] == [2, 1]
        assert b"".join(chunks) == csv

    def test_its_rows_stay_when_a_load_is_undone_that_named_their_stores(
        self, engine: sa.Engine, database_url: str, result: Result, csv: bytes
    ) -> None:
        # As `forget_stores` does.
        execute(
            database_url,
            "INSERT INTO former_stores SELECT store_key, store_id FROM stores WHERE store_id = 'C'",
            "DELETE FROM stores WHERE store_id = 'C'",
        )
        with engine.connect() as connection:
            chunks = [read_csv_chunk(connection, result.result_id, number) for number in range(2)]
            rows = read_report_table(connection, result.result_id, {"C"})
        assert b"".join(chunks) == csv
        assert rows["store_id"].to_pylist() == ["C"]

    def test_a_csv_that_is_stored_comes_before_its_rows(
        self, engine: sa.Engine, database_url: str, result: Result
    ) -> None:
        execute(database_url, f"INSERT INTO report_csv VALUES ({result.result_id}, 0, 'old')")
        with engine.connect() as connection:
            assert read_csv_chunk(connection, result.result_id, 0) == b"old"

    def test_its_rows_are_rounded_once_beside_the_exact_amounts(
        self, engine: sa.Engine, result: Result
    ) -> None:
        with engine.connect() as connection:
            a, c = read_report_table(connection, result.result_id).to_pylist()
        assert (a["store_id"], c["store_id"]) == ("A", "C")
        assert [str(a[name]) for name in ROUNDED_COLUMNS] == [
            "30.0000",
            "3.0000",
            "1.0000",
            "30.0000",
            "5.0000",
            "2.0000",
        ]
        assert str(c["uptime_last_week_hours"]) == "0.0002"
        assert str(c["downtime_last_week_hours"]) == "167.0000"
        assert (a["uptime_last_day_us"], a["business_last_day_us"]) == (
            10_800_180_000,
            28_800_180_000,
        )
        assert (c["downtime_last_day_us"], str(c["downtime_last_day_hours"])) == (1, "0.0000")
        assert (c["lowest_uptime_last_week_us"], c["observed_last_week_us"]) == (270_000, 540_001)
        assert c["highest_uptime_last_week_us"] == 540_000 + 167 * 1_800_000_000

    @pytest.mark.parametrize(
        ("store_ids", "found"),
        [({"A", "B"}, ["A"]), ({"C", "A", "z"}, ["A", "C"]), ({"B"}, []), (set(), [])],
    )
    def test_its_rows_of_some_stores_are_those_of_all_it_has(
        self, engine: sa.Engine, result: Result, store_ids: set[str], found: list[str]
    ) -> None:
        with engine.connect() as connection:
            rows = read_report_table(connection, result.result_id, store_ids)
            counts = count_stores(connection, [result.result_id], store_ids)
        assert rows["store_id"].to_pylist() == found
        assert counts == {result.result_id: (len(found), len(store_ids - {"z"}) - len(found))}

    @pytest.mark.usefixtures("result")
    def test_it_knows_the_newest_load(self, database_url: str) -> None:
        rows = fetch(database_url, "SELECT last_load_id, run_id, policy FROM report_results")
        assert rows == [{"last_load_id": 1, "run_id": "run", "policy": "previous"}]

    def test_a_failed_report_has_its_error(self, engine: sa.Engine, database_url: str) -> None:
        ids = [request(engine), request(engine)]
        with bulk_transaction(database_url) as bulk:
            fail_reports(bulk, ids[:1], WORDS)
        report = read(engine, ids[0])
        assert (report.state, report.error) == (ReportState.FAILED, WORDS)
        assert report.completed_at is not None
        assert read(engine, ids[1]).state is ReportState.WAITING


def launch(engine: sa.Engine, run_id: str) -> None:
    with engine.begin() as connection:
        record_launch(connection, run_id)


def begin_to_read(url: str, run_id: str) -> None:
    with bulk_transaction(url) as bulk:
        record_reading(bulk, run_id)


def end(engine: sa.Engine, run_id: str, *, is_success: bool = False) -> None:
    with engine.begin() as connection:
        record_end(connection, run_id, is_success=is_success, error=WORDS)


def is_uncovered(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return has_uncovered_request(connection)


class TestRuns:
    """Runs are open until they end; their end costs those an attempt whom they left waiting."""

    def test_a_run_is_open_from_its_launch_to_its_end(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        launch(engine, "one")
        launch(engine, "two")
        begin_to_read(database_url, "two")
        with engine.connect() as connection:
            one, two = open_runs(connection)
        assert [one.run_id, two.run_id] == ["one", "two"]
        assert one.reading_at is None
        assert two.reading_at is not None
        assert two.reading_at >= two.launched_at >= one.launched_at
        end(engine, "one", is_success=True)
        with engine.connect() as connection:
            assert open_runs(connection) == [two]

    def test_a_run_may_tell_of_itself_before_its_launch_is_recorded(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        begin_to_read(database_url, "run")
        with engine.connect() as connection:
            before = open_runs(connection)
        launch(engine, "run")
        # Tried again, a run has still read what it read first.
        begin_to_read(database_url, "run")
        with engine.connect() as connection:
            assert open_runs(connection) == before

    def test_an_end_is_recorded_once(self, engine: sa.Engine) -> None:
        launch(engine, "run")
        report_id = request(engine)
        end(engine, "run")
        end(engine, "run")
        end(engine, "unknown")
        assert attempts(engine, report_id) == 1

    def test_the_third_attempt_fails_the_report_in_the_owners_words(
        self, engine: sa.Engine
    ) -> None:
        report_id = request(engine)
        for number in (1, 2, 3):
            assert read(engine, report_id).state is ReportState.WAITING
            launch(engine, f"run {number}")
            end(engine, f"run {number}")
        report = read(engine, report_id)
        assert (report.state, report.error) == (ReportState.FAILED, WORDS)
        assert report.completed_at is not None
        launch(engine, "run 4")
        end(engine, "run 4")
        assert attempts(engine, report_id) == 3

    def test_only_reports_that_the_run_should_have_made_lose_an_attempt(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        launch(engine, "run")
        before = request(engine)
        done = request(engine)
        begin_to_read(database_url, "run")
        after = request(engine)
        with bulk_transaction(database_url) as bulk:
            fail_reports(bulk, [done], "No polls.")
        end(engine, "run")
        assert [attempts(engine, report_id) for report_id in (before, done, after)] == [1, 0, 0]
        assert read(engine, done).error == "No polls."

    def test_a_run_that_never_read_covers_all_waiting_reports(self, engine: sa.Engine) -> None:
        launch(engine, "run")
        report_id = request(engine)
        end(engine, "run")
        assert attempts(engine, report_id) == 1

    def test_the_end_of_a_run_waits_for_the_run_that_makes_its_reports_now(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        launch(engine, "dead")
        report_id = request(engine)
        ending = threading.Thread(target=end, args=(engine, "dead"))
        with bulk_transaction(database_url) as bulk:
            take_waiting_reports(bulk)
            ending.start()
            eventually(lambda: is_waiting_for_a_lock(engine))
            fail_reports(bulk, [report_id], "No polls.")
        ending.join(180)
        assert (read(engine, report_id).error, attempts(engine, report_id)) == ("No polls.", 0)


def is_waiting_for_a_lock(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(connection.execute(waiting).scalar_one())


class TestCover:
    """A waiting request needs a run that will take it."""

    def test_without_requests_no_run_is_needed(self, engine: sa.Engine) -> None:
        assert not is_uncovered(engine)
        launch(engine, "run")
        assert not is_uncovered(engine)

    def test_a_request_without_a_run_is_uncovered(self, engine: sa.Engine) -> None:
        request(engine)
        assert is_uncovered(engine)

    def test_a_run_that_has_not_begun_to_read_covers_all(self, engine: sa.Engine) -> None:
        request(engine)
        launch(engine, "run")
        request(engine)
        assert not is_uncovered(engine)

    def test_a_run_that_has_begun_covers_reports_requested_before(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        request(engine)
        launch(engine, "run")
        begin_to_read(database_url, "run")
        assert not is_uncovered(engine)
        request(engine)
        assert is_uncovered(engine)
        launch(engine, "another")
        assert not is_uncovered(engine)

    def test_a_run_that_has_ended_covers_nothing(self, engine: sa.Engine) -> None:
        request(engine)
        launch(engine, "run")
        end(engine, "run")
        assert is_uncovered(engine)

    def test_a_complete_or_failed_report_needs_no_run(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        report_id = request(engine)
        with bulk_transaction(database_url) as bulk:
            fail_reports(bulk, [report_id], WORDS)
        assert not is_uncovered(engine)


@pytest.mark.parametrize(
    "values",
    [
        "'complete', NULL, NULL",
        "'waiting', 1, NULL",
        "'failed', NULL, NULL",
        "'waiting', NULL, 'words'",
        "'running', NULL, NULL",
    ],
)
def test_a_report_is_never_between_its_states(engine: sa.Engine, values: str) -> None:
    statement = (
        "INSERT INTO reports (report_id, policy, state, result_id, error)"
        f" VALUES (gen_random_uuid(), 'nearest', {values})"
    )
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.execute(sa.text(statement))
