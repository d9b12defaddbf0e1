"""The run launcher: Dagster's own for local processes, and it knows when such a process is gone.

Dagster's own launcher cannot tell, so that a run whose process died together with the code server
would be "started" for ever. How often one looks is set in `dagster.yaml` (run_monitoring).
"""

import os

import dagster as dg
import psutil

# Not exported anywhere else, yet the return type of a launcher's public method.
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

# The clock of process creation and the wall clock may be stepped apart by this much.
_CLOCK_TOLERANCE_SECONDS = 5.0


class LocalRunLauncher(dg.DefaultRunLauncher):
    """Starts runs as processes of the code server on this machine."""

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
