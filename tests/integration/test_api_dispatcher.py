"""The dispatcher on a real database, with a stand-in for Dagster."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from api_server import waiting_report
from asked_reports import read
from dagster_stand_in import DagsterStandIn, dagster_stand_in
from storemon_api.reports.report_dispatcher import Dispatcher
from storemon_pipeline.contract import REQUESTED_TAG
from storemon_pipeline.dagster_graphql import DagsterGraphQL
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.tables import reports
from storemon_pipeline.reports.report_runs import open_runs, record_launch, record_reading
from storemon_pipeline.reports.requests import ReportState
from waiting import eventually


@pytest.fixture
def dagster() -> Iterator[DagsterStandIn]:
    with dagster_stand_in() as stand_in:
        yield stand_in


@contextmanager
def dispatching(
    engine: sa.Engine, dagster: DagsterStandIn, *, lost_after: timedelta = timedelta(minutes=1)
) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(engine, DagsterGraphQL(dagster.url), lost_after=lost_after)
    dispatcher.start()
    yield dispatcher
    dispatcher.stop(timedelta(seconds=10))


def is_known(engine: sa.Engine, run_id: str) -> bool:
    with engine.connect() as connection:
        return run_id in {run.run_id for run in open_runs(connection)}


def count_open_runs(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return len(open_runs(connection))


def begin_to_read(engine: sa.Engine, run_id: str) -> None:
    url = engine.url.render_as_string(hide_password=False)
    with bulk_transaction(url) as bulk:
        record_reading(bulk, run_id)


def complete_all(engine: sa.Engine) -> None:
    """What a run does in the end, without a result: it takes the reports out of waiting."""
    with engine.begin() as connection:
        connection.execute(sa.update(reports).values(state="failed", error="made by the test"))


def test_reports_that_wait_together_share_one_run(
    engine: sa.Engine, dagster: DagsterStandIn
) -> None:
    for _ in range(20):
        waiting_report(engine)
    with dispatching(engine, dagster) as dispatcher:
        eventually(lambda: count_open_runs(engine) == 1)
        for _ in range(20):
            waiting_report(engine)
            dispatcher.wake()
        eventually(lambda: dagster.requests >= 3)
    assert dagster.jobs == ["report_job"]


def test_a_run_says_that_it_was_launched_for_requests(
    engine: sa.Engine, dagster: DagsterStandIn
) -> None:
    waiting_report(engine)
    with dispatching(engine, dagster):
        eventually(lambda: count_open_runs(engine) == 1)
    # Without this word it would make a report that nobody has asked for, when none waits any more.
    assert [REQUESTED_TAG in tags for tags in dagster.tags.values()] == [True]


def test_a_report_requested_after_a_run_began_to_read_gets_a_second_run_and_no_third(
    engine: sa.Engine, dagster: DagsterStandIn
) -> None:
    with dispatching(engine, dagster) as dispatcher:
        for number in (1, 2):
            waiting_report(engine)
            dispatcher.wake()
            eventually(lambda number=number: count_open_runs(engine) == number)  # type: ignore[misc]
            begin_to_read(engine, list(dagster.runs)[-1])
        waiting_report(engine)
        dispatcher.wake()
        asked = dagster.requests
        eventually(lambda: dagster.requests > asked + 1)
        assert len(dagster.runs) == 2
        dagster.end(next(iter(dagster.runs)), "SUCCESS")
        eventually(lambda: len(dagster.runs) == 3)


def test_a_report_whose_run_fails_three_times_has_failed_with_a_sentence(
    engine: sa.Engine, dagster: DagsterStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "storemon_api.reports.report_dispatcher")
    dagster.failure = 'Traceback (most recent call last): File "secret.py"'
    report_id = waiting_report(engine)
    with dispatching(engine, dagster):
        for attempt in (1, 2, 3):
            eventually(lambda attempt=attempt: len(dagster.runs) == attempt)  # type: ignore[misc]
            run_id = list(dagster.runs)[-1]
            eventually(lambda run_id=run_id: is_known(engine, run_id))  # type: ignore[misc]
            dagster.end(run_id, "FAILURE")
        eventually(lambda: read(engine, report_id).state is ReportState.FAILED)
    assert read(engine, report_id).error == (
        "The report could not be created: its run failed, after several attempts. "
        "Request a new report. Operators find the cause in Dagster, run "
        f"{run_id}."
    )
    assert "secret.py" in caplog.text


def test_a_report_is_made_when_dagster_comes_back_and_its_outage_is_logged_once(
    engine: sa.Engine, dagster: DagsterStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "storemon_api.reports.report_dispatcher")
    dagster.is_down = True
    with dispatching(engine, dagster) as dispatcher:
        waiting_report(engine)
        dispatcher.wake()
        eventually(lambda: "Dagster is not available" in caplog.text)
        dispatcher.wake()
        dagster.is_down = False
        eventually(lambda: count_open_runs(engine) == 1)
    assert caplog.text.count("Dagster is not available") == 1
    assert caplog.text.count("Dagster is available again") == 1


def test_a_refused_launch_is_tried_again(engine: sa.Engine, dagster: DagsterStandIn) -> None:
    dagster.refuses = True
    waiting_report(engine)
    with dispatching(engine, dagster):
        eventually(lambda: dagster.requests >= 2)
        assert count_open_runs(engine) == 0
        dagster.refuses = False
        eventually(lambda: count_open_runs(engine) == 1)


def test_a_launch_whose_answer_is_lost_is_found_and_not_repeated(
    engine: sa.Engine, dagster: DagsterStandIn
) -> None:
    dagster.loses_responses = True
    waiting_report(engine)
    with dispatching(engine, dagster):
        eventually(lambda: len(dagster.runs) == 1)
        eventually(lambda: count_open_runs(engine) == 1)
    assert len(dagster.runs) == 1


def test_a_lost_answer_of_a_run_that_has_ended_since_is_a_new_launch(
    engine: sa.Engine, dagster: DagsterStandIn
) -> None:
    dagster.loses_responses = True
    waiting_report(engine)
    with dispatching(engine, dagster):
        eventually(lambda: len(dagster.runs) == 1)
        dagster.end(next(iter(dagster.runs)), "FAILURE")
        dagster.loses_responses = False
        eventually(lambda: count_open_runs(engine) == 1)
    assert len(dagster.runs) == 2


@pytest.mark.parametrize(
    ("lost_after", "stays_open"),
    [
        pytest.param(timedelta(minutes=1), True, id="young"),
        pytest.param(timedelta(0), False, id="old"),
    ],
)
def test_a_run_that_dagster_does_not_know_is_lost_once_it_is_old(
    engine: sa.Engine,
    dagster: DagsterStandIn,
    lost_after: timedelta,
    stays_open: bool,  # noqa: FBT001
) -> None:
    with engine.begin() as connection:
        record_launch(connection, "vanished")
    with dispatching(engine, dagster, lost_after=lost_after):
        eventually(lambda: dagster.requests >= 2 or not is_known(engine, "vanished"))
    assert is_known(engine, "vanished") is stays_open


def test_a_status_that_came_after_this_version_is_taken_for_running(
    engine: sa.Engine, dagster: DagsterStandIn
) -> None:
    waiting_report(engine)
    with dispatching(engine, dagster):
        eventually(lambda: count_open_runs(engine) == 1)
        dagster.end(next(iter(dagster.runs)), "PONDERING")
        asked = dagster.requests
        eventually(lambda: dagster.requests >= asked + 2)
    assert count_open_runs(engine) == 1
    assert len(dagster.runs) == 1


def test_a_run_that_succeeded_is_closed(engine: sa.Engine, dagster: DagsterStandIn) -> None:
    waiting_report(engine)
    with dispatching(engine, dagster):
        eventually(lambda: count_open_runs(engine) == 1)
        complete_all(engine)
        dagster.end(next(iter(dagster.runs)), "SUCCESS")
        eventually(lambda: count_open_runs(engine) == 0)
    assert len(dagster.runs) == 1


def test_of_two_dispatchers_one_works_and_the_other_takes_over(
    engine: sa.Engine, dagster: DagsterStandIn
) -> None:
    with dispatching(engine, dagster) as first:
        eventually(lambda: first.is_leading)
        with dispatching(engine, dagster) as second:
            waiting_report(engine)
            second.wake()
            first.wake()
            eventually(lambda: count_open_runs(engine) == 1)
            assert not second.is_leading
            first.stop(timedelta(seconds=10))
            eventually(lambda: second.is_leading)
    assert len(dagster.runs) == 1


def test_a_dispatcher_whose_connection_is_cut_works_again(
    engine: sa.Engine, dagster: DagsterStandIn
) -> None:
    with dispatching(engine, dagster) as dispatcher:
        eventually(lambda: dispatcher.is_leading)
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        waiting_report(engine)
        eventually(lambda: count_open_runs(engine) == 1)


def test_a_dispatcher_stops_at_once(engine: sa.Engine, dagster: DagsterStandIn) -> None:
    with dispatching(engine, dagster) as dispatcher:
        eventually(lambda: dispatcher.is_leading)
        dispatcher.stop(timedelta(seconds=2))
        assert not dispatcher.is_leading
