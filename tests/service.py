"""A real `storemon up` for tests: its own home, free ports, ended with its children."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

import httpx
import psutil

from storemon_pipeline.host.orphans import MARK

READY_SECONDS: Final = 180.0
SAMPLE: Final = Path(__file__).parents[1] / "data"

STOREMON: Final = (
    sys.executable,
    "-c",
    "from storemon_pipeline.commands.cli import main; main()",
)


class Part(StrEnum):
    """What can be killed, by the name that the service itself uses where it has one."""

    DATABASE = "database"
    CODE_LOCATION = "code location"
    WEBSERVER = "webserver"
    DAEMON = "daemon"
    API = "API"
    RUN_STARTER = "run starter"
    FORK_SERVER = "fork server"
    DAGSTER_FORK_SERVER = "Dagster fork server"
    RUN = "run process"
    SUPERVISOR = "supervisor"
    EVERYTHING = "everything"


CHILDREN: Final = {
    Part.DATABASE: "bin/postgres",
    Part.CODE_LOCATION: "dagster api grpc",
    Part.WEBSERVER: "storemon_api.dagster_ui",
    Part.DAEMON: "dagster._daemon run",
    Part.API: "storemon_api.app:create_app",
    Part.RUN_STARTER: "storemon_pipeline.launching.run_starter",
    Part.FORK_SERVER: "/fork.sock ",
    Part.DAGSTER_FORK_SERVER: "/dagster-fork.sock ",
}
"""How each child is known by its command line."""


class Service:
    """A service on its own home, which may be killed and started again."""

    def __init__(self, home: Path, data: Path) -> None:
        self.home = home
        self.log_file = home.parent / f"{home.name}.log"
        self.port, self.dagster_port = free_port(), free_port()
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self.dagster_url = f"http://127.0.0.1:{self.dagster_port}"
        self.starts = 0
        self.ends: list[int] = []
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of `storemon up`, which has been started."""
        assert self._process is not None
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether `storemon up` has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def keep_alive(self) -> None:
        """Start it when it is not running."""
        if self.is_running:
            return
        if self._process is not None:
            self.ends.append(self._process.returncode)
        environment = {name: value for name, value in os.environ.items() if "STOREMON" not in name}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(*STOREMON, "up", f"--home={self.home}", f"--data={self._data}"),
                    *(f"--port={self.port}", f"--dagster-port={self.dagster_port}"),
                ],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.home.parent,
            )
        self.starts += 1

    def wait_until_ready(self, *, is_kept_alive: bool = False) -> None:
        """Start it when it is not running, and wait for its first ready answer.

        With `is_kept_alive` it is started again whenever it ends meanwhile; otherwise that fails.
        """
        self.keep_alive()
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and (self.is_running or is_kept_alive):
            self.keep_alive()
            if self.is_ready():
                return
            time.sleep(0.1)
        raise TimeoutError(f"the service did not get ready; it said:\n{self.log()[-4000:]}")

    def is_ready(self) -> bool:
        """Whether the API answers that everything is ready."""
        with suppress(httpx.TransportError):
            return self.api.get("/readyz").is_success
        return False

    def log(self) -> str:
        """Read what all of its starts have printed."""
        return self.log_file.read_text()

    def finish_report(self, body: dict[str, str] | None = None) -> dict[str, object]:
        """Trigger a report and wait until it has ended; return its status resource."""
        report_id = self.api.post("/trigger_report", json=body or {}).json()["report_id"]
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            status: dict[str, object] = self.api.get(f"/get_report/{report_id}").json()
            if status["status"] != "Running":
                return status
            time.sleep(0.05)
        raise TimeoutError(f"report {report_id} did not end within {READY_SECONDS} s")

    def child(self, part: Part) -> psutil.Process | None:
        """Return a child of `storemon up`, if it is there."""
        for process in psutil.Process(self.process.pid).children():
            if CHILDREN[part] in _command(process):
                return process
        return None

    def kill(self, part: Part) -> bool:
        """End it without warning; return whether it was there."""
        if not self.is_running:
            return False
        supervisor = psutil.Process(self.process.pid)
        match part:
            case Part.EVERYTHING:
                family = [supervisor, *supervisor.children(recursive=True)]
            case Part.SUPERVISOR:
                family = [supervisor]
            case Part.RUN:
                family = list(_run_processes(supervisor))
            case _:
                family = [child] if (child := self.child(part)) else []
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if supervisor in family:
            self.process.wait(READY_SECONDS)
        return bool(family)

    def processes(self) -> list[str]:
        """Return the command lines of everything that belongs to this service."""
        return processes_of(self.home)

    def stop(self) -> None:
        """End it by SIGTERM."""
        if self.is_running:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(READY_SECONDS)

    def begin_anew(self) -> None:
        """Stop it and forget its home: the next start is a first one."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def processes_of(home: Path) -> list[str]:
    """Return the command lines of everything that belongs to the home's service."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            command = " ".join(process.cmdline())
            if process.environ().get(MARK) == str(home) or str(home) in command:
                found.append(command)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@contextmanager
def stopped_at_the_end(home: Path, data: Path) -> Iterator[Service]:
    """Yield a service that is not started yet; it is stopped after the block."""
    service = Service(home, data)
    try:
        with service.api:
            yield service
    finally:
        service.stop()


@contextmanager
def running_service(home: Path, data: Path) -> Iterator[Service]:
    """Yield a ready service on this home and data folder; it is stopped after the block."""
    with stopped_at_the_end(home, data) as service:
        service.wait_until_ready()
        yield service


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _run_processes(supervisor: psutil.Process) -> Iterator[psutil.Process]:
    """Find the processes of runs: forks of the run starter, or children of the code server."""
    for child in supervisor.children():
        if CHILDREN[Part.RUN_STARTER] in _command(child):
            yield from child.children()
        elif CHILDREN[Part.CODE_LOCATION] in _command(child):
            yield from (
                process
                for process in child.children()
                if "multiprocessing.spawn" in _command(process)
            )
