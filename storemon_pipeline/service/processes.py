"""The processes of the service: how to start each one, and how to tell that it is ready.

The supervisor restarts them.
"""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import httpx

from storemon_pipeline.contract import CODE_LOCATION, DAGSTER_TOKEN_VARIABLE
from storemon_pipeline.dagster_graphql import (
    DagsterGraphQL,
    DagsterRefusedError,
    DagsterUnavailableError,
)
from storemon_pipeline.database.connections import libpq_url
from storemon_pipeline.host.child_process import RunningProcess, start_child
from storemon_pipeline.host.embedded_postgres import EmbeddedPostgres
from storemon_pipeline.host.forked_process import fork_child
from storemon_pipeline.host.home import Home
from storemon_pipeline.host.memory import MMAP_THRESHOLD_BYTES, TRIM_THRESHOLD_BYTES
from storemon_pipeline.host.orphans import MARK
from storemon_pipeline.service.api_logging import api_log_config
from storemon_pipeline.service.dagster_home import WORKSPACE_FILE
from storemon_pipeline.settings import Settings

DEFINITIONS_MODULE: Final = "storemon_pipeline.definitions"
START_MODULE: Final = "storemon_pipeline.host.start_module"
RUN_STARTER_MODULE: Final = "storemon_pipeline.launching.run_starter"
API_FACTORY: Final = "storemon_api.app:create_app"
API_PROTOCOL: Final = "storemon_api.security.client_timeouts:ClientTimeoutProtocol"

CAN_FORK: Final = sys.platform == "linux"
"""Whether the fork server works here. Without it each process imports Dagster by itself."""

_SECRETS: Final = ("STOREMON_ALERT_URLS", "STOREMON_MAIL_URL")
"""Addresses of notifications: only the processes that send messages get them."""

FORK_SERVER_MODULE: Final = "storemon_pipeline.host.fork_server"
_SHARED_MODULES: Final = (
    *("uvicorn", "storemon_api.security.access_control", "storemon_api.http.error_handlers"),
    "storemon_pipeline.sent_statements.deliver_statements",
    "storemon_pipeline.sent_statements.manage_schedules",
    *("storemon_pipeline.reports.ask_for_report", "storemon_pipeline.poll_plan.read_plan"),
    "storemon_pipeline.figures.open_incidents",
)
"""What the first fork server imports: most of what API and definitions have in common."""
_DAGSTER_MODULES: Final = (
    *("dagster._cli.api", "dagster_webserver.cli", "dagster._daemon.cli"),
    # What the definitions import. They are made from each process's own settings.
    *("storemon_pipeline.defs.checks", "storemon_pipeline.defs.statements.statement_job"),
    *("storemon_pipeline.defs.jobs", "storemon_pipeline.defs.sensors"),
)
"""What the second fork server, a fork of the first, imports as well for Dagster's processes."""

_ONE_THREAD: Final = {
    # A fork has no threads but its own, and NumPy's linear algebra is not used.
    "OPENBLAS_NUM_THREADS": "1",
}
RUN_ENVIRONMENT: Final = {
    **_ONE_THREAD,
    # The same as `run_starter` sets for itself, for a process that it did not fork.
    "MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(TRIM_THRESHOLD_BYTES),
}
"""Further environment variables of the processes that execute runs."""

_PROBE_SECONDS = 3.0
# Probes stay on this machine and are not encrypted: none needs to read the trusted certificates,
# which takes 30 ms.
_NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_DAGSTER_PROBE_SECONDS = 5.0
# Each daemon sends a heartbeat every 30 s, later when the machine is busy.
_HEARTBEAT_SECONDS = 120.0
# The client's connection preface and an empty SETTINGS frame (RFC 9113, sections 3.4 and 6.5).
_HTTP2_BEGIN: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_START_SECONDS = 120.0
_DATABASE_START_SECONDS = 300.0  # a recovery after a crash replays up to max_wal_size
_API_GRACE_SECONDS = 5
# Longer than the pause of clients that ask every few seconds, short for those that are gone.
_API_KEEP_ALIVE_SECONDS = 15


class ServiceProcess(Protocol):
    """One process of the service."""

    @property
    def name(self) -> str:
        """The name shown on the display."""

    @property
    def log(self) -> Path:
        """Where its output goes."""

    @property
    def start_seconds(self) -> float:
        """How long it may take to become ready."""

    @property
    def ready_note(self) -> str:
        """A note for the display once it is ready."""

    def launch(self) -> RunningProcess:
        """Start the process and return at once."""

    def why_not_ready(self, launched_at: float) -> str | None:
        """Return None once it is ready, else what is missing; `launched_at` is in epoch seconds."""

    def is_responding(self) -> bool:
        """Whether it answers at all; False means that it hangs, or is not there."""


