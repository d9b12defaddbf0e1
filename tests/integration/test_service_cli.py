"""What the command line refuses, with one line and an exit status.

One refusal is a process of its own; the others run in this one, which is a hundred times quicker.
"""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api_server import serve
from service import free_port
from storemon_pipeline.commands.cli import app
from storemon_pipeline.host.home import Home, locked

COMMAND = [sys.executable, "-c", "from storemon_pipeline.commands.cli import main; main()"]
SAMPLE = Path(__file__).parents[2] / "data"


def run_process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if "STOREMON" not in name}
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def run(*arguments: str, cwd: Path) -> Result:
    unset = {name: None for name in os.environ if "STOREMON" in name}
    with contextlib.chdir(cwd):
        return CliRunner().invoke(app, arguments, env=unset)


def assert_refused(result: Result, *words: str, status: int = 2) -> None:
    assert result.exit_code == status, result.stderr
    assert_one_line(result.stderr, *words)


def assert_one_line(stderr: str, *words: str) -> None:
    """Assert that standard error is one line that has these words."""
    (line,) = stderr.splitlines()
    assert line.startswith("storemon: ")
    assert [word for word in words if word not in line] == []


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Give a port that something listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_help_names_every_command_and_setting(tmp_path: Path) -> None:
    assert all(
        name in run("--help", cwd=tmp_path).stdout
        for name in ("up", "dev", "report", "refresh", "sample-data")
    )
    options = run("up", "--help", cwd=tmp_path).stdout
    settings = ("HOME", "DATA", "HOST", "PORT", "DAGSTER_PORT", "DATABASE_URL")
    assert [name for name in settings if f"STOREMON_{name}" not in options] == []


def test_a_missing_data_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    result = run_process("up", cwd=tmp_path)
    assert result.returncode == 2
    assert_one_line(result.stderr, str(tmp_path / "data"), "--data", "storemon sample-data")
    assert not (tmp_path / ".storemon").exists()


@pytest.mark.parametrize(
    ("option", "other"), [("--port", "--dagster-port"), ("--dagster-port", "--port")]
)
def test_a_port_in_use_is_named_with_its_option(
    option: str, other: str, taken_port: int, tmp_path: Path
) -> None:
    ports = [f"{option}={taken_port}", f"{other}={free_port()}"]
    result = run("up", f"--data={SAMPLE}", *ports, cwd=tmp_path)
    assert_refused(result, f"Port {taken_port}", option, "STOREMON_")
    assert not (tmp_path / ".storemon" / "postgres").exists()


def test_one_port_for_two_servers_is_refused(tmp_path: Path) -> None:
    port = free_port()
    result = run("up", f"--data={SAMPLE}", f"--port={port}", f"--dagster-port={port}", cwd=tmp_path)
    assert_refused(result, f"Port {port}", "both API and Dagster")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("postgresql://me:secret@127.0.0.1:1/x", "refused", id="unreachable"),
        pytest.param("mysql://me:secret@127.0.0.1/x", "PostgreSQL", id="other kind"),
        pytest.param("somewhere", "not a URL", id="no URL"),
        pytest.param("postgresql://[::secret", "not a URL", id="address without an end"),
        pytest.param("postgresql://me:secret@host:port/x", "not a URL", id="port in words"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    url: str, words: str, tmp_path: Path
) -> None:
    ports = [f"--port={free_port()}", f"--dagster-port={free_port()}"]
    result = run("up", f"--data={SAMPLE}", f"--database-url={url}", *ports, cwd=tmp_path)
    assert_refused(result, words, "--database-url")
    assert "secret" not in result.stderr + result.stdout


def test_a_home_that_another_process_holds_is_refused(tmp_path: Path) -> None:
    ports = [f"--port={free_port()}", f"--dagster-port={free_port()}"]
    with locked(Home(tmp_path / "home")):
        result = run("up", f"--data={SAMPLE}", "--home=home", *ports, cwd=tmp_path)
    assert_refused(result, f"process {os.getpid()}", str(tmp_path / "home"))


def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file in its place")
    ports = [f"--port={free_port()}", f"--dagster-port={free_port()}"]
    result = run("up", f"--data={SAMPLE}", "--home=home", *ports, cwd=tmp_path)
    assert_refused(result, str(tmp_path / "home"), "--home")


def test_a_report_without_a_service_says_what_to_do(tmp_path: Path) -> None:
    result = run("report", f"--port={free_port()}", cwd=tmp_path)
    assert_refused(result, "Nothing answers", "storemon up", "--port", status=1)


def test_a_refused_report_is_told_once(database_url: str, tmp_path: Path) -> None:
    with serve(database_url) as client:
        port = f"--port={client.base_url.port}"
        result = run("report", port, "--as-of=2199-01-01T00:00Z", cwd=tmp_path)
    assert_refused(result, status=1)
    assert result.stderr == "storemon: Pick a time that is not in the future.\n"


def test_a_refresh_without_a_service_says_what_to_do(tmp_path: Path) -> None:
    result = run("refresh", f"--dagster-port={free_port()}", cwd=tmp_path)
    assert_refused(result, "storemon up", "--dagster-port", status=1)


def test_sample_data_are_written_where_asked(tmp_path: Path) -> None:
    result = run("sample-data", "out", "--stores=3", "--days=2", "--seed=5", cwd=tmp_path)
    assert result.exit_code == 0
    assert "3 stores" in result.stdout
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("store_status.csv", "business_hours.csv", "timezones.csv", "stores.csv", "closures.csv"),
    }
