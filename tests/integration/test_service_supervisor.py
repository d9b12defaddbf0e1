"""The supervisor with stand-ins: processes that hang, runs that die, code that cannot load."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from service import CHILDREN, SAMPLE, Part, free_port, processes_of
from storemon_pipeline.dagster_graphql import DagsterGraphQL
from storemon_pipeline.host.orphans import find_orphans
from storemon_pipeline.host.signals import StopRequests
from storemon_pipeline.service import supervisor
from storemon_pipeline.service.status_display import StatusDisplay
from storemon_pipeline.settings import Settings


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.1)


@dataclass
class Hanging:
    """A process of the service that runs, and answers only when it is told to."""

    log: Path
    is_answering: bool = True
    name: str = "stand-in"
    start_seconds: float = 60
    ready_note: str = ""

    def launch(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["/bin/sleep", "60"])

    def why_not_ready(self, launched_at: float) -> str | None:
        del launched_at
        return None

    def is_responding(self) -> bool:
        return self.is_answering


def test_a_process_that_stays_silent_is_killed_and_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_CHECK_INTERVAL_SECONDS", 0)
    monkeypatch.setattr(supervisor, "_HANG_SECONDS", 0)
    out = io.StringIO()
    with StatusDisplay(Console(file=out, width=200)) as display:
        service = supervisor.Supervisor(Settings(home=tmp_path), display, StopRequests())
        spec = Hanging(tmp_path / "log")
        service._add(supervisor._Child(spec))
        (running,) = service._children
        service._pause(0.5)
        first = running.process
        assert first is not None
        assert first.poll() is None, "a process that answers is left alone"
        spec.is_answering = False
        service._pause(0.5)
        assert first.poll() == -signal.SIGKILL
        spec.is_answering = True
        service._pause(1.5)
        assert running.process is not None
        assert running.process.poll() is None
        service._stop_everything()
    assert "stand-in: restarting (no answer for 0 s" in out.getvalue()


DEFINITIONS = '''
import os, time
from pathlib import Path
import dagster as dg

@dg.asset
def slow(context: dg.AssetExecutionContext) -> None:
    """Waits for a file."""
    Path(os.environ["STAND_IN"], "began").touch()
    while not Path(os.environ["STAND_IN"], "go").exists():
        time.sleep(0.1)
    if Path(os.environ["STAND_IN"], "fail").exists():
        raise dg.Failure("No column status in store_status.csv", allow_retries=False)

@dg.asset
def broken() -> None:
    """Fails with a cause."""
    raise RuntimeError("Words for a person") from ValueError("words for nobody")

refresh_job = dg.define_asset_job(
    "refresh_job",
    selection=dg.AssetSelection.assets("slow"),
    tags={"dagster/max_retries": "2", "dagster/retry_on_asset_or_op_failure": "false"},
)
defs = dg.Definitions(
    assets=[slow, broken],
    jobs=[refresh_job, dg.define_asset_job("broken_job", selection=[broken])],
    executor=dg.in_process_executor,
)
'''

SUPERVISE = """
import sys
from pathlib import Path
from storemon_pipeline.service.status_display import StatusDisplay
from storemon_pipeline.host.signals import StopRequests
from storemon_pipeline.service.supervisor import Supervisor
from storemon_pipeline.settings import Settings
home, data, port, dagster_port = sys.argv[1:]
settings = Settings(home=home, data=data, port=int(port), dagster_port=int(dagster_port))
stop = StopRequests()
with stop.listening(), StatusDisplay() as display:
    Supervisor(settings, display, stop, definitions_module="stand_in_definitions").run()
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """Give a folder with definitions whose refresh waits for the file `go` in it."""
    (tmp_path / "stand_in_definitions.py").write_text(DEFINITIONS)
    return tmp_path


def environment_with(stand_in: Path) -> dict[str, str]:
    path = os.pathsep.join([str(stand_in), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path.rstrip(os.pathsep), "STAND_IN": str(stand_in)}


def test_a_refresh_whose_processes_die_is_launched_again_and_its_failure_is_shown(
    stand_in: Path,
) -> None:
    home, dagster_port = stand_in / "home", free_port()
    out = stand_in / "out.log"
    with out.open("wb") as log:
        supervisor = subprocess.Popen(
            [
                *(sys.executable, "-c", SUPERVISE),
                *(str(home), str(SAMPLE), str(free_port()), str(dagster_port)),
            ],
            stdout=log,
            stderr=log,
            env=environment_with(stand_in),
        )
    try:
        wait_for((stand_in / "began").exists, "the refresh has begun")
        (stand_in / "began").unlink()
        # Everything that executes runs; what serves and watches stays.
        makers = {Part.CODE_LOCATION, Part.RUN_STARTER}
        kept = [words for part, words in CHILDREN.items() if part not in makers]
        for process in find_orphans(home):
            command = " ".join(process.cmdline())
            if process.pid != supervisor.pid and not any(words in command for words in kept):
                process.kill()
        wait_for((stand_in / "began").exists, "the refresh has begun again")
        (stand_in / "fail").touch()
        (stand_in / "go").touch()
        failed = "first refresh: failed (No column status in store_status.csv)"
        wait_for(lambda: failed in out.read_text(), "the failure is told")
        wait_for(lambda: "not ready: first refresh: not done yet" in out.read_text(), "the end")

        with DagsterGraphQL(f"http://127.0.0.1:{dagster_port}") as client:
            run_id = client.launch_run("broken_job", tags={"storemon/test": "yes"})
            wait_for(lambda: client.run_status(run_id) == "FAILURE", "the run has failed")
            assert client.run_failure(run_id) == "Words for a person"
            assert client.runs_with_tag("storemon/test", "yes") == {run_id: "FAILURE"}
            assert client.run_statuses([run_id, "unknown"]) == {run_id: "FAILURE"}
            assert client.run_progress("unknown") is None
            assert client.run_failure("unknown") is None
    finally:
        supervisor.send_signal(signal.SIGINT)
        status = supervisor.wait(60)
    assert status == 0
    assert processes_of(home) == []


@pytest.mark.slow
def test_a_part_that_cannot_run_is_given_up_loudly_with_its_last_words(stand_in: Path) -> None:
    (stand_in / "stand_in_definitions.py").write_text("raise RuntimeError('no such thing')")
    result = subprocess.run(
        [
            *(sys.executable, "-c", SUPERVISE),
            *(str(stand_in / "home"), str(SAMPLE), str(free_port()), str(free_port())),
        ],
        env=environment_with(stand_in),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "GaveUpError: The code location keeps dying (ended with status 1)" in result.stderr
    assert "no such thing" in result.stderr
    assert result.stdout.count("code location: restarting") == 4
    assert processes_of(stand_in / "home") == []
