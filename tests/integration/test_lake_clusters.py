"""Reports from the lake by workers of a cluster, also when a worker is killed in the middle.

The tests with Celery start a broker; they need Debian's `redis-server`. Those with Ray need the
extra `ray`.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import psutil
import pytest
import sqlalchemy as sa
import yaml

from asked_reports import csv_of, read, request
from report_job import DEADLINE_SECONDS, report_environment, report_job
from service import free_port
from stored import load, load_hours, load_zones
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.lake.follow_database import import_database
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Kind, read_contents, read_manifest
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.reports.requests import ReportState
from waiting import eventually

pytestmark = pytest.mark.slow

STORES: Final = 12
SHARDS: Final = 4
PROGRAMS: Final = Path(sys.executable).parent
WAITS_FOR_A_WRITER: Final = "wait_for_partner"
"""What Linux says of a process that has begun to open a pipe that nobody writes to."""


@pytest.fixture
def url(database_url: str) -> str:
    for hour in range(100, 110):
        load(
            database_url,
            *(
                f"{store} {hour}:{store:02} {'down' if (hour + store) % 5 == 0 else 'up'}"
                for store in range(STORES)
            ),
        )
    load_hours(database_url, "1,0,09:00,17:00", "2,6,22:00,02:00")
    load_zones(database_url, "1,Asia/Kolkata", "2,Europe/Berlin")
    return database_url


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = create_engine(url, application_name="test", pool_size=2)
    yield engine
    engine.dispose()


@pytest.fixture
def lake(url: str, tmp_path: Path) -> LakeFolder:
    """A lake with as many buckets as there are shards."""
    lake = LakeFolder(str(tmp_path / "lake"))
    import_database(url, lake, stores_per_bucket=STORES // SHARDS)
    return lake


@pytest.fixture
def broker() -> Iterator[str]:
    """The address of a broker that keeps nothing."""
    pytest.importorskip("dagster_celery")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Celery needs a broker, and redis-server is not installed")
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL) as server:
        eventually(lambda: _answers(port))
        yield f"redis://127.0.0.1:{port}"
        server.terminate()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"PING\r\n")
            return client.recv(7) == b"+PONG\r\n"
    except ConnectionError:
        return False


def with_programs(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a worker, which finds the programs of this interpreter's packages."""
    return environment | {"PATH": f"{PROGRAMS}:{environment['PATH']}"}


