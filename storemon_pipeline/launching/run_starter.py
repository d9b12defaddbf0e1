"""A process that has imported everything a run needs, and forks one process for each run.

A short run spends most of its time starting Python and importing modules; here that is paid once.
`run_requests` holds the client's side. This process never starts a thread: a fork copies only the
thread that makes it.

Each run writes its output to a temporary file. When the run has ended, the output is copied to this
process's own; when it has failed, the end of it is added to the run's events, where the Dagster UI
shows it. Capturing output Dagster's way would start three more processes for every run.
"""

import gc
import io
import json
import logging
import os
import runpy
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NoReturn

import adbc_driver_manager
import dagster as dg

from storemon_pipeline.database.bulk import import_driver, load_type_catalogue
from storemon_pipeline.definitions import defs
from storemon_pipeline.host.memory import keep_freed_memory
from storemon_pipeline.launching.run_requests import (
    KEPT_CONNECTIONS_VARIABLE,
    RESPONSE_SECONDS,
    SOCKET_VARIABLE,
    read_all,
)

_NICENESS: Final = 10
_POLL_SECONDS: Final = 0.2
_SHOWN_BYTES: Final = 20_000
"""How much of a failed run's output is added to its events, counted from the end."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run whose process was forked here, and the file with its output."""

    run_id: str
    output: IO[bytes]


def serve(path: Path) -> NoReturn:
    """Listen at `path` until the process is ended; runs that were started continue without it.

    Requests that arrive during the imports wait for their end.
    """
    keep_freed_memory()
    _use_databases()
    path.unlink(missing_ok=True)
    runs: dict[int, _Run] = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        _import_everything()
        # Objects that are never freed are never written to, so that their pages stay shared.
        gc.collect()
        gc.freeze()
        while True:
            server.settimeout(_POLL_SECONDS if runs else None)
            with suppress(TimeoutError):
                _respond(server, runs)
            _reap(runs)


def _import_everything() -> None:
    """Load the definitions, and the modules that Dagster imports only when it executes a job."""
    for job in defs.get_repository_def().get_all_jobs():
        _logger.debug("loaded %s", job.name)

    import_driver()

    @dg.op
    def nothing() -> None:
        """Do nothing, so that everything around an op is imported."""

    @dg.job(executor_def=dg.in_process_executor)
    def warm_up() -> None:
        nothing()

    warm_up.execute_in_process()
    with suppress(SystemExit), redirect_stdout(io.StringIO()):
        _run_dagster(["--version"])


def _use_databases() -> None:
    """Import and cache what the first use of each database needs; leave no connection open."""
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
    # When the database cannot be reached now, the first run reports it.
    with suppress(adbc_driver_manager.Error):
        # No more than this: the driver's first query would start a thread.
        load_type_catalogue(os.environ["STOREMON_DATABASE_URL"])


def _respond(server: socket.socket, runs: dict[int, _Run]) -> None:
    client, _ = server.accept()
    with client:
        client.settimeout(RESPONSE_SECONDS)
        try:
            message = read_all(client)
            if not message:
                return  # a probe whether this process listens
            request: dict[str, Any] = json.loads(message)
        except (OSError, ValueError) as error:
            _logger.warning("a request could not be read: %s", error)
            return
        run = _Run(request["run_id"], tempfile.TemporaryFile())  # noqa: SIM115 - closed by _reap
        pid = _fork(request["arguments"], run.output, server, client)
        runs[pid] = run
        with suppress(OSError):  # the client has gone; the run logs its own events
            client.sendall(str(pid).encode())


def _run_dagster(arguments: Sequence[str]) -> None:
    """Do what the command `dagster` does, which ends with SystemExit."""
    sys.argv = ["dagster", *arguments]
    runpy.run_module("dagster", run_name="__main__", alter_sys=True)


def _fork(arguments: Sequence[str], output: IO[bytes], *inherited: socket.socket) -> int:
    """Run Dagster's command in a process of its own, which writes to `output`; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    for connection in inherited:
        connection.close()
    os.dup2(output.fileno(), sys.stdout.fileno())
    os.dup2(output.fileno(), sys.stderr.fileno())
    # When all processors are busy, the processes that serve requests go first.
    os.nice(_NICENESS)
    # As in a new interpreter: a run is ended by an interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ[KEPT_CONNECTIONS_VARIABLE] = "1"
    status = 1
    try:
        _run_dagster(arguments)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        _logger.exception("The process of a run failed")
    finally:
        # Not by returning: the rest of the stack belongs to the parent.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _reap(runs: dict[int, _Run]) -> None:
    """Wait for the processes that have ended; report the failed ones."""
    for pid in list(runs):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            run = runs.pop(pid)
            with run.output:
                _copy_output(run)
                if status and not os.fork():
                    _report_failure(run, pid, os.waitstatus_to_exitcode(status))


def _copy_output(run: _Run) -> None:
    run.output.seek(0)
    shutil.copyfileobj(run.output, sys.stderr.buffer)
    sys.stderr.flush()


def _report_failure(run: _Run, pid: int, status: int) -> NoReturn:
    """Add the output to the run's events, mark the run as failed unless it has ended, and exit."""
    try:
        with dg.DagsterInstance.get() as instance:
            found = instance.get_run_by_id(run.run_id)
            if found is not None:
                if output := _end_of(run.output):
                    instance.report_engine_event(f"Output of the run's process:\n{output}", found)
                if not found.is_finished:
                    instance.report_run_failed(
                        found, f"The process of this run (pid {pid}) has died (status {status})."
                    )
    finally:
        os._exit(0)


def _end_of(output: IO[bytes]) -> str:
    """Return the last lines of the output, `_SHOWN_BYTES` at most."""
    length = output.seek(0, os.SEEK_END)
    output.seek(max(0, length - _SHOWN_BYTES))
    shown = output.read()
    if length > _SHOWN_BYTES:
        _, _, shown = shown.partition(b"\n")
    # PostgreSQL's text holds any character but NUL.
    return shown.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}").strip()


if __name__ == "__main__":
    serve(Path(os.environ[SOCKET_VARIABLE]))
