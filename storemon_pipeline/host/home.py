"""The home folder: its paths, its lock and its log files."""

import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from storemon_pipeline.host.errors import HomeError, HomeLockedError

# A log larger than this is rotated to `<name>.log.1`.
LOG_ROTATE_BYTES = 10 * 1024 * 1024

# Other users may pass through (the database server runs as one), but not list the folder.
_HOME_MODE = 0o711
PRIVATE_MODE = 0o700


# sun_path holds 108 bytes with its end mark on Linux, 104 on macOS.
_SOCKET_PATH_BYTES = 103
# libpq, SQLAlchemy and gRPC give other characters in a socket path a meaning of their own.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")


# How Python prints an exception, and what it prints between chained exceptions.
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Failure|Exit|Interrupt)\b")
_CHAIN = re.compile(r"(The above exception was|During handling of the above)")
_FATAL = re.compile(r"\b(PANIC|FATAL|initdb: error): ")
_TAIL_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Home:
    """The places inside one home folder; `path` is absolute."""

    path: Path

    @property
    def postgres(self) -> Path:
        """The data directory of the embedded PostgreSQL."""
        return self.path / "postgres"

    @property
    def logs(self) -> Path:
        """The folder of log files, one per process."""
        return self.path / "logs"

    @property
    def dagster(self) -> Path:
        """Dagster's own folder, its DAGSTER_HOME."""
        return self.path / "dagster"

    @property
    def code_server_socket(self) -> Path:
        """The socket of Dagster's code server, which no other user can reach."""
        return self._socket(self.dagster / "code.sock")

    @property
    def run_starter_socket(self) -> Path:
        """The socket of the process that starts runs, beside the code server's."""
        return self.code_server_socket.with_name("runs.sock")

    @property
    def fork_server_socket(self) -> Path:
        """The socket of the process that forks the API, beside the code server's."""
        return self.code_server_socket.with_name("fork.sock")

    @property
    def dagster_fork_server_socket(self) -> Path:
        """The socket of the process that forks Dagster's processes, beside the code server's."""
        return self.code_server_socket.with_name("dagster-fork.sock")

    @property
    def dagster_token(self) -> Path:
        """The file with the token by which the service's processes reach the Dagster UI."""
        return self.path / "dagster.token"

    @property
    def postgres_socket_folder(self) -> Path:
        """The folder of the embedded PostgreSQL's socket."""
        return self._socket(self.path / "socket" / ".s.PGSQL.5432").parent

    @property
    def lock(self) -> Path:
        """The lock file: a storemon process that uses this home holds its lock."""
        return self.path / "lock"

    def _socket(self, path: Path) -> Path:
        """Return the path, or one in the temporary folder when it is unfit for a socket."""
        is_short = len(os.fsencode(path)) <= _SOCKET_PATH_BYTES
        if is_short and _PLAIN_PATH.fullmatch(str(path)):
            return path
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"storemon-{os.geteuid()}-{digest}" / path.name

    def prepare(self) -> None:
        """Make the home and its private folders.

        Folders that exist keep their permissions. Raises HomeError when a folder cannot be made or
        written.
        """
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                self.path.chmod(_HOME_MODE)
            self.logs.mkdir(mode=PRIVATE_MODE, exist_ok=True)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def open_log(self, name: str) -> BinaryIO:
        """Open `logs/<name>.log` for appending."""
        try:
            return (self.logs / f"{name}.log").open("ab", buffering=0)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def rotate_large_logs(self) -> None:
        """Copy each large log to `<name>.log.1` and truncate it.

        Its writer keeps the file open, so the file itself has to stay. Lines written between the
        copy and the truncation are lost.
        """
        for path in self.logs.glob("*.log"):
            if path.stat().st_size > LOG_ROTATE_BYTES:
                shutil.copyfile(path, path.with_name(f"{path.name}.1"))
                os.truncate(path, 0)


def make_private_folder(path: Path, *, uid: int | None = None, gid: int | None = None) -> None:
    """Make a folder that only its owner can enter; by default that is this process's user.

    Raises HomeError when the place is taken by someone else, as can happen in a shared temporary
    folder.
    """
    owner, group = os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid
    try:
        path.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {owner, os.geteuid()}:
            raise HomeError(f"{path} belongs to someone else: remove it, or name another --home.")
        path.chmod(PRIVATE_MODE)
        if found.st_uid != owner:
            os.chown(path, owner, group, follow_symlinks=False)
    except OSError as error:
        raise HomeError(f"{path} cannot be made a private folder ({error.strerror}).") from error


def last_error(log: Path) -> str:
    """Return on one line why a process died, as its log says.

    That is the root exception of its last traceback, else the last fatal line of PostgreSQL, else
    its last two lines.
    """
    lines = _last_lines(log)
    fatal = [line for line in lines if _FATAL.search(line)]
    root = ""
    is_follow_up = False
    for line in lines:
        if _CHAIN.match(line):
            is_follow_up = True
        elif _EXCEPTION.match(line):
            root = root if is_follow_up else line
            is_follow_up = False
    return root or " / ".join(fatal[-1:] or lines[-2:]) or "none"


def _last_lines(log: Path) -> list[str]:
    """Return the non-empty lines at the end of a log; none when there is no such file."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line.strip("\n") for line in text.splitlines() if line.strip()]


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Hold the home's lock during the block.

    The kernel releases the lock when the process ends, however it ends; children do not inherit it.
    Raises HomeLockedError when another process holds it, HomeError when it cannot be written.
    """
    home.prepare()
    try:
        descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(home.path, error) from error
    with os.fdopen(descriptor, "r+") as lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = lock_file.read().strip()
            by = f" (process {holder})" if holder else ""
            raise HomeLockedError(
                f"Another storemon{by} is using the home {home.path}: "
                "stop that one first, or name another folder with --home."
            ) from error
        lock_file.truncate(0)
        lock_file.write(str(os.getpid()))
        lock_file.flush()
        yield


def _unusable(path: Path, error: OSError) -> HomeError:
    return HomeError(
        f"The home {path} cannot be written ({error.strerror or error}): "
        "name a folder of yours with --home or STOREMON_HOME."
    )
