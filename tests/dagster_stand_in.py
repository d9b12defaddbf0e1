"""A small HTTP server in Dagster's place that responds to the dispatcher's GraphQL queries.

The end-to-end tests use the real Dagster with real runs.
"""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class DagsterStandIn:
    """Runs by id, with their Dagster status, as a test sets them."""

    url: str = ""
    runs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)
    failure: str = "the step raised ValueError"
    is_down: bool = False
    """Whether it responds with something that is not GraphQL."""
    loses_responses: bool = False
    """Whether it launches a run and then breaks the connection."""
    refuses: bool = False
    """Whether it refuses each launch."""
    requests: int = 0
    heartbeat_at: float | None = None
    """When the daemon wrote its last heartbeat, as Unix time."""

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        """Return the `data` of the response; None breaks the connection."""
        self.requests += 1
        if "launchRun" in query:
            return self._launch(variables["params"])
        if "runsOrError" in query:
            return {"runsOrError": {"__typename": "Runs", "results": self._find(variables)}}
        if "logsForRun" in query:
            return {"logsForRun": self._events()}
        if "daemonHealth" in query:
            daemon = {
                "daemonType": "SCHEDULER",
                "required": True,
                "lastHeartbeatTime": self.heartbeat_at,
            }
            return {"instance": {"daemonHealth": {"allDaemonStatuses": [daemon]}}}
        if "workspaceLocationEntryOrError" in query:
            return {
                "workspaceLocationEntryOrError": {
                    "__typename": "WorkspaceLocationEntry",
                    "loadStatus": "LOADED",
                    "locationOrLoadError": {"__typename": "RepositoryLocation"},
                }
            }
        raise ValueError(f"no response is known to {query}")

    def end(self, run_id: str, status: str) -> None:
        """Let a run end."""
        self.runs[run_id] = status

    def _launch(self, params: dict[str, Any]) -> dict[str, Any] | None:
        if self.refuses:
            words = "No such job"
            return {"launchRun": {"__typename": "UnauthorizedError", "message": words}}
        run_id = str(uuid.uuid4())
        self.jobs.append(params["selector"]["jobName"])
        self.tags[run_id] = {
            tag["key"]: tag["value"] for tag in params["executionMetadata"]["tags"]
        }
        self.runs[run_id] = "QUEUED"
        if self.loses_responses:
            return None
        return {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": run_id}}}

    def _find(self, variables: dict[str, Any]) -> list[dict[str, str]]:
        wanted = variables.get("runIds", list(self.runs))
        tags = variables.get("tags", [])
        return [
            {"runId": run_id, "status": self.runs[run_id]}
            for run_id in wanted
            if run_id in self.runs
            and all(self.tags[run_id].get(tag["key"]) == tag["value"] for tag in tags)
        ]

    def _events(self) -> dict[str, Any]:
        failure = {
            "__typename": "ExecutionStepFailureEvent",
            "message": "Execution of step failed.",
            "level": "ERROR",
            "stepKey": "uptime_report",
            "failureMetadata": None,
            "error": {"message": self.failure, "className": "ValueError", "causes": []},
        }
        return {
            "__typename": "EventConnection",
            "cursor": "1",
            "hasMore": False,
            "events": [failure],
        }


@contextmanager
def dagster_stand_in() -> Iterator[DagsterStandIn]:
    """Yield a stand-in that listens on a free port."""
    stand_in = DagsterStandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if stand_in.is_down:
                self.send_error(502)
                return
            data = stand_in.answer(body["query"], body["variables"])
            if data is None:
                self.close_connection = True
                return
            answer = json.dumps({"data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield stand_in
        server.shutdown()
        thread.join()
