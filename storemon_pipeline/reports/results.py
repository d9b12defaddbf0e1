"""Results of reports: taking waiting reports, writing results, completing and failing reports."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import metadata
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.figure_rows import figure_rows
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.figures import Figures

CHUNK_BYTES: Final = 256 * 1024
"""A download holds one chunk in memory at a time."""


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """A report that this transaction has locked; `as_of` None means the newest poll."""

    report_id: str
    as_of: datetime | None
    policy: Policy


def take_waiting_reports(bulk: Bulk) -> list[WaitingReport]:
    """All waiting reports that no other run is making, oldest first.

    They stay locked until the transaction ends. If it does not complete them, they are still
    waiting, even after a crash.
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
        self._csv = CsvWriter(bulk, self.result_id)
        self._rows = 0

    def add(self, stores: StoreIndex, figures: Figures, lines: bytes) -> None:
        """Write the rows and CSV lines of some stores."""
        append_rows(self._bulk, "uptime_report", self.result_id, stores, figures)
        self._csv.write(lines)
        self._rows += len(figures.store)

    def finish(self, *, as_of: datetime, policy: Policy, run_id: str, silent_stores: int) -> Result:
        """Write the row of the result."""
        return record_result(
            self._bulk,
            result_id=self.result_id,
            as_of=as_of,
            policy=policy,
            run_id=run_id,
            stores=self._rows,
            silent_stores=silent_stores,
            csv=self._csv.finish(),
        )


@dataclass(frozen=True, slots=True)
class CsvSize:
    """The size of a written CSV, and its digest."""

    bytes: int
    chunks: int
    sha256: str


class CsvWriter:
    """Writes the CSV of a result in chunks."""

    def __init__(self, bulk: Bulk, result_id: int, *, first_chunk: int = 0) -> None:
        """Begin with this chunk number."""
        self._bulk = bulk
        self._result_id = result_id
        self._first_chunk = first_chunk
        self._chunks = 0
        self._bytes = 0
        self._rest = b""
        self._digest = hashlib.sha256()

    def write(self, text: bytes) -> None:
        """Write the full chunks; keep the rest for the next call."""
        self._digest.update(text)
        self._bytes += len(text)
        text = self._rest + text
        whole = len(text) - len(text) % CHUNK_BYTES
        self._append(text[:whole])
        self._rest = text[whole:]

    def finish(self) -> CsvSize:
        """Write the last chunk."""
        self._append(self._rest)
        self._rest = b""
        return CsvSize(self._bytes, self._chunks, self._digest.hexdigest())

    def _append(self, text: bytes) -> None:
        chunks = [text[start : start + CHUNK_BYTES] for start in range(0, len(text), CHUNK_BYTES)]
        first = self._first_chunk + self._chunks
        self._bulk.append(
            "report_csv",
            pa.table(
                {
                    "result_id": np.full(len(chunks), self._result_id, np.int64),
                    "chunk": np.arange(first, first + len(chunks), dtype=np.int32),
                    "content": pa.array(chunks, pa.binary()),
                }
            ),
        )
        self._chunks += len(chunks)


def next_result_id(bulk: Bulk) -> int:
    """A new result id."""
    return int(bulk.scalar("SELECT nextval(pg_get_serial_sequence('report_results', 'result_id'))"))


def append_rows(
    bulk: Bulk, table: str, result_id: int, stores: StoreIndex, figures: Figures
) -> None:
    """Write the figures of stores as rows of the result, into this table."""
    rows = figure_rows(stores.store_keys, figures)
    known = metadata.tables[table].columns.keys()
    rows = rows.select([name for name in rows.column_names if name in known])
    bulk.append(
        table,
        rows.append_column("result_id", pa.array(np.full(len(figures.store), result_id, np.int64))),
    )


def record_result(
    bulk: Bulk,
    *,
    result_id: int,
    as_of: datetime,
    policy: Policy,
    run_id: str,
    stores: int,
    silent_stores: int,
    csv: CsvSize,
) -> Result:
    """Write the row of a result whose rows and CSV are written."""
    bulk.execute(
        """
        INSERT INTO report_results (result_id, as_of, policy, stores, silent_stores, run_id,
                                    last_load_id, newest_poll_at, csv_bytes, csv_chunks, csv_sha256,
                                    zone_rules)
        OVERRIDING SYSTEM VALUE
        VALUES ($1, $2, $3, $4, $5, $6, (SELECT max(load_id) FROM loads),
                (SELECT polled_at FROM newest_poll), $7, $8, $9, $10)
        """,
        (
            result_id,
            as_of,
            policy.value,
            stores,
            silent_stores,
            run_id,
            csv.bytes,
            csv.chunks,
            csv.sha256,
            RULES_RELEASE,
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
    """How many counts of a result differ from its rows, its CSV or the known stores.

    To be called in the transaction that made the result: stores that come later are not in it.
    """
    return int(
        bulk.scalar(
            """
            SELECT (r.stores <> (SELECT count(*) FROM uptime_report u
                                 WHERE u.result_id = r.result_id))::int
                 + (r.csv_bytes <> (SELECT coalesce(sum(length(content)), 0) FROM report_csv c
                                    WHERE c.result_id = r.result_id))::int
                 + (r.stores + r.silent_stores <> (SELECT count(*) FROM stores))::int
            FROM report_results r WHERE r.result_id = $1
            """,
            (result_id,),
        )
    )