def shared_environment(
    settings: Settings, database_url: str, dagster_database_url: str
) -> dict[str, str]:
    """Return the environment variables that every process of the service needs."""
    return {
        "STOREMON_HOME": str(settings.home),
        "STOREMON_DATA": str(settings.data),
        "STOREMON_HOST": settings.host,
        "STOREMON_PORT": str(settings.port),
        "STOREMON_DAGSTER_PORT": str(settings.dagster_port),
        "STOREMON_DAGSTER_URL": settings.dagster_url,
        "STOREMON_DATABASE_URL": libpq_url(database_url),
        "STOREMON_DAGSTER_DATABASE_URL": dagster_database_url,
        "DAGSTER_HOME": str(settings.dagster_home),
        **({"STOREMON_POLL_ARCHIVE": settings.poll_archive} if settings.poll_archive else {}),
        **({"STOREMON_LAKE": settings.lake} if settings.lake else {}),
    }


def _child_environment(
    settings: Settings, database_url: str, dagster_database_url: str | None, dagster_token: str
) -> dict[str, str]:
    """Return the environment of a process; Dagster's processes need the URL of its database."""
    return {
        # The API key of a person's commands: the service does not need it.
        **{name: value for name, value in os.environ.items() if name != "STOREMON_API_KEY"},
        **shared_environment(settings, database_url, dagster_database_url or ""),
        DAGSTER_TOKEN_VARIABLE: dagster_token,
        "PYTHONUNBUFFERED": "1",
        "STOREMON_RUN_STARTER": str(Home(settings.home).run_starter_socket),
        MARK: str(settings.home),
    }


@dataclass(frozen=True, slots=True)
class DatabaseProcess:
    """The embedded PostgreSQL."""

    server: EmbeddedPostgres
    home: Home
    name: str = "database"
    start_seconds: float = _DATABASE_START_SECONDS

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home.logs / "postgres.log"

    @property
    def ready_note(self) -> str:
        """Where its data is."""
        return f"PostgreSQL in {self.home.postgres}"

    def launch(self) -> subprocess.Popen[bytes]:
        """Remove the remains of a dead server, and start."""
        self.server.prepare()
        self.server.launch()
        return self.server.process

    def why_not_ready(self, launched_at: float) -> str | None:  # noqa: ARG002 - asks the running server
        """Ask for a connection."""
        return None if self.server.accepts_connections() else "not accepting connections yet"

    def is_responding(self) -> bool:
        """Ask for a connection; a refusal is an answer."""
        return self.server.is_responding()


@dataclass(frozen=True, slots=True)
class _PythonProcess:
    """A module that this interpreter runs."""

    settings: Settings
    environment: Mapping[str, str]
    arguments: Sequence[str]
    name: str
    log_name: str
    ready_note: str
    start_seconds: float = _START_SECONDS
    forked_by: Path | None = None

    @property
    def _home(self) -> Home:
        return Home(self.settings.home)

    @property
    def log(self) -> Path:
        return self._home.logs / f"{self.log_name}.log"

    def _dagster(self) -> DagsterGraphQL:
        return DagsterGraphQL(
            self.settings.dagster_url,
            _DAGSTER_PROBE_SECONDS,
            token=self.environment[DAGSTER_TOKEN_VARIABLE],
        )

    def launch(self) -> RunningProcess:
        with self._home.open_log(self.log_name) as log:
            if self.forked_by is not None:
                # Without a fork server it starts all the same, only slower.
                with suppress(OSError):
                    return fork_child(
                        self.forked_by,
                        self.arguments,
                        log=log,
                        environment=self.environment,
                    )
            return start_child(
                # Not with -P: Dagster takes the first entry of the path for the script's folder
                # and removes it, whatever it is.
                [sys.executable, "-m", START_MODULE, *self.arguments],
                log=log,
                environment=self.environment,
                cwd=self._home.dagster,
                # It has nothing to save: a sudden end loses nothing.
                death_signal=signal.SIGKILL,
            )


class ForkServerProcess(_PythonProcess):
    """A process that forks others, which need what it has imported."""

    @property
    def _socket(self) -> Path:
        return Path(self.arguments[1])

    def why_not_ready(self, launched_at: float) -> str | None:  # noqa: ARG002 - a dead one's socket refuses
        """Try to connect: it listens once it has imported everything."""
        missing = _why_not_listening(self._socket, socket.SOCK_SEQPACKET)
        return missing and "importing"

    def is_responding(self) -> bool:
        """Send an empty request, and wait until it hangs up."""
        return _responds(self._socket, b"", socket.SOCK_SEQPACKET)


