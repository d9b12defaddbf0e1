"""Files of opening hours in the notation of OpenStreetMap: rows of weekly hours, and of dates."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.domain.rejections import Reason, UnusableFileError, Verdict
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.formats import open_rows
from storemon_pipeline.files.snapshots import (
    VALID_FROM,
    SnapshotRead,
    parse_valid_from,
    read_snapshot,
    repeated_text_column,
)
from storemon_pipeline.hours_formats.opening_hours import OpeningTimes, read_opening_hours
from storemon_pipeline.stores.store_ids import reject_bad_ids

TEXT_COLUMN: Final = "opening_hours"

COLUMNS: Final = (
    Column("store_id"),
    Column(TEXT_COLUMN),
    Column("country", is_needed=False),
    VALID_FROM,
)

_REASONS: Final = (
    Reason.OPENING_HOURS,
    Reason.SUN_TIMES,
    Reason.SCHOOL_HOLIDAYS,
    Reason.OPEN_END,
    Reason.STEPS,
    Reason.FALLBACK,
    Reason.COMMENT,
    Reason.UNKNOWN_HOURS,
    Reason.HOLIDAYS_WITHOUT_COUNTRY,
    Reason.COUNTRY,
    Reason.MANY_DATES,
    Reason.NO_EFFECT,
    Reason.NEVER_OPEN,
)

_EPOCH: Final = date(1970, 1, 1)
_CLOSED: Final = ((0, 0),)

_Row = tuple[int, int, int]
"""A weekday, 0 is Monday, or a day since 1970, with a start and an end since its midnight."""


def has_opening_hours(file: Path | OpenFile) -> bool:
    """Whether the file has the columns of opening hours in this notation."""
    try:
        with open_rows(file, COLUMNS):
            return True
    except UnusableFileError:
        return False


def read_weekly_hours(file: Path | OpenFile) -> SnapshotRead:
    """Read the usual weeks into the frame of `hours_file.read_hours_file`.

    A row of the file gives a row for each interval of the week. Raises UnusableFileError.
    """
    read = read_snapshot(file, COLUMNS, _parse)
    frame = _repeat(read.frame, "day_of_week", _week_rows)
    frame["day_of_week"] = frame["day_of_week"].astype(np.int8)
    return SnapshotRead(
        frame, read.rejected, len(frame) + len(read.rejected), read.bytes_read, read.header
    )


def read_dates(file: Path | OpenFile) -> SnapshotRead:
    """Read the dates that differ into the frame of `special_hours_file.read_special_hours_file`.

    What cannot be read is rejected with the weekly hours alone. Raises UnusableFileError.
    """
    read = read_snapshot(file, COLUMNS, _parse)
    frame = _repeat(read.frame, "day", _date_rows)
    return SnapshotRead(frame, (), len(frame), read.bytes_read, read.header)


def _parse(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    texts, text = distinct_texts(columns["opening_hours"])
    nowhere = pa.array([""] * len(store), pa.string())
    codes, code = distinct_texts(columns.get("country", nowhere))
    pairs, number = np.unique(text.astype(np.int64) * len(codes) + code, return_inverse=True)
    found = [
        read_opening_hours(texts[pair // len(codes)], codes[pair % len(codes)])
        for pair in pairs.tolist()
    ]
    for reason in _REASONS:
        verdict.reject(np.array([each is reason for each in found], np.bool_)[number], reason)
    times = np.empty(len(found), object)
    times[:] = found
    return pd.DataFrame(
        {
            "store_id": repeated_text_column(ids, store),
            "times": times[number],
            "valid_from_us": parse_valid_from(columns, verdict),
        }
    )


def _repeat(
    frame: pd.DataFrame, name: str, rows_of: Callable[[OpeningTimes], Sequence[_Row]]
) -> pd.DataFrame:
    """A row for each of the rows of each row's times, with the day in the column `name`."""
    # Equal times are one object, so that each is written out once.
    known = {id(times): rows_of(times) for times in frame["times"]}
    found = [known[id(times)] for times in frame["times"]]
    number = np.repeat(np.arange(len(found)), [len(rows) for rows in found])
    rows = np.array([row for rows in found for row in rows], np.int64).reshape(-1, 3)
    repeated = frame.drop(columns="times").take(number).reset_index(drop=True)
    repeated.insert(1, name, rows[:, 0])
    repeated.insert(2, "start_us", rows[:, 1])
    repeated.insert(3, "end_us", rows[:, 2])
    return repeated


def _week_rows(times: OpeningTimes) -> list[_Row]:
    return [(day, *hours) for day, found in enumerate(times.week) for hours in found]


def _date_rows(times: OpeningTimes) -> list[_Row]:
    """The rows of the dates; a closed one has a row from 0 to 0."""
    return [
        ((day - _EPOCH).days, *hours)
        for day, found in times.dates.items()
        for hours in found or _CLOSED
    ]
