"""Parsing opening hours in the notation of OpenStreetMap into rows of weekly hours."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from opening_hours import OpeningHours, State, validate

from storemon_pipeline.domain.rejections import Reason, Verdict
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import (
    VALID_FROM,
    SnapshotRead,
    parse_valid_from,
    read_snapshot,
    repeated_text_column,
)
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (Column("store_id"), Column("opening_hours"), VALID_FROM)

Row = tuple[int, int, int]
"""The weekday, 0 is Monday, and the start and end in microseconds since its midnight."""

_WEEKLY: Final = re.compile(r"(?:Mo|Tu|We|Th|Fr|Sa|Su|24/7|closed|\d\d:\d\d-\d\d:\d\d|[-,; ])*")
"""What the normal form of weekly hours consists of."""

_MONDAY: Final = datetime(2023, 1, 2)  # noqa: DTZ001  (a local time)
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def read_opening_hours_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of opening hours into the frame of `hours_file.read_hours_file`.

    A row of the file gives a row for each interval of the week. Raises UnusableFileError.
    """
    read = read_snapshot(file, COLUMNS, _parse)
    weeks = {text: weekly_rows(text) for text in read.frame["opening_hours"].unique()}
    found = [weeks[text] for text in read.frame["opening_hours"]]
    number = np.repeat(np.arange(len(found)), [len(_rows_of(week)) for week in found])
    rows = np.array([row for week in found for row in _rows_of(week)], np.int64).reshape(-1, 3)
    frame = read.frame.drop(columns="opening_hours").take(number).reset_index(drop=True)
    frame.insert(1, "day_of_week", rows[:, 0].astype(np.int8))
    frame.insert(2, "start_us", rows[:, 1])
    frame.insert(3, "end_us", rows[:, 2])
    return SnapshotRead(
        frame, read.rejected, len(frame) + len(read.rejected), read.bytes_read, read.header
    )


def weekly_rows(text: str) -> Sequence[Row] | Reason:
    """The rows of weekly hours in the notation of OpenStreetMap, or why there are none.

    >>> hour_us = 3_600_000_000
    >>> weekly_rows("Fr 18:00-02:00") == [(4, 18 * hour_us, 26 * hour_us)]
    True
    >>> str(weekly_rows("Mo-Fr 09:00-17:00; PH off"))
    'opening hours need more than a week: dates, holidays, sunrise, comments or the like'
    """
    if not validate(text):
        return Reason.OPENING_HOURS
    hours = OpeningHours(text).normalize()
    if not _WEEKLY.fullmatch(str(hours)):
        return Reason.NOT_WEEKLY
    # From a day before the week to a day after it, so that no night is cut.
    found = hours.intervals(_MONDAY - _DAY, _MONDAY + _WEEK + _DAY)
    rows = [
        (start.weekday(), _since(_midnight(start), start), _since(_midnight(start), end))
        for first, last, state, _ in found
        if state == State.OPEN
        for start, end in _pieces(first, last)
        if _MONDAY <= start < _MONDAY + _WEEK
    ]
    return rows or Reason.NEVER_OPEN


def _parse(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    texts, number = distinct_texts(columns["opening_hours"])
    weeks = [weekly_rows(text) for text in texts]
    for reason in (Reason.OPENING_HOURS, Reason.NOT_WEEKLY, Reason.NEVER_OPEN):
        verdict.reject(np.array([week is reason for week in weeks], np.bool_)[number], reason)
    return pd.DataFrame(
        {
            "store_id": repeated_text_column(ids, store),
            "opening_hours": repeated_text_column(texts, number),
            "valid_from_us": parse_valid_from(columns, verdict),
        }
    )


def _rows_of(week: Sequence[Row] | Reason) -> Sequence[Row]:
    return () if isinstance(week, Reason) else week


def _pieces(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The interval itself, which may be a night, or its days if it is longer than one."""
    if end - start <= _DAY:
        yield start, end
        return
    while start < end:
        midnight = _midnight(start) + _DAY
        yield start, min(midnight, end)
        start = midnight


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _since(midnight: datetime, at: datetime) -> int:
    return (at - midnight) // _MICROSECOND
