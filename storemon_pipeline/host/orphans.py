"""Finds and ends the processes of a home that a supervisor left behind.

They are recognised by an environment variable. The embedded database clears its environment and is
recognised by its data directory instead (`embedded_postgres`).
"""

import os
import signal
from pathlib import Path

import psutil

from storemon_pipeline.host.child_process import end_processes
from storemon_pipeline.host.errors import HomeError

# Set for every process of the service; their children inherit it.
MARK = "STOREMON_SUPERVISED_HOME"

# Command lines of processes that execute runs: started by the code server, forked by the starter.
_WORKERS = ("multiprocessing.spawn", "storemon_pipeline.launching.run_starter")

_STEPS = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


def find_orphans(home: Path) -> list[psutil.Process]:
    """Return the processes with this home's mark, except this process and its ancestors."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.environ().get(MARK) == str(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended, or belongs to another user
    return found


def find_run_processes(home: Path) -> list[psutil.Process]:
    """Return the processes of this home that execute runs."""
    workers = []
    for process in find_orphans(home):
        try:
            command = " ".join(process.cmdline())
            if any(worker in command for worker in _WORKERS):
                workers.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return workers


def end_orphans(home: Path) -> int:
    """End the processes that an earlier supervisor left; return how many there were.

    The caller holds the home's lock. Raises HomeError when one cannot be ended.
    """
    orphans = find_orphans(home)
    stubborn = end_processes(orphans, _STEPS)
    if stubborn:
        raise HomeError(
            f"Process {stubborn[0].pid} of an earlier storemon on {home} cannot be ended: "
            "end it yourself."
        )
    return len(orphans)
