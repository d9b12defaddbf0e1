"""Puts load on a service while its processes are killed, and checks that nothing is lost."""

import hashlib
import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil

from service import CHILDREN, Part, Service
from storemon_pipeline.checks.table_checks import compare_all_status_runs, count_unaccounted_polls
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.host.embedded_postgres import EmbeddedPostgres
from waiting import eventually

# Everything that was asked for must have ended so long after everything is up again.
END_SECONDS = 180.0
TRIGGERS_PER_SECOND = 2.0
BATCHES_PER_SECOND = 5.0
POLLS_IN_A_BATCH = 20
# Polls are pushed for instants from here on, each only once.
FIRST_POLL = datetime(2023, 1, 26, tzinfo=UTC)


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
                thread.join(180)
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
    """The outcome of every report that was requested."""

    complete: int
    failed: dict[str, str]
    lost: list[str]
    seconds: float


def await_ends(url: str, report_ids: list[str]) -> Outcome:
    """Ask until every report has ended, or for too long."""
    begun = time.monotonic()
    open_ids, complete, failed = list(report_ids), 0, {}
    with httpx.Client(base_url=url, timeout=60) as client:
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


def check_that_nothing_is_lost(
    service: Service,
    victims: Sequence[Part],
    *,
    pause_seconds: tuple[float, float],
    least_seconds: float = 0.0,
) -> None:
    """Kill the victims of a ready service under load; no report and no acknowledged poll is lost.

    Run processes go on being killed until `least_seconds` have passed.
    """
    seed = int(os.environ.get("STOREMON_TEST_SEED", "1"))
    dice = random.Random(seed)  # noqa: S311 - the same kills again
    order = victims if least_seconds == 0 else dice.sample(victims, len(victims))
    url = str(service.api.base_url)
    load = Load(url)
    killed: Counter[Part] = Counter()
    begun = time.monotonic()

    def is_loaded_enough() -> bool:
        """Whether there is enough to lose, however slow the machine is."""
        service.keep_alive()
        return len(load.asked) > 10 or bool(load.errors)

    with load.running():
        time.sleep(2)
        for victim in itertools.chain(order, itertools.cycle([Part.RUN])):
            is_enough = killed.total() >= len(order)
            if is_enough and time.monotonic() - begun >= least_seconds:
                break
            if victim is Part.SUPERVISOR:
                killed[victim] += _kill_with_its_servers(service)
            else:
                killed[victim] += _kill(service, victim)
            time.sleep(dice.uniform(*pause_seconds))
            service.keep_alive()
            if victim is Part.EVERYTHING:
                service.wait_until_ready(is_kept_alive=True)
                time.sleep(dice.uniform(*pause_seconds))
        eventually(is_loaded_enough, seconds=END_SECONDS)
    service.wait_until_ready(is_kept_alive=True)
    outcome = await_ends(url, load.asked)
    present = count_present(service.home, load.polls)
    for report_id, digest in load.complete.items():
        csv = httpx.get(f"{url}/reports/{report_id}.csv", timeout=60).content
        assert hashlib.sha256(csv).hexdigest() == digest
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


def _kill_with_its_servers(service: Service) -> int:
    """Kill the supervisor; the servers that it has started end without it."""
    service.wait_until_ready(is_kept_alive=True)
    # One that lost its database may be on its way back.
    eventually(lambda: None not in map(service.child, CHILDREN), seconds=END_SECONDS)
    # Not the processes of runs, which end when they find no database.
    servers = [process for part in CHILDREN if (process := service.child(part))]
    service.kill(Part.SUPERVISOR)
    eventually(lambda: not any(map(_is_alive, servers)), seconds=END_SECONDS)
    return 1


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _kill(service: Service, victim: Part) -> int:
    """Kill it as soon as it is there; 1 when it was."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        if service.kill(victim):
            return 1
        service.keep_alive()
        time.sleep(0.02)
    return 0
