"""Processes that the fork server forks for this one: requests for them, and their ends."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

RESPONSE_SECONDS: Final = 5.0
REQUEST_BYTES: Final = 128 * 1024
GO: Final = b"go"

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Request:
    """What a forked process runs, for which client."""

    client: int
    arguments: Sequence[str]
    environment: Mapping[str, str]


@dataclass(slots=True)
class ForkedProcess:
    """A child that the fork server made; with the part of `subprocess.Popen` that is used."""

    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        """Return how the process ended, as `Popen` has it; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for the end. Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout)
            time.sleep(_POLL_SECONDS)
        return status

    def kill(self) -> None:
        """End it without warning."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def fork_child(
    path: Path, arguments: Sequence[str], *, log: BinaryIO, environment: Mapping[str, str]
) -> ForkedProcess:
    """Have the fork server at `path` run a module with arguments, in a session of its own.

    The process gets SIGKILL when this one ends, as after `start_child`. Call it inside
    `adopting_children`. Raises OSError when there is no response; then nothing runs.
    """
    request = json.dumps(asdict(Request(os.getpid(), arguments, environment))).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.settimeout(RESPONSE_SECONDS)
        server.connect(str(path))
        socket.send_fds(server, [request], [log.fileno()])
        pid = int(server.recv(REQUEST_BYTES) or -1)
        if pid < 0:
            raise ConnectionError(f"the fork server at {path} hung up")
        server.sendall(GO)
    return ForkedProcess(pid)


@contextmanager
def adopting_children() -> Iterator[None]:
    """Become the parent of processes below this one whose own parent ends, during the block."""
    _set_subreaper(is_one=True)
    try:
        yield
    finally:
        _set_subreaper(is_one=False)


def _set_subreaper(*, is_one: bool) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(is_one), 0, 0, 0)


def reap_adopted(own: set[int]) -> None:
    """Wait for an adopted process that has ended, if there is one; never for one of `own`."""
    if sys.platform != "linux":
        return
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return  # there is no child
    if ended is not None and ended.si_pid not in own:
        os.waitpid(ended.si_pid, 0)
