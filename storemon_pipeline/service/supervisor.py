"""The supervisor behind `storemon up`: starts the processes, restarts dead ones, stops them all.

`processes` defines them, `restart_policy` says when to give up, `status_display` shows them.
Everything runs in one thread: Linux kills a child when the thread that started it ends.
"""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import psutil

from storemon_pipeline.dagster_graphql import DagsterGraphQL
from storemon_pipeline.host.child_process import RunningProcess, end_processes
from storemon_pipeline.host.embedded_postgres import STOP_STEPS, EmbeddedPostgres
from storemon_pipeline.host.errors import GaveUpError, HomeError, PostgresError
from storemon_pipeline.host.forked_process import adopting_children, reap_adopted
from storemon_pipeline.host.home import Home, last_error, locked
from storemon_pipeline.host.orphans import (
    end_orphans,
    find_orphans,
    find_run_processes,
)
from storemon_pipeline.host.signals import StopRequestedError, StopRequests
from storemon_pipeline.service.api_logging import write_api_log_config
from storemon_pipeline.service.dagster_home import (
    prepare_dagster_home,
    read_dagster_token,
    renew_dagster_token,
)
from storemon_pipeline.service.preconditions import (
    check_data_folder,
    check_keys,
    check_ports,
)
from storemon_pipeline.service.processes import (
    DEFINITIONS_MODULE,
    CodeServerProcess,
    DatabaseProcess,
    ForkServerProcess,
    Readiness,
    ServiceProcess,
    ask_readiness,
    dagster_processes,
    first_processes,
)
from storemon_pipeline.service.refresh_run import RefreshFollower
from storemon_pipeline.service.restart_policy import RestartPolicy
from storemon_pipeline.service.status_display import ComponentState, StatusDisplay
from storemon_pipeline.settings import Settings

_TICK_SECONDS = 0.03
_PROBE_INTERVAL_SECONDS = 0.06
_CHECK_INTERVAL_SECONDS = 5.0
# A ready process that answers nothing for so long hangs, and is restarted.
_HANG_SECONDS = 15.0
_REFRESH_INTERVAL_SECONDS = 0.25
_REFRESH_INTERVAL_SHARE = 0.1
_WITHOUT_DAEMON_SECONDS = 4.0
_READINESS_SECONDS = 30.0
_LOG_INTERVAL_SECONDS = 60.0
_CHILD_STOP_SECONDS = 10.0

_CHILD_STOP_STEPS = ((signal.SIGTERM, _CHILD_STOP_SECONDS), (signal.SIGKILL, 5.0))

_REFRESH = "first refresh"
_MIGRATIONS = "schema"


# ruff: noqa: PLC0415 - what the databases need is imported while the first processes start


