"""The run launcher: Dagster's own for local processes, made fast and aware of dead processes.

Where a run starter serves (see `run_starter`), it starts the runs; elsewhere the code server does.

Dagster's own launcher cannot tell, so that a run whose process died together with the code server
would be "started" for ever. How often one looks is set in `dagster.yaml` (run_monitoring).
"""

import logging
import os
import signal

import dagster as dg
import psutil

# Not exported anywhere else, yet the types of a launcher's public methods and, for the last, the
# arguments of the command with which launchers start a run.
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs

from storemon_pipeline.launching.run_requests import SOCKET_VARIABLE, start_run

# The clock of process creation and the wall clock may be stepped apart by this much.
_CLOCK_TOLERANCE_SECONDS = 5.0
# On runs that the code server has started.
_CODE_SERVER_TAG = ".dagster/grpc_info"

_logger = logging.getLogger(__name__)


class LocalRunLauncher(dg.DefaultRunLauncher):
    """Starts runs as processes on this machine."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Have the run starter start the run, or the code server where there is no starter."""
        run = context.dagster_run
        path = os.environ.get(SOCKET_VARIABLE)
        if path is not None and run.job_code_origin is not None:
            command = ExecuteRunArgs(
                job_origin=run.job_code_origin,
                run_id=run.run_id,
                instance_ref=self._instance.get_ref(),
            ).get_command_args()
            try:
                start_run(path, run.run_id, command[command.index("api") :])
            except OSError as error:
                _logger.warning("No run starter at %s (%s): the code server starts", path, error)
            else:
                return
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run's process, as the code server does with those it has started."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or _CODE_SERVER_TAG in run.tags:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        begun = self._begun_by(run_id)
        if begun is None or not _is_worker(*begun):
            return False
        self._instance.report_run_canceling(run)
        os.kill(begun[0], signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: the run's own first event names its process."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Say that the run's worker is gone when the process that began it is no more.

        Without a word from that process nothing is known, and the run counts as running: the
        timeout for starting ends it.
        """
        begun = self._begun_by(run.run_id)
        if begun is None or _is_worker(*begun):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.FAILED, f"The process of this run (pid {begun[0]}) has died."
        )

    def _begun_by(self, run_id: str) -> tuple[int, float] | None:
        """Return the pid that the run named last, and when it did (seconds since 1970)."""
        entries = self._instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        for entry in reversed(entries):
            metadata = entry.get_dagster_event().engine_event_data.metadata
            pid = metadata.get("pid")
            if isinstance(pid, dg.TextMetadataValue) and pid.value is not None:
                return int(pid.value), entry.timestamp
        return None


def _is_worker(pid: int, seen_at: float) -> bool:
    """Tell whether this pid is still the process that had it then, at work for this instance."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.create_time() > seen_at + _CLOCK_TOLERANCE_SECONDS:
            return False
        return bool(process.environ().get("DAGSTER_HOME") == os.environ.get("DAGSTER_HOME"))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
