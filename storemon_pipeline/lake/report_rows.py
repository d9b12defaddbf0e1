"""The rows of a report about the stores of a bucket, in files of the lake until it is finished.

No database is needed here, so that a step can run wherever it reaches the lake.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final, Self

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.compute_uptime import figures_of
from storemon_pipeline.figures.figure_rows import exact_figures, rounded_figures, spread_columns
from storemon_pipeline.figures.status_models import ModelVersion, unpack_status_model
from storemon_pipeline.lake.open_bucket import OpenBucket
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Manifest, read_manifest
from storemon_pipeline.reports.columns import STORE_KEY, encode_rows
from storemon_pipeline.reports.csv_file import report_lines
from storemon_pipeline.reports.results import STORES_PER_PART, Question

_PLANS: Final = "report_plans"
_ROWS: Final = "report_rows"

ORPHANED_AFTER: Final = timedelta(hours=6)
"""Longer than any run: plans that were made before are orphaned."""


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """What a run makes from which version of the lake, in this many shares of the buckets.

    `newest_model` is the version of the status model for reports that ask for the newest.
    """

    run_id: str
    version: int
    newest_poll_us: int | None
    shares: int
    newest_model: int | None
    questions: tuple[Question, ...]
    planned_at: datetime

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
    """The rows of a bucket: their files, and the file with their lines of the CSV."""

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
        return read_plan(lake, plan.run_id)
    return plan


def read_plan(lake: LakeFolder, run_id: str) -> ReportPlan:
    """The plan of a run. Raises FileNotFoundError."""
    return ReportPlan.from_json(lake.read(_plan_name(run_id)))


def all_plans(lake: LakeFolder) -> list[ReportPlan]:
    """The plans of all runs that have not finished."""
    return [ReportPlan.from_json(lake.read(f"{_PLANS}/{name}")) for name in lake.names(_PLANS)]


def write_model(lake: LakeFolder, run_id: str, status_model_id: int, packed: bytes) -> None:
    """Write a version of the status model for the steps of a run."""
    lake.write(_model_name(run_id, status_model_id), packed, is_lasting=False)


def make_share(lake: LakeFolder, *, run_id: str, number: int) -> int:
    """Make the rows of a share of the buckets, for all reports of the run; return how many stores.

    What an earlier try of the step left is made again. Raises InvariantError.
    """
    plan = read_plan(lake, run_id)
    manifest = read_manifest(lake, plan.version)
    shares = manifest.shares(plan.shares)
    if number >= len(shares):
        return 0
    return sum(
        make_rows(lake, manifest, plan, question=question, bucket=bucket).stores
        for question in range(len(plan.questions))
        for bucket in shares[number]
    )


def make_rows(
    lake: LakeFolder, manifest: Manifest, plan: ReportPlan, *, question: int, bucket: int
) -> BucketRows:
    """Make the rows of a bucket for one of the plan's questions. Raises InvariantError."""
    asked = plan.questions[question]
    opened = OpenBucket.of(lake, manifest.buckets[bucket])
    model = _read_model(lake, plan.run_id, asked.status_model_id)
    figures = figures_of(
        opened.stores,
        opened.evidence(asked.as_of, asked.policy),
        opened.calendar(microseconds(asked.as_of)),
        as_of=asked.as_of,
        policy=asked.policy,
        model=model,
        max_gap_us=manifest.max_gap_us,
    )
    exact = exact_figures(figures)
    store_ids = opened.stores.store_ids.take(pa.array(figures.store))
    keys = pa.array(opened.stores.store_keys[figures.store].astype(np.int32))
    rows = pa.table({STORE_KEY: keys} | exact | spread_columns(figures))
    stem = _stem(plan.run_id, question, bucket)
    parts: list[PartFile] = []
    for first in range(0, rows.num_rows, STORES_PER_PART):
        ids = store_ids[first : first + STORES_PER_PART]
        part = PartFile(f"{stem}-{len(parts)}.parquet", len(ids), ids[0].as_py(), ids[-1].as_py())
        content = encode_rows(rows[first : first + STORES_PER_PART])
        lake.write(part.name, content, is_lasting=False)
        parts.append(part)
    made = BucketRows(len(opened.stores) - rows.num_rows, tuple(parts), f"{stem}.lines")
    lines = report_lines(store_ids, rounded_figures(exact))
    lake.write(made.lines, lines, is_lasting=False)
    # It comes last: where it is, the others are complete.
    lake.write(f"{stem}.json", json.dumps(asdict(made)).encode(), is_lasting=False)
    return made


def read_rows(lake: LakeFolder, plan: ReportPlan, *, question: int, bucket: int) -> BucketRows:
    """The rows of a bucket that a step has made. Raises FileNotFoundError."""
    values = json.loads(lake.read(f"{_stem(plan.run_id, question, bucket)}.json"))
    parts = tuple(PartFile(**part) for part in values.pop("parts"))
    return BucketRows(parts=parts, **values)


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
