"""The run starter as a process: it starts runs, and reports those that die."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
import pytest

from storemon_pipeline.launching.run_requests import SOCKET_VARIABLE, start_run

_DEADLINE_SECONDS = 180.0


@dg.op
def _nothing() -> None:
    """Do nothing."""


@dg.job
def _job() -> None:
    _nothing()


@dataclass(frozen=True, slots=True)
class _Starter:
    path: Path
    process: psutil.Process
    instance: dg.DagsterInstance
    log: Path


def eventually(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture(scope="module")
def starter(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Starter]:
    home = tmp_path_factory.mktemp("starter")
    path, log = home / "runs.sock", home / "runs.log"
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "OPENBLAS_NUM_THREADS": "1",
        "STOREMON_DATABASE_URL": server_url,
        SOCKET_VARIABLE: str(path),
    }
    command = [sys.executable, "-m", "storemon_pipeline.launching.run_starter"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    instance = dg.DagsterInstance.local_temp(str(home))
    try:
        eventually(lambda: listens(path))
        yield _Starter(path, psutil.Process(process.pid), instance, log)
    finally:
        process.terminate()
        process.wait(timeout=_DEADLINE_SECONDS)
        instance.dispose()


def test_a_run_is_a_process_of_its_own_with_everything_imported(starter: _Starter) -> None:
    pid = start_run(str(starter.path), "a run", ["--version"])
    assert pid != starter.process.pid
    eventually(lambda: "version" in starter.log.read_text())
    eventually(lambda: not starter.process.children())


def test_a_run_whose_process_failed_has_failed(starter: _Starter) -> None:
    run = starter.instance.create_run_for_job(_job)
    start_run(str(starter.path), run.run_id, ["no such command"])

    def has_failed() -> bool:
        found = starter.instance.get_run_by_id(run.run_id)
        return found is not None and found.status is dg.DagsterRunStatus.FAILURE

    eventually(has_failed)


def test_a_failed_run_shows_the_end_of_its_output(starter: _Starter) -> None:
    run = starter.instance.create_run_for_job(_job)
    start_run(str(starter.path), run.run_id, ["no such command"])

    def output() -> list[str]:
        events = starter.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        return [event.message for event in events if "Output of the run" in event.message]

    eventually(lambda: bool(output()))
    (shown,) = output()
    assert "No such command 'no such command'" in shown
    assert "No such command 'no such command'" in starter.log.read_text()


def test_bytes_that_are_no_request_end_nothing(starter: _Starter) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(starter.path))
        client.sendall(b"no JSON")
    assert start_run(str(starter.path), "another run", ["--version"])


def test_it_has_no_thread_that_a_fork_would_lose(starter: _Starter) -> None:
    tasks = Path(f"/proc/{starter.process.pid}/task").iterdir()
    names = [(task / "comm").read_text().strip() for task in tasks]
    # Arrow's memory allocator sees to its own thread when the process forks.
    assert len([name for name in names if name != "jemalloc_bg_thd"]) == 1


def test_starting_a_run_without_a_listener_fails_with_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        start_run(str(tmp_path / "nobody.sock"), "a run", ["--version"])
