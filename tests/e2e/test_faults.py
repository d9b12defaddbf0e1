"""Ending processes of a service under load: no report is lost, no acknowledged poll either.

The short form runs always. The long one, of ten minutes and 62 kills, is
`pytest -m fault tests/e2e/test_faults.py -s`, which prints its counts.
"""

import hashlib
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import httpx
import psutil
import pytest

from service import READY_SECONDS, free_port
from storemon_pipeline.checks.table_checks import compare_all_status_runs, count_unaccounted_polls
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.host.embedded_postgres import EmbeddedPostgres

DATA = Path(__file__).parents[2] / "data"

# Everything that was asked for must have ended so long after everything is up again.
END_SECONDS = 60.0
TRIGGERS_PER_SECOND = 2.0
BATCHES_PER_SECOND = 5.0
POLLS_IN_A_BATCH = 20
# Polls are pushed for instants from here on, each only once.
FIRST_POLL = datetime(2023, 1, 26, tzinfo=UTC)


class Victim(StrEnum):
    """What is killed."""

    RUN = "run process"
    RUN_STARTER = "run starter"
    DAEMON = "daemon"
    WEBSERVER = "webserver"
    CODE_SERVER = "code server"
    API = "API"
    DATABASE = "database"
    EVERYTHING = "everything"


_COMMANDS = {
    Victim.RUN_STARTER: "storemon_pipeline.launching.run_starter",
    Victim.DAEMON: "dagster._daemon",
    Victim.WEBSERVER: "storemon_api.dagster_ui",
    Victim.CODE_SERVER: "dagster api grpc",
    Victim.API: "uvicorn",
    Victim.DATABASE: "bin/postgres",
}


@dataclass
class Undying:
    """A `storemon up` that is started again whenever it has ended."""

    home: Path
    log: Path
    port: int = field(default_factory=free_port)
    dagster_port: int = field(default_factory=free_port)
    starts: int = 0
    ends: list[int] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def keep_alive(self) -> None:
        """Start it when it is not there."""
        if self.process is not None and self.process.poll() is None:
            return
        if self.process is not None:
            self.ends.append(self.process.returncode)
        environment = {name: value for name, value in os.environ.items() if "STOREMON" not in name}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-c",
                        "from storemon_pipeline.commands.cli import main; main()",
                        "up",
                    ),
                    *(f"--home={self.home}", f"--data={DATA}"),
                    *(f"--port={self.port}", f"--dagster-port={self.dagster_port}"),
                ],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.home.parent,
            )
        self.starts += 1

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            self.keep_alive()
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5).is_success:
                    return
            time.sleep(0.2)
        raise TimeoutError(f"not ready again; it said:\n{self.log.read_text()[-4000:]}")

    def kill(self, victim: Victim) -> bool:
        """End it without warning; false when it is not there."""
        if self.process is None or self.process.poll() is not None:
            return False
        supervisor = psutil.Process(self.process.pid)
        match victim:
            case Victim.EVERYTHING:
                family = [supervisor, *supervisor.children(recursive=True)]
            case Victim.RUN:
                family = list(_workers(supervisor))
            case _:
                family = [
                    child for child in supervisor.children() if _COMMANDS[victim] in _command(child)
                ]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return bool(family)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _workers(supervisor: psutil.Process) -> Iterator[psutil.Process]:
    """The processes of runs: forks of the run starter, or what the code server has started."""
    for child in supervisor.children():
        if _COMMANDS[Victim.RUN_STARTER] in _command(child):
            yield from child.children()
        elif _COMMANDS[Victim.CODE_SERVER] in _command(child):
            yield from (
                process
                for process in child.children()
                if "multiprocessing.spawn" in _command(process)
            )


