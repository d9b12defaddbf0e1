"""Starting child processes that never outlive their parent, and ending processes."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import psutil

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.05
_URGENT_SECONDS = 1.0


class RunningProcess(Protocol):
    """The part of `subprocess.Popen` that every child has, however it was made."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """Return how it ended; None while it runs."""

    def wait(self, timeout: float) -> int:
        """Wait for the end. Raises subprocess.TimeoutExpired."""

    def kill(self) -> None:
        """End it without warning."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user and group that a child runs as."""

    uid: int
    gid: int


def start_child(
    command: Sequence[str | Path],
    *,
    log: BinaryIO,
    environment: Mapping[str, str],
    cwd: Path,
    death_signal: signal.Signals,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in its own session, with its output in `log`.

    In its own session it does not receive the terminal's Ctrl-C. On Linux the kernel sends it
    `death_signal` when the calling thread ends, so call this from a thread that lives on.
    """
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(environment),
        start_new_session=True,
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else [],
        # Runs after the change of user, which would clear the setting.
        preexec_fn=die_with_parent(death_signal, os.getpid()),  # noqa: PLW1509 - one system call, no lock
    )


def die_with_parent(death_signal: signal.Signals, parent: int) -> Callable[[], None]:
    """Return a function that asks Linux for the signal when the caller's parent ends.

    It ends the calling process when its parent is another one already.
    """
    if sys.platform != "linux":
        return lambda: None
    # Look the function up before the fork: the child then only calls it.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def set_death_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:
            os._exit(1)

    return set_death_signal


def end_process(process: psutil.Process, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Send each signal in turn, waiting its seconds for the end; true when the process is gone.

    psutil compares the creation time before it sends a signal, so a new process with the same pid
    is never touched.
    """
    return not end_processes([process], steps)


def end_processes(
    processes: Sequence[psutil.Process],
    steps: Sequence[tuple[signal.Signals, float]],
    *,
    is_urgent: Callable[[], bool] = lambda: False,
) -> list[psutil.Process]:
    """End several processes as `end_process` does; return those still running.

    Once `is_urgent` returns true, no step waits longer than a second.
    """
    left = list(processes)
    for name, seconds in steps:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(name)
        begun = time.monotonic()
        while left := [process for process in left if not is_gone(process)]:
            allowed = min(seconds, _URGENT_SECONDS) if is_urgent() else seconds
            if time.monotonic() - begun > allowed:
                break
            time.sleep(_POLL_SECONDS)
        if not left:
            break
    return left


def is_gone(process: psutil.Process) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        return not process.is_running() or bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
