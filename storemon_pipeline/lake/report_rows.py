"""The rows of figures of the stores of a bucket, in files of the lake until a run is finished.

No step that makes rows needs a database, so that it can run wherever it reaches the lake.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Final, Self

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.database.overlap import results_in_order
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.compute_uptime import figures_of
from storemon_pipeline.figures.figure_rows import exact_figures, rounded_figures, spread_columns
from storemon_pipeline.figures.status_models import (
    ModelVersion,
    UnknownStatusModelError,
    read_packed_model,
    unpack_status_model,
)
from storemon_pipeline.lake.open_bucket import OpenBucket, begin_reading
from storemon_pipeline.lake_files.lake_folder import AT_ONCE, LakeFolder
from storemon_pipeline.lake_files.manifest import DataFile, Manifest, read_manifest
from storemon_pipeline.reports.columns import STORE_KEY, STOREFRONTS, encode_rows
from storemon_pipeline.reports.csv_file import report_lines
from storemon_pipeline.reports.results import STORES_PER_PART, Question
from storemon_pipeline.views.storefronts_view import storefront_figures, storefronts_column

_PLANS: Final = "report_plans"
_ROWS: Final = "report_rows"

_BUCKETS_AHEAD: Final = 2
"""While one is computed, the files of the next are read: some megabytes."""

_ORPHANED_AFTER: Final = timedelta(hours=6)
"""Longer than any run: plans that were made before are orphaned."""


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """What a run makes from which version of the lake, in this many shares of the buckets.

    `newest_model` is the version of the status model for reports that ask for the newest. The rows
    have lines of the CSV, except for the newest figures (`has_lines`).
    """

    run_id: str
    version: int
    newest_poll_us: int | None
    shares: int
    newest_model: int | None
    questions: tuple[Question, ...]
    planned_at: datetime
    has_lines: bool = True

    def to_json(self) -> bytes:
        """The plan as a file."""
        questions = [
            {
                "as_of_us": microseconds(question.as_of),
                "policy": question.policy.value,
                "status_model_id": question.status_model_id,
            }
            for question in self.questions
        ]
        values = {
            "run_id": self.run_id,
            "version": self.version,
            "newest_poll_us": self.newest_poll_us,
            "shares": self.shares,
            "newest_model": self.newest_model,
            "questions": questions,
            "planned_at": self.planned_at.isoformat(),
            "has_lines": self.has_lines,
        }
        return json.dumps(values).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """The plan that `to_json` wrote."""
        values = json.loads(content)
        questions = tuple(
            Question(
                instant(question["as_of_us"]),
                Policy(question["policy"]),
                question["status_model_id"],
            )
            for question in values.pop("questions")
        )
        planned_at = datetime.fromisoformat(values.pop("planned_at"))
        return cls(questions=questions, planned_at=planned_at, **values)


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file with the rows of some stores, as `report_columns` keeps them."""

    name: str
    stores: int
    first_store_id: str
    last_store_id: str


@dataclass(frozen=True, slots=True)
class BucketRows:
    """The rows of a bucket: their files, and the file with their lines of the CSV (or "")."""

    silent_stores: int
    parts: tuple[PartFile, ...]
    lines: str

    @property
    def stores(self) -> int:
        """How many rows there are."""
        return sum(part.stores for part in self.parts)


def write_plan(lake: LakeFolder, plan: ReportPlan) -> ReportPlan:
    """Write the plan of a run; return it, or the one that an earlier try of the step wrote."""
    try:
        lake.create(_plan_name(plan.run_id), plan.to_json())
    except FileExistsError:
        return _read_plan(lake, _plan_name(plan.run_id))
    return plan


def find_plan(lake: LakeFolder, run_ids: tuple[str, ...]) -> ReportPlan | None:
    """The plan of the first of these runs that has one; None when it was finished.

    A run that goes on with the steps of another has the plan of that one.
    """
    for run_id in run_ids:
        with suppress(FileNotFoundError):
            return _read_plan(lake, _plan_name(run_id))
    return None


