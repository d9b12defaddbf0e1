"""A process that has imported what a run needs, and forks one process for each run it is asked for.

A short run spends most of its time on the start of Python and on imports; here they are paid once.
How it is asked is in `run_requests`. No thread is ever started
here: a fork copies only the thread that makes it.
"""

import gc
import io
import json
import logging
import os
import runpy
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import adbc_driver_manager
import dagster as dg

from storemon_pipeline.database.bulk import know_database
from storemon_pipeline.definitions import defs
from storemon_pipeline.launching.run_requests import ANSWER_SECONDS, SOCKET_VARIABLE, read_all

_NICENESS: Final = 10
_LOOK_SECONDS: Final = 0.2

_logger = logging.getLogger(__name__)


def serve(path: Path) -> NoReturn:
    """Listen at `path` until the process is ended; runs that were started go on without it."""
    _import_everything()
    path.unlink(missing_ok=True)
    runs: dict[int, str] = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        # What is never freed is never written to, so that its pages stay shared.
        gc.collect()
        gc.freeze()
        while True:
            server.settimeout(_LOOK_SECONDS if runs else None)
            with suppress(TimeoutError):
                _answer(server, runs)
            _bury(runs)


def _import_everything() -> None:
    """Load the definitions and whatever Dagster imports only when it executes a job."""
    for job in defs.get_repository_def().get_all_jobs():
        _logger.debug("loaded %s", job.name)

    @dg.op
    def nothing() -> None:
        """Do nothing, so that all that is around it gets imported."""

    @dg.job(executor_def=dg.in_process_executor)
    def warm_up() -> None:
        nothing()

    warm_up.execute_in_process()
    with suppress(SystemExit), redirect_stdout(io.StringIO()):
        _run_dagster(["--version"])
    # Gives its connections back at the end: none is shared with a fork.
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
    # A database that cannot be reached now is the first run's affair.
    with suppress(adbc_driver_manager.Error):
        # No more than this: the driver's first query would start a thread.
        know_database(os.environ["STOREMON_DATABASE_URL"])


def _answer(server: socket.socket, runs: dict[int, str]) -> None:
    client, _ = server.accept()
    with client:
        client.settimeout(ANSWER_SECONDS)
        try:
            message = read_all(client)
            if not message:
                return  # somebody wanted to know whether anybody listens
            request: dict[str, Any] = json.loads(message)
        except (OSError, ValueError) as error:
            _logger.warning("a request could not be read: %s", error)
            return
        pid = _fork(request["arguments"], server, client)
        runs[pid] = request["run_id"]
        with suppress(OSError):  # who asked has gone; the run tells of itself
            client.sendall(str(pid).encode())


def _run_dagster(arguments: Sequence[str]) -> None:
    """Do what the command `dagster` does, which ends with SystemExit."""
    sys.argv = ["dagster", *arguments]
    runpy.run_module("dagster", run_name="__main__", alter_sys=True)


def _fork(arguments: Sequence[str], *inherited: socket.socket) -> int:
    """Run Dagster's command in a process of its own; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    for connection in inherited:
        connection.close()
    # Where all processors are busy, who answers people comes first.
    os.nice(_NICENESS)
    # As in a new interpreter: whoever ends a run sends it an interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 1
    try:
        _run_dagster(arguments)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        _logger.exception("The process of a run failed")
    finally:
        # Not by returning: everything above on the stack is the parent's.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _bury(runs: dict[int, str]) -> None:
    """Take note of the processes that have ended; a run whose process failed has failed."""
    for pid in list(runs):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            run_id = runs.pop(pid)
            if status and not os.fork():
                _report_death(run_id, pid, os.waitstatus_to_exitcode(status))


def _report_death(run_id: str, pid: int, status: int) -> NoReturn:
    """Mark the run as failed unless it has ended, and end this process."""
    try:
        with dg.DagsterInstance.get() as instance:
            run = instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                instance.report_run_failed(
                    run, f"The process of this run (pid {pid}) has died (status {status})."
                )
    finally:
        os._exit(0)


if __name__ == "__main__":
    serve(Path(os.environ[SOCKET_VARIABLE]))