class CodeServerProcess(_PythonProcess):
    """Dagster's code server, which the webserver and the daemon share."""

    def why_not_ready(self, launched_at: float) -> str | None:  # noqa: ARG002 - a dead one's socket refuses
        """Try to connect: it listens once it has loaded the definitions."""
        return _why_not_listening(self._home.code_server_socket)

    def is_responding(self) -> bool:
        """Begin HTTP/2, as gRPC does, and wait for the server's first frame."""
        return _responds(self._home.code_server_socket, _HTTP2_BEGIN)


class RunStarterProcess(_PythonProcess):
    """The process that forks the processes of runs."""

    def why_not_ready(self, launched_at: float) -> str | None:  # noqa: ARG002 - as above
        """Try to connect: it listens once it has imported everything."""
        return _why_not_listening(self._home.run_starter_socket)

    def is_responding(self) -> bool:
        """Send an empty request, and wait until it hangs up."""
        return _responds(self._home.run_starter_socket, b"")


def _why_not_listening(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> str | None:
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return "loading the definitions"
    return None


def _responds(path: Path, request: bytes, kind: socket.SocketKind = socket.SOCK_STREAM) -> bool:
    """Whether a server sends something, or hangs up, after this request and nothing more."""
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
            probe.sendall(request)
            if not request:
                probe.shutdown(socket.SHUT_WR)
            probe.recv(1)
        except OSError:
            return False
    return True


class WebserverProcess(_PythonProcess):
    """Dagster's webserver."""

    def why_not_ready(self, launched_at: float) -> str | None:  # noqa: ARG002 - a dead one refuses
        """Ask it whether the code location is loaded."""
        with self._dagster() as client:
            try:
                return None if client.is_location_loaded() else "loading the code location"
            except DagsterUnavailableError:
                return "not answering yet"
            except DagsterRefusedError as error:
                return str(error)

    def is_responding(self) -> bool:
        """Ask for its version, which needs no database."""
        return _is_answered(f"{self.settings.dagster_url}/server_info")


class DaemonProcess(_PythonProcess):
    """Dagster's daemon: schedules, sensors, monitoring of runs."""

    def why_not_ready(self, launched_at: float) -> str | None:
        """Ask the webserver whether each daemon has sent a heartbeat since."""
        with self._dagster() as client:
            try:
                has_beaten = client.have_daemons_been_alive_since(launched_at)
            except (DagsterUnavailableError, DagsterRefusedError):
                return "waiting for the webserver"
        return None if has_beaten else "no heartbeat yet"

    def is_responding(self) -> bool:
        """Ask the webserver for recent heartbeats; while it cannot tell, suppose that there are."""
        with self._dagster() as client:
            try:
                return client.have_daemons_been_alive_since(time.time() - _HEARTBEAT_SECONDS)
            except (DagsterUnavailableError, DagsterRefusedError):
                return True


class ApiProcess(_PythonProcess):
    """The HTTP API."""

    def why_not_ready(self, launched_at: float) -> str | None:  # noqa: ARG002 - a dead one refuses
        """Ask `/healthz`."""
        try:
            answer = _get(f"{self.settings.api_url}/healthz")
        except httpx.HTTPError:
            return "not answering yet"
        return None if answer.is_success else f"answers {answer.status_code}"

    def is_responding(self) -> bool:
        """Ask `/healthz`."""
        return _is_answered(f"{self.settings.api_url}/healthz")


def _get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=_PROBE_SECONDS, trust_env=False, verify=_NO_CERTIFICATES)