def _read_plan(lake: LakeFolder, name: str) -> ReportPlan:
    return ReportPlan.from_json(lake.read(name))


def all_plans(lake: LakeFolder) -> list[ReportPlan]:
    """The plans of all runs that have not finished."""
    plans = []
    for name in lake.names(_PLANS):
        with suppress(FileNotFoundError):  # a run finished meanwhile
            plans.append(_read_plan(lake, f"{_PLANS}/{name}"))
    return plans


def provide_model(bulk: Bulk, lake: LakeFolder, run_id: str, status_model_id: int | None) -> bool:
    """Whether the steps of a run can use a version of the status model; then the lake has it."""
    if status_model_id is not None:
        try:
            packed = read_packed_model(bulk, status_model_id)
        except UnknownStatusModelError:
            return False
        lake.write(_model_name(run_id, status_model_id), packed, is_lasting=False)
    return True


def make_share(lake: LakeFolder, *, run_ids: tuple[str, ...], number: int) -> int:
    """Make the rows of a share of the buckets, for all that is planned; return how many stores.

    What an earlier try of the step left is made again. When all is finished there is nothing to
    make. Raises InvariantError.
    """
    plan = find_plan(lake, run_ids)
    if plan is None:
        return 0
    manifest = read_manifest(lake, plan.version)
    shares = manifest.shares(plan.shares)
    if number >= len(shares):
        return 0
    tasks = [
        (question, bucket) for question in range(len(plan.questions)) for bucket in shares[number]
    ]
    return sum(rows.stores for rows in _make_rows(lake, manifest, plan, tasks))


def _make_rows(
    folder: LakeFolder, manifest: Manifest, plan: ReportPlan, tasks: Sequence[tuple[int, int]]
) -> Iterator[BucketRows]:
    """Make the rows of pairs of a question and a bucket, by their numbers. Raises InvariantError.

    Meanwhile the files of the next bucket are read, and the rows of the one before are written.
    """
    with folder.concurrently() as lake:
        read_model = cache(partial(_read_model, lake, plan.run_id))

        def begin(task: tuple[int, int]) -> list[DataFile]:
            question, bucket = task
            return begin_reading(lake, manifest.buckets[bucket], plan.questions[question].as_of)

        unfinished: _Unfinished | None = None
        opened = results_in_order(begin, tasks, at_once=_BUCKETS_AHEAD)
        for (question, bucket), files in zip(tasks, opened, strict=True):
            made = _make_rows_of(
                OpenBucket.of(lake, manifest, files),
                plan.questions[question],
                read_model(plan.questions[question].status_model_id),
                stem=_stem(plan.run_id, question, bucket),
                has_lines=plan.has_lines,
            )
            if unfinished is not None:
                unfinished.finish(lake)
            unfinished = made
            yield made.rows
        if unfinished is not None:
            unfinished.finish(lake)


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """Rows of a bucket whose files are on their way into the lake."""

    rows: BucketRows
    stem: str

    def finish(self, lake: LakeFolder) -> None:
        """Write the list of the files. It comes last: where it is, the others are complete."""
        lake.settle([*(part.name for part in self.rows.parts), self.rows.lines])
        content = json.dumps(asdict(self.rows)).encode()
        lake.write(f"{self.stem}.json", content, is_lasting=False)


