"""The processes that belong to a home, found by identity: this service's or an earlier one's.

The embedded database is not among them: it changes its environment, and is known by its data
directory (`postgres`).
"""

import os
import signal
from pathlib import Path

import psutil

from storemon_pipeline.host.child_process import end_processes
from storemon_pipeline.host.errors import HomeError

# Every process of a service carries it, and whatever it starts inherits it.
MARK = "STOREMON_SUPERVISED_HOME"

# How Dagster's code server starts the process of a run, and what a fork of the run starter is.
_WORKERS = ("multiprocessing.spawn", "storemon_pipeline.launching.run_starter")

_STEPS = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


def find_left_overs(home: Path) -> list[psutil.Process]:
    """Return the processes that carry this home's mark, this one and its ancestors excepted."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.environ().get(MARK) == str(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended, or is another user's and so not ours
    return found


def find_workers(home: Path) -> list[psutil.Process]:
    """Return the processes that make runs, as far as they carry this home's mark."""
    workers = []
    for process in find_left_overs(home):
        try:
            command = " ".join(process.cmdline())
            if any(worker in command for worker in _WORKERS):
                workers.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return workers


def end_left_overs(home: Path) -> int:
    """End what an earlier supervisor left; return how many processes there were.

    The caller holds the home's lock. Raises HomeError when one cannot be ended.
    """
    left_overs = find_left_overs(home)
    stubborn = end_processes(left_overs, _STEPS)
    if stubborn:
        raise HomeError(
            f"Process {stubborn[0].pid} of an earlier storemon on {home} cannot be ended: "
            "end it by hand."
        )
    return len(left_overs)
