"""One `storemon up` shared by all tests: reports, commands, and killed processes.

A test may leave the service dead: the next one starts it again. A test that leaves data that no
other expects removes the home.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner, Result

import oracle
from faults import check_that_nothing_is_lost
from service import CHILDREN, SAMPLE, STOREMON, Part, Service, stopped_at_the_end
from storemon_pipeline.commands.cli import app
from storemon_pipeline.host.orphans import MARK
from waiting import eventually

BACK_SECONDS = 180.0
MOST_SECONDS_AFTER_A_CRASH = 20.0
"""About 2 are usual, also on a busy machine."""


@pytest.fixture(scope="module")
def maybe_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with stopped_at_the_end(tmp_path_factory.mktemp("service") / "home", SAMPLE) as service:
        yield service


@pytest.fixture
def service(maybe_running: Service) -> Service:
    """Give the module's service, ready."""
    maybe_running.wait_until_ready()
    return maybe_running


def environment_of(service: Service) -> dict[str, str]:
    return {
        "STOREMON_HOME": str(service.home),
        "STOREMON_DATA": str(SAMPLE),
        "STOREMON_PORT": str(service.port),
        "STOREMON_DAGSTER_PORT": str(service.dagster_port),
    }


def storemon(service: Service, *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env=environment_of(service))


def test_reports_of_the_sample_equal_the_reference(service: Service) -> None:
    inputs = oracle.read_csvs(SAMPLE, now=datetime.now(UTC))
    newest = service.finish_report()
    assert newest["status"] == "Complete"
    csv = service.api.get(f"/reports/{newest['report_id']}.csv").text
    assert csv == oracle.report_csv(oracle.make_report(inputs))

    as_of = datetime(2023, 1, 22, 3, 30, tzinfo=UTC)
    earlier = service.finish_report({"as_of": as_of.isoformat(), "policy": "previous"})
    assert earlier["as_of"] == "2023-01-22T03:30:00Z"
    expected = oracle.report_csv(oracle.make_report(inputs, as_of=as_of, policy="previous"))
    response = service.api.get("/get_report", params={"report_id": str(earlier["report_id"])})
    assert response.headers["report-status"] == "Complete"
    assert response.text == expected


def test_commands_use_the_running_service(service: Service, tmp_path: Path) -> None:
    report = subprocess.run(
        [*STOREMON, "report", "--output", str(tmp_path / "report.csv")],
        env=os.environ | environment_of(service),
        capture_output=True,
        text=True,
        timeout=BACK_SECONDS,
        check=False,
    )
    assert report.returncode == 0, report.stderr
    assert re.search(r"as of 2023-01-25T18:13:22.*: 58 stores, 2 silent", report.stderr)
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 59
    piped = storemon(service, "report", "--policy=previous", "--as-of=2023-01-20T00:00:00Z")
    assert piped.stdout.startswith("store_id,uptime_last_hour(in minutes),")
    refused = storemon(service, "report", "--as-of=2999-01-01T00:00:00Z")
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1].startswith("storemon: ")
    refreshed = storemon(service, "refresh")
    assert refreshed.exit_code == 0, refreshed.stderr
    assert refreshed.stdout == "Nothing new: all figures are up to date.\n"
    second = storemon(service, "up")
    assert second.exit_code == 2
    holder = f"Another storemon (process {service.process.pid})"
    assert f"{holder} is using the home" in second.stderr


def test_each_child_that_is_killed_is_started_again(service: Service) -> None:
    for part in CHILDREN:
        before = service.child(part)
        assert before is not None, part
        before.kill()

        def is_back(part: Part = part, before: psutil.Process = before) -> bool:
            now = service.child(part)
            return now is not None and now.pid != before.pid

        eventually(is_back, seconds=BACK_SECONDS)
    eventually(service.is_ready, seconds=BACK_SECONDS)
    assert service.finish_report()["status"] == "Complete"
    log = service.log()
    assert [part for part in CHILDREN if f"{part}: restarting (ended by SIGKILL" not in log] == []


def test_reports_do_not_wait_long_after_a_crash_of_the_database(service: Service) -> None:
    """A report took 35 to 40 seconds, of which the database was away for two."""
    ready = "database: ready"
    times = service.log().count(ready)
    assert service.kill(Part.DATABASE)
    eventually(lambda: service.log().count(ready) > times, seconds=BACK_SECONDS)
    back = time.monotonic()
    # Connections that the crash cut are replaced by the first requests that meet them.
    eventually(lambda: service.api.get("/reports").status_code == 200, seconds=BACK_SECONDS)
    assert service.finish_report()["status"] == "Complete"
    assert time.monotonic() - back < MOST_SECONDS_AFTER_A_CRASH


@contextmanager
def sleeping(mark: Path | str) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process like the worker of a run: marked, and not ended when its parent dies."""
    with subprocess.Popen(
        ["/bin/sleep", "600"], env={MARK: str(mark)}, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_nothing_that_was_acknowledged_is_lost_by_kills_and_leftovers_are_ended(
    service: Service,
) -> None:
    report_id = service.finish_report()["report_id"]
    csv = service.api.get(f"/reports/{report_id}.csv").content
    victims = [Part.RUN, Part.DATABASE, Part.API, Part.SUPERVISOR]
    with sleeping(service.home) as left, sleeping(f"{service.home}2") as other:
        check_that_nothing_is_lost(service, victims, pause_seconds=(2.0, 3.0))
        assert left.wait(BACK_SECONDS) == -signal.SIGTERM
        assert other.poll() is None
    assert re.search(r"Ended \d+ processes", service.log())
    assert service.api.get(f"/reports/{report_id}.csv").content == csv
    assert service.finish_report()["status"] == "Complete"
    end_and_forget(service)


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost_when_everything_is_killed(service: Service) -> None:
    check_that_nothing_is_lost(service, [Part.RUN, Part.EVERYTHING], pause_seconds=(2.0, 3.0))
    end_and_forget(service)


def end_and_forget(service: Service) -> None:
    """Stop it, which leaves no process; the pushed polls are newer than the sample's."""
    service.stop()
    assert service.process.returncode == 0
    assert service.processes() == []
    service.begin_anew()


@pytest.mark.slow
def test_processes_that_hang_are_restarted_and_reports_are_made_again(service: Service) -> None:
    before = service.log().count("restarting (no answer for")
    for part in (*(Part.RUN_STARTER, Part.API, Part.WEBSERVER, Part.CODE_LOCATION, Part.DATABASE),):
        process = service.child(part)
        assert process is not None, part
        process.suspend()

        def is_back(part: Part = part, before: psutil.Process = process) -> bool:
            now = service.child(part)
            return now is not None and now.pid != before.pid

        eventually(is_back, seconds=BACK_SECONDS)
        eventually(service.is_ready, seconds=BACK_SECONDS)
        assert service.finish_report()["status"] == "Complete"
    assert service.log().count("restarting (no answer for") == before + 5
