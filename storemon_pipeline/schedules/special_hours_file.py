"""Parsing rows of special hours: the hours of single local dates in place of the weekly ones."""

from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.weeks import interval_length
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
from storemon_pipeline.schedules.hours_file import LATEST_US
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (
    Column("store_id"),
    Column("date"),
    Column("start_time_local"),
    Column("end_time_local"),
    VALID_FROM,
)

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_NO_DATE: Final = -(2**31)


def read_special_hours_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of special hours.

    Columns of the frame: store_id (category of str), day (int64, days since 1970-01-01), start_us
    and end_us (int64, microseconds since local midnight: an end is up to two days after its start;
    both are 0 for closed), valid_from_us (Int64, see parse_valid_from), line (int64). A file of
    hours without these columns may hold dates as well, see `opening_hours_file` and
    `json_hours_file`. Raises UnusableFileError.
    """
    if is_json_document(file):
        return json_hours_file.read_dates(file)
    try:
        return read_snapshot(file, COLUMNS, parse_special_hours)
    except UnusableFileError:
        if not opening_hours_file.has_opening_hours(file):
            raise
    return opening_hours_file.read_dates(file)


def parse_special_hours(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_special_hours_file without `line`; reject the bad rows."""
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    dates, number = distinct_texts(columns["date"])
    day = np.array([_read_day(text) for text in dates], np.int64)[number]
    verdict.reject(day == _NO_DATE, Reason.UNREADABLE_DATE)
    starts, start = distinct_texts(columns["start_time_local"])
    ends, end = distinct_texts(columns["end_time_local"])
    is_closed = np.array([text == "" for text in starts], np.bool_)[start]
    is_closed &= np.array([text == "" for text in ends], np.bool_)[end]
    start_us = np.array([read_time(text) for text in starts], np.int64)[start]
    end_us = np.array([read_time(text) for text in ends], np.int64)[end]
    is_unreadable = (start_us == UNREADABLE) | (end_us == UNREADABLE)
    verdict.reject(is_unreadable & ~is_closed, Reason.UNREADABLE_TIME)
    is_late = (start_us >= DAY_US) | (end_us > LATEST_US)
    verdict.reject(is_late, Reason.SPECIAL_TIME_RANGE)
    start_us[is_closed] = end_us[is_closed] = 0
    end_us[~is_closed] = (start_us + interval_length(start_us, end_us))[~is_closed]
    return pd.DataFrame(
        {
            "store_id": repeated_text_column(ids, store),
            "day": day,
            "start_us": start_us,
            "end_us": end_us,
            "valid_from_us": parse_valid_from(columns, verdict),
        }
    )


def _read_day(text: str) -> int:
    """Days since 1970-01-01 of a date such as 2026-12-24."""
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        return _NO_DATE
