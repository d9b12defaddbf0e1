"""Work in a process of its own, whose time and memory are known afterwards.

`python -m benchmarks.apart TASK URL [DATA]` does one piece of work on a loaded database.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import psutil

from benchmarks.loaded import ENDING_SECONDS, database_cpu_seconds, load
from storemon_pipeline.checks.check_intervals import check_intervals
from storemon_pipeline.checks.contradictions import check_data
from storemon_pipeline.checks.table_checks import (
    compare_status_runs,
    count_lost_polls,
    count_uptime_faults,
)
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.fit_status_model import fit_first_status_model
from storemon_pipeline.figures.refresh_daily import compare_daily, refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.loads.load_log import read_first_polled_at
from storemon_pipeline.reports.make_reports import make_waiting_reports, request_newest_report
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.views.fleet_view import read_fleet

_LOOK_SECONDS: Final = 0.5
_KIBI: Final = 1 << 10


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work took: of the clock, of the processor, of memory at its peak.

    `database_seconds` are of the processor as well, in PostgreSQL.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    database_seconds: float


def run_apart(task: str, url: str, data: Path | None = None) -> Cost:
    """Do a task in a new process and return its cost."""
    arguments = [task, url, *([str(data)] if data else [])]
    before = database_cpu_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.apart", *arguments],
        stdout=subprocess.PIPE,
        check=True,
    )
    time.sleep(ENDING_SECONDS)
    return Cost(**json.loads(done.stdout), database_seconds=database_cpu_seconds() - before)


@dataclass(slots=True)
class Peak:
    """The most memory that one process had while it was looked at."""

    bytes: int = 0


@contextmanager
def peak_of_processes(name: str) -> Iterator[Peak]:
    """Look at all processes of a name for the time of the block; shared memory counts in each."""
    peak, is_over = Peak(), threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOK_SECONDS):
            for process in psutil.process_iter(["name", "memory_info"]):
                if process.info["name"] == name and process.info["memory_info"]:
                    peak.bytes = max(peak.bytes, process.info["memory_info"].rss)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    yield peak
    is_over.set()
    looking.join()


def _report(url: str) -> None:
    make_waiting_reports(url, run_id=str(uuid4()), is_manual=False)


def _intervals(url: str) -> None:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)


def _poll_checks(url: str) -> None:
    """The checks of the newest load of polls."""
    with bulk_transaction(url) as bulk:
        load_id = bulk.scalar("SELECT max(load_id) FROM loads WHERE source = 'store_status'")
        since = read_first_polled_at(bulk, [load_id])
        if since is None:
            raise ValueError(f"load {load_id} has no polls")
        count_lost_polls(bulk, [load_id])
        compare_status_runs(bulk, since=since, max_gap_us=read_max_gap_us(bulk))


def _checks(url: str) -> None:
    check_intervals(url)
    with bulk_transaction(url) as bulk:
        count_uptime_faults(bulk)
    compare_daily(url, seed=1)


_TASKS: Final[Mapping[str, Callable[[str], object]]] = {
    "intervals": _intervals,
    "model": lambda url: fit_first_status_model(url, fitted_at=datetime.now(UTC)),
    "poll checks": _poll_checks,
    "report": _report,
    "uptime": lambda url: refresh_uptime(url, refreshed_at=datetime.now(UTC)),
    "days": refresh_daily,
    "checks": _checks,
    "fleet": read_fleet,
    "contradictions": check_data,
}


def read_peak_bytes() -> int:
    """The most memory that this program had; `ru_maxrss` begins with what its parent had."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * _KIBI


def main() -> None:
    """Do what the command line says, and print the cost as JSON."""
    task, url, *data = sys.argv[1:]
    if task == "report":
        request_newest_report(url)
    begun, cpu = time.perf_counter(), time.process_time()
    if data:
        load(url, Path(data[0]), Source(task))
    else:
        _TASKS[task](url)
    cost = {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": read_peak_bytes(),
    }
    json.dump(cost, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # freeing gigabytes one by one is nothing that anyone waits for


if __name__ == "__main__":
    main()
