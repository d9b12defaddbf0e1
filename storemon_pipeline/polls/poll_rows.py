"""Parsing rows of store_status into polls.

Files are split into rows by the `files` room. Which of two polls of one instant counts is decided
in `poll_table`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from storemon_pipeline.domain.rejections import Reason, RejectedRow, Verdict
from storemon_pipeline.files.csv_text import BLOCK_BYTES, Column, Progress
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.formats import open_rows
from storemon_pipeline.files.timestamps import parse_instants
from storemon_pipeline.stores.store_ids import reject_bad_ids

FUTURE_TOLERANCE_US: Final = 5 * 60 * 1_000_000
"""How far a poll may be ahead of the clock."""

COLUMNS: Final = (Column("store_id"), Column("timestamp_utc"), Column("status"))

_STATUSES: Final = {"active": 1, "inactive": 0}
_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Polls:
    """Polls in order of reading.

    store_ids: (k,) the distinct ids, as str; store: (n,) index into them; polled_at_us: (n,)
    microseconds since 1970-01-01T00:00Z; line: (n,) ascending.
    """

    store_ids: npt.NDArray[np.object_]
    store: npt.NDArray[np.int32]
    polled_at_us: npt.NDArray[np.int64]
    is_active: npt.NDArray[np.bool_]
    line: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PollsRead:
    """The rows of a file of polls: rows_read = polls + rejected.

    `header` is the file's header line, which is needed to replay rejected rows; `next_line` is the
    number of the line after the last one read.
    """

    polls: Polls
    rejected: tuple[RejectedRow, ...]
    rows_read: int
    bytes_read: int
    header: str
    next_line: int


def parse_polls(
    store_id: pa.Array,
    timestamp_utc: pa.Array,
    status: pa.Array,
    line: npt.NDArray[np.int64],
    *,
    now_us: int,
    kept_from_us: int | None = None,
) -> tuple[Polls, Verdict]:
    """Parse polls from three string arrays (n,); nulls count as empty.

    Returns the valid polls, and the verdict on all n rows. `line` (n,) are the line numbers,
    `now_us` is the current time, and polls before `kept_from_us` are rejected.
    """
    verdict = Verdict(len(line))
    ids, store = distinct_texts(store_id)
    reject_bad_ids(verdict, ids, store)
    statuses, status_number = distinct_texts(status)
    meaning = np.array([_STATUSES.get(text.lower(), _UNKNOWN) for text in statuses], np.int8)
    active = meaning[status_number]
    verdict.reject(active == _UNKNOWN, Reason.UNKNOWN_STATUS)
    polled_at_us, is_read = parse_instants(timestamp_utc)
    verdict.reject(~is_read, Reason.UNREADABLE_TIMESTAMP)
    verdict.reject(polled_at_us > now_us + FUTURE_TOLERANCE_US, Reason.FUTURE_POLL)
    if kept_from_us is not None:
        verdict.reject(polled_at_us < kept_from_us, Reason.POLL_NOT_KEPT)

    is_good = verdict.is_good
    if not is_good.all():
        store, active, line = store[is_good], active[is_good], line[is_good]
        polled_at_us = polled_at_us[is_good]
    is_used = np.zeros(len(ids), np.bool_)
    is_used[store] = True
    number = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
    polls = Polls(
        store_ids=np.array(ids, dtype=object)[is_used],
        store=number[store],
        polled_at_us=polled_at_us,
        is_active=active == _STATUSES["active"],
        line=line,
    )
    return polls, verdict


def join_polls(parts: Sequence[Polls]) -> Polls:
    """Concatenate polls, with a common numbering of the stores."""
    ids = np.concatenate([np.zeros(0, dtype=object), *(part.store_ids for part in parts)])
    number, store_ids = pd.factorize(ids)
    offset = np.cumsum([0, *(len(part.store_ids) for part in parts)])
    numbers = [
        number.astype(np.int32)[first:][part.store]
        for first, part in zip(offset, parts, strict=False)
    ]
    return Polls(
        store_ids=store_ids,
        store=np.concatenate([np.zeros(0, np.int32), *numbers]),
        polled_at_us=np.concatenate([np.zeros(0, np.int64), *(p.polled_at_us for p in parts)]),
        is_active=np.concatenate([np.zeros(0, np.bool_), *(p.is_active for p in parts)]),
        line=np.concatenate([np.zeros(0, np.int64), *(p.line for p in parts)]),
    )


def read_polls_file(
    file: Path | OpenFile,
    *,
    now_us: int,
    kept_from_us: int | None = None,
    on_progress: Progress | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> PollsRead:
    """Read a file of polls in blocks of about `block_bytes`.

    Polls later than `now_us` by more than FUTURE_TOLERANCE_US, or before `kept_from_us`, are
    rejected. Raises UnusableFileError.
    """
    parts: list[Polls] = []
    rejected: list[RejectedRow] = []
    rows_read = bytes_read = 0
    next_line = 1
    with open_rows(file, COLUMNS, block_bytes=block_bytes) as rows:
        for block in rows.blocks:
            polls, verdict = parse_polls(
                block.columns["store_id"],
                block.columns["timestamp_utc"],
                block.columns["status"],
                block.line,
                now_us=now_us,
                kept_from_us=kept_from_us,
            )
            parts.append(polls)
            rejected += block.collect_rejected(verdict)
            rows_read += block.rows_read
            bytes_read, next_line = block.bytes_done, block.next_line
            if on_progress is not None:
                on_progress(bytes_read, rows.bytes_total, rows_read)
    return PollsRead(
        join_polls(parts), tuple(rejected), rows_read, bytes_read, rows.header, next_line
    )
