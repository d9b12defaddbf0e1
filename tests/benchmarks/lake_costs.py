"""What a bucket of the lake costs, with more history too, and what 100 million stores would take.

Its lakes are in memory, so that no disk is measured. Requests of an object store are counted there,
and timed against a local S3 server in another process.
"""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import ceil
from pathlib import Path
from threading import Lock
from typing import Final
from uuid import uuid4

from benchmarks.goals import Measured
from benchmarks.lake_data import Copies, append_hour, read_sample, write_lake
from benchmarks.loaded import make_database, server
from service import free_port
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import instant
from storemon_pipeline.database.overlap import results_in_order
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.lake.lake_results import write_lake_result
from storemon_pipeline.lake.report_rows import (
    ReportPlan,
    discard_runs,
    make_share,
    rows_of_buckets,
    write_plan,
)
from storemon_pipeline.lake_files.append_polls import begin_appending
from storemon_pipeline.lake_files.data_files import PollRows
from storemon_pipeline.lake_files.lake_folder import AT_ONCE, LakeFolder
from storemon_pipeline.lake_files.manifest import Bucket, DataFile, Manifest, commit, read_manifest
from storemon_pipeline.reports.results import Question
from waiting import eventually

_STORES: Final = 20_000
_BUCKETS: Final = 12
"""So many that the beginning and the end of a step, where it waits, count for little."""

_STORES_PER_BUCKET: Final = 50_000
_COPIES: Final = 10
"""Of each store of the sample, or more where the sample has not so many."""

_DAYS: Final = 7.0
_LONGER: Final = 4
_HOURS: Final = 24
"""As many as fill a day, whose files of hours are then merged."""

_TIMES: Final = 7
_REQUESTS: Final = 100
_AHEAD: Final = 8
_THREADS: Final = 2
"""As when polls are loaded into the lake."""

_RUN: Final = "benchmark"
_CHAIN: Final = 100_000_000
_WORKERS: Final = (2, 20, 200, 2_000)
_REQUEST_SECONDS: Final = 0.03
"""An object store in the same region answers a small request in so many seconds, as is supposed."""


class _CountingLake(LakeFolder):
    """Counts what is asked of the folder; each is a request of an object store, which waits."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.requests: Counter[str] = Counter()
        self.seconds = 0.0
        self.lock = Lock()

    def _ask(self, verb: str) -> None:
        with self.lock:
            self.requests[verb] += 1
        time.sleep(self.seconds)

    def _read(self, name: str) -> bytes:
        self._ask("GET")
        return super()._read(name)

    def _write(self, name: str, content: bytes, *, is_lasting: bool) -> None:
        self._ask("PUT")
        super()._write(name, content, is_lasting=is_lasting)

    def create(self, name: str, content: bytes) -> None:
        self._ask("PUT")
        super().create(name, content)

    def names(self, folder: str) -> list[str]:
        self._ask("LIST")
        return super().names(folder)

    def _delete(self, name: str) -> None:
        self._ask("DELETE")
        super()._delete(name)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Seconds of the processor for a bucket, seconds by the clock, and its requests."""

    seconds: float
    clock: float
    requests: Counter[str]

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
        times = four.requests.total() / one.requests.total()
        rows.append(Measured(f"{name}: requests", 1.2, times, "times", requests))
    made = _lake(work, _STORES_PER_BUCKET * _BUCKETS, _BUCKETS, _DAYS)
    (report,) = map(_per_bucket, _costs_of_reports([made]))
    last = _per_bucket(_cost_of_last_step(work, made))
    (hour,) = map(_per_bucket, _costs_of_hours([made]))
    for what, goal, cost in (
        ("a worker's part of a report", 5 / 28.2, report),
        ("an hour of polls", 600 / 282, hour),
    ):
        rows.append(Measured(f"lake: bucket, {what}", goal, cost.seconds, "s", str(cost)))
    note = f"by the clock; {last}"
    rows.append(
        Measured("lake: bucket, the last step's part of a report", 1 / 28.2, last.clock, "s", note)
    )
    made.lake.seconds = _REQUEST_SECONDS
    (slow_report,) = map(_per_bucket, _costs_of_reports([made]))
    slow_last = _per_bucket(_cost_of_last_step(work, made))
    (slow_hour,) = map(_per_bucket, _costs_of_hours([made]))
    for what, slow, fast in (
        ("a worker's part of a report", slow_report, report),
        ("the last step's part of a report", slow_last, last),
        ("an hour of polls", slow_hour, hour),
    ):
        waits = fast.clock + fast.requests.total() * _REQUEST_SECONDS
        note = f"{fast.clock:.3f} s without waiting, {waits:.3f} s with one request after the other"
        name = f"lake: bucket, {what}, requests of {_REQUEST_SECONDS * 1_000:.0f} ms"
        rows.append(Measured(name, 1.2 * fast.clock, slow.clock, "s", note))
    rows += _requests_of_s3()
    sys.stderr.write(_model(slow_report, slow_last, slow_hour))
    return rows


