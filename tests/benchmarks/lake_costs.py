"""What a bucket of the lake costs, with more history too, and what 100 million stores would take.

Its lakes are in memory, so that no disk is measured. Requests of an object store are counted there,
and timed against a local S3 server in another process.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Final
from uuid import uuid4

from benchmarks.goals import Measured
from benchmarks.lake_data import Copies, append_hour, read_sample, write_lake
from benchmarks.loaded import make_database, server
from service import free_port
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.lake.lake_results import write_lake_result
from storemon_pipeline.lake.report_rows import (
    ReportPlan,
    discard_runs,
    make_share,
    read_rows,
    write_plan,
)
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Manifest, commit, read_manifest
from storemon_pipeline.reports.results import Question
from waiting import eventually

_STORES: Final = 20_000
_BUCKETS: Final = 4
_STORES_PER_BUCKET: Final = 50_000
_COPIES: Final = 10
_DAYS: Final = 7.0
_LONGER: Final = 4
_HOURS: Final = 24
"""As many as fill a day, whose files of hours are then merged."""

_TIMES: Final = 7
_REQUESTS: Final = 200
_RUN: Final = "benchmark"
_CHAIN: Final = 100_000_000
_WORKERS: Final = (2, 20, 200, 2_000)
_REQUEST_SECONDS: Final = 0.03
"""An object store in the same region answers a small request in so many seconds, as is supposed."""


class _CountingLake(LakeFolder):
    """Counts what is asked of the folder; each is a request of an object store."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.requests: Counter[str] = Counter()

    def read(self, name: str) -> bytes:
        self.requests["GET"] += 1
        return super().read(name)

    def write(self, name: str, content: bytes, *, is_lasting: bool = True) -> None:
        self.requests["PUT"] += 1
        super().write(name, content, is_lasting=is_lasting)

    def create(self, name: str, content: bytes) -> None:
        self.requests["PUT"] += 1
        super().create(name, content)

    def names(self, folder: str) -> list[str]:
        self.requests["LIST"] += 1
        return super().names(folder)

    def delete(self, names: Iterable[str]) -> None:
        some = list(names)
        self.requests["DELETE"] += len(some)
        super().delete(some)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Seconds of the processor for a bucket, and its requests."""

    seconds: float
    requests: Counter[str]

    @property
    def waits(self) -> int:
        """How many requests are made, one after the other."""
        return self.requests.total()

    def __str__(self) -> str:
        return ", ".join(f"{count} {verb}" for verb, count in sorted(self.requests.items()))


@dataclass(frozen=True, slots=True)
class _Made:
    """A lake, what it was made of, and its first version."""

    lake: _CountingLake
    copies: Copies
    manifest: Manifest


def measure(work: Path) -> list[Measured]:
    """The costs with one and with four times the history, then those that the model is made of."""
    lakes = [_lake(work, _STORES, 1, days) for days in (_DAYS, _DAYS * _LONGER)]
    rows = []
    for what, (one, four) in (
        ("report", _costs_of_reports(lakes)),
        ("hour", _costs_of_hours(lakes)),
    ):
        note = f"{four.seconds:.3f} s and {one.seconds:.3f} s of CPU"
        ratio = four.seconds / one.seconds
        name = f"lake: {what} with {_LONGER} times the history"
        rows.append(Measured(name, 1.2, ratio, "times", note))
        requests = f"{four}; against {one}"
        rows.append(Measured(f"{name}: requests", 1.2, four.waits / one.waits, "times", requests))
    made = _lake(work, _STORES_PER_BUCKET * _BUCKETS, _BUCKETS, _DAYS)
    (report,) = map(_per_bucket, _costs_of_reports([made]))
    last = _per_bucket(_cost_of_last_step(work, made))
    (hour,) = map(_per_bucket, _costs_of_hours([made]))
    request = _seconds_of_a_request()
    for what, goal, cost in (
        ("a worker's part of a report", 5 / 28.2, report),
        ("the last step's part of a report", 1 / 28.2, last),
        ("an hour of polls", 600 / 282, hour),
    ):
        rows.append(Measured(f"lake: bucket, {what}", goal, cost.seconds, "s", str(cost)))
    rows.append(Measured("lake: a request of a local S3 server", 30, request * 1_000, "ms"))
    sys.stderr.write(_model(report, last, hour))
    return rows


def _lake(work: Path, stores: int, buckets: int, days: float) -> _Made:
    sample = read_sample(work / "sample", stores=stores // _COPIES, days=days)
    copies = Copies(sample, _COPIES, ceil(len(sample.store_ids) / buckets))
    lake = _CountingLake(f"memory://{uuid4().hex}")
    return _Made(lake, copies, write_lake(lake, copies, lambda _: None))


def _costs_of_reports(lakes: Sequence[_Made]) -> list[_Cost]:
    """The least of some times, in turn; the rows of the last one stay for the last step."""
    costs: list[list[_Cost]] = [[] for _ in lakes]
    for _ in range(_TIMES):
        for made, taken in zip(lakes, costs, strict=True):
            discard_runs(made.lake, [_RUN])
            write_plan(made.lake, _plan(made.manifest))
            with _measuring(made.lake, taken):
                make_share(made.lake, run_ids=(_RUN,), number=0)
    return [min(taken, key=lambda one: one.seconds) for taken in costs]


def _plan(manifest: Manifest) -> ReportPlan:
    newest_us = manifest.newest_poll_us or 0
    question = Question(instant(newest_us), Policy.NEAREST, None)
    return ReportPlan(_RUN, manifest.version, newest_us, 1, None, (question,), datetime.now(UTC))


def _cost_of_last_step(work: Path, made: _Made) -> _Cost:
    """By the clock, because PostgreSQL works for it."""
    lake, plan, taken = made.lake, _plan(made.manifest), list[_Cost]()
    with server(work / "server") as server_url:
        url = make_database(server_url, "lake")
        begun = time.perf_counter()
        with bulk_transaction(url) as bulk, _measuring(lake, taken):
            rows = [
                read_rows(lake, plan, question=0, bucket=bucket)
                for bucket in range(len(made.manifest.buckets))
            ]
            write_lake_result(bulk, lake, made.manifest, plan.questions[0], rows, run_id=_RUN)
        seconds = time.perf_counter() - begun
    return _Cost(seconds, taken[0].requests)


def _costs_of_hours(lakes: Sequence[_Made]) -> list[_Cost]:
    """The mean of a day's hours, in turn."""
    costs: list[list[_Cost]] = [[] for _ in lakes]
    for _ in range(_HOURS):
        for made, taken in zip(lakes, costs, strict=True):
            manifest = read_manifest(made.lake)
            hours = manifest.version - 1
            polls = [made.copies.next_polls(of, hours=hours) for of in made.copies.buckets()]
            with _measuring(made.lake, taken):
                changed = {
                    number: append_hour(made.lake, manifest.buckets[number], some)
                    for number, some in enumerate(polls)
                }
                commit(made.lake, manifest.with_buckets(changed))
    return [
        _Cost(
            sum(one.seconds for one in taken) / _HOURS,
            _shared(sum((one.requests for one in taken), Counter[str]()), _HOURS),
        )
        for taken in costs
    ]


