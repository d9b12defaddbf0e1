"""The supervisor behind `storemon up`: starts the parts, restarts what dies, stops everything.

What the parts are is said in `parts`, when a restart is given up in `restarts`, how it looks in
`display`. One thread does all of it, so that children can ask to die with it.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import psutil

from storemon_pipeline.dagster_graphql import DagsterGraphQL
from storemon_pipeline.host.child_process import end_processes
from storemon_pipeline.host.embedded_postgres import STOP_STEPS, EmbeddedPostgres
from storemon_pipeline.host.errors import GaveUpError, HomeError, PostgresError
from storemon_pipeline.host.home import Home, last_words, locked
from storemon_pipeline.host.orphans import (
    end_left_overs,
    find_left_overs,
    find_workers,
)
from storemon_pipeline.host.signals import StopRequestedError, StopRequests
from storemon_pipeline.service.api_logging import write_api_log_config
from storemon_pipeline.service.dagster_home import prepare_dagster_home
from storemon_pipeline.service.databases import (
    bring_to_newest_schema,
    check_database_url,
    make_databases,
)
from storemon_pipeline.service.preconditions import (
    check_data_folder,
    check_keys,
    check_ports,
    is_loopback,
)
from storemon_pipeline.service.processes import (
    DEFINITIONS_MODULE,
    DatabasePart,
    Part,
    Readiness,
    ask_readiness,
    process_parts,
)
from storemon_pipeline.service.refresh_run import RefreshRun
from storemon_pipeline.service.restart_policy import RestartPolicy
from storemon_pipeline.service.status_display import PartState, StatusDisplay
from storemon_pipeline.settings import Settings

_TICK_SECONDS = 0.1
_PROBE_INTERVAL_SECONDS = 0.3
_REFRESH_INTERVAL_SECONDS = 0.5
_READINESS_SECONDS = 30.0
_LOG_INTERVAL_SECONDS = 60.0
_CHILD_STOP_SECONDS = 10.0

_CHILD_STOP_STEPS = ((signal.SIGTERM, _CHILD_STOP_SECONDS), (signal.SIGKILL, 5.0))

_REFRESH = "first refresh"
_MIGRATIONS = "schema"


@dataclass(slots=True)
class _Child:
    """A part and its process."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    launched_at: float = 0.0
    launched_tick: float = 0.0
    ready_tick: float | None = None
    next_probe_tick: float = 0.0
    restart_tick: float | None = None
    policy: RestartPolicy = field(default_factory=RestartPolicy)

    @property
    def is_ready(self) -> bool:
        return self.ready_tick is not None and self.process is not None


