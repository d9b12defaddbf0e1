"""Everything that storemon uses of Dagster's private parts: launching and storing local runs.

Dagster exports neither the types of a launcher's methods nor the command that executes a run, and
its own launcher cannot tell whether the process of a run is alive: a run whose process died
together with the code server would stay "started" forever. Its storage opens a connection for each
statement, which takes longer than the statement. This module holds for the versions that
`run_launcher` names; with any other it is not imported.
"""

import logging
import os
import signal
from collections.abc import Mapping
from typing import Any

import dagster as dg
import psutil
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine

from storemon_pipeline.database.connections import replace_dead_connections
from storemon_pipeline.launching.run_requests import (
    KEPT_CONNECTIONS_VARIABLE,
    SOCKET_VARIABLE,
    start_run,
)

# The clock of process creation and the wall clock may be stepped apart by this much.
_CLOCK_TOLERANCE_SECONDS = 5.0
# On runs that the code server has started.
_CODE_SERVER_TAG = ".dagster/grpc_info"

_logger = logging.getLogger(__name__)


class StarterRunLauncher(dg.DefaultRunLauncher):
    """Starts runs as processes on this machine, through the run starter where there is one."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Have the run starter start the run, or the code server where there is no starter."""
        run = context.dagster_run
        path = os.environ.get(SOCKET_VARIABLE)
        if path is not None and run.job_code_origin is not None:
            command = ExecuteRunArgs(
                job_origin=run.job_code_origin,
                run_id=run.run_id,
                instance_ref=self._instance.get_ref(),
                # The run starter then knows whose output is worth showing.
                set_exit_code_on_failure=True,
            ).get_command_args()
            try:
                start_run(path, run.run_id, command[command.index("api") :])
            except OSError as error:
                _logger.warning(
                    "No run starter at %s (%s); the code server starts the run", path, error
                )
            else:
                return
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run's process, as the code server does with the runs it has started."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or _CODE_SERVER_TAG in run.tags:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        process = self._last_process(run_id)
        if process is None or not _is_alive(*process):
            return False
        self._instance.report_run_canceling(run)
        os.kill(process[0], signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: the run's own first event names its process."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Report the run's worker as failed when its process is gone.

        Before the process has logged anything, nothing is known and the run counts as running: the
        timeout for starting ends it.
        """
        process = self._last_process(run.run_id)
        if process is None or _is_alive(*process):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.FAILED, f"The process of this run (pid {process[0]}) has died."
        )

    def _last_process(self, run_id: str) -> tuple[int, float] | None:
        """Return the pid that the run logged last, and when (seconds since 1970)."""
        entries = self._instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        for entry in reversed(entries):
            metadata = entry.get_dagster_event().engine_event_data.metadata
            pid = metadata.get("pid")
            if isinstance(pid, dg.TextMetadataValue) and pid.value is not None:
                return int(pid.value), entry.timestamp
        return None


class RunStorage(DagsterPostgresStorage):
    """Dagster's storage, which keeps its connection in the process of a run.

    The first refresh of a database has 130 events. With a connection for each statement they took
    as much of the processor as everything else in that run.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)
        if KEPT_CONNECTIONS_VARIABLE not in os.environ:
            return
        engine = create_pg_engine(
            postgres_url,
            isolation_level="AUTOCOMMIT",
            pool_size=1,
            max_overflow=-1,
        )
        # As with a connection for each statement, a run goes on after a crash of the server.
        replace_dead_connections(engine)
        for part in (self._run_storage, self._event_log_storage, self._schedule_storage):
            part._engine = engine  # noqa: SLF001 - there is no setting for it

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "RunStorage":
        """Make the storage of this URL."""
        return cls(config_value["postgres_url"], inst_data)


def _is_alive(pid: int, seen_at: float) -> bool:
    """Tell whether this pid is still the process that had it then, working for this instance."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.create_time() > seen_at + _CLOCK_TOLERANCE_SECONDS:
            return False
        return bool(process.environ().get("DAGSTER_HOME") == os.environ.get("DAGSTER_HOME"))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
