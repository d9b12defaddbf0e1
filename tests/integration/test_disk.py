"""On a full or read-only disk the error is clear, nothing committed is lost, and work resumes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from api_server import serve
from mounts import fill_up, make_read_only, mounted
from storemon_pipeline.commands.cli import app
from storemon_pipeline.commands.doctor import Verdict, examine_machine
from storemon_pipeline.contract import REFRESH_JOB
from storemon_pipeline.database.connections import create_engine, ensure_database, sqlalchemy_url
from storemon_pipeline.database.migrate import migrate
from storemon_pipeline.definitions import defs
from storemon_pipeline.host.embedded_postgres import EmbeddedPostgres, embedded_postgres
from storemon_pipeline.settings import Settings
from waiting import eventually

BEGIN = datetime(2023, 1, 25, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "data"
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A database server of its own on a disk of a few hundred MiB."""

    disk: Path
    server: EmbeddedPostgres

    @property
    def url(self) -> str:
        return self.server.url

    def write_logs_ahead(self) -> None:
        """Let there be room in the write-ahead log, so that it is the tables that find none."""
        engine = sa.create_engine(sqlalchemy_url(self.url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for _ in range(5):
                connection.execute(sa.text("SELECT pg_logical_emit_message(false, 'x', 'x')"))
                connection.execute(sa.text("SELECT pg_switch_wal()"))
            connection.execute(sa.text("CHECKPOINT"))
        engine.dispose()

    def is_answering_again(self) -> bool:
        """Start the server where it has ended, as the supervisor does; tell whether it answers."""
        if self.server.process.poll() is not None:
            self.server.start()
        return self.server.accepts_connections()

    def polls(self) -> int:
        engine = create_engine(self.url, application_name="test")
        try:
            with engine.connect() as connection:
                query = sa.text("SELECT count(*) FROM store_status")
                found: int = connection.execute(query).scalar_one()
                by_runs = connection.execute(sa.text("SELECT sum(polls) FROM status_runs"))
                assert by_runs.scalar_one() == found
        finally:
            engine.dispose()
        return found


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallDisk]:
    with (
        mounted(tmp_path / "disk", mebibytes=300) as disk,
        embedded_postgres(disk / "home") as server,
    ):
        ensure_database(server.url)
        migrate(server.url)
        yield SmallDisk(disk, server)


def push(client: httpx.Client, batch: int) -> httpx.Response:
    """Push 20,000 polls that no other batch has."""
    rows = [
        f"store-{store},{BEGIN + timedelta(minutes=batch, seconds=second)},active\n"
        for second in range(40)
        for store in range(500)
    ]
    return client.post(
        "/polls",
        content=("store_id,timestamp_utc,status\n" + "".join(rows)).encode(),
        headers={"Content-Type": "text/csv"},
    )


@pytest.mark.parametrize("is_log_ahead", [True, False], ids=["tables", "write-ahead log"])
def test_a_full_disk_refuses_pushes_and_loses_none(small: SmallDisk, is_log_ahead: bool) -> None:  # noqa: FBT001
    with serve(small.url) as client:
        if is_log_ahead:
            small.write_logs_ahead()
        filler = fill_up(small.disk, leaving_bytes=4 * MIB)
        taken = 0
        while (answer := push(client, taken)).status_code == 200:
            taken += 1
            assert taken < 40, "the disk never got full"
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        if is_log_ahead:
            assert answer.json()["type"] == "urn:problem-type:storemon:disk-full"
            assert "disk is full" in answer.json()["detail"]
            assert small.polls() == taken * 20_000
        assert client.get("/healthz").status_code == 200
        filler.unlink()
        eventually(small.is_answering_again)
        eventually(lambda: push(client, taken).status_code == 200)
        assert small.polls() == (taken + 1) * 20_000


def test_a_load_that_fills_the_disk_fails_with_these_words_and_goes_on_later(
    small: SmallDisk, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("business_hours.csv", "timezones.csv", "store_status.csv"):
        (data / name).write_bytes((SAMPLE / name).read_bytes())

    def refresh() -> dg.ExecuteInProcessResult:
        with (
            pytest.MonkeyPatch.context() as environment,
            dg.DagsterInstance.ephemeral() as instance,
        ):
            environment.setenv("STOREMON_DATABASE_URL", small.url)
            environment.setenv("STOREMON_DATA", os.fspath(data))
            return defs.resolve_job_def(REFRESH_JOB).execute_in_process(
                instance=instance, raise_on_error=False
            )

    assert refresh().success
    before = small.polls()
    with (data / "store_status.csv").open("a") as file:
        for minute in range(1_000):
            at = BEGIN + timedelta(minutes=minute)
            file.writelines(f"late-{store},active,{at}\n" for store in range(150))
    small.write_logs_ahead()
    filler = fill_up(small.disk, leaving_bytes=4 * MIB)
    failed = refresh()
    assert not failed.success
    words = [event.step_failure_data for event in failed.get_step_failure_events()]
    assert any("Disk full" in str(one.user_failure_data) for one in words), words
    assert small.polls() == before
    filler.unlink()
    assert refresh().success
    assert small.polls() == before + 150_000


def test_the_doctor_says_that_the_disk_is_full(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", mebibytes=8) as disk:
        fill_up(disk, leaving_bytes=0)
        findings = {one.name: one for one in examine_machine(settings(disk / "home"))}
    assert findings["disk"].verdict is Verdict.BAD
    assert findings["disk"].what.startswith("full: 0.0 GiB free in ")
    assert "Free some space" in findings["disk"].remedy


@contextmanager
def read_only_disk(place: Path, *, has_home: bool) -> Iterator[Path]:
    """Yield a home on a disk that cannot be written any more."""
    with mounted(place, mebibytes=200) as disk:
        if has_home:
            with embedded_postgres(disk / "home"):
                pass
        make_read_only(disk)
        yield disk / "home"


def settings(home: Path) -> Settings:
    return Settings(home=home, data=str(SAMPLE))


@pytest.mark.parametrize("has_home", [True, False], ids=["a home", "no home yet"])
def test_a_read_only_home_is_reported_and_left_unchanged(tmp_path: Path, has_home: bool) -> None:  # noqa: FBT001
    with read_only_disk(tmp_path / "disk", has_home=has_home) as home:
        before = {path: path.lstat().st_mtime_ns for path in home.parent.rglob("*")}
        command = [
            sys.executable,
            "-c",
            "from storemon_pipeline.commands.cli import main; main()",
            "up",
        ]
        environment = {name: value for name, value in os.environ.items() if "STOREMON" not in name}
        ended = subprocess.run(
            [*command, f"--home={home}", f"--data={SAMPLE}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            env=environment,
        )
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert ended.stderr == (
            f"storemon: The home {home} cannot be written (Read-only file system): "
            "name a folder of yours with --home or STOREMON_HOME.\n"
        )
        assert {path: path.lstat().st_mtime_ns for path in home.parent.rglob("*")} == before
        said = CliRunner().invoke(app, ["doctor", f"--home={home}", f"--data={SAMPLE}"])
        assert said.exit_code == 1
        assert "bad      home: " in said.stdout
        assert "cannot be written (a read-only file system)" in said.stdout
