"""The shards of unfinished results: planning, recording, joining and discarding them.

A shard is a range of the stores in the report's order, made in its own transaction. Only the rows
of `result_shards` refer to a result until it is finished.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import store_uptime
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.data_version import read_input_version
from storemon_pipeline.figures.figure_rows import figure_rows
from storemon_pipeline.reports.columns import STORE_ID, STORE_KEY, Part
from storemon_pipeline.reports.results import (
    CsvDigest,
    CsvSize,
    PartWriter,
    Question,
    WaitingReport,
    waiting_report,
)
from storemon_pipeline.reports.rows import part_lines
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.stores.store_keys import ALL_STORES_SQL
from storemon_pipeline.uptime.figures import Figures

ORPHANED_AFTER: Final = timedelta(hours=6)
"""Longer than any run: shards that were planned before are orphaned."""

_PARTS_PER_SHARD: Final = 1_000_000
"""The parts of shard `n` are numbered from `(n + 1)` times this, until the result is finished."""

_UPTIME_COLUMNS: Final = ", ".join(column.name for column in store_uptime.columns)


class LostShardError(Exception):
    """A shard was deleted, or some of its rows are missing. The run must start again."""


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What a planned result is to answer; `is_newest`: its instant is the newest poll."""

    question: Question
    is_newest: bool


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a result: the stores with ids in `[first_store_id, before_store_id)`.

    `data_version` is the version of the data that it was made from; None until it is made.
    """

    result_id: int
    shard: int
    plan: ShardPlan
    is_report: bool
    first_store_id: str
    before_store_id: str | None
    data_version: str | None
    stores: int
    silent_stores: int
    parts: int

    @property
    def first_part(self) -> int:
        """The number of its first part until the result is finished."""
        return (self.shard + 1) * _PARTS_PER_SHARD


def plan_shards(
    bulk: Bulk, result_id: int, plan: ShardPlan, *, run_id: str, is_report: bool, ids: Sequence[str]
) -> None:
    """Plan a result in shards that begin at these ids."""
    borders = ["", *ids[1:]]  # whatever store comes meanwhile belongs to one of them
    count = len(borders)
    bulk.append(
        "result_shards",
        pa.table(
            {
                "result_id": np.full(count, result_id, np.int64),
                "shard": np.arange(count, dtype=np.int32),
                "run_id": [run_id] * count,
                "is_report": np.full(count, is_report),
                "as_of": pa.array([plan.question.as_of] * count, pa.timestamp("us", "UTC")),
                "is_newest": np.full(count, plan.is_newest),
                "policy": [plan.question.policy.value] * count,
                "status_model_id": pa.array([plan.question.status_model_id] * count, pa.int32()),
                "first_store_id": borders,
                "before_store_id": pa.array([*borders[1:], None], pa.string()),
            }
        ),
    )


def read_shards(bulk: Bulk, run_id: str, *, is_report: bool) -> list[Shard]:
    """All shards that a run has planned, by result and shard."""
    rows = bulk.fetch(
        """
        SELECT result_id, shard, as_of, is_newest, policy, status_model_id, first_store_id,
               before_store_id, data_version, coalesce(stores, 0) AS stores,
               coalesce(silent_stores, 0) AS silent_stores, coalesce(parts, 0) AS parts
        FROM result_shards WHERE run_id = $1 AND is_report = $2 ORDER BY result_id, shard
        """,
        (run_id, is_report),
    ).to_pylist()
    return [
        Shard(
            plan=ShardPlan(
                Question(row.pop("as_of"), Policy(row.pop("policy")), row.pop("status_model_id")),
                row.pop("is_newest"),
            ),
            is_report=is_report,
            **row,
        )
        for row in rows
    ]


def clear_shard(bulk: Bulk, shard: Shard) -> None:
    """Delete the rows of a shard."""
    bulk.execute(
        f"""
        DELETE FROM staged_uptime u USING ({ALL_STORES_SQL}) s
        WHERE u.result_id = $1 AND s.store_key = u.store_key
          AND s.store_id >= $2 AND ($3 = '' OR s.store_id < $3)
        """,  # noqa: S608  (a constant)
        (shard.result_id, shard.first_store_id, shard.before_store_id or ""),
    )
    bulk.execute(
        "DELETE FROM report_columns WHERE result_id = $1 AND part >= $2 AND part < $3",
        (shard.result_id, shard.first_part, shard.first_part + _PARTS_PER_SHARD),
    )


def stage_uptime(bulk: Bulk, result_id: int, stores: StoreIndex, figures: Figures) -> None:
    """Write figures of stores that `store_uptime` will have."""
    rows = figure_rows(stores.store_keys, figures)
    ids = pa.array(np.full(rows.num_rows, result_id, np.int64))
    bulk.append("staged_uptime", rows.append_column("result_id", ids))


def record_shard(bulk: Bulk, shard: Shard, *, stores: int, silent_stores: int, parts: int) -> Shard:
    """Record that the shard was made in this transaction. Raises LostShardError."""
    version = read_input_version(bulk)
    known = bulk.fetch(
        """
        UPDATE result_shards SET data_version = $3, stores = $4, silent_stores = $5, parts = $6
        WHERE result_id = $1 AND shard = $2 RETURNING shard
        """,
        (
            shard.result_id,
            shard.shard,
            version,
            stores,
            silent_stores,
            parts,
        ),
    )
    if known.num_rows == 0:
        raise LostShardError(f"shard {shard.shard} of result {shard.result_id} was deleted")
    return replace(
        shard,
        data_version=version,
        stores=stores,
        silent_stores=silent_stores,
        parts=parts,
    )


def take_planned_reports(bulk: Bulk, run_id: str) -> list[WaitingReport]:
    """The reports that were waiting when the run read them and still are, locked, oldest first."""
    rows = bulk.fetch(
        """
        SELECT r.report_id::text, r.requested_as_of AS as_of, r.policy,
               r.requested_status_model_id AS status_model_id
        FROM reports r
        WHERE r.state = 'waiting'
          AND r.requested_at <= (SELECT reading_at FROM report_runs WHERE run_id = $1)
        ORDER BY r.requested_at FOR UPDATE SKIP LOCKED
        """,
        (run_id,),
    ).to_pylist()
    return [waiting_report(row) for row in rows]


def join_parts(bulk: Bulk, shards: Sequence[Shard]) -> CsvSize:
    """Number the parts of all shards as those of the result; return the size of its CSV."""
    result_id = shards[0].result_id
    joined = 0
    for shard in shards:
        bulk.execute(
            """
            UPDATE report_columns SET part = part - $2 + $3
            WHERE result_id = $1 AND part >= $2 AND part < $2 + $4
            """,
            (result_id, shard.first_part, joined, shard.parts),
        )
        joined += shard.parts
    if joined == 0:
        writer = PartWriter(bulk, result_id)
        writer.finish()
        joined = writer.parts
    csv = CsvDigest()
    for part in range(joined):
        csv.add(part_lines(_read_part(bulk, result_id, part)))
    return csv.finish(chunks=joined)


def _read_part(bulk: Bulk, result_id: int, number: int) -> Part:
    """As `rows.read_part`, in this transaction."""
    (part,) = bulk.fetch(
        """
        SELECT content, first_store_id, last_store_id FROM report_columns
        WHERE result_id = $1 AND part = $2
        """,
        (result_id, number),
    ).to_pylist()
    known = bulk.fetch(
        f"SELECT * FROM ({ALL_STORES_SQL}) s WHERE store_id BETWEEN $1 AND $2",  # noqa: S608  (a constant)
        (part["first_store_id"], part["last_store_id"]),
    )
    keys, ids = (known[name].combine_chunks() for name in (STORE_KEY, STORE_ID))
    return Part.of(part["content"], keys, ids)


def move_staged_uptime(bulk: Bulk, result_id: int) -> int:
    """Replace the rows of `store_uptime` by those of this result; return how many."""
    bulk.execute("DELETE FROM store_uptime")
    moved = bulk.scalar(
        f"""
        WITH moved AS (
            INSERT INTO store_uptime ({_UPTIME_COLUMNS})
            SELECT {_UPTIME_COLUMNS} FROM staged_uptime WHERE result_id = $1 RETURNING 1
        )
        SELECT count(*) FROM moved
        """,  # noqa: S608  (names of columns)
        (result_id,),
    )
    bulk.execute("DELETE FROM staged_uptime WHERE result_id = $1", (result_id,))
    return int(moved)


def delete_plan(bulk: Bulk, run_id: str, *, is_report: bool) -> None:
    """Delete the plan of a run."""
    bulk.execute(
        "DELETE FROM result_shards WHERE run_id = $1 AND is_report = $2", (run_id, is_report)
    )


def discard_result(bulk: Bulk, result_id: int) -> None:
    """Delete the rows of an unfinished result, but not its shards."""
    for table in ("report_columns", "staged_uptime"):
        bulk.execute(f"DELETE FROM {table} WHERE result_id = $1", (result_id,))  # noqa: S608


def discard_orphans(bulk: Bulk) -> int:
    """Delete the unfinished results of ended runs; return how many."""
    left_over = bulk.fetch(
        """
        SELECT DISTINCT result_id FROM result_shards s
        WHERE planned_at < now() - $1
           OR EXISTS (SELECT FROM report_runs r
                      WHERE r.run_id = s.run_id AND r.ended_at IS NOT NULL)
        """,
        (ORPHANED_AFTER,),
    ).to_pylist()
    for row in left_over:
        discard_result(bulk, row["result_id"])
        bulk.execute("DELETE FROM result_shards WHERE result_id = $1", (row["result_id"],))
    return len(left_over)
