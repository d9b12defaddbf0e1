"""Asking the run starter for a run: imports nothing that a run needs."""

import json
import socket
from collections.abc import Sequence
from typing import Final

SOCKET_VARIABLE: Final = "STOREMON_RUN_STARTER"
"""The variable that names the starter's socket to processes that launch runs."""

ANSWER_SECONDS: Final = 10.0

_MESSAGE_BYTES: Final = 1 << 20


class NotStartedError(Exception):
    """The run was asked for, and it is not known whether it has started."""


def start_run(path: str, run_id: str, arguments: Sequence[str]) -> int:
    """Have a process run `dagster` with these arguments; return its pid.

    Raises OSError when nobody listens at `path` and nothing has happened, NotStartedError when the
    starter was asked and did not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(ANSWER_SECONDS)
        client.connect(path)
        try:
            client.sendall(json.dumps({"run_id": run_id, "arguments": list(arguments)}).encode())
            client.shutdown(socket.SHUT_WR)
            return int(read_all(client))
        except (OSError, ValueError) as error:
            raise NotStartedError(f"no answer about run {run_id} from {path}: {error}") from error


def read_all(connection: socket.socket) -> bytes:
    """All that the other side sends until it has no more to say."""
    parts: list[bytes] = []
    while part := connection.recv(_MESSAGE_BYTES):
        parts.append(part)
    return b"".join(parts)
