"""The run launcher: finding dead processes of runs, and the versions of Dagster it holds for."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import pytest

# What the worker of a run writes is not exported elsewhere.
from dagster._core.events import EngineEventData

from storemon_pipeline.launching.dagster_internals import StarterRunLauncher
from storemon_pipeline.launching.run_launcher import TESTED_VERSIONS, LocalRunLauncher, is_tested


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def a_job() -> None:
    """A job to have runs of."""
    nothing()


@contextmanager
def worker(dagster_home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that lives, as the worker of the instance with this home."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={"DAGSTER_HOME": str(dagster_home)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=180)


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Give an instance that keeps its runs for the time of a test."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def health(instance: dg.DagsterInstance, *pids: int) -> str:
    """Return the health of a run whose processes of these pids said that they began it."""
    launcher = StarterRunLauncher()
    launcher.register_instance(instance)
    run = instance.create_run_for_job(a_job)
    for pid in pids:
        instance.report_engine_event(
            f"Started process for run (pid: {pid}).",
            run,
            EngineEventData({"pid": dg.MetadataValue.text(str(pid))}),
        )
    return str(launcher.check_run_worker_health(run).status.value)


def test_a_run_is_running_as_long_as_its_process_lives(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with worker(tmp_path) as process:
        assert health(instance, process.pid) == "RUNNING"
    assert health(instance, process.pid) == "FAILED"


def test_a_process_that_ended_and_was_not_waited_for_is_dead(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with worker(tmp_path) as process:
        process.kill()
        deadline = time.monotonic() + 180
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
        assert health(instance, process.pid) == "FAILED"


def test_the_process_of_another_instance_is_not_the_runs(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with worker(tmp_path / "another") as process:
        assert health(instance, process.pid) == "FAILED"


def test_a_resumed_run_is_judged_by_its_newest_process(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with worker(tmp_path) as dead:
        pass
    with worker(tmp_path) as living:
        assert health(instance, dead.pid, living.pid) == "RUNNING"


def test_a_run_without_events_is_left_to_its_start_timeout(
    instance: dg.DagsterInstance,
) -> None:
    assert health(instance) == "RUNNING"


def test_the_installed_dagster_is_one_that_the_fast_launcher_was_tested_with() -> None:
    # When this fails after an update: run the tests of this module, of test_run_starter.py and
    # test_service_supervisor.py with the new version, then add it to TESTED_VERSIONS.
    assert TESTED_VERSIONS == ("1.13",)
    assert is_tested(dg.__version__)
    assert LocalRunLauncher is StarterRunLauncher


@pytest.mark.parametrize("version", ["1.12.22", "1.14.0", "1.130.0", "2.13.0", "1.14rc1"])
def test_another_dagster_is_not_tested(version: str) -> None:
    assert not is_tested(version)


def test_with_another_dagster_its_ordinary_launcher_starts_the_runs() -> None:
    script = (
        "import sys, dagster; dagster.__version__ = '1.14.0'\n"
        "from storemon_pipeline.launching.run_launcher import LocalRunLauncher\n"
        "assert LocalRunLauncher is dagster.DefaultRunLauncher\n"
        "assert 'storemon_pipeline.launching.dagster_internals' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"not tested with Dagster 1.14.0" in done.stderr