def _is_answered(url: str) -> bool:
    try:
        _get(url)
    except httpx.HTTPError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer of `/readyz`; `missing` is None when reports can be made."""

    missing: str | None
    checks: Mapping[str, str]

    @property
    def lacks_only_data(self) -> bool:
        """Whether everything works except that no refresh has completed yet."""
        return bool(self.checks) and all(
            (found == "ok") is (name != "first_refresh") for name, found in self.checks.items()
        )


def ask_readiness(settings: Settings) -> Readiness:
    """Ask `/readyz` whether reports can be made, and what is missing."""
    try:
        answer = _get(f"{settings.api_url}/readyz")
        body = answer.json()
    except (httpx.HTTPError, ValueError):
        return Readiness(missing="the API does not answer", checks={})
    body = body if isinstance(body, dict) else {}
    checks = {str(name): str(found) for name, found in (body.get("checks") or {}).items()}
    if answer.is_success:
        return Readiness(missing=None, checks=checks)
    missing = ", ".join(
        f"{name.replace('_', ' ')}: {found}" for name, found in checks.items() if found != "ok"
    )
    return Readiness(missing=missing or f"the API answers {answer.status_code}", checks=checks)


def first_processes(
    settings: Settings, database_url: str, *, dagster_token: str
) -> list[ServiceProcess]:
    """Return what starts before the databases are ready: fork servers where they work, and API.

    The first of them forks the others. The API sends the links with which people choose a password;
    it sends no alerts.
    """
    home = Home(settings.home)
    environment = _child_environment(settings, database_url, None, dagster_token)
    api = ApiProcess(
        settings=settings,
        environment=_without(environment, "STOREMON_ALERT_URLS"),
        name="API",
        log_name="api",
        ready_note=settings.api_url,
        forked_by=home.fork_server_socket if CAN_FORK else None,
        arguments=[
            *("uvicorn", API_FACTORY, "--factory"),
            *("--host", settings.host, "--port", str(settings.port)),
            *("--timeout-graceful-shutdown", str(_API_GRACE_SECONDS), "--no-server-header"),
            *("--timeout-keep-alive", str(_API_KEEP_ALIVE_SECONDS), "--http", API_PROTOCOL),
            *(("--log-config", str(api_log_config(home))) if settings.log_json else ()),
            # Clients poll many times a second; the metrics count their requests.
            "--no-access-log",
        ],
    )
    if not CAN_FORK:
        return [api]
    # Forks keep this as what other processes see of their environment.
    public = {**_without(environment, *_SECRETS), **_ONE_THREAD, "SPT_NOENV": "1"}
    fork_server = ForkServerProcess(
        settings=settings,
        environment=public,
        name="fork server",
        log_name="fork-server",
        ready_note="modules imported",
        arguments=[FORK_SERVER_MODULE, str(home.fork_server_socket), *_SHARED_MODULES],
    )
    dagster_fork_server = ForkServerProcess(
        settings=settings,
        environment=public,
        name="Dagster fork server",
        log_name="fork-server",
        ready_note="Dagster imported",
        arguments=[FORK_SERVER_MODULE, str(home.dagster_fork_server_socket), *_DAGSTER_MODULES],
        forked_by=home.fork_server_socket,
    )
    return [fork_server, dagster_fork_server, api]


def dagster_processes(
    settings: Settings,
    database_url: str,
    dagster_database_url: str,
    *,
    dagster_token: str,
    definitions_module: str = DEFINITIONS_MODULE,
) -> list[ServiceProcess]:
    """Return the processes of Dagster: code server, run starter, webserver, daemon.

    Webserver and daemon load the code location from the code server. Started before it is ready,
    they fail and lose seconds until their next try.
    """
    home = Home(settings.home)
    environment = _child_environment(settings, database_url, dagster_database_url, dagster_token)
    forked_by = home.dagster_fork_server_socket if CAN_FORK else None
    workspace = str(home.dagster / WORKSPACE_FILE)
    dagster_format = ("--log-format", "json") if settings.log_json else ()
    code_server = CodeServerProcess(
        settings=settings,
        environment=environment,
        name="code location",
        log_name="code-server",
        ready_note=definitions_module,
        forked_by=forked_by,
        arguments=[
            *("dagster", "api", "grpc"),
            *("--module-name", definitions_module, "--empty-working-directory"),
            *("--socket", str(home.code_server_socket)),
            *("--location-name", CODE_LOCATION, "--use-python-environment-entry-point"),
            *dagster_format,
        ],
    )
    run_starter = RunStarterProcess(
        settings=settings,
        environment={**environment, **RUN_ENVIRONMENT},
        name="run starter",
        log_name="runs",
        ready_note="code imported",
        forked_by=forked_by,
        arguments=[RUN_STARTER_MODULE],
    )
    webserver = WebserverProcess(
        settings=settings,
        environment=_without(environment, *_SECRETS),
        name="webserver",
        log_name="webserver",
        ready_note=settings.dagster_url,
        forked_by=forked_by,
        arguments=[
            *("storemon_api.dagster_ui.server", "--workspace", workspace),
            # Only this machine: an admin key passes here unencrypted.
            *("--host", "127.0.0.1", "--port", str(settings.dagster_port)),
            # A connection from before a crash of the database fails a launch halfway, and the run
            # then waits for its start timeout. Connecting anew takes some milliseconds.
            *("--db-pool-recycle", "1"),
            *dagster_format,
        ],
    )
    daemon = DaemonProcess(
        settings=settings,
        environment=environment,
        name="daemon",
        log_name="daemon",
        ready_note="schedules, sensors, monitoring of runs",
        forked_by=forked_by,
        arguments=["dagster._daemon", "run", "--workspace", workspace, *dagster_format],
    )
    return [code_server, run_starter, webserver, daemon]


def _without(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}
