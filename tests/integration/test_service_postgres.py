"""The embedded PostgreSQL, run for real: users, closed folders, left-over servers, dead parents."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from storemon_pipeline.host.embedded_postgres import (
    EmbeddedPostgres,
    embedded_postgres,
    shared_buffers,
)
from storemon_pipeline.host.errors import HomeLockedError, PostgresError
from storemon_pipeline.host.home import Home, locked

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
KEEP_RUNNING = """
import sys, time
from pathlib import Path
from storemon_pipeline.host.embedded_postgres import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as server:
    print(server.process.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a short folder that any user may pass through; pytest's own is closed to others."""
    path = Path(tempfile.mkdtemp(prefix="storemon-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def made_data() -> Iterator[Path]:
    """Give the data directory of a server that has ended: to make one takes a second."""
    path = Path(tempfile.mkdtemp(prefix="storemon-"))
    path.chmod(0o755)
    with embedded_postgres(path / "home"):
        pass
    yield path / "home" / "postgres"
    shutil.rmtree(path)


@pytest.fixture
def home(folder: Path, made_data: Path) -> Path:
    """Give a home in which a server has run before."""
    return copied(made_data, folder / "home")


def copied(data: Path, home: Path) -> Path:
    """Copy a data directory, with its owner, into a new home."""
    home.mkdir()
    subprocess.run(["/bin/cp", "-a", str(data), str(home)], check=True)
    return home


def query(server: EmbeddedPostgres, statement: str) -> str:
    url = server.url.replace("/storemon?", "/postgres?")
    with psycopg.connect(url, connect_timeout=60, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return "" if row is None else str(row[0])


def wait_for(condition: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the deadline has passed"
        time.sleep(0.05)


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def write(server: EmbeddedPostgres) -> None:
    url = server.url.replace("/storemon?", "/postgres?")
    with psycopg.connect(url, connect_timeout=60) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")


def test_committed_rows_survive_a_stop_and_a_start(home: Path) -> None:
    with embedded_postgres(home) as server:
        write(server)
        pid = server.process.pid
    assert is_gone(pid)
    with embedded_postgres(home) as server:
        assert query(server, "SELECT n FROM kept") == "42"


def test_settings_are_the_intended_ones(home: Path) -> None:
    with embedded_postgres(home) as server:
        names = ("fsync", "wal_level", "max_connections", "jit", "TimeZone", "server_encoding")
        shown = {name: query(server, f"SHOW {name}") for name in names}
        order = query(
            server, "SELECT string_agg(t, ' ' ORDER BY t) FROM unnest('{b,a,B,é,=}'::text[]) t"
        )
    assert shown == {
        "fsync": "on",
        "wal_level": "minimal",
        "max_connections": "200",
        "jit": "off",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }
    assert order == "= B a b é"


@pytest.mark.parametrize(
    ("gigabytes", "buffers"), [(2, "256MB"), (8, "512MB"), (24, "1024MB"), (64, "1024MB")]
)
def test_the_server_s_buffers_follow_the_memory_of_the_machine(
    gigabytes: int, buffers: str
) -> None:
    assert shared_buffers(gigabytes << 30) == buffers


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_the_url_serves_each_sqlalchemy_driver(folder: Path, made_data: Path, driver: str) -> None:
    with embedded_postgres(copied(made_data, folder / "ho me+%")) as server:
        url = sa.make_url(server.url).set(drivername=f"postgresql+{driver}", database="postgres")
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar() == 1
        engine.dispose()


@pytest.mark.parametrize("name", ["x" * 120, "a:b,c"], ids=["long", "separators"])
def test_a_path_that_no_socket_can_have_moves_the_socket_elsewhere(
    folder: Path, made_data: Path, name: str
) -> None:
    with embedded_postgres(copied(made_data, folder / name)) as server:
        assert query(server, "SELECT 1") == "1"
        assert not (folder / name / "socket").exists()
        socket_folder = Path(query(server, "SHOW unix_socket_directories"))
        assert socket_folder.stat().st_mode & 0o777 == 0o700
    socket_folder.rmdir()


@AS_ROOT
def test_as_root_the_server_is_an_unprivileged_user_without_rights(home: Path) -> None:
    with embedded_postgres(home) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
    assert f"Uid:\t{pwd.getpwnam('storemon').pw_uid}\t" in status
    assert "CapEff:\t0000000000000000" in status


@AS_ROOT
def test_a_home_below_a_closed_folder_works_and_the_folder_stays_closed(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with embedded_postgres(closed / "home") as server:
        assert query(server, "SELECT 1") == "1"
        status = Path(f"/proc/{server.process.pid}/status").read_text()
    assert "CapEff:\t0000000000000002" in status  # dac_override alone
    assert closed.stat().st_mode & 0o777 == 0o700


@AS_ROOT
def test_without_setpriv_a_closed_folder_is_named_with_the_remedy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("PATH", str(folder))
    with (
        pytest.raises(PostgresError, match=rf"cannot enter {closed}.*util-linux"),
        embedded_postgres(closed / "home"),
    ):
        pass


@AS_ROOT
def test_a_normal_user_runs_the_server_as_itself(folder: Path) -> None:
    uid = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, uid, uid)
    # The right to read lets it reach an interpreter that is installed in a closed folder.
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    process = subprocess.Popen(
        [*command, sys.executable, "-c", KEEP_RUNNING, str(folder / "home")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    server = int(process.stdout.readline())
    assert psutil.Process(server).uids().real == uid
    process.kill()
    process.wait(timeout=180)
    process.stdout.close()
    wait_for(lambda: is_gone(server))


def test_the_server_ends_when_its_parent_is_killed(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KEEP_RUNNING, str(home)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    server = int(process.stdout.readline())
    assert not is_gone(server)
    process.kill()
    process.wait(timeout=180)
    process.stdout.close()
    wait_for(lambda: is_gone(server))


def test_a_left_over_server_is_ended_and_its_data_kept(home: Path) -> None:
    left_over = EmbeddedPostgres(home)
    left_over.start()
    write(left_over)
    with embedded_postgres(home) as server:
        wait_for(lambda: left_over.process.poll() is not None)
        assert query(server, "SELECT n FROM kept") == "42"


def test_workers_of_a_killed_server_do_not_hinder_the_next(home: Path) -> None:
    killed = EmbeddedPostgres(home)
    killed.start()
    write(killed)
    killed.process.kill()
    killed.process.wait(timeout=180)
    with embedded_postgres(home) as server:
        assert query(server, "SELECT n FROM kept") == "42"


def test_a_pid_file_of_another_process_is_removed_and_the_process_keeps_running(
    home: Path,
) -> None:
    with embedded_postgres(home) as server:
        write(server)
    account = (home / "postgres").stat()
    # The server's own user: PostgreSQL takes such a process for a running server.
    other = subprocess.Popen(["/bin/sleep", "600"], user=account.st_uid)
    pid_file = home / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{other.pid}\n{home / 'postgres'}\n0\n5432\n\n\n")
    os.chown(pid_file, account.st_uid, account.st_gid)
    with embedded_postgres(home) as server:
        assert query(server, "SELECT n FROM kept") == "42"
    assert other.poll() is None
    other.send_signal(signal.SIGTERM)
    other.wait(timeout=180)


def test_an_interrupted_initdb_is_started_again(folder: Path) -> None:
    unfinished = folder / "home" / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("1")
    with embedded_postgres(folder / "home") as server:
        assert query(server, "SELECT 1") == "1"
    assert not unfinished.exists()


def test_a_held_home_is_refused_until_it_is_let_go(folder: Path) -> None:
    with locked(Home(folder)), pytest.raises(HomeLockedError, match=f"process {os.getpid()}"):  # noqa: SIM117
        with locked(Home(folder)):
            pass
    with locked(Home(folder)):
        pass
