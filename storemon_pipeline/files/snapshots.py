"""Reading the whole file of a snapshot source into a data frame.

Rows are checked by the reader of each source (hours, zones, closures, names). Versions belong to
`schedules`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import union_categoricals

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.domain.rejections import Reason, RejectedRow, Verdict
from storemon_pipeline.files.csv_text import BLOCK_BYTES, Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.formats import open_rows
from storemon_pipeline.files.timestamps import parse_instants

VALID_FROM: Final = Column("valid_from", is_needed=False)


@dataclass(frozen=True, slots=True)
class SnapshotRead:
    """The rows of a snapshot file: rows_read = len(frame) + len(rejected).

    `header` is the file's header line, which is needed to replay rejected rows.
    """

    frame: pd.DataFrame
    rejected: tuple[RejectedRow, ...]
    rows_read: int
    bytes_read: int
    header: str


ParseRows = Callable[[dict[str, pa.Array], Verdict], pd.DataFrame]
"""Takes string arrays (n,) by column, rejects bad rows, and returns a frame of all n rows."""


def read_snapshot(
    file: Path | OpenFile,
    columns: Sequence[Column],
    parse_rows: ParseRows,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> SnapshotRead:
    """Read a whole snapshot file. The frame has the good rows with their `line`, in file order.

    Raises UnusableFileError.
    """
    frames: list[pd.DataFrame] = []
    rejected: list[RejectedRow] = []
    rows_read = bytes_read = 0
    with open_rows(file, columns, block_bytes=block_bytes) as rows:
        for block in rows.blocks:
            verdict = Verdict(len(block.line))
            frame = parse_rows(block.columns, verdict).assign(line=block.line)
            frames.append(frame[verdict.is_good])
            rejected += block.collect_rejected(verdict)
            rows_read += block.rows_read
            bytes_read = block.bytes_done
    frame = _joined(frames) if frames else _no_rows(columns, parse_rows)
    return SnapshotRead(frame, tuple(rejected), rows_read, bytes_read, rows.header)


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All rows of the frames, which are empty afterwards, so that no row is in memory twice."""
    columns: dict[str, pd.Categorical | pd.Series] = {}
    for name in list(frames[0].columns):
        parts = [frame.pop(name) for frame in frames]
        is_repeated = isinstance(parts[0].dtype, pd.CategoricalDtype)
        columns[name] = (
            union_categoricals(parts) if is_repeated else pd.concat(parts, ignore_index=True)
        )
    return pd.DataFrame(columns)


def _no_rows(columns: Sequence[Column], parse_rows: ParseRows) -> pd.DataFrame:
    """Return the frame of a file without rows, which may give no block at all."""
    nothing = {column.name: pa.array([], pa.string()) for column in columns}
    return parse_rows(nothing, Verdict(0)).assign(line=np.zeros(0, np.int64))


def parse_valid_from(columns: dict[str, pa.Array], verdict: Verdict) -> pd.Series:
    """Return `valid_from` of each row (n,), as Int64 microseconds.

    ALWAYS for the text `always`; missing where it is empty or the file has no such column. Rows
    with an unreadable value are rejected.
    """
    if VALID_FROM.name not in columns:
        missing = np.ones(len(verdict.is_good), np.bool_)
        return _int64(np.zeros(len(missing), np.int64), is_missing=missing)
    texts, number = distinct_texts(columns[VALID_FROM.name])
    at_us, is_read = parse_instants(pa.array(texts, pa.string()))
    words = pc.utf8_lower(pa.array(texts, pa.string())).to_pylist()
    is_always = np.array([word == "always" for word in words], np.bool_)
    is_missing = np.array([word == "" for word in words], np.bool_)
    verdict.reject(~(is_read | is_always | is_missing)[number], Reason.UNREADABLE_VALID_FROM)
    # A new array, because `at_us` may be Arrow's own read-only memory.
    since_us = np.where(is_always, ALWAYS, at_us)
    return _int64(since_us[number], is_missing=is_missing[number])


def repeated_text_column(values: Sequence[str], number: npt.NDArray[np.int32]) -> pd.Series:
    """As `text_column`, with each distinct value kept once."""
    distinct = pd.CategoricalDtype(pd.Series(values, dtype="str"))
    return pd.Series(pd.Categorical.from_codes(number, dtype=distinct))


def text_column(values: Sequence[str], number: npt.NDArray[np.int32]) -> pd.Series:
    """Return a text column (n,) from distinct `values` (k,) and each row's index `number`."""
    return pd.Series(np.array(values, dtype=object)[number], dtype="str")


def _int64(values: npt.NDArray[np.int64], *, is_missing: npt.NDArray[np.bool_]) -> pd.Series:
    return pd.Series(pd.arrays.IntegerArray(values, is_missing))