def _make_rows_of(
    opened: OpenBucket,
    asked: Question,
    model: ModelVersion | None,
    *,
    stem: str,
    has_lines: bool,
) -> _Unfinished:
    as_of_us, max_gap_us = microseconds(asked.as_of), opened.manifest.max_gap_us
    evidence = opened.evidence(asked.as_of, asked.policy)
    calendar = opened.calendar(as_of_us)
    figures = figures_of(
        opened.stores,
        evidence.status_runs,
        calendar,
        as_of=asked.as_of,
        policy=asked.policy,
        model=model,
        max_gap_us=max_gap_us,
    )
    exact = exact_figures(figures)
    store_ids = opened.stores.store_ids.take(pa.array(figures.store))
    keys = pa.array(opened.stores.store_keys[figures.store].astype(np.int32))
    rows = pa.table({STORE_KEY: keys} | exact | spread_columns(figures))
    if evidence.fronts is not None and evidence.of_fronts is not None and has_lines:
        found = storefront_figures(
            evidence.of_fronts,
            evidence.fronts,
            evidence.stretches,
            calendar,
            as_of_us=as_of_us,
            policy=asked.policy,
            max_gap_us=max_gap_us,
        )
        column = storefronts_column(evidence.fronts, found, figures.store)
        rows = rows.append_column(STOREFRONTS, column)
    parts: list[PartFile] = []
    for first in range(0, rows.num_rows, STORES_PER_PART):
        ids = store_ids[first : first + STORES_PER_PART]
        part = PartFile(f"{stem}-{len(parts)}.parquet", len(ids), ids[0].as_py(), ids[-1].as_py())
        content = encode_rows(rows[first : first + STORES_PER_PART])
        opened.lake.write(part.name, content, is_lasting=False)
        parts.append(part)
    lines = f"{stem}.lines" if has_lines else ""
    if lines:
        csv = report_lines(store_ids, rounded_figures(exact))
        opened.lake.write(lines, csv, is_lasting=False)
    return _Unfinished(BucketRows(len(opened.stores) - rows.num_rows, tuple(parts), lines), stem)


def read_rows(lake: LakeFolder, plan: ReportPlan, *, question: int, bucket: int) -> BucketRows:
    """The rows of a bucket that a step has made. Raises FileNotFoundError."""
    values = json.loads(lake.read(f"{_stem(plan.run_id, question, bucket)}.json"))
    parts = tuple(PartFile(**part) for part in values.pop("parts"))
    return BucketRows(parts=parts, **values)


def rows_of_buckets(
    lake: LakeFolder, manifest: Manifest, plan: ReportPlan, *, question: int
) -> list[BucketRows]:
    """The rows of all buckets for one of the plan's questions; missing ones are made here."""

    def read(bucket: int) -> BucketRows | None:
        try:
            return read_rows(lake, plan, question=question, bucket=bucket)
        except FileNotFoundError:
            return None

    found = list(results_in_order(read, range(len(manifest.buckets)), at_once=AT_ONCE))
    missing = [(question, bucket) for bucket, rows in enumerate(found) if rows is None]
    made = iter(list(_make_rows(lake, manifest, plan, missing)))
    return [rows or next(made) for rows in found]


def discard_orphans(lake: LakeFolder, *, now: datetime) -> None:
    """Delete what runs left that must have died."""
    border = now - _ORPHANED_AFTER
    discard_runs(lake, [plan.run_id for plan in all_plans(lake) if plan.planned_at < border])


def discard_runs(lake: LakeFolder, run_ids: Iterable[str]) -> None:
    """Delete the plans of runs, and what their steps have made."""
    wanted = set(run_ids)
    if not wanted:
        return
    made = [name for name in lake.names(_ROWS) if name.partition("_")[0] in wanted]
    lake.delete(f"{_ROWS}/{name}" for name in made)
    plans = [name for name in lake.names(_PLANS) if name.removesuffix(".json") in wanted]
    lake.delete(f"{_PLANS}/{name}" for name in plans)


def _read_model(lake: LakeFolder, run_id: str, status_model_id: int | None) -> ModelVersion | None:
    if status_model_id is None:
        return None
    packed = lake.read(_model_name(run_id, status_model_id))
    return unpack_status_model(status_model_id, packed)


def _plan_name(run_id: str) -> str:
    return f"{_PLANS}/{run_id}.json"


def _model_name(run_id: str, status_model_id: int) -> str:
    return f"{_ROWS}/{run_id}_model-{status_model_id}.npz"


def _stem(run_id: str, question: int, bucket: int) -> str:
    return f"{_ROWS}/{run_id}_{question}-{bucket:06}"
