"""Launching the runs that make the requested reports, and noticing those that died.

A report's request is a row of the database, and the run that makes it completes or fails it there.
What is left to do beside is this module's: that there is a run for every waiting request, and that
a run that ended without its reports is recorded as such. Handlers only say that there is something
to do; they never wait for Dagster.
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
    take_dispatching,
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
    """A thread that launches report runs; of several processes' dispatchers one works at a time.

    The one that works holds a lock of its database session and does everything on that session,
    so that with the session it loses the right to go on.
    """

    def __init__(
        self,
        engine: sa.Engine,
        dagster: DagsterGraphQL,
        *,
        lost_after: timedelta = _LOST_AFTER,
    ) -> None:
        """Prepare; `lost_after` is how old a run must be to count as lost when unknown."""
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
        # Set while it is not known whether a launch succeeded.
        self._launch_id: str | None = None
        self.is_leading = False

    def start(self) -> None:
        """Begin to work in the background."""
        self._thread.start()

    def wake(self) -> None:
        """Look for work now instead of at the next tick."""
        self._has_work.set()

    def stop(self, time_limit: timedelta) -> None:
        """End the work; a call of Dagster that is under way is waited for at most `time_limit`."""
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
                # Whatever it was, reports must not wait for ever because this thread has died.
                _logger.exception("The dispatcher failed and goes on")
            self.is_leading = False
            # Not to be woken: a trigger here is the business of the dispatcher that works.
            self._is_stopping.wait(_IDLE_SECONDS)

    def _lead(self) -> None:
        """Work until told to stop; return at once when another dispatcher works."""
        with self._engine.connect() as connection:
            # The lock is the session's: this connection must end and not go back to the pool.
            connection.detach()
            with connection.begin():
                self.is_leading = take_dispatching(connection)
            self._database_log.recovered()
            while self.is_leading and not self._is_stopping.is_set():
                self._has_work.wait(self._tick(connection))
                self._has_work.clear()

    def _tick(self, connection: sa.Connection) -> float:
        """Do what there is to do; return the seconds until the next look."""
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
        """A run that has not begun to read exists, and is recorded."""
        run_id = self._launched_unseen()
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

    def _launched_unseen(self) -> str | None:
        """Return the run of a launch whose answer was lost, if it was launched and goes on."""
        if self._launch_id is None:
            return None
        for run_id, name in self._dagster.runs_with_tag(LAUNCH_TAG, self._launch_id).items():
            status = run_status(name)
            if status is None or report_status(status) is ReportStatus.RUNNING:
                return run_id
        return None

    def _record_ends(self, connection: sa.Connection, runs: list[ReportRun]) -> None:
        """Every one of `runs` that has ended, or is lost, is recorded as ended."""
        names = self._dagster.run_statuses(run.run_id for run in runs)
        for run in runs:
            name = names.get(run.run_id)
            if name is None:
                if datetime.now(UTC) - run.launched_at < self._lost_after:
                    continue
                _logger.warning("Dagster does not know run %s; it counts as lost", run.run_id)
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
                # Asked for last: if Dagster cannot say, the end is recorded all the same.
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