def _lake(work: Path, stores: int, buckets: int, days: float) -> _Made:
    sample = read_sample(work / "sample", stores=stores // _COPIES, days=days)
    copied = round(stores / len(sample.store_ids))
    copies = Copies(sample, copied, ceil(len(sample.store_ids) / buckets))
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
        with _measuring(lake, taken), bulk_transaction(url) as bulk:
            rows = rows_of_buckets(lake, made.manifest, plan, question=0)
            write_lake_result(bulk, lake, made.manifest, plan.questions[0], rows, run_id=_RUN)
    shutil.rmtree(work / "server")
    (cost,) = taken
    return cost


def _costs_of_hours(lakes: Sequence[_Made]) -> list[_Cost]:
    """The mean of a day's hours, in turn."""
    costs: list[list[_Cost]] = [[] for _ in lakes]
    for _ in range(_HOURS):
        for made, taken in zip(lakes, costs, strict=True):
            manifest = read_manifest(made.lake)
            hours = manifest.version - 1
            polls = [made.copies.next_polls(of, hours=hours) for of in made.copies.buckets()]
            with _measuring(made.lake, taken):
                appended = _append_hour(made.lake, manifest, polls)
                commit(made.lake, manifest.with_buckets(dict(enumerate(appended))))
    return [
        _Cost(
            sum(one.seconds for one in taken) / _HOURS,
            sum(one.clock for one in taken) / _HOURS,
            _shared(sum((one.requests for one in taken), Counter[str]()), _HOURS),
        )
        for taken in costs
    ]


def _append_hour(folder: LakeFolder, manifest: Manifest, polls: Sequence[PollRows]) -> list[Bucket]:
    """As polls are loaded into the lake: two buckets at once, and the next ones read ahead."""
    with folder.concurrently() as lake:
        opened = results_in_order(partial(begin_appending, lake), manifest.buckets, at_once=_AHEAD)

        def append(one: tuple[Bucket, list[DataFile], PollRows]) -> Bucket:
            return append_hour(lake, *one)

        of_buckets = zip(manifest.buckets, opened, polls, strict=True)
        return list(results_in_order(append, of_buckets, at_once=_THREADS))


@contextmanager
def _measuring(lake: _CountingLake, taken: list[_Cost]) -> Iterator[None]:
    """The list has the cost of the block as well."""
    lake.requests.clear()
    begun, clock = time.process_time(), time.perf_counter()
    yield
    seconds = time.process_time() - begun
    taken.append(_Cost(seconds, time.perf_counter() - clock, Counter(lake.requests)))


def _per_bucket(cost: _Cost) -> _Cost:
    return _Cost(cost.seconds / _BUCKETS, cost.clock / _BUCKETS, _shared(cost.requests, _BUCKETS))


def _shared(requests: Counter[str], count: int) -> Counter[str]:
    return Counter({verb: ceil(number / count) for verb, number in requests.items()})


def _requests_of_s3() -> list[Measured]:
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
            names = [f"files/{number}" for number in range(_REQUESTS)]
            begun = time.perf_counter()
            for name in names:
                lake.write(name, b"content")
            for name in names:
                lake.read(name)
            one = time.perf_counter() - begun
            begun = time.perf_counter()
            with lake.concurrently() as folder:
                for name in names:
                    folder.write(name, b"content")
            for _ in results_in_order(lake.read, names, at_once=AT_ONCE):
                pass
            many = time.perf_counter() - begun
        finally:
            moto.terminate()
    milliseconds = 1_000 / (2 * _REQUESTS)
    name = "lake: a request of a local S3 server"
    return [
        Measured(name, 30, one * milliseconds, "ms"),
        Measured(f"{name}, {AT_ONCE} at once", 30, many * milliseconds, "ms"),
    ]


def _has_bucket(lake: LakeFolder) -> bool:
    try:
        lake._root.fs.mkdir("benchmark")
        lake.write("first", b"")
    except (OSError, UnreachableError):
        return False
    return True


def _model(report: _Cost, last: _Cost, hour: _Cost) -> str:
    """A table: what a chain of 100 million stores takes with so many workers.

    The last step of a report and the hour's polls have one process.
    """
    buckets = ceil(_CHAIN / _STORES_PER_BUCKET)
    in_report, in_last, in_hour = report.clock, last.clock, hour.clock
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
