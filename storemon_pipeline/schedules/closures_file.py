"""Parsing rows of closures: intervals of local time in which stores are planned to be closed."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.calendar import OPEN_END
from storemon_pipeline.domain.rejections import Reason, Verdict
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import SnapshotRead, read_snapshot, text_column
from storemon_pipeline.files.timestamps import parse_wall_clocks
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (
    Column("store_id"),
    Column("start_local"),
    Column("end_local"),
    Column("reason", is_needed=False),
)


def read_closures_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of closures.

    Columns of the frame: store_id (str; `*` is every store), start_local_us and end_local_us
    (int64, microseconds since local 1970-01-01T00:00; an empty end is OPEN_END), reason (str,
    possibly empty), line (int64). Raises UnusableFileError.
    """
    return read_snapshot(file, COLUMNS, parse_closures)


def parse_closures(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_closures_file without `line`, for all rows; reject bad ones."""
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    start_us, is_start = parse_wall_clocks(columns["start_local"])
    ends, end = distinct_texts(columns["end_local"])
    end_us, is_end = parse_wall_clocks(pa.array(ends, pa.string()))
    is_open = np.array([text == "" for text in ends], np.bool_)
    end_us[is_open] = OPEN_END
    verdict.reject(~(is_start & (is_end | is_open)[end]), Reason.UNREADABLE_TIMESTAMP)
    verdict.reject(end_us[end] <= start_us, Reason.CLOSURE_ORDER)
    if "reason" in columns:
        reasons, reason = distinct_texts(columns["reason"])
    else:
        reasons, reason = [""], np.zeros(len(store), np.int32)
    return pd.DataFrame(
        {
            "store_id": text_column(ids, store),
            "start_local_us": start_us,
            "end_local_us": end_us[end],
            "reason": text_column(reasons, reason),
        }
    )