@contextmanager
def _measuring(lake: _CountingLake, taken: list[_Cost]) -> Iterator[None]:
    """The list has the cost of the block as well."""
    lake.requests.clear()
    begun = time.process_time()
    yield
    taken.append(_Cost(time.process_time() - begun, Counter(lake.requests)))


def _per_bucket(cost: _Cost) -> _Cost:
    return _Cost(cost.seconds / _BUCKETS, _shared(cost.requests, _BUCKETS))


def _shared(requests: Counter[str], count: int) -> Counter[str]:
    return Counter({verb: ceil(number / count) for verb, number in requests.items()})


def _seconds_of_a_request() -> float:
    """The mean of writing and reading small files on a local S3 server."""
    port = free_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    os.environ.update(environment)
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as moto:
        try:
            lake = LakeFolder("s3://benchmark")
            eventually(lambda: _has_bucket(lake))
            begun = time.perf_counter()
            for number in range(_REQUESTS // 2):
                lake.write(f"files/{number}", b"content")
                lake.read(f"files/{number}")
            return (time.perf_counter() - begun) / _REQUESTS
        finally:
            moto.terminate()


def _has_bucket(lake: LakeFolder) -> bool:
    try:
        lake._root.fs.mkdir("benchmark")
        lake.write("first", b"")
    except (OSError, UnreachableError):
        return False
    return True


def _model(report: _Cost, last: _Cost, hour: _Cost) -> str:
    """A table: what a chain of 100 million stores takes with so many workers.

    Requests follow each other. The last step of a report and the hour's polls have one process.
    """
    buckets = ceil(_CHAIN / _STORES_PER_BUCKET)
    in_report, in_last, in_hour = (
        one.seconds + one.waits * _REQUEST_SECONDS for one in (report, last, hour)
    )
    lines = [
        f"{_CHAIN:,} stores in {buckets:,} buckets; an hour of polls: {buckets * in_hour:.0f} s",
        "",
        "| Workers | Steps of a report | Last step | Report |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for workers in _WORKERS:
        steps, finish = ceil(buckets / workers) * in_report, buckets * in_last
        lines.append(f"| {workers:,} | {steps:.1f} s | {finish:.0f} s | {steps + finish:.0f} s |")
    return "\n".join([*lines, ""])