class Supervisor:
    """Runs the service in the foreground until it is asked to stop."""

    def __init__(
        self,
        settings: Settings,
        display: StatusDisplay,
        stop: StopRequests,
        *,
        definitions_module: str = DEFINITIONS_MODULE,
    ) -> None:
        self._settings = settings
        self._display = display
        self._stop = stop
        self._definitions_module = definitions_module
        self._home = Home(settings.home)
        self._database: _Child | None = None
        self._children: list[_Child] = []
        self._was_ready = False

    def run(self) -> None:
        """Start everything, serve until a signal comes, stop everything.

        Raises ServiceError when it cannot start, GaveUpError when a part keeps dying; whatever
        was started has ended by then.
        """
        check_data_folder(self._settings)
        with locked(self._home):
            self._home.set_large_logs_aside()
            self._end_left_overs()
            check_ports(self._settings)
            try:
                self._serve()
            except StopRequestedError:
                self._display.line("Stopping; Ctrl-C again stops harder.")
            finally:
                self._stop_everything()

    def _serve(self) -> NoReturn:
        url = self._start_database()
        if not is_loopback(self._settings.host):
            self._migrate(url)
            check_keys(self._settings, url)
        prepare_dagster_home(self._home)
        write_api_log_config(self._home)
        code_server, api, *others = (
            _Child(part)
            for part in process_parts(
                self._settings, url, definitions_module=self._definitions_module
            )
        )
        self._add(code_server)
        self._add(api)
        self._migrate(url)
        self._wait_until(lambda: code_server.is_ready)
        for child in others:
            self._add(child)
        self._wait_until(lambda: all(child.is_ready for child in self._children))
        readiness = self._await_readiness()
        if readiness.lacks_only_data:
            self._refresh_once()
            readiness = self._await_readiness()
        self._announce(readiness)
        while True:
            self._pause(_LOG_INTERVAL_SECONDS)
            self._home.set_large_logs_aside()

    def _end_left_overs(self) -> None:
        count = end_left_overs(self._home.path)
        if count:
            self._display.line(f"Ended {count} processes that an earlier storemon left behind.")

    def _start_database(self) -> str:
        """Return the URL of the database, with the embedded one running when there is no other."""
        if self._settings.database_url is not None:
            check_database_url(self._settings.database_url)
            self._display.part("database", PartState.STARTING, "given by --database-url")
            make_databases(self._settings.database_url)
            self._display.part("database", PartState.READY, "given by --database-url")
            return self._settings.database_url
        server = EmbeddedPostgres(self._home.path)
        self._database = _Child(DatabasePart(server=server, home=self._home))
        self._launch(self._database)
        # A first start that fails says why at once: trying again would hide it.
        while not self._database.is_ready:
            if self._database.process is not None and self._database.process.poll() is not None:
                words = last_words(self._database.part.log)
                raise PostgresError(f"The embedded PostgreSQL did not start: {words}")
            self._stop.raise_if_any()
            self._probe(self._database)
            time.sleep(_TICK_SECONDS / 2)
        make_databases(server.url)
        return server.url

    def _migrate(self, url: str) -> None:
        self._display.part(_MIGRATIONS, PartState.WORKING, "migrations")
        bring_to_newest_schema(url)
        self._display.part(_MIGRATIONS, PartState.DONE, "newest version")
        self._stop.raise_if_any()

    def _refresh_once(self) -> None:
        """Run the first refresh to its end, showing how far it is; its failure is only said."""
        with DagsterGraphQL(self._settings.dagster_url) as client:
            run = RefreshRun(client)
            while not run.is_ended:
                self._display.part(_REFRESH, PartState.WORKING, run.note)
                run.look()
                self._pause(_REFRESH_INTERVAL_SECONDS)
        if run.failure is None:
            self._display.part(_REFRESH, PartState.DONE, "the data is in")
        else:
            self._display.part(_REFRESH, PartState.FAILED, run.failure)

    def _await_readiness(self) -> Readiness:
        """Wait until reports can be made, or only the data is missing, or for too long."""
        deadline = time.monotonic() + _READINESS_SECONDS
        while True:
            readiness = ask_readiness(self._settings)
            is_known = readiness.missing is None or readiness.lacks_only_data
            if is_known or time.monotonic() > deadline:
                return readiness
            self._pause(_REFRESH_INTERVAL_SECONDS)

    def _announce(self, readiness: Readiness) -> None:
        """Print where everything is, and what is missing if anything is."""
        api = self._settings.api_url
        if readiness.missing is None:
            self._display.line("storemon is ready.")
        else:
            self._display.line(f"storemon runs, but is not ready ({readiness.missing}).")
        if readiness.lacks_only_data:
            self._display.line("Mend the cause, then load the data with `storemon refresh`.")
        self._display.text(
            [
                "",
                f"  API      {api} (its pages: {api}/docs)",
                f"  Dagster  {self._settings.dagster_url}",
                f"  logs     {self._home.logs}",
                "",
                f"  curl -X POST {api}/trigger_report",
                f"  curl '{api}/get_report?report_id=ID'",
                "  storemon report --output report.csv",
                "",
                "Ctrl-C stops it.",
            ]
        )

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._tick()

    def _pause(self, seconds: float) -> None:
        """Let time pass while the parts are looked after."""
        deadline = time.monotonic() + seconds
        while True:
            self._tick()
            if time.monotonic() >= deadline:
                return

    def _tick(self) -> None:
        """Look once after every part; raises StopRequestedError when the end was asked for."""
        self._stop.raise_if_any()
        for child in self._all_children():
            self._look_after(child)
        self._stop.raise_if_any()
        time.sleep(_TICK_SECONDS)

    def _all_children(self) -> Sequence[_Child]:
        """Return the children, the database first."""
        return [child for child in (self._database, *self._children) if child is not None]

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.restart_tick is not None:
            if now >= child.restart_tick:
                self._launch_again(child)
            return
        if child.process is None:
            return
        status = child.process.poll()
        if status is not None:
            self._on_death(child, _describe_end(status))
        elif not child.is_ready and now >= child.next_probe_tick:
            self._probe(child)
            if not child.is_ready and now - child.launched_tick > child.part.start_seconds:
                end_processes([psutil.Process(child.process.pid)], _CHILD_STOP_STEPS)
                child.process.wait(timeout=5)
                self._on_death(child, f"not ready within {child.part.start_seconds:.0f} s")

    def _add(self, child: _Child) -> None:
        self._children.append(child)
        self._launch(child)

    def _launch(self, child: _Child) -> None:
        child.restart_tick = None
        child.ready_tick = None
        child.launched_at = time.time()
        child.launched_tick = time.monotonic()
        self._display.part(child.part.name, PartState.STARTING)
        child.process = child.part.launch()

    def _launch_again(self, child: _Child) -> None:
        """As `_launch`; what keeps it from starting counts as one more death."""
        try:
            self._launch(child)
        except (PostgresError, HomeError) as error:
            self._on_death(child, str(error))

    def _probe(self, child: _Child) -> None:
        missing = child.part.why_not_ready(child.launched_at)
        now = time.monotonic()
        child.next_probe_tick = now + _PROBE_INTERVAL_SECONDS
        if missing is None:
            child.ready_tick = now
            self._display.part(child.part.name, PartState.READY, child.part.ready_note)
        else:
            self._display.part(child.part.name, PartState.STARTING, missing)

    def _on_death(self, child: _Child, how: str) -> None:
        now = time.monotonic()
        ready_seconds = 0.0 if child.ready_tick is None else now - child.ready_tick
        child.process = None
        child.ready_tick = None
        delay = child.policy.delay_after_death(now, ready_seconds=ready_seconds)
        if delay is None:
            words = last_words(child.part.log)
            self._display.part(child.part.name, PartState.FAILED, how)
            raise GaveUpError(
                f"The {child.part.name} keeps dying ({how}); its last words: {words} "
                f"(more in {child.part.log})."
            )
        child.restart_tick = now + delay
        self._display.part(child.part.name, PartState.RESTARTING, f"{how}; again in {delay:.1f} s")

    def _stop_everything(self) -> None:
        """End every process of the service, those that others started too, the database last."""
        code_server, others = self._children[:1], self._children[1:]
        # Ended before their parent, which would wait for them.
        own = {child.process.pid for child in self._children if child.process is not None}
        workers = [worker for worker in find_workers(self._home.path) if worker.pid not in own]
        self._end(others, workers)
        self._end(code_server, find_left_overs(self._home.path))
        if self._database is not None and self._database.process is not None:
            name = self._database.part.name
            self._display.part(name, PartState.STOPPING)
            process = self._database.process
            if process.poll() is None:
                end_processes(
                    [psutil.Process(process.pid)], STOP_STEPS, is_urgent=self._stop.is_repeated
                )
                process.wait(timeout=5)
            self._display.part(name, PartState.STOPPED)

    def _end(self, children: Sequence[_Child], others: Sequence[psutil.Process]) -> None:
        running = [
            (child, child.process)
            for child in children
            if child.process is not None and child.process.poll() is None
        ]
        for child, _ in running:
            self._display.part(child.part.name, PartState.STOPPING)
        processes = {process.pid: psutil.Process(process.pid) for _, process in running}
        processes |= {other.pid: other for other in others}
        end_processes(list(processes.values()), _CHILD_STOP_STEPS, is_urgent=self._stop.is_repeated)
        for _, process in running:
            process.wait(timeout=5)
        for child in children:
            child.restart_tick = None
            self._display.part(child.part.name, PartState.STOPPED)


def _describe_end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
