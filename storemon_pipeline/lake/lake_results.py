"""Writing the rows that a run made in the lake as results of reports in the database."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant
from storemon_pipeline.database.overlap import overlapping, results_in_order
from storemon_pipeline.lake.report_rows import BucketRows, PartFile
from storemon_pipeline.lake_files.lake_folder import AT_ONCE, LakeFolder
from storemon_pipeline.lake_files.manifest import Manifest
from storemon_pipeline.reports.results import (
    CsvDigest,
    PartWriter,
    Question,
    Result,
    next_result_id,
    record_result,
)

_PARTS_AT_ONCE: Final = 20
"""About 16 MB."""

_LINES_AHEAD: Final = 8
"""About 30 MB."""


def write_lake_result(
    bulk: Bulk,
    lake: LakeFolder,
    manifest: Manifest,
    question: Question,
    buckets: Sequence[BucketRows],
    *,
    run_id: str,
) -> Result:
    """Write a result whose rows the steps of a run have made, in the order of the buckets."""
    result_id = next_result_id(bulk)
    parts = [part for bucket in buckets for part in bucket.parts]
    csv = CsvDigest()
    with overlapping() as hand_over:
        hand_over(partial(_append_parts, bulk, lake, result_id, parts))
        lines = (bucket.lines for bucket in buckets)
        for content in results_in_order(lake.read, lines, at_once=_LINES_AHEAD):
            csv.add(content)
    written = len(parts)
    if not parts:
        empty = PartWriter(bulk, result_id)
        empty.finish()
        written = empty.parts
    result = record_result(
        bulk,
        question,
        result_id=result_id,
        run_id=run_id,
        stores=sum(bucket.stores for bucket in buckets),
        silent_stores=sum(bucket.silent_stores for bucket in buckets),
        csv=csv.finish(chunks=written),
    )
    newest_us = manifest.newest_poll_us
    if newest_us is not None:
        bulk.execute(
            "UPDATE report_results SET last_load_id = $2, newest_poll_at = $3 WHERE result_id = $1",
            (result_id, manifest.load_id, instant(newest_us)),
        )
    return result


def count_lake_faults(bulk: Bulk, manifest: Manifest, result: Result) -> int:
    """How many counts of a result differ from its rows or the stores of the manifest."""
    return int(
        bulk.scalar(
            """
            SELECT (r.stores <> c.stores)::int + (r.csv_chunks <> c.parts)::int
                 + (r.stores + r.silent_stores <> $2)::int AS faults
            FROM report_results r CROSS JOIN LATERAL (
                SELECT coalesce(sum(stores), 0) AS stores, count(*) AS parts
                FROM report_columns c WHERE c.result_id = r.result_id
            ) c
            WHERE r.result_id = $1
            """,
            (result.result_id, manifest.stores),
        )
    )


def _append_parts(bulk: Bulk, lake: LakeFolder, result_id: int, parts: Sequence[PartFile]) -> None:
    contents = results_in_order(lake.read, (part.name for part in parts), at_once=AT_ONCE)
    for first in range(0, len(parts), _PARTS_AT_ONCE):
        some = parts[first : first + _PARTS_AT_ONCE]
        content = list(islice(contents, len(some)))
        bulk.append("report_columns", _columns(result_id, first, some, content))


def _columns(
    result_id: int, first_part: int, parts: Sequence[PartFile], contents: Sequence[bytes]
) -> pa.Table:
    count = len(parts)
    return pa.table(
        {
            "result_id": np.full(count, result_id, np.int64),
            "part": np.arange(first_part, first_part + count, dtype=np.int32),
            "stores": np.array([part.stores for part in parts], np.int32),
            "first_store_id": [part.first_store_id for part in parts],
            "last_store_id": [part.last_store_id for part in parts],
            "content": pa.array(contents, pa.binary()),
        }
    )
