"""Launch report runs in Dagster and record the ones that ended.

A request for a report is a row in the database; the run completes or fails it there. The
dispatcher makes sure that there is a run for every waiting request and records runs that ended
without their reports. Handlers only wake it; they never wait for Dagster.
"""

import logging
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import sqlalchemy as sa
from fastapi import Depends

from storemon_api.http.log_once import LogOnce
from storemon_api.http.services import from_state
from storemon_api.reports.report_status import (
    ReportStatus,
    RunStatus,
    failure_sentence,
    report_status,
    run_status,
)
from storemon_pipeline.contract import REPORT_JOB, REQUEST_IDS_TAG, REQUESTED_TAG
from storemon_pipeline.dagster_graphql import (
    DagsterGraphQL,
    DagsterRefusedError,
    DagsterUnavailableError,
)
from storemon_pipeline.reports.report_runs import (
    ReportRun,
    has_uncovered_request,
    open_runs,
    record_end,
    record_launch,
    take_dispatch_lock,
    waiting_request_ids,
)

MAX_OPEN_RUNS: Final = 2
LAUNCH_TAG: Final = "storemon/launch"

_IDLE_SECONDS: Final = 1.0
_BUSY_SECONDS: Final = 0.25
_FIRST_RETRY_SECONDS: Final = 0.25
_LAST_RETRY_SECONDS: Final = 5.0
_STATUS_SECONDS: Final = 1.0
_NAMED_REQUESTS: Final = 10
_LOST_AFTER: Final = timedelta(seconds=60)

_logger = logging.getLogger(__name__)


class Dispatcher:
    """A thread that launches report runs. Of several processes' dispatchers, one leads.

    The leader holds an advisory lock of its database session and does all its work on that
    session, so that losing the session ends its leadership.
    """

    def __init__(
        self,
        engine: sa.Engine,
        dagster: DagsterGraphQL,
        *,
        lost_after: timedelta = _LOST_AFTER,
    ) -> None:
        """Prepare; a run that Dagster does not know counts as lost once it is `lost_after` old."""
        self._engine = engine
        self._dagster = dagster
        self._lost_after = lost_after
        self._is_stopping = threading.Event()
        self._has_work = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._database_log = LogOnce(_logger, "The database")
        self._dagster_log = LogOnce(_logger, "Dagster")
        self._retry_seconds = 0.0
        self._ask_dagster_from = 0.0
        self._ask_statuses_from = 0.0
        # Set while it is unknown whether a launch succeeded.
        self._launch_id: str | None = None
        self.is_leading = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Look for work now instead of at the next tick."""
        self._has_work.set()

    def stop(self, time_limit: timedelta) -> None:
        """Stop the thread; wait at most `time_limit` for a Dagster call in progress."""
        self._is_stopping.set()
        self._has_work.set()
        self._thread.join(time_limit.total_seconds())
        self._dagster.close()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                self._lead()
            except sa.exc.SQLAlchemyError as error:
                self._database_log.failed(error)
            except Exception:
                # Without this thread, reports would wait forever.
                _logger.exception("The dispatcher failed and continues")
            self.is_leading = False
            # Not `_has_work`: new requests are the leader's work.
            self._is_stopping.wait(_IDLE_SECONDS)

    def _lead(self) -> None:
        """Work until stopped; return at once if another dispatcher leads."""
        with self._engine.connect() as connection:
            # The lock belongs to the session: the connection must not return to the pool.
            connection.detach()
            with connection.begin():
                self.is_leading = take_dispatch_lock(connection)
            self._database_log.recovered()
            while self.is_leading and not self._is_stopping.is_set():
                self._has_work.wait(self._tick(connection))
                self._has_work.clear()

    def _tick(self, connection: sa.Connection) -> float:
        """Launch a run or record ended runs; return the seconds until the next tick."""
        with connection.begin():
            runs = open_runs(connection)
            has_uncovered = has_uncovered_request(connection)
        now = time.monotonic()
        if now >= self._ask_dagster_from:
            try:
                if has_uncovered and len(runs) < MAX_OPEN_RUNS:
                    self._launch(connection)
                    self._dagster_answered()
                elif runs and now >= self._ask_statuses_from:
                    self._record_ends(connection, runs)
                    self._ask_statuses_from = now + _STATUS_SECONDS
                    self._dagster_answered()
            except (DagsterUnavailableError, DagsterRefusedError) as error:
                self._dagster_failed(error)
        return _BUSY_SECONDS if runs or has_uncovered else _IDLE_SECONDS

    def _launch(self, connection: sa.Connection) -> None:
        """Launch and record a run that covers all waiting requests."""
        run_id = self._unrecorded_launch()
        if run_id is None:
            self._launch_id = str(uuid.uuid4())
            with connection.begin():
                asking = waiting_request_ids(connection, limit=_NAMED_REQUESTS)
            tags = {LAUNCH_TAG: self._launch_id, REQUESTED_TAG: "true"}
            if asking:
                tags[REQUEST_IDS_TAG] = " ".join(asking)
            run_id = self._dagster.launch_run(REPORT_JOB, tags=tags)
        with connection.begin():
            record_launch(connection, run_id)
        self._launch_id = None

    def _unrecorded_launch(self) -> str | None:
        """Return the run of a launch whose response was lost, if it was launched and is running."""
        if self._launch_id is None:
            return None
        for run_id, name in self._dagster.runs_with_tag(LAUNCH_TAG, self._launch_id).items():
            status = run_status(name)
            if status is None or report_status(status) is ReportStatus.RUNNING:
                return run_id
        return None

    def _record_ends(self, connection: sa.Connection, runs: list[ReportRun]) -> None:
        """Record each of `runs` that has ended or is lost."""
        names = self._dagster.run_statuses(run.run_id for run in runs)
        for run in runs:
            name = names.get(run.run_id)
            if name is None:
                if datetime.now(UTC) - run.launched_at < self._lost_after:
                    continue
                _logger.warning("Dagster does not know run %s; it is recorded as lost", run.run_id)
                status = None
            else:
                status = run_status(name)
                if status is None or report_status(status) is ReportStatus.RUNNING:
                    continue
            with connection.begin():
                record_end(
                    connection,
                    run.run_id,
                    is_success=status is RunStatus.SUCCESS,
                    error=failure_sentence(status, run.run_id),
                )
            if status is not None and status is not RunStatus.SUCCESS:
                # Asked for last: the end is recorded even if this request fails.
                words = self._dagster.run_failure(run.run_id)
                _logger.warning("Run %s ended as %s: %s", run.run_id, status, words)

    def _dagster_answered(self) -> None:
        self._dagster_log.recovered()
        self._retry_seconds = 0.0

    def _dagster_failed(self, error: Exception) -> None:
        self._dagster_log.failed(error)
        self._retry_seconds = min(
            max(2 * self._retry_seconds, _FIRST_RETRY_SECONDS), _LAST_RETRY_SECONDS
        )
        self._ask_dagster_from = time.monotonic() + self._retry_seconds


DispatcherDep = Annotated[Dispatcher, Depends(from_state("dispatcher"))]
