"""A client of the Dagster webserver's GraphQL: launch runs, and read how they are doing.

Pipeline and API share it, so it imports only httpx and `contract`. Other modules decide what a
status means for a report, and when a run is launched.
"""

import re
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpx

from storemon_pipeline.contract import CODE_LOCATION, REPOSITORY

# The response to a launch comes once the run's process has started: seconds on a busy machine.
DEFAULT_TIMEOUT_SECONDS = 30.0

# Dagster's daemons write a heartbeat every 30 s.
_SILENT_DAEMON_SECONDS = 120.0
_CONNECT_TIMEOUT_SECONDS = 3.0
# Characters of an error message. People read no more of it.
_MESSAGE_LENGTH = 600

_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}
"""

_STATUSES = """
query Statuses($runIds: [String], $limit: Int!) {
  runsOrError(filter: {runIds: $runIds}, limit: $limit) {
    __typename
    ... on Runs { results { runId status } }
    ... on Error { message }
  }
}
"""

_TAGGED = """
query Tagged($tags: [ExecutionTag!], $limit: Int!) {
  runsOrError(filter: {tags: $tags}, limit: $limit) {
    __typename
    ... on Runs { results { runId status } }
    ... on Error { message }
  }
}
"""

_PROGRESS = """
query Progress($runId: ID!) {
  runOrError(runId: $runId) {
    __typename
    ... on Run {
      status
      tags { key value }
      executionPlan { steps { key } }
      stepStats { stepKey status startTime endTime }
    }
    ... on Error { message }
  }
}
"""

_EVENTS = """
query Events($runId: ID!, $after: String, $limit: Int!) {
  logsForRun(runId: $runId, afterCursor: $after, limit: $limit) {
    __typename
    ... on EventConnection {
      cursor
      hasMore
      events {
        __typename
        ... on MessageEvent { message level stepKey }
        ... on ExecutionStepFailureEvent {
          failureMetadata { description }
          error { ...Message }
        }
        ... on RunFailureEvent { error { ...Message } }
        ... on EngineEvent { error { ...Message } }
        ... on RunCanceledEvent { error { ...Message } }
      }
    }
    ... on Error { message }
  }
}
fragment Message on PythonError {
  message
  className
  causes { message className }
}
"""

_MATERIALIZATIONS = """
query Materializations($runId: ID!) {
  runOrError(runId: $runId) {
    __typename
    ... on Run {
      assetMaterializations {
        assetKey { path }
        metadataEntries {
          label
          ... on IntMetadataEntry { intValue }
          ... on TextMetadataEntry { text }
        }
      }
    }
    ... on Error { message }
  }
}
"""

_LOCATION = """
query Location($name: String!) {
  workspaceLocationEntryOrError(name: $name) {
    __typename
    ... on WorkspaceLocationEntry {
      loadStatus
      locationOrLoadError { __typename ... on PythonError { message } }
    }
    ... on Error { message }
  }
}
"""

_DAEMONS = """
query Daemons {
  instance {
    daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } }
  }
}
"""

_EVENTS_PAGE = 500
_WILL_RETRY_TAG = "dagster/will_retry"
_PARENT_TAG = "dagster/parent_run_id"

SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
ENDED_STATUSES = frozenset({SUCCESS, FAILURE, "CANCELED"})
"""Dagster's statuses of runs that have ended."""

# How the code server and run monitoring report that a run's process has ended.
_PROCESS_END = re.compile(r"Run execution process for \S+ (?P<how>[^.]*)\.")
_PROCESS_GONE = re.compile(r"Detected run worker status \w+: '(?P<message>[^']*)'")


class DagsterUnavailableError(Exception):
    """The webserver did not respond, or broke off. Trying again later can help."""


class DagsterRefusedError(Exception):
    """Dagster refused the request, and will refuse it again. `str()` says why."""


class StepState(StrEnum):
    """The state of a step of a run."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StepProgress:
    """One step. `seconds` is how long it took, None before its end."""

    key: str
    state: StepState
    seconds: float | None


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Dagster's status of a run, and its steps in the order in which they began.

    `will_retry`: the run failed, and Dagster launches another in its place, see `retry_of`. It is
    None until Dagster has decided, a moment after the failure.
    """

    status: str
    steps: tuple[StepProgress, ...]
    will_retry: bool | None


