"""Waiting reports as the runs that make them see them: taking, completing, failing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.storage.bulk import Bulk
from storemon_pipeline.storage.figure_rows import figure_rows
from storemon_pipeline.storage.uptime_inputs import StoreIndex
from storemon_pipeline.uptime.figures import Figures
from storemon_pipeline.uptime.windows import Policy

CHUNK_BYTES: Final = 256 * 1024
"""A download holds one chunk in memory at a time."""


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """A report that this transaction alone may complete; `as_of` None asks for the newest poll."""

    report_id: str
    as_of: datetime | None
    policy: Policy


def take_waiting_reports(bulk: Bulk) -> list[WaitingReport]:
    """All reports that wait and are not being made by another run, oldest first.

    They stay locked until the transaction ends. When it ends without completing them, they wait
    again, whatever happened to the process.
    """
    rows = bulk.fetch(
        """
        SELECT report_id::text, requested_as_of AS as_of, policy FROM reports
        WHERE state = 'waiting' ORDER BY requested_at FOR UPDATE SKIP LOCKED
        """
    ).to_pylist()
    return [WaitingReport(row["report_id"], row["as_of"], Policy(row["policy"])) for row in rows]


@dataclass(frozen=True, slots=True)
class Result:
    """A result as it was written."""

    result_id: int
    stores: int
    silent_stores: int
    csv_bytes: int


def write_result(
    bulk: Bulk,
    *,
    as_of: datetime,
    policy: Policy,
    run_id: str,
    stores: StoreIndex,
    figures: Figures,
    csv: bytes,
) -> Result:
    """A new result with its rows and its CSV."""
    chunks = [csv[start : start + CHUNK_BYTES] for start in range(0, len(csv), CHUNK_BYTES)]
    rows = len(figures.store)
    result_id = int(
        bulk.scalar(
            """
            INSERT INTO report_results (as_of, policy, stores, silent_stores, run_id, last_load_id,
                                        newest_poll_at, csv_bytes, csv_chunks, csv_sha256)
            VALUES ($1, $2, $3, $4, $5, (SELECT max(load_id) FROM loads),
                    (SELECT polled_at FROM newest_poll), $6, $7, $8)
            RETURNING result_id
            """,
            (
                as_of,
                policy.value,
                rows,
                len(stores) - rows,
                run_id,
                len(csv),
                len(chunks),
                hashlib.sha256(csv).hexdigest(),
            ),
        )
    )
    bulk.append(
        "uptime_report",
        figure_rows(stores.store_keys, figures).append_column(
            "result_id", pa.array(np.full(rows, result_id, np.int64))
        ),
    )
    bulk.append(
        "report_csv",
        pa.table(
            {
                "result_id": np.full(len(chunks), result_id, np.int64),
                "chunk": np.arange(len(chunks), dtype=np.int32),
                "content": pa.array(chunks, pa.binary()),
            }
        ),
    )
    return Result(result_id, rows, len(stores) - rows, len(csv))


def complete_reports(bulk: Bulk, report_ids: Sequence[str], result_id: int) -> None:
    """These reports have this result."""
    _stage_ids(bulk, report_ids)
    bulk.execute(
        """
        UPDATE reports r SET state = 'complete', result_id = $1, completed_at = clock_timestamp()
        FROM pg_temp.ended_reports e WHERE r.report_id = e.report_id::uuid
        """,
        (result_id,),
    )


def fail_reports(bulk: Bulk, report_ids: Sequence[str], error: str) -> None:
    """These reports have failed for a lasting reason, in words that an owner can read."""
    _stage_ids(bulk, report_ids)
    bulk.execute(
        """
        UPDATE reports r SET state = 'failed', error = $1, completed_at = clock_timestamp()
        FROM pg_temp.ended_reports e WHERE r.report_id = e.report_id::uuid
        """,
        (error,),
    )


def _stage_ids(bulk: Bulk, report_ids: Sequence[str]) -> None:
    bulk.stage("ended_reports", pa.table({"report_id": pa.array(report_ids, pa.string())}))
