"""Results of reports: taking waiting reports, writing results, completing and failing reports."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.overlap import overlapping
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.figure_rows import exact_figures, rounded_figures, spread_columns
from storemon_pipeline.loads.rejected_hours import fetch_rejected_hours
from storemon_pipeline.reports.columns import NO_STORES, STORE_KEY, STOREFRONTS, encode_rows
from storemon_pipeline.reports.csv_file import header_line, report_lines
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.figures import Figures

STORES_PER_PART: Final = 20_000
"""Reading some stores or a chunk of the CSV takes a whole part: 0.8 MB, 1.3 MB of CSV."""


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """A report that this transaction has locked.

    `as_of` None means the newest poll, `status_model_id` None the newest version of the model.
    """

    report_id: str
    as_of: datetime | None
    policy: Policy
    status_model_id: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """What distinguishes results; `status_model_id` None means without likely ranges."""

    as_of: datetime
    policy: Policy
    status_model_id: int | None


def take_waiting_reports(bulk: Bulk) -> list[WaitingReport]:
    """All waiting reports that no other run is making, oldest first.

    They stay locked until the transaction ends. If it does not complete them, they are still
    waiting, even after a crash.
    """
    rows = bulk.fetch(
        """
        SELECT report_id::text, requested_as_of AS as_of, policy,
               requested_status_model_id AS status_model_id
        FROM reports
        WHERE state = 'waiting' ORDER BY requested_at FOR UPDATE SKIP LOCKED
        """
    ).to_pylist()
    return [_waiting_report(row) for row in rows]


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
    return [_waiting_report(row) for row in rows]


def _waiting_report(row: dict[str, Any]) -> WaitingReport:
    return WaitingReport(**row | {"policy": Policy(row["policy"])})


@dataclass(frozen=True, slots=True)
class Result:
    """A result that has been written."""

    result_id: int
    stores: int
    silent_stores: int
    csv_bytes: int


class ResultWriter:
    """Writes a result in chunks of stores, in the report's order.

    Its row in `report_results` comes last, so that no unfinished result is visible.
    """

    def __init__(self, bulk: Bulk) -> None:
        """Begin a result with the next id."""
        self._bulk = bulk
        self.result_id = next_result_id(bulk)
        self._parts = PartWriter(bulk, self.result_id)
        self._csv = CsvDigest()

    def add(
        self, stores: StoreIndex, figures: Figures, storefronts: pa.Array | None = None
    ) -> None:
        """Write the rows of some stores, as `PartWriter.write` does."""
        self._csv.add(self._parts.write(stores, figures, storefronts))

    def finish(self, question: Question, *, run_id: str, silent_stores: int) -> Result:
        """Write the row of the result."""
        self._parts.finish()
        return record_result(
            self._bulk,
            question,
            result_id=self.result_id,
            run_id=run_id,
            stores=self._parts.stores,
            silent_stores=silent_stores,
            csv=self._csv.finish(chunks=self._parts.parts),
        )


@dataclass(frozen=True, slots=True)
class CsvSize:
    """The size of a CSV, its digest, and the number of chunks that it is read in."""

    bytes: int
    chunks: int
    sha256: str


class CsvDigest:
    """Adds up the size and the digest of a result's CSV, which is not stored."""

    def __init__(self) -> None:
        """Begin with the header."""
        self._digest = hashlib.sha256(header_line())
        self._bytes = len(header_line())

    def add(self, lines: bytes) -> None:
        """Count the lines of some stores."""
        self._digest.update(lines)
        self._bytes += len(lines)

    def finish(self, *, chunks: int) -> CsvSize:
        """The size of everything that was added."""
        return CsvSize(self._bytes, chunks, self._digest.hexdigest())


