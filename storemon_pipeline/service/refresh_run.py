"""Launches one run of the refresh job and follows it to its end.

The caller decides how often to check, and shows the progress.
"""

import time
import uuid
from dataclasses import dataclass

from storemon_pipeline.contract import REFRESH_JOB
from storemon_pipeline.dagster_graphql import (
    ENDED_STATUSES,
    FAILURE,
    SUCCESS,
    DagsterGraphQL,
    DagsterRefusedError,
    DagsterUnavailableError,
    RunProgress,
    StepState,
)

_REQUEST_TAG = "storemon/refresh_request"
# A moment after a failure Dagster records whether it will retry.
_VERDICT_SECONDS = 5.0
# Dagster looks for failed runs to retry every 5 s.
_RETRY_SECONDS = 20.0


@dataclass(slots=True)
class RefreshFollower:
    """Follows one refresh; call `check` until `is_ended`.

    When Dagster retries a failed run, it follows the retry. Dagster does not always retry when it
    says so: its daemon ignores what failed before it first started, and gives up while the code
    server starts again. Then this launches a run itself.
    """

    client: DagsterGraphQL
    run_id: str | None = None
    is_ended: bool = False
    failure: str | None = None
    note: str = "requesting a run"
    _request: str = ""
    _cursor: str | None = None
    _last_message: str = ""
    _is_request_sent: bool = False
    _failed_at: float | None = None
    _is_retry_promised: bool = False

    def check(self) -> None:
        """Launch the run, or read its progress when it is launched already.

        Nothing changes when Dagster does not answer: the next check asks again.
        """
        try:
            if self.run_id is None:
                self._launch()
            else:
                self._follow(self.run_id)
        except DagsterUnavailableError as error:
            self.note = str(error)
        except DagsterRefusedError as error:
            self._end(str(error))

    def _launch(self) -> None:
        self._request = self._request or uuid.uuid4().hex
        if self._is_request_sent:
            # The response to an earlier request was lost: its run may exist.
            known = self.client.runs_with_tag(_REQUEST_TAG, self._request, limit=1)
            if known:
                self.run_id = next(iter(known))
                return
        self._is_request_sent = True
        self.run_id = self.client.launch_run(REFRESH_JOB, tags={_REQUEST_TAG: self._request})
        self.note = "launched"

    def _follow(self, run_id: str) -> None:
        progress = self.client.run_progress(run_id)
        if progress is None:
            self._end("Dagster no longer knows this run")
            return
        events = self.client.run_events(run_id, after=self._cursor)
        self._cursor = events.cursor
        if events.messages:
            self._last_message = events.messages[-1]
        self.note = self._describe(progress)
        if progress.status not in ENDED_STATUSES:
            return
        if progress.status == SUCCESS:
            self._end(None)
        elif progress.status == FAILURE and self._is_retry_open(progress):
            retry = self.client.retry_of(run_id)
            if retry is not None:
                self._go_on_with(retry)
        elif self._is_retry_promised:
            self._request, self._is_request_sent = "", False
            self._go_on_with(None)
        else:
            self._end(self.client.run_failure(run_id) or f"the run ended as {progress.status}")

    def _is_retry_open(self, progress: RunProgress) -> bool:
        """Whether Dagster may still retry this failed run."""
        now = time.monotonic()
        self._failed_at = self._failed_at or now
        self._is_retry_promised = self._is_retry_promised or progress.will_retry is True
        if self._is_retry_promised:
            return now - self._failed_at < _RETRY_SECONDS
        return progress.will_retry is None and now - self._failed_at < _VERDICT_SECONDS

    def _go_on_with(self, run_id: str | None) -> None:
        """Follow this run instead of the failed one; None launches one at the next check."""
        self.run_id, self._cursor, self._failed_at = run_id, None, None
        self._is_retry_promised = False

    def _end(self, failure: str | None) -> None:
        self.is_ended, self.failure = True, failure

    def _describe(self, progress: RunProgress) -> str:
        done = sum(step.state is StepState.DONE for step in progress.steps)
        running = [step.key for step in progress.steps if step.state is StepState.RUNNING]
        steps = f"{done} of {len(progress.steps)} steps done"
        now = f", now {', '.join(running)}" if running else ""
        said = f": {self._last_message}" if self._last_message else ""
        return f"{steps}{now}{said}"
