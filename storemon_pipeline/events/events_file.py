"""Parsing rows of events. Which event holds where several overlap belongs to `uptime`."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.domain.rejections import Reason, Verdict
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import SnapshotRead, read_snapshot, text_column
from storemon_pipeline.files.timestamps import parse_instants
from storemon_pipeline.stores.store_ids import reject_bad_ids
from storemon_pipeline.uptime.event_stretches import OPEN_EVENT

COLUMNS: Final = (
    Column("store_id"),
    Column("from_utc"),
    Column("to_utc"),
    Column("state"),
    Column("reason", is_needed=False),
    Column("source", is_needed=False),
)

_UP: Final = frozenset({"up", "active"})
_DOWN: Final = frozenset({"down", "inactive"})


def read_events_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of events.

    Columns of the frame: store_id (str), from_us and to_us (int64, microseconds since 1970 UTC; an
    empty end is OPEN_EVENT), is_up (bool), reason and source (str, possibly empty), line (int64).
    Raises UnusableFileError.
    """
    return read_snapshot(file, COLUMNS, parse_events)


def parse_events(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_events_file without `line`, for all rows; reject bad ones."""
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    states, state = distinct_texts(columns["state"])
    states = [text.lower() for text in states]
    is_state = np.array([text in _UP | _DOWN for text in states], np.bool_)[state]
    verdict.reject(~is_state, Reason.UNKNOWN_STATUS)
    from_us, is_start = parse_instants(columns["from_utc"])
    ends, end = distinct_texts(columns["to_utc"])
    to_us, is_end = parse_instants(pa.array(ends, pa.string()))
    is_open = np.array([text == "" for text in ends], np.bool_)
    to_us = np.where(is_open, OPEN_EVENT, to_us)
    verdict.reject(~(is_start & (is_end | is_open)[end]), Reason.UNREADABLE_TIMESTAMP)
    verdict.reject(to_us[end] <= from_us, Reason.EVENT_ORDER)
    return pd.DataFrame(
        {
            "store_id": text_column(ids, store),
            "from_us": from_us,
            "to_us": to_us[end],
            "is_up": np.array([text in _UP for text in states], np.bool_)[state],
            "reason": _texts(columns, "reason", len(store)),
            "source": _texts(columns, "source", len(store)),
        }
    )


def _texts(columns: dict[str, pa.Array], name: str, rows: int) -> pd.Series:
    if name in columns:
        return text_column(*distinct_texts(columns[name]))
    return text_column([""], np.zeros(rows, np.int32))