@dataclass(slots=True)
class _Child:
    """A process of the service: how to start it, and the running process if there is one."""

    spec: ServiceProcess
    process: RunningProcess | None = None
    launched_at: float = 0.0
    launched_tick: float = 0.0
    ready_tick: float | None = None
    next_probe_tick: float = 0.0
    silent_since_tick: float | None = None
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
        self._forks: list[_Child] = []

    def run(self) -> None:
        """Start everything, serve until a signal comes, stop everything.

        Raises ServiceError when it cannot start, and GaveUpError when a process keeps dying. By
        then every process that it started has ended.
        """
        check_data_folder(self._settings)
        with locked(self._home), adopting_children():
            self._home.rotate_large_logs()
            self._end_orphans()
            check_ports(self._settings)
            try:
                self._serve()
            except StopRequestedError:
                self._display.line("Stopping. Press Ctrl-C again to stop at once.")
            finally:
                self._stop_everything()

    def _serve(self) -> NoReturn:
        from storemon_pipeline.service.databases import check_database_url, make_databases

        prepare_dagster_home(self._home)
        token = renew_dagster_token(self._home)
        write_api_log_config(self._home)
        server = None
        url = self._settings.database_url
        if url is None:
            server = EmbeddedPostgres(self._home.path)
            url = server.url
        else:
            check_database_url(url)
        # Imports take the longest: they go on while the databases are made.
        first, *self._forks = (
            _Child(spec) for spec in first_processes(self._settings, url, dagster_token=token)
        )
        self._add(first)
        self._start_database(server)
        while self._forks:
            self._start_forks()
            self._tick()
        dagster_database_url = make_databases(url)
        self._migrate(url)
        check_keys(self._settings, url)
        code_server, run_starter, webserver, daemon = (
            _Child(spec)
            for spec in dagster_processes(
                self._settings,
                url,
                dagster_database_url,
                dagster_token=token,
                definitions_module=self._definitions_module,
            )
        )
        fork_servers = [
            child for child in self._children if isinstance(child.spec, ForkServerProcess)
        ]
        self._wait_until(lambda: all(child.is_ready for child in fork_servers))
        self._add(code_server)
        self._add(run_starter)
        self._wait_until(lambda: code_server.is_ready)
        self._add(webserver)
        self._wait_until(lambda: all(child.is_ready for child in self._children))
        readiness = self._await_readiness()
        if readiness.lacks_only_data:
            self._refresh_once(daemon)
            readiness = self._await_readiness()
        if daemon not in self._children:
            self._add(daemon)
        self._announce(readiness)
        while True:
            self._pause(_LOG_INTERVAL_SECONDS)
            self._home.rotate_large_logs()

    def _end_orphans(self) -> None:
        count = end_orphans(self._home.path)
        if count:
            self._display.line(f"Ended {count} processes left behind by an earlier storemon.")

    def _start_forks(self) -> None:
        """Start what the first process forks, once it can; before, restart it when it is dead."""
        first = self._children[0]
        if self._forks and not first.is_ready:
            self._look_after(first)
        if first.is_ready:
            for child in self._forks:
                self._add(child)
            self._forks = []

    def _start_database(self, server: EmbeddedPostgres | None) -> None:
        """Start the embedded server and wait until it is ready; None means another one is used."""
        if server is None:
            self._display.component("database", ComponentState.READY, "given by --database-url")
            return
        server.prepare(meanwhile=self._start_forks)
        self._database = _Child(DatabaseProcess(server=server, home=self._home))
        self._launch(self._database)
        # Fail at once when the first start fails: a retry would hide the reason.
        while not self._database.is_ready:
            if self._database.process is not None and self._database.process.poll() is not None:
                words = last_error(self._database.spec.log)
                raise PostgresError(f"The embedded PostgreSQL did not start: {words}")
            self._stop.raise_if_any()
            self._start_forks()
            self._probe(self._database)
            time.sleep(_TICK_SECONDS / 2)

    def _migrate(self, url: str) -> None:
        from storemon_pipeline.service.databases import bring_to_newest_schema

        self._display.component(_MIGRATIONS, ComponentState.WORKING, "migrations")
        bring_to_newest_schema(url)
        self._display.component(_MIGRATIONS, ComponentState.DONE, "newest version")
        self._stop.raise_if_any()

    def _refresh_once(self, daemon: _Child) -> None:
        """Run the first refresh and show its progress. The service goes on when it fails.

        The daemon, which ends a run that does not start, starts when the refresh takes long. Until
        then it would only take the processor from it.
        """
        begun = time.monotonic()
        token = read_dagster_token(self._home)
        with DagsterGraphQL(self._settings.dagster_url, token=token) as client:
            run = RefreshFollower(client)
            while not run.is_ended:
                self._display.component(_REFRESH, ComponentState.WORKING, run.note)
                run.check()
                elapsed = time.monotonic() - begun
                # Each check takes some of the processor from the refresh.
                self._pause(max(_REFRESH_INTERVAL_SECONDS, elapsed * _REFRESH_INTERVAL_SHARE))
                if daemon not in self._children and elapsed > _WITHOUT_DAEMON_SECONDS:
                    self._add(daemon)
        if run.failure is None:
            self._display.component(_REFRESH, ComponentState.DONE, "data loaded")
        else:
            self._display.component(_REFRESH, ComponentState.FAILED, run.failure)

    def _await_readiness(self) -> Readiness:
        """Wait until reports can be made, only the data is missing, or the time limit passes."""
        deadline = time.monotonic() + _READINESS_SECONDS
        while True:
            readiness = ask_readiness(self._settings)
            is_known = readiness.missing is None or readiness.lacks_only_data
            if is_known or time.monotonic() > deadline:
                return readiness
            self._pause(_REFRESH_INTERVAL_SECONDS)

    def _announce(self, readiness: Readiness) -> None:
        """Print the addresses, and what is not ready yet."""
        api = self._settings.api_url
        if readiness.missing is None:
            self._display.line("storemon is ready.")
        else:
            self._display.line(f"storemon is running but not ready: {readiness.missing}.")
        if readiness.lacks_only_data:
            self._display.line("Fix the cause, then load the data with `storemon refresh`.")
        self._display.text(
            [
                "",
                f"  pages    {api}/",
                f"  API      {api}/docs",
                f"  Dagster  {self._settings.dagster_url}",
                f"  logs     {self._home.logs}",
                "",
                f"  curl -X POST {api}/trigger_report",
                f"  curl '{api}/get_report?report_id=ID'",
                "  storemon report --output report.csv",
                "",
                "Press Ctrl-C to stop.",
            ]
        )

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._tick()

    def _pause(self, seconds: float) -> None:
        """Wait, and look after the processes meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            self._tick()
            if time.monotonic() >= deadline:
                return

    def _tick(self) -> None:
        """Look once at every process. Raises StopRequestedError after a stop signal."""
        self._stop.raise_if_any()
        for child in self._all_children():
            self._look_after(child)
        reap_adopted({child.process.pid for child in self._all_children() if child.process})
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
            if not child.is_ready and now - child.launched_tick > child.spec.start_seconds:
                end_processes([psutil.Process(child.process.pid)], _CHILD_STOP_STEPS)
                child.process.wait(timeout=5)
                self._on_death(child, f"not ready within {child.spec.start_seconds:.0f} s")
        elif child.is_ready and now >= child.next_probe_tick:
            self._check_for_hang(child)

    def _check_for_hang(self, child: _Child) -> None:
        """Kill a process that has not answered for a while; it is then restarted like a dead one.

        While the database does not answer, only the database is checked: the others wait for it.
        """
        child.next_probe_tick = time.monotonic() + _CHECK_INTERVAL_SECONDS
        database = self._database
        is_waiting = (
            database is not None
            and child is not database
            and (not database.is_ready or database.silent_since_tick is not None)
        )
        if is_waiting or child.spec.is_responding():
            child.silent_since_tick = None
            return
        now = time.monotonic()
        child.silent_since_tick = child.silent_since_tick or now
        silent_seconds = now - child.silent_since_tick
        if silent_seconds > _HANG_SECONDS and child.process is not None:
            # A stopped process takes no other signal.
            child.process.kill()
            child.process.wait(timeout=5)
            self._on_death(child, f"no answer for {silent_seconds:.0f} s")

    def _add(self, child: _Child) -> None:
        self._children.append(child)
        self._launch(child)

    def _launch(self, child: _Child) -> None:
        child.restart_tick = None
        child.ready_tick = None
        child.silent_since_tick = None
        child.launched_at = time.time()
        child.launched_tick = time.monotonic()
        self._display.component(child.spec.name, ComponentState.STARTING)
        child.process = child.spec.launch()

    def _launch_again(self, child: _Child) -> None:
        """Launch again; a failure to start counts as one more death."""
        try:
            self._launch(child)
        except (PostgresError, HomeError) as error:
            self._on_death(child, str(error))

    def _probe(self, child: _Child) -> None:
        missing = child.spec.why_not_ready(child.launched_at)
        now = time.monotonic()
        child.next_probe_tick = now + _PROBE_INTERVAL_SECONDS
        if missing is None:
            child.ready_tick = now
            self._display.component(child.spec.name, ComponentState.READY, child.spec.ready_note)
        else:
            self._display.component(child.spec.name, ComponentState.STARTING, missing)

    def _on_death(self, child: _Child, how: str) -> None:
        now = time.monotonic()
        ready_seconds = 0.0 if child.ready_tick is None else now - child.ready_tick
        child.process = None
        child.ready_tick = None
        delay = child.policy.delay_after_death(now, ready_seconds=ready_seconds)
        if delay is None:
            words = last_error(child.spec.log)
            self._display.component(child.spec.name, ComponentState.FAILED, how)
            raise GaveUpError(
                f"The {child.spec.name} keeps dying ({how}). Its last error: {words} "
                f"(see {child.spec.log})."
            )
        child.restart_tick = now + delay
        self._display.component(
            child.spec.name, ComponentState.RESTARTING, f"{how}; restarting in {delay:.1f} s"
        )

    def _stop_everything(self) -> None:
        """End every process of the service and those they started; the database last."""
        code_server = [
            child for child in self._children if isinstance(child.spec, CodeServerProcess)
        ]
        others = [child for child in self._children if child not in code_server]
        # End runs before the code server, which would wait for them.
        own = {child.process.pid for child in self._children if child.process is not None}
        workers = [
            worker for worker in find_run_processes(self._home.path) if worker.pid not in own
        ]
        self._end(others, workers)
        self._end(code_server, find_orphans(self._home.path))
        if self._database is not None and self._database.process is not None:
            name = self._database.spec.name
            self._display.component(name, ComponentState.STOPPING)
            process = self._database.process
            if process.poll() is None:
                end_processes(
                    [psutil.Process(process.pid)], STOP_STEPS, is_urgent=self._stop.is_repeated
                )
                process.wait(timeout=5)
            self._display.component(name, ComponentState.STOPPED)

    def _end(self, children: Sequence[_Child], others: Sequence[psutil.Process]) -> None:
        running = [
            (child, child.process)
            for child in children
            if child.process is not None and child.process.poll() is None
        ]
        for child, _ in running:
            self._display.component(child.spec.name, ComponentState.STOPPING)
        processes = {process.pid: psutil.Process(process.pid) for _, process in running}
        processes |= {other.pid: other for other in others}
        end_processes(list(processes.values()), _CHILD_STOP_STEPS, is_urgent=self._stop.is_repeated)
        for _, process in running:
            process.wait(timeout=5)
        for child in children:
            child.restart_tick = None
            self._display.component(child.spec.name, ComponentState.STOPPED)


def _describe_end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