@contextmanager
def celery_workers(environment: dict[str, str], broker: str, folder: Path) -> Iterator[list[int]]:
    """Two workers, each with one process for steps; gives the ids of their process groups."""
    configuration = folder / "celery.yaml"
    configuration.write_text(yaml.safe_dump({"execution": {"config": celery_config(broker)}}))
    worker = ["worker", "start", "-A", "dagster_celery.app", "--config-yaml", str(configuration)]
    groups = []
    with ExitStack() as stack:
        logs = [folder / f"worker-{number}.log" for number in range(2)]
        for log in logs:
            process = subprocess.Popen(
                [PROGRAMS / "dagster-celery", *worker, "--name", log.stem, "--", "--concurrency=1"],
                env=with_programs(environment),
                stdout=stack.enter_context(log.open("w")),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            stack.callback(process.wait)
            stack.callback(kill_group, process.pid)
            groups.append(process.pid)
            # One after the other, because the first one creates Dagster's files.
            eventually(lambda log=log: " ready." in log.read_text())  # type: ignore[misc]
        yield groups


def celery_config(broker: str) -> dict[str, object]:
    """What the workers and the executor have in common.

    Steps of a worker that has died are executed by another one. Redis waits for the timeout, which
    has to be longer than any step.
    """
    return {
        "broker": f"{broker}/0",
        "backend": f"{broker}/1",
        "config_source": {
            "task_acks_late": True,
            "task_reject_on_worker_lost": True,
            "broker_transport_options": {"visibility_timeout": 30},
        },
    }


def kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def expected_csv(engine: sa.Engine, url: str) -> str:
    """The CSV that one process makes from the database."""
    report_id = request(engine)
    make_waiting_reports(url, run_id="database", is_manual=False)
    return csv_of(engine, report_id)


def settings_of(executor: str, lake: LakeFolder, **config: object) -> dict[str, str]:
    return {
        "STOREMON_LAKE": str(lake),
        "STOREMON_EXECUTOR": executor,
        "STOREMON_SHARDS": str(SHARDS),
        **({"STOREMON_EXECUTOR_CONFIG": json.dumps(config)} if config else {}),
    }


@contextmanager
def ray_cluster(environment: dict[str, str]) -> Iterator[str]:
    """The address of a cluster on this machine, with two steps at once; killed at the end."""
    pytest.importorskip("dagster_ray", reason="the extra `ray` is not installed")
    port, jobs_port = free_port(), free_port()
    head = ["start", "--head", "--block", "--num-cpus=2", "--disable-usage-stats"]
    ports = [f"--port={port}", f"--dashboard-port={jobs_port}", "--dashboard-host=127.0.0.1"]
    with ExitStack() as stack:
        # Below a deep folder the names of its sockets would be too long.
        files = stack.enter_context(TemporaryDirectory(prefix="ray"))
        process = subprocess.Popen(
            [
                *(str(PROGRAMS / "ray"), *head, *ports, f"--temp-dir={files}"),
                *("--node-ip-address=127.0.0.1", f"--object-store-memory={100_000_000}"),
            ],
            env=with_programs(environment),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        stack.callback(process.wait)
        # Parts of the cluster are in sessions of their own.
        stack.callback(kill_with_descendants, psutil.Process(process.pid))
        address = f"http://127.0.0.1:{jobs_port}"
        eventually(lambda: _takes_jobs(address))
        yield address


def _takes_jobs(address: str) -> bool:
    try:
        return httpx.get(f"{address}/api/jobs/").is_success
    except httpx.TransportError:
        return False


def kill_with_descendants(process: psutil.Process) -> None:
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            one.kill()


@contextmanager
def stopped_at_a_bucket(lake: LakeFolder, folder: Path) -> Iterator[Callable[[], object]]:
    """A file of the last bucket is a pipe, so that a step which reads it does not go on.

    What is given puts the file back, for those who begin to read it afterwards.
    """
    bucket = read_manifest(lake).buckets[-1]
    (name,) = (file.name for file in read_contents(lake, bucket) if file.kind is Kind.STORES)
    file, kept = folder / "lake" / name, folder / "kept"
    file.rename(kept)
    os.mkfifo(file)
    yield lambda: kept.replace(file)


def step_that_stopped(ancestors: Sequence[int]) -> psutil.Process:
    """The descendant of these processes that has begun to read the pipe."""
    found: list[psutil.Process] = []

    def look() -> bool:
        for ancestor in ancestors:
            for process in psutil.Process(ancestor).children(recursive=True):
                with suppress(FileNotFoundError, ProcessLookupError):
                    threads = Path(f"/proc/{process.pid}/task").iterdir()
                    if WAITS_FOR_A_WRITER in {(one / "wchan").read_text() for one in threads}:
                        found.append(process)
        return bool(found)

    eventually(look)
    (step,) = found
    return step


def logs_of(process: "subprocess.Popen[str]") -> str:
    _, logged = process.communicate(timeout=DEADLINE_SECONDS)
    return logged


def test_celery_workers_make_a_report_of_the_lake(
    engine: sa.Engine, url: str, lake: LakeFolder, tmp_path: Path, broker: str
) -> None:
    expected = expected_csv(engine, url)
    report_id = request(engine)
    settings = settings_of("celery", lake, **celery_config(broker))
    environment = report_environment(url, tmp_path, **settings)
    with celery_workers(environment, broker, tmp_path), report_job(environment) as job:
        logged = logs_of(job)
    assert job.returncode == 0, logged
    assert csv_of(engine, report_id) == expected
    executed = [(tmp_path / f"worker-{number}.log").read_text() for number in range(2)]
    assert all("stores" in log for log in executed)
    for number in range(SHARDS):
        assert sum(f"shard {number} has 3 stores" in log for log in executed) == 1
        assert f"shard {number} has" not in logged


def test_a_report_survives_a_celery_worker_that_is_killed(
    engine: sa.Engine, url: str, lake: LakeFolder, tmp_path: Path, broker: str
) -> None:
    expected = expected_csv(engine, url)
    report_id = request(engine)
    settings = settings_of("celery", lake, **celery_config(broker))
    environment = report_environment(url, tmp_path, **settings)
    with (
        stopped_at_a_bucket(lake, tmp_path) as go_on,
        celery_workers(environment, broker, tmp_path) as groups,
        report_job(environment) as job,
    ):
        step = step_that_stopped(groups)
        go_on()
        kill_group(os.getpgid(step.pid))
        logged = logs_of(job)
    assert job.returncode == 0, logged
    assert csv_of(engine, report_id) == expected


def test_a_report_survives_a_dask_worker_that_is_killed(
    engine: sa.Engine, url: str, lake: LakeFolder, tmp_path: Path
) -> None:
    expected = expected_csv(engine, url)
    report_id = request(engine)
    environment = report_environment(url, tmp_path, **settings_of("dask", lake))
    with stopped_at_a_bucket(lake, tmp_path) as go_on, report_job(environment) as job:
        step = step_that_stopped([job.pid])
        go_on()
        step.kill()
        logged = logs_of(job)
    assert job.returncode == 0, logged
    assert csv_of(engine, report_id) == expected


def test_ray_jobs_make_a_report_of_the_lake(
    engine: sa.Engine, url: str, lake: LakeFolder, tmp_path: Path
) -> None:
    expected = expected_csv(engine, url)
    report_id = request(engine)
    # Ray's own sign-in writes a token into the home of whoever runs it.
    settings = settings_of("ray", lake)
    shared = report_environment(url, tmp_path, RAY_AUTH_MODE="disabled", **settings)
    with ray_cluster(shared) as address:
        environment = shared | settings_of("ray", lake, ray={"address": address})
        with report_job(environment) as job:
            logged = logs_of(job)
    assert job.returncode == 0, logged
    assert csv_of(engine, report_id) == expected
    for number in range(SHARDS):
        assert f'shard_of_uptime_report[{number}]" in Ray job' in logged


def test_after_a_process_of_a_run_was_killed_the_next_run_makes_the_report(
    engine: sa.Engine, url: str, lake: LakeFolder, tmp_path: Path
) -> None:
    expected = expected_csv(engine, url)
    report_id = request(engine)
    environment = report_environment(url, tmp_path, **settings_of("multiprocess", lake))
    with stopped_at_a_bucket(lake, tmp_path) as go_on, report_job(environment) as job:
        step = step_that_stopped([job.pid])
        go_on()
        step.kill()
        logs_of(job)
    assert job.returncode != 0
    assert read(engine, report_id).state is ReportState.WAITING
    with report_job(environment) as job:
        logged = logs_of(job)
    assert job.returncode == 0, logged
    assert csv_of(engine, report_id) == expected