@dataclass
class Load:
    """What was asked of the service, as far as it was acknowledged."""

    url: str
    asked: list[str] = field(default_factory=list)
    polls: list[tuple[str, datetime]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    complete: dict[str, str] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Trigger, push and look all the time of the block."""
        is_over = threading.Event()
        threads = [
            threading.Thread(target=self._repeat, args=(is_over, rate, act), daemon=True)
            for rate, act in (
                (TRIGGERS_PER_SECOND, self._trigger),
                (BATCHES_PER_SECOND, self._push(itertools.count())),
                (1.0, self._look),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            for thread in threads:
                thread.join(60)
        if self.errors:
            raise self.errors[0]

    def _repeat(
        self, is_over: threading.Event, rate: float, act: Callable[[httpx.Client], None]
    ) -> None:
        with httpx.Client(base_url=self.url, timeout=15) as client:
            due = time.monotonic()
            while not is_over.wait(max(0.0, due - time.monotonic())):
                due = max(due + 1 / rate, time.monotonic() - 1)
                try:
                    act(client)
                except httpx.TransportError as error:
                    self.refused[type(error).__name__] += 1
                except BaseException as error:  # noqa: BLE001 - raised where the load was started
                    self.errors.append(error)
                    return

    def _trigger(self, client: httpx.Client) -> None:
        answer = client.post("/trigger_report")
        if answer.status_code == 200:
            self.asked.append(answer.json()["report_id"])
        else:
            self._refuse(answer)

    def _push(self, numbers: Iterator[int]) -> Callable[[httpx.Client], None]:
        def push(client: httpx.Client) -> None:
            number = next(numbers)
            rows = [
                (f"fault-{store}", FIRST_POLL + timedelta(seconds=number))
                for store in range(POLLS_IN_A_BATCH)
            ]
            body = [
                {"store_id": store, "timestamp_utc": at.isoformat(), "status": "active"}
                for store, at in rows
            ]
            answer = client.post("/polls", json=body)
            if answer.status_code == 200:
                self.polls += rows
            else:
                self._refuse(answer)

        return push

    def _look(self, client: httpx.Client) -> None:
        """Remember what some report gave when it was complete."""
        if not self.asked:
            return
        report_id = random.choice(self.asked)  # noqa: S311 - any will do
        answer = client.get(f"/reports/{report_id}.csv")
        if answer.status_code == 200:
            digest = hashlib.sha256(answer.content).hexdigest()
            assert self.complete.setdefault(report_id, digest) == digest
        elif answer.status_code != 409:
            self._refuse(answer)

    def _refuse(self, answer: httpx.Response) -> None:
        # Nothing but "not now" may be said.
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) > 0
        self.refused["503"] += 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of everything that was asked for."""

    complete: int
    failed: dict[str, str]
    lost: list[str]
    seconds: float


def await_ends(url: str, report_ids: list[str]) -> Outcome:
    """Ask until every report has ended, or for too long."""
    begun = time.monotonic()
    open_ids, complete, failed = list(report_ids), 0, {}
    with httpx.Client(base_url=url, timeout=15) as client:
        while open_ids and time.monotonic() - begun < END_SECONDS:
            running = []
            for report_id in open_ids:
                status = client.get(f"/get_report/{report_id}").json()
                match status["status"]:
                    case "Complete":
                        complete += 1
                    case "Failed":
                        failed[report_id] = status["error"]
                    case _:
                        running.append(report_id)
            open_ids = running
            time.sleep(0.2)
    return Outcome(complete, failed, open_ids, time.monotonic() - begun)


def count_present(home: Path, polls: list[tuple[str, datetime]]) -> int:
    """How many of the polls are in the database; its own invariants hold."""
    url = EmbeddedPostgres(home).url
    with bulk_transaction(url) as bulk:
        rows = bulk.fetch(
            "SELECT s.store_id, p.polled_at FROM store_status p JOIN stores s USING (store_key) "
            "WHERE s.store_id LIKE 'fault-%' AND p.is_active"
        ).to_pylist()
        assert count_unaccounted_polls(bulk) == 0
        compared = compare_all_status_runs(bulk, max_gap_us=read_max_gap_us(bulk))
        assert compared.different == 0
    return len(set(polls) & {(row["store_id"], row["polled_at"]) for row in rows})


SHORT = [Victim.RUN, Victim.DATABASE, Victim.API, Victim.EVERYTHING]
LONG = [
    *(12 * [Victim.EVERYTHING]),
    *(12 * [Victim.DATABASE]),
    *(10 * [Victim.RUN]),
    *(7 * [Victim.API]),
    *(6 * [Victim.WEBSERVER]),
    *(5 * [Victim.CODE_SERVER]),
    *(5 * [Victim.DAEMON]),
    *(5 * [Victim.RUN_STARTER]),
]


@pytest.mark.parametrize(
    ("victims", "pause_seconds", "least_seconds"),
    [
        pytest.param(SHORT, (2.0, 3.0), 0.0, id="short"),
        pytest.param(LONG, (4.0, 9.0), 600.0, id="ten minutes", marks=pytest.mark.fault),
    ],
)
def test_nothing_that_was_acknowledged_is_lost_by_kills(
    tmp_path: Path,
    victims: list[Victim],
    pause_seconds: tuple[float, float],
    least_seconds: float,
) -> None:
    seed = int(os.environ.get("STOREMON_TEST_SEED", "1"))
    dice = random.Random(seed)  # noqa: S311 - the same kills again
    order = victims if least_seconds == 0 else dice.sample(victims, len(victims))
    service = Undying(tmp_path / "home", tmp_path / "up.log")
    load = Load(service.url)
    killed: Counter[Victim] = Counter()
    begun = time.monotonic()
    try:
        service.wait_until_ready()
        with load.running():
            time.sleep(2)
            for victim in itertools.chain(order, itertools.cycle([Victim.RUN])):
                is_enough = killed.total() >= len(order)
                if is_enough and time.monotonic() - begun >= least_seconds:
                    break
                killed[victim] += _kill(service, victim)
                time.sleep(dice.uniform(*pause_seconds))
                service.keep_alive()
                if victim is Victim.EVERYTHING:
                    service.wait_until_ready()
                    time.sleep(dice.uniform(*pause_seconds))
        service.wait_until_ready()
        outcome = await_ends(service.url, load.asked)
        present = count_present(service.home, load.polls)
        for report_id, digest in load.complete.items():
            csv = httpx.get(f"{service.url}/reports/{report_id}.csv", timeout=15).content
            assert hashlib.sha256(csv).hexdigest() == digest
    finally:
        service.stop()
    print(  # noqa: T201 - the counts are what the long form is run for
        f"\nfaults: {time.monotonic() - begun:.0f} s, seed {seed}, {killed.total()} kills "
        f"({', '.join(f'{count} {victim}' for victim, count in killed.items())}); "
        f"reports asked {len(load.asked)}, complete {outcome.complete}, "
        f"failed with a reason {len(outcome.failed)}, lost {len(outcome.lost)}, all ended "
        f"{outcome.seconds:.0f} s after the service was up; "
        f"polls acknowledged {len(load.polls)}, present {present}; "
        f"complete reports read again {len(load.complete)}; "
        f"refused meanwhile {dict(load.refused)}; starts {service.starts}, ends {service.ends}"
    )
    assert killed.total() >= len(victims)
    assert len(load.asked) > 10
    assert outcome.lost == []
    assert outcome.complete + len(outcome.failed) == len(load.asked)
    assert all(outcome.failed.values())
    assert present == len(load.polls) > 0


def _kill(service: Undying, victim: Victim) -> int:
    """Kill it as soon as it is there; 1 when it was."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if service.kill(victim):
            return 1
        service.keep_alive()
        time.sleep(0.02)
    return 0