@dataclass(frozen=True, slots=True)
class Materialization:
    """The metadata of an asset that a run materialized: numbers and texts."""

    asset: str
    numbers: dict[str, int]
    texts: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunEvents:
    """Messages of a run's log, oldest first, and the cursor to go on from."""

    messages: tuple[str, ...]
    cursor: str | None


_STEP_STATES = {
    None: StepState.WAITING,
    "IN_PROGRESS": StepState.RUNNING,
    "SUCCESS": StepState.DONE,
    "FAILURE": StepState.FAILED,
    "SKIPPED": StepState.SKIPPED,
}


@cache
def _read_certificates() -> ssl.SSLContext:
    """Read the trusted certificates once for all clients: it takes 60 ms."""
    return httpx.create_ssl_context(trust_env=False)


class DagsterGraphQL:
    """A client of one webserver. Threads may share it. Close it, or use it in a `with`."""

    def __init__(
        self, base_url: str, timeout: float = DEFAULT_TIMEOUT_SECONDS, *, token: str | None = None
    ) -> None:
        """Take the webserver's address, such as http://127.0.0.1:3000, and a timeout in seconds.

        `token` is what the webserver of the same home expects from its own processes.
        """
        self.base_url = base_url.rstrip("/")
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT_SECONDS)),
            # The webserver is on this machine, so no proxy from the environment is used.
            trust_env=False,
            headers={"Authorization": f"Bearer {token}"} if token else None,
            verify=_read_certificates(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def is_location_loaded(self) -> bool:
        """Tell whether the webserver has loaded the code location.

        Raises DagsterRefusedError with Dagster's message when loading it failed.
        """
        entry = self._ask(_LOCATION, {"name": CODE_LOCATION}, "workspaceLocationEntryOrError")
        if entry is None or entry["__typename"] != "WorkspaceLocationEntry":
            return False
        loaded = entry["locationOrLoadError"]
        if loaded is not None and loaded["__typename"] == "PythonError":
            raise DagsterRefusedError(
                f"The code location does not load: {_sentence(loaded['message'])}"
            )
        return loaded is not None and entry["loadStatus"] == "LOADED"

    def have_daemons_been_alive_since(self, instant: float) -> bool:
        """Tell whether every daemon of the instance wrote a heartbeat after this Unix time."""
        answer = self._ask(_DAEMONS, {}, "instance")
        if answer is None:
            return False
        daemons = answer["daemonHealth"]["allDaemonStatuses"]
        return all(
            (daemon["lastHeartbeatTime"] or 0.0) >= instant
            for daemon in daemons
            if daemon["required"]
        )

    def are_daemons_alive(self) -> bool:
        """Tell whether the daemons are alive. They run schedules and sensors."""
        return self.have_daemons_been_alive_since(time.time() - _SILENT_DAEMON_SECONDS)

    def launch_run(
        self,
        job: str,
        *,
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Launch a job of the code location; return its run id.

        Dagster chooses the run id. When the response is lost (DagsterUnavailableError) the run may
        exist all the same: give it a tag of its own, and look for it with `runs_with_tag`.
        """
        params = {
            "selector": {
                "repositoryLocationName": CODE_LOCATION,
                "repositoryName": REPOSITORY,
                "jobName": job,
            },
            "runConfigData": dict(run_config or {}),
            "executionMetadata": {"tags": _tag_list(tags or {})},
        }
        answer = self._ask(_LAUNCH, {"params": params}, "launchRun")
        match answer:
            case {"__typename": "LaunchRunSuccess", "run": {"runId": str(run_id)}}:
                return run_id
            case {"errors": list(errors)}:
                message = "; ".join(str(error["message"]) for error in errors)
                raise DagsterRefusedError(f"{job} was not launched: {_sentence(message)}")
            case {"__typename": "PipelineNotFoundError"} if not self.is_location_loaded():
                raise DagsterUnavailableError(
                    f"{job} was not launched: the code location is not loaded yet."
                )
            case {"__typename": "PythonError", "message": str(message)}:
                # Such as a code server that is just being restarted.
                raise DagsterUnavailableError(f"{job} was not launched: {_sentence(message)}")
            case _:
                message = "" if answer is None else str(answer.get("message", ""))
                raise DagsterRefusedError(f"{job} was not launched: {_sentence(message)}")

    def run_status(self, run_id: str) -> str | None:
        """Return Dagster's status of the run, such as STARTED; None for an unknown run."""
        return self.run_statuses([run_id]).get(run_id)

    def run_statuses(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Return the statuses of those runs that Dagster has, in one request."""
        wanted = list(dict.fromkeys(run_ids))
        if not wanted:
            return {}
        answer = self._ask(_STATUSES, {"runIds": wanted, "limit": len(wanted)}, "runsOrError")
        return _statuses(answer)

    def runs_with_tag(self, key: str, value: str, *, limit: int = 100) -> dict[str, str]:
        """Return run id and status of the newest runs that carry the tag."""
        variables = {"tags": _tag_list({key: value}), "limit": limit}
        return _statuses(self._ask(_TAGGED, variables, "runsOrError"))

    def run_progress(self, run_id: str) -> RunProgress | None:
        """Return the run's status and steps; None for an unknown run."""
        answer = self._ask(_PROGRESS, {"runId": run_id}, "runOrError")
        if answer is None or answer["__typename"] == "RunNotFoundError":
            return None
        if answer["__typename"] != "Run":
            raise DagsterRefusedError(_sentence(answer.get("message", "")))
        stats = {step["stepKey"]: step for step in answer["stepStats"]}
        planned = [step["key"] for step in (answer["executionPlan"] or {"steps": []})["steps"]]
        keys = list(dict.fromkeys([*stats, *planned]))
        order = {key: (stats.get(key) or {}).get("startTime") or float("inf") for key in keys}
        steps = tuple(
            _step(key, stats.get(key)) for key in sorted(keys, key=lambda key: order[key])
        )
        tags = {tag["key"]: tag["value"] for tag in answer["tags"]}
        will_retry = {"true": True, "false": False}.get(tags.get(_WILL_RETRY_TAG, ""))
        return RunProgress(status=str(answer["status"]), steps=steps, will_retry=will_retry)

    def retry_of(self, run_id: str) -> str | None:
        """Return the id of the run that retries this one; None when there is none."""
        return next(iter(self.runs_with_tag(_PARENT_TAG, run_id, limit=1)), None)

    def run_materializations(self, run_id: str) -> list[Materialization]:
        """Return the metadata of the run's assets; an empty list for an unknown run."""
        answer = self._ask(_MATERIALIZATIONS, {"runId": run_id}, "runOrError")
        if answer is None or answer["__typename"] == "RunNotFoundError":
            return []
        if answer["__typename"] != "Run":
            raise DagsterRefusedError(_sentence(answer.get("message", "")))
        return [_materialization(event) for event in answer["assetMaterializations"]]

    def run_events(self, run_id: str, *, after: str | None = None) -> RunEvents:
        """Return the messages of the run's log after the cursor; none for an unknown run."""
        page = self._events_page(run_id, after)
        if page is None:
            return RunEvents(messages=(), cursor=after)
        messages = tuple(
            _sentence(event["message"]) for event in page["events"] if event.get("message")
        )
        return RunEvents(messages=messages, cursor=page["cursor"])

    def run_failure(self, run_id: str) -> str | None:
        """Return why the run failed or was cancelled, as a sentence.

        The message of the first failed step, else that of the run; None without either.
        """
        after: str | None = None
        step_message: str | None = None
        process_message: str | None = None
        engine_message: str | None = None
        run_message: str | None = None
        while (page := self._events_page(run_id, after)) is not None:
            for event in page["events"]:
                process_message = _process_message(event.get("message") or "") or process_message
                match event["__typename"]:
                    case "ExecutionStepFailureEvent":
                        step_message = step_message or _failure_message(event)
                    case "RunFailureEvent" | "RunCanceledEvent":
                        run_message = _failure_message(event) or run_message
                    case "EngineEvent" if event["error"] is not None:
                        engine_message = _failure_message(event)
                    case _:
                        pass
            if not page["hasMore"]:
                break
            after = page["cursor"]
        return step_message or process_message or engine_message or run_message

    def _events_page(self, run_id: str, after: str | None) -> dict[str, Any] | None:
        variables = {"runId": run_id, "after": after, "limit": _EVENTS_PAGE}
        answer = self._ask(_EVENTS, variables, "logsForRun")
        if answer is None or answer["__typename"] == "RunNotFoundError":
            return None
        if answer["__typename"] != "EventConnection":
            raise DagsterRefusedError(_sentence(answer.get("message", "")))
        return answer

    def _ask(self, query: str, variables: Mapping[str, Any], field: str) -> dict[str, Any] | None:
        """Send a query, and return this field of the result; None when it is null."""
        try:
            response = self._client.post(
                f"{self.base_url}/graphql",
                json={"query": query, "variables": variables},
            )
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise DagsterUnavailableError(
                f"Dagster at {self.base_url} did not respond ({type(error).__name__})."
            ) from error
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict) or (field not in data):
            raise DagsterUnavailableError(
                f"Dagster at {self.base_url} could not respond: {_graphql_errors(body)}"
            )
        if data[field] is None and body.get("errors"):
            raise DagsterUnavailableError(
                f"Dagster at {self.base_url} could not respond: {_graphql_errors(body)}"
            )
        answer: dict[str, Any] | None = data[field]
        return answer


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _statuses(answer: dict[str, Any] | None) -> dict[str, str]:
    if answer is None or answer["__typename"] != "Runs":
        message = "" if answer is None else str(answer.get("message", ""))
        raise DagsterUnavailableError(f"Dagster could not list its runs: {_sentence(message)}")
    return {run["runId"]: run["status"] for run in answer["results"]}


def _step(key: str, stats: Mapping[str, Any] | None) -> StepProgress:
    if stats is None:
        return StepProgress(key=key, state=StepState.WAITING, seconds=None)
    start, end = stats["startTime"], stats["endTime"]
    seconds = None if start is None or end is None else float(end) - float(start)
    return StepProgress(key=key, state=_STEP_STATES[stats["status"]], seconds=seconds)


def _materialization(event: Mapping[str, Any]) -> Materialization:
    entries = event["metadataEntries"]
    return Materialization(
        asset="/".join(event["assetKey"]["path"]),
        numbers={
            entry["label"]: int(entry["intValue"])
            for entry in entries
            if entry.get("intValue") is not None
        },
        texts={
            entry["label"]: str(entry["text"]) for entry in entries if entry.get("text") is not None
        },
    )


def _failure_message(event: Mapping[str, Any]) -> str | None:
    """Return the message of the exception that our code raised, without Dagster's around it."""
    metadata = event.get("failureMetadata")
    if metadata and metadata.get("description"):
        return _sentence(metadata["description"])
    error = event.get("error")
    if error is None:
        return _sentence(event["message"]) if event.get("message") else None
    raised = (error.get("causes") or [error])[0]
    return _sentence(_without_class_name(raised["message"], raised.get("className")))


def _process_message(message: str) -> str | None:
    if (gone := _PROCESS_GONE.search(message)) is not None:
        return gone["message"]
    if (end := _PROCESS_END.search(message)) is not None:
        return f"The process of this run {end['how']}."
    return None


def _without_class_name(message: str, class_name: str | None) -> str:
    """Turn "package.module.SomeError: message" into "message"."""
    head, separator, rest = message.partition(": ")
    if separator and class_name and head.split(".")[-1] == class_name and rest.strip():
        return rest
    return message


def _sentence(text: str) -> str:
    """Put the text on one line, and shorten it."""
    line = " ".join(text.split())
    if len(line) > _MESSAGE_LENGTH:
        line = f"{line[: _MESSAGE_LENGTH - 1]}…"
    return line or "no reason was given"


def _graphql_errors(body: object) -> str:
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list) or not errors:
        return "the response is not GraphQL"
    return _sentence("; ".join(str(error.get("message")) for error in errors))
