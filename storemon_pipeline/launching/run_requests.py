"""Requests to the run starter. Imports nothing that a run needs."""

import json
import socket
from collections.abc import Sequence
from typing import Final

SOCKET_VARIABLE: Final = "STOREMON_RUN_STARTER"
"""The environment variable that holds the path of the starter's socket."""

KEPT_CONNECTIONS_VARIABLE: Final = "STOREMON_RUN_KEEPS_CONNECTIONS"
"""The environment variable that the process of a run has, and no other."""

RESPONSE_SECONDS: Final = 10.0

_MESSAGE_BYTES: Final = 1 << 20


class NotStartedError(Exception):
    """The run was requested, and it is not known whether it has started."""


def start_run(path: str, run_id: str, arguments: Sequence[str]) -> int:
    """Have a process run `dagster` with these arguments; return its pid.

    Raises OSError when nothing listens at `path` and nothing has happened, NotStartedError when the
    starter got the request and sent no response.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(RESPONSE_SECONDS)
        client.connect(path)
        try:
            client.sendall(json.dumps({"run_id": run_id, "arguments": list(arguments)}).encode())
            client.shutdown(socket.SHUT_WR)
            return int(read_all(client))
        except (OSError, ValueError) as error:
            raise NotStartedError(f"no response for run {run_id} from {path}: {error}") from error


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side has closed its half of the connection."""
    parts: list[bytes] = []
    while part := connection.recv(_MESSAGE_BYTES):
        parts.append(part)
    return b"".join(parts)
