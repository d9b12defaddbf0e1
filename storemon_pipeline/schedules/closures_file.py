"""Parsing rows of closures: intervals of local time in which stores are planned to be closed."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.calendar import OPEN_END
from storemon_pipeline.business_time.zones import local_to_utc_us, zone_keys_by_folded_name
from storemon_pipeline.domain.rejections import Reason, Verdict
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import SnapshotRead, read_snapshot, text_column
from storemon_pipeline.files.timestamps import parse_wall_clocks
from storemon_pipeline.schedules.closures import EVERY_STORE_ID
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (
    Column("store_id"),
    Column("start_local"),
    Column("end_local"),
    Column("reason", is_needed=False),
    Column("zone_of_times", is_needed=False),
)


def read_closures_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of closures.

    Columns of the frame: store_id (str; `*` is every store), start_local_us and end_local_us
    (int64, microseconds since local 1970-01-01T00:00; an empty end is OPEN_END), reason (str,
    possibly empty), is_utc (bool: start and end are not local but in UTC), line (int64). Raises
    UnusableFileError.
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
    end_us = end_us[end]
    start_us, end_us, is_utc = _in_utc(columns, verdict, start_us, end_us)
    is_every = np.array([text == EVERY_STORE_ID for text in ids], np.bool_)[store]
    verdict.reject(is_utc & is_every, Reason.ZONE_WITHOUT_STORE)
    return pd.DataFrame(
        {
            "store_id": text_column(ids, store),
            "start_local_us": start_us,
            "end_local_us": end_us,
            "reason": text_column(reasons, reason),
            "is_utc": is_utc,
        }
    )


def _in_utc(
    columns: dict[str, pa.Array], verdict: Verdict, start_us: IntArray, end_us: IntArray
) -> tuple[IntArray, IntArray, BoolArray]:
    """Starts and ends (n,), in UTC where the row names the zone of its times, and where it does."""
    is_utc = np.zeros(len(start_us), np.bool_)
    if "zone_of_times" not in columns:
        return start_us, end_us, is_utc
    start_us, end_us = start_us.copy(), end_us.copy()
    zones, zone = distinct_texts(columns["zone_of_times"])
    for number, name in enumerate(zones):
        if name == "":
            continue
        is_here = zone == number
        key = zone_keys_by_folded_name().get(name.casefold())
        if key is None:
            verdict.reject(is_here, Reason.UNKNOWN_ZONE)
            continue
        is_utc |= is_here
        has_end = is_here & (end_us != OPEN_END)
        start_us[is_here], does_start = local_to_utc_us(key, start_us[is_here])
        end_us[has_end], does_end = local_to_utc_us(key, end_us[has_end])
        is_skipped = np.zeros(len(is_utc), np.bool_)
        is_skipped[is_here] |= ~does_start
        is_skipped[has_end] |= ~does_end
        verdict.reject(is_skipped, Reason.UNREADABLE_TIMESTAMP)
    return start_us, end_us, is_utc
