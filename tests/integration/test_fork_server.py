"""The fork server as a process: its forks run modules, belong to the client and end with it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from storemon_pipeline.host.forked_process import (
    ForkedProcess,
    Request,
    adopting_children,
    fork_child,
    reap_adopted,
)
from waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are adopted on Linux only")

MODULE = """
import os, sys, time
print(sys.argv[1:], os.environ["GIVEN"], "SECRET" in os.environ, "decimal" in sys.modules)
if sys.argv[1] == "wait":
    time.sleep(60)
sys.exit(7)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("forks")
    (folder / "a_module.py").write_text(MODULE)
    path = folder / "fork.sock"
    command = [sys.executable, "-m", "storemon_pipeline.host.fork_server", str(path), "decimal"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "SPT_NOENV": "1", "SECRET": "of it"}
    with adopting_children(), subprocess.Popen(command, env=environment) as process:
        eventually(lambda: is_listening(path))
        yield path
        process.kill()


def is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        return probe.connect_ex(str(path)) == 0


def fork(server: Path, log: Path, *arguments: str) -> ForkedProcess:
    with log.open("wb", buffering=0) as output:
        return fork_child(
            server, ["a_module", *arguments], log=output, environment={"GIVEN": "to the fork"}
        )


def test_a_fork_runs_a_module_with_what_is_imported_and_the_environment_of_its_request(
    server: Path, tmp_path: Path
) -> None:
    process = fork(server, tmp_path / "log", "an argument")
    assert process.wait(timeout=30) == 7
    assert (tmp_path / "log").read_text() == "['an argument'] to the fork False True\n"


def test_a_fork_is_a_child_of_the_client_in_its_own_session_with_its_own_title(
    server: Path, tmp_path: Path
) -> None:
    process = fork(server, tmp_path / "log", "wait")
    seen = psutil.Process(process.pid)
    assert process.poll() is None
    assert seen.ppid() == os.getpid()
    assert os.getsid(process.pid) == process.pid
    eventually(lambda: " ".join(seen.cmdline()).rstrip().endswith("-m a_module wait"))
    process.kill()
    assert process.wait(timeout=30) == -signal.SIGKILL


CLIENT = """
import subprocess, sys, time
from pathlib import Path
from storemon_pipeline.host.forked_process import adopting_children, fork_child
path = Path(sys.argv[1])
server = subprocess.Popen([sys.executable, "-m", "storemon_pipeline.host.fork_server", str(path)])
with adopting_children(), open("log", "wb", buffering=0) as log:
    while True:
        try:
            arguments = ["a_module", "wait"]
            forked = fork_child(path, arguments, log=log, environment={"GIVEN": ""})
            break
        except OSError:
            time.sleep(0.01)
    print(server.pid, forked.pid, flush=True)
    time.sleep(60)
"""


def test_a_fork_ends_with_its_client(tmp_path: Path) -> None:
    (tmp_path / "a_module.py").write_text(MODULE)
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(tmp_path / "fork.sock")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
    ) as client:
        assert client.stdout is not None
        server, forked = (psutil.Process(int(pid)) for pid in client.stdout.readline().split())
        client.kill()
    eventually(lambda: not forked.is_running() or forked.status() == psutil.STATUS_ZOMBIE)
    server.kill()


def test_a_request_whose_client_has_gone_runs_nothing(server: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    request = Request(os.getpid(), ["a_module", "an argument"], {"GIVEN": "to nobody"})
    message = json.dumps(asdict(request)).encode()
    with (
        log.open("wb") as output,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client,
    ):
        client.connect(str(server))
        socket.send_fds(client, [message], [output.fileno()])
        pid = int(client.recv(100))
    # It is reaped here, as a process that nobody else waits for.

    def is_gone() -> bool:
        reap_adopted(set())
        return not psutil.pid_exists(pid)

    eventually(is_gone)
    assert log.read_text() == ""


def test_without_a_server_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        fork(tmp_path / "nobody.sock", tmp_path / "log")
