"""The running service, as its clients see it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from benchmarks.goals import Measured
from benchmarks.reference import fork
from benchmarks.timing import median_ms, percentile_ms, seconds_of
from service import Service, running_service

_REPORTS = 9
_TRIGGERS = 1_000
_TRIGGER_SECONDS = 10.0
_LOAD_SECONDS = 10.0
_DEADLINE_SECONDS = 180.0
_LOOK_SECONDS = 0.01


def measure(home: Path, data: Path) -> list[Measured]:
    """Latency when idle, then answers under load, then many triggers at once."""
    with running_service(home, data) as service:
        return [
            _latency(service),
            _triggers(service),
            _statuses(service),
            _download(service),
            *_many_triggers(service),
        ]


def _latency(service: Service) -> Measured:
    _until_complete(service, [_trigger(service)])
    taken = []
    for _ in range(_REPORTS):
        taken += seconds_of(lambda: _until_complete(service, [_trigger(service)]), times=1)
        time.sleep(1)  # the run has ended as well, and the service is idle again
    return Measured("trigger to Complete, idle", 3, median_ms(taken) / 1_000, "s", reference=fork())


def _triggers(service: Service) -> Measured:
    taken = _clients(service, "POST", "/trigger_report", 50).result()
    _until_idle(service)
    return Measured(
        "POST /trigger_report, 50 clients", 50, percentile_ms(taken, 0.95), "ms", "p95", fork()
    )


def _statuses(service: Service) -> Measured:
    report_id = _trigger(service)
    clients = _clients(service, "GET", f"/get_report/{report_id}", 200)
    made = []
    while clients.is_asking():
        made += seconds_of(
            lambda: _until_complete(service, [_trigger(service)], look_seconds=0.1), times=1
        )
    note = f"p95; a report meanwhile takes {median_ms(made) / 1_000:.2f} s"
    figure = percentile_ms(clients.result(), 0.95)
    return Measured("GET /get_report, 200 clients", 20, figure, "ms", note, fork())


def _download(service: Service) -> Measured:
    report_id = _trigger(service)
    _until_complete(service, [report_id])
    size = 0

    def download() -> None:
        nonlocal size
        size = len(service.api.get(f"/reports/{report_id}.csv").content)

    taken = median_ms(seconds_of(download, times=_REPORTS))
    return Measured("CSV download", 100, taken, "ms", f"{size:,} bytes", fork())


def _many_triggers(service: Service) -> list[Measured]:
    begun = time.monotonic()
    ids = []
    for number in range(_TRIGGERS):
        ids.append(_trigger(service))
        time.sleep(max(0.0, begun + number * _TRIGGER_SECONDS / _TRIGGERS - time.monotonic()))
    triggered = time.monotonic() - begun
    memory = _memory_bytes(service)
    _until_complete(service, ids)
    note = f"triggered in {triggered:.1f} s; all Complete after {time.monotonic() - begun:.1f} s"
    return [Measured("memory of all processes, 1,000 triggers", 3, memory / 2**30, "GiB", note)]


def _trigger(service: Service) -> str:
    report_id: str = service.api.post("/trigger_report").json()["report_id"]
    return report_id


def _until_complete(
    service: Service, report_ids: list[str], *, look_seconds: float = _LOOK_SECONDS
) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    for report_id in report_ids:
        while (status := service.api.get(f"/get_report/{report_id}").json())["status"] == "Running":
            if time.monotonic() > deadline:
                raise TimeoutError(f"report {report_id} is still running")
            time.sleep(look_seconds)
        if status["status"] != "Complete":
            raise RuntimeError(f"report {report_id} ended as {status}")


def _until_idle(service: Service) -> None:
    """The last report that was asked for is complete, and so all before it."""
    _until_complete(service, [_trigger(service)])
    time.sleep(1)


def _memory_bytes(service: Service) -> int:
    """Memory of the service's processes; what they share counts once."""
    supervisor = psutil.Process(service.process.pid)
    total = 0
    for process in (supervisor, *supervisor.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


class _Clients:
    """A process full of clients."""

    def __init__(self, url: httpx.URL, method: str, path: str, clients: int) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.clients", str(url)),
                *(method, path, str(clients), str(_LOAD_SECONDS)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )

    def is_asking(self) -> bool:
        """Tell whether they still ask."""
        return self._process.poll() is None

    def result(self) -> list[float]:
        """The seconds that their answers took, once they have ended."""
        output, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError("the clients failed; what they said is above")
        taken: list[float] = json.loads(output)
        return taken


def _clients(service: Service, method: str, path: str, clients: int) -> _Clients:
    return _Clients(service.api.base_url, method, path, clients)