class PartWriter:
    """Writes the rows of a result, in parts of some stores each."""

    def __init__(self, bulk: Bulk, result_id: int) -> None:
        """Begin with the first part."""
        self._bulk = bulk
        self._result_id = result_id
        self.parts = 0
        self.stores = 0

    def write(
        self, stores: StoreIndex, figures: Figures, storefronts: pa.Array | None = None
    ) -> bytes:
        """Write the figures of some stores; return their lines of the CSV.

        With storefronts, a list for each row of the figures, there is a column of these as well.
        """
        exact = exact_figures(figures)
        store_ids = stores.store_ids.take(pa.array(figures.store))
        keys = pa.array(stores.store_keys[figures.store].astype(np.int32))
        rows = pa.table({STORE_KEY: keys} | exact | spread_columns(figures))
        if storefronts is not None:
            rows = rows.append_column(STOREFRONTS, storefronts)
        with overlapping() as hand_over:
            hand_over(partial(self._append_parts, rows, store_ids))
            return report_lines(store_ids, rounded_figures(exact))

    def finish(self) -> None:
        """Write an empty part if there are no rows, so that every result has one."""
        if self.parts == 0:
            self._append(NO_STORES, pa.array([], pa.string()))

    def _append_parts(self, rows: pa.Table, store_ids: pa.Array) -> None:
        for first in range(0, rows.num_rows, STORES_PER_PART):
            part = slice(first, first + STORES_PER_PART)
            self._append(rows[part], store_ids[part])

    def _append(self, rows: pa.Table, store_ids: pa.Array) -> None:
        self._bulk.append(
            "report_columns",
            pa.table(
                {
                    "result_id": np.array([self._result_id]),
                    "part": np.array([self.parts], np.int32),
                    "stores": np.array([rows.num_rows], np.int32),
                    "first_store_id": store_ids[:1] if len(store_ids) else [""],
                    "last_store_id": store_ids[-1:] if len(store_ids) else [""],
                    "content": pa.array([encode_rows(rows)], pa.binary()),
                }
            ),
        )
        self.parts += 1
        self.stores += rows.num_rows


def next_result_id(bulk: Bulk) -> int:
    """A new result id."""
    return int(bulk.scalar("SELECT nextval(pg_get_serial_sequence('report_results', 'result_id'))"))


def record_result(
    bulk: Bulk,
    question: Question,
    *,
    result_id: int,
    run_id: str,
    stores: int,
    silent_stores: int,
    csv: CsvSize,
) -> Result:
    """Write the row of a result whose rows are written."""
    bulk.execute(
        """
        INSERT INTO report_results (result_id, as_of, policy, stores, silent_stores, run_id,
                                    last_load_id, newest_poll_at, csv_bytes, csv_chunks, csv_sha256,
                                    zone_rules, status_model_id, rejected_hours_stores)
        OVERRIDING SYSTEM VALUE
        VALUES ($1, $2, $3, $4, $5, $6, (SELECT max(load_id) FROM loads),
                (SELECT polled_at FROM newest_poll), $7, $8, $9, $10,
                nullif(CAST($11 AS int), 0),
                ARRAY(SELECT store_id FROM stores WHERE store_id = ANY ($12) ORDER BY store_id))
        """,
        (
            result_id,
            question.as_of,
            question.policy.value,
            stores,
            silent_stores,
            run_id,
            csv.bytes,
            csv.chunks,
            csv.sha256,
            RULES_RELEASE,
            # The driver cannot infer a type for None.
            question.status_model_id or 0,
            # The driver cannot infer a type for an empty list.
            list(fetch_rejected_hours(bulk).store_ids) or [""],
        ),
    )
    return Result(result_id, stores, silent_stores, csv.bytes)


def complete_reports(bulk: Bulk, report_ids: Sequence[str], result_id: int) -> None:
    """Complete reports with a result."""
    _stage_ids(bulk, report_ids)
    bulk.execute(
        """
        UPDATE reports r SET state = 'complete', result_id = $1, completed_at = clock_timestamp()
        FROM pg_temp.ended_reports e WHERE r.report_id = e.report_id::uuid
        """,
        (result_id,),
    )


def fail_reports(bulk: Bulk, report_ids: Sequence[str], error: str) -> None:
    """Fail reports for a permanent reason, in words for store owners."""
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


def count_result_faults(bulk: Bulk, result_id: int) -> int:
    """How many counts of a result differ from its rows or the known stores.

    To be called in the transaction that made the result: stores that come later are not in it.
    """
    return int(
        bulk.scalar(
            """
            SELECT (r.stores <> c.stores)::int + (r.csv_chunks <> c.parts)::int
                 + (r.stores + r.silent_stores <> (SELECT count(*) FROM stores))::int
            FROM report_results r CROSS JOIN LATERAL (
                SELECT coalesce(sum(stores), 0) AS stores, count(*) AS parts
                FROM report_columns c WHERE c.result_id = r.result_id
            ) c
            WHERE r.result_id = $1
            """,
            (result_id,),
        )
    )
