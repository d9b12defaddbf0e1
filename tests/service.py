"""A real `storemon up` for tests: its own home, free ports, ended with its children."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

READY_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: its process, home, and the API's address."""

    process: subprocess.Popen[bytes]
    home: Path
    api: httpx.Client
    dagster_url: str

    def finish_report(self, body: dict[str, str] | None = None) -> dict[str, object]:
        """Trigger a report and wait until it has ended; its status resource."""
        report_id = self.api.post("/trigger_report", json=body or {}).json()["report_id"]
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            status: dict[str, object] = self.api.get(f"/get_report/{report_id}").json()
            if status["status"] != "Running":
                return status
            time.sleep(0.05)
        raise TimeoutError(f"report {report_id} did not end within {READY_SECONDS} s")


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running_service(home: Path, data: Path) -> Iterator[Service]:
    """`storemon up` on this home and data folder, ready; ended by SIGTERM afterwards."""
    port, dagster_port = free_port(), free_port()
    log = (home.parent / f"{home.name}.log").open("ab")
    options = [
        f"--home={home}",
        f"--data={data}",
        f"--port={port}",
        f"--dagster-port={dagster_port}",
    ]
    command = [
        sys.executable,
        "-c",
        "from storemon_pipeline.commands.cli import main; main()",
        "up",
    ]
    environment = {name: value for name, value in os.environ.items() if "STOREMON" not in name}
    process = subprocess.Popen(
        [*command, *options], stdout=log, stderr=log, env=environment, cwd=home.parent
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
            _wait_until_ready(process, api, Path(log.name))
            yield Service(process, home, api, f"http://127.0.0.1:{dagster_port}")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()


def _wait_until_ready(process: subprocess.Popen[bytes], api: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if api.get("/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"the service did not get ready; it said:\n{log.read_text()}")
