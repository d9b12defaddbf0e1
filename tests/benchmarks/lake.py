"""A report of a large chain from the lake, by one and two workers, and an hour of polls.

Workers are processes that do what the steps of a run do, without Dagster and without a database.
"""

import pickle
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.goals import Measured
from benchmarks.lake_data import Copies, read_sample, write_lake
from benchmarks.lake_worker import Worked, work_apart
from benchmarks.reference import sort_and_merge
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.lake.report_rows import ReportPlan, discard_runs, read_rows, write_plan
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import (
    Kind,
    Manifest,
    commit,
    read_contents,
    read_manifest,
)
from storemon_pipeline.reports.results import CsvDigest, Question

STORES: Final = 1_410_000
_DAYS: Final = 7.0
_SAMPLE_STORES: Final = 14_100
_STORES_PER_BUCKET: Final = 50_000
_RUN: Final = "benchmark"
_GIB: Final = 1 << 30
_HOURS: Final = 3
_TIMES: Final = 3


def measure(work: Path, *, stores: int = STORES, days: float = _DAYS) -> list[Measured]:
    """Make the data once, then a report by one worker and by two, then some hours of polls."""
    lake = LakeFolder(str(work / "lake"))
    begun = time.perf_counter()
    sample = read_sample(work / "sample", stores=min(stores, _SAMPLE_STORES), days=days)
    # A small lake has buckets for two workers as well.
    each = min(_STORES_PER_BUCKET, stores // 4)
    copied = max(1, round(stores / len(sample.store_ids)))
    copies = Copies(sample, copied, max(1, each // copied))
    manifest = write_lake(lake, copies, lambda number: _tell(f"bucket {number}"))
    _tell(
        f"{manifest.stores:,} stores, {manifest.polls:,} polls, {manifest.status_runs:,} status "
        f"runs, {manifest.bytes / _GIB:.2f} GiB in {time.perf_counter() - begun:.0f} s"
    )
    _report(lake, manifest, 2)  # the first one reads from disk
    # In turn, and the best of each: other work on the machine delays some of them.
    times = _TIMES if stores <= STORES else 1
    made = [(_report(lake, manifest, 1), _report(lake, manifest, 2)) for _ in range(times)]
    if len({report.digest for pair in made for report in pair}) > 1:
        raise ValueError("two workers made another CSV than one")
    one, two = (
        min(reports, key=lambda report: report.seconds) for reports in zip(*made, strict=True)
    )
    note = f"{manifest.stores:,} stores, {manifest.status_runs:,} status runs"
    reference = sort_and_merge(manifest.stores)
    return [
        Measured("lake: report, one worker", 5, one.seconds, "s", f"{note}; {one}", reference),
        Measured("lake: report, two workers", 5 / 1.7, two.seconds, "s", str(two), reference),
        Measured("lake: two workers against one", 1 / 1.7, two.seconds / one.seconds, "times"),
        Measured("lake: largest process", 1, max(one.peak_bytes, two.peak_bytes) / _GIB, "GiB"),
        Measured("lake: bytes of a report's row", 12, one.bytes_per_row, "bytes"),
        Measured("lake: bytes of a poll", 6, _bytes_per_poll(lake, manifest), "bytes"),
        *_measure_hours(lake, copies, work / "sample.pickle"),
    ]


class _Report:
    """A report made by this number of workers."""

    def __init__(
        self, lake: LakeFolder, manifest: Manifest, seconds: float, worked: Sequence[Worked]
    ) -> None:
        begun = time.perf_counter()
        plan = _plan(manifest, len(worked))
        csv = CsvDigest()
        self.bytes_of_rows = self.rows = 0
        for bucket in range(len(manifest.buckets)):
            made = read_rows(lake, plan, question=0, bucket=bucket)
            csv.add(lake.read(made.lines))
            self.rows += made.stores
        self.digest = csv.finish(chunks=1).sha256
        self.finish_seconds = time.perf_counter() - begun
        for bucket in range(len(manifest.buckets)):
            made = read_rows(lake, plan, question=0, bucket=bucket)
            self.bytes_of_rows += sum(len(lake.read(part.name)) for part in made.parts)
        self.seconds = seconds + self.finish_seconds
        self.cpu_seconds = sum(one.cpu_seconds for one in worked)
        self.peak_bytes = max(one.peak_bytes for one in worked)

    @property
    def bytes_per_row(self) -> float:
        return self.bytes_of_rows / self.rows

    def __str__(self) -> str:
        return f"{self.cpu_seconds:.1f} s of CPU, and {self.finish_seconds:.2f} s for the last step"


def _plan(manifest: Manifest, workers: int) -> ReportPlan:
    newest_us = manifest.newest_poll_us
    if newest_us is None:
        raise ValueError("the lake has no polls")
    question = Question(instant(newest_us), Policy.NEAREST, None)
    now = datetime.now(UTC)
    return ReportPlan(_RUN, manifest.version, newest_us, workers, None, (question,), now)


def _report(lake: LakeFolder, manifest: Manifest, workers: int) -> _Report:
    write_plan(lake, _plan(manifest, workers))
    seconds, worked = work_apart("report", lake, workers)
    report = _Report(lake, manifest, seconds, worked)
    discard_runs(lake, [_RUN])
    _tell(f"report by {workers}: {report.seconds:.2f} s; {report}")
    return report


def _bytes_per_poll(lake: LakeFolder, manifest: Manifest) -> float:
    files = [
        file
        for bucket in manifest.buckets
        for file in read_contents(lake, bucket)
        if file.kind is Kind.POLLS
    ]
    return sum(file.bytes for file in files) / sum(file.rows for file in files)


def _measure_hours(lake: LakeFolder, copies: Copies, pickled: Path) -> list[Measured]:
    """Each hour every store has one more poll, and two workers append them."""
    pickled.write_bytes(pickle.dumps(copies))
    taken = []
    for _ in range(_HOURS):
        manifest = read_manifest(lake)
        _, worked = work_apart("hour", lake, 2, pickled)
        changed = {number: bucket for one in worked for number, bucket in one.made.items()}
        commit(lake, manifest.with_buckets(changed))
        taken.append(max(one.seconds for one in worked))
        _tell(f"hour: {taken[-1]:.1f} s, {max(one.peak_bytes for one in worked) / _GIB:.2f} GiB")
    polls = read_manifest(lake).stores
    return [Measured("lake: one more hour, two workers", 30, max(taken), "s", f"{polls:,} polls")]


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
