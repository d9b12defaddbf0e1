"""Parsing rows of business_hours into opening times, exactly as written.

`business_time.weeks` decides that 23:59 means midnight, and what an end before its start means.
"""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.domain.rejections import Reason, UnusableFileError, Verdict
from storemon_pipeline.domain.windows import DAY_US
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.formats import is_json_document
from storemon_pipeline.files.snapshots import (
    VALID_FROM,
    SnapshotRead,
    parse_valid_from,
    read_snapshot,
    repeated_text_column,
)
from storemon_pipeline.hours_formats import json_hours_file, opening_hours_file
from storemon_pipeline.hours_formats.times_of_day import UNREADABLE, read_time
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (
    Column("store_id"),
    Column("dayofweek", ("day", "day_of_week")),
    Column("start_time_local"),
    Column("end_time_local"),
    VALID_FROM,
)

LATEST_US: Final = 2 * DAY_US
"""48:00: from 24:00 on a time is one of the next day, so that 26:00 is 02:00."""


def read_hours_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of opening times.

    Columns of the frame: store_id (category of str), day_of_week (int8, 0 = Monday), start_us and
    end_us (int64, microseconds since local midnight, from 0 to 48 h), valid_from_us (Int64, see
    parse_valid_from), line (int64). A file without these columns may have those of
    `opening_hours_file`, or be a document of `json_hours_file`. Raises UnusableFileError.
    """
    if is_json_document(file):
        return json_hours_file.read_weekly_hours(file)
    try:
        return read_snapshot(file, COLUMNS, parse_hours)
    except UnusableFileError:
        if not opening_hours_file.has_opening_hours(file):
            raise
    return opening_hours_file.read_weekly_hours(file)


def parse_hours(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_hours_file without `line`, for all rows; reject the bad ones."""
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    weekdays, weekday = distinct_texts(columns["dayofweek"])
    day_of_week = np.array([_read_weekday(text) for text in weekdays], np.int8)[weekday]
    verdict.reject(day_of_week == UNREADABLE, Reason.WEEKDAY)
    starts, start = distinct_texts(columns["start_time_local"])
    ends, end = distinct_texts(columns["end_time_local"])
    start_us = np.array([read_time(text) for text in starts], np.int64)[start]
    end_us = np.array([read_time(text) for text in ends], np.int64)[end]
    verdict.reject((start_us == UNREADABLE) | (end_us == UNREADABLE), Reason.UNREADABLE_TIME)
    verdict.reject((start_us > LATEST_US) | (end_us > LATEST_US), Reason.TIME_RANGE)
    return pd.DataFrame(
        {
            "store_id": repeated_text_column(ids, store),
            "day_of_week": day_of_week,
            "start_us": start_us,
            "end_us": end_us,
            "valid_from_us": parse_valid_from(columns, verdict),
        }
    )


def _read_weekday(text: str) -> int:
    return int(text) if text in {"0", "1", "2", "3", "4", "5", "6"} else UNREADABLE
