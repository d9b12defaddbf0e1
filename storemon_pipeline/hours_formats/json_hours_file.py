"""Files of hours as JSON of schema.org or Google: rows of weekly hours, and of dates."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.business_time.weeks import interval_length
from storemon_pipeline.domain.rejections import Reason, RejectedRow, UnusableFileError, Verdict
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import FoundFile, OpenFile, open_file, open_in_place
from storemon_pipeline.files.formats import NO_ROWS_IN_JSON
from storemon_pipeline.files.snapshots import SnapshotRead, repeated_text_column
from storemon_pipeline.hours_formats.entries import (
    CLOSED,
    BadEntryError,
    DatedEntry,
    WeeklyEntry,
)
from storemon_pipeline.hours_formats.google_profile import parse_period, parse_special_period
from storemon_pipeline.hours_formats.json_stores import (
    EntryKind,
    JsonEntry,
    holds_hours,
    read_entries,
)
from storemon_pipeline.hours_formats.schema_org import parse_specification
from storemon_pipeline.stores.store_ids import reject_bad_ids

NAMES: Final = ("store_id", "dayofweek", "date", "start_time_local", "end_time_local", "valid_from")
"""The columns of weekly and special hours: each such file may have both."""

_HEADER: Final = "store_id,entry"

_PARSERS: Final[dict[EntryKind, Callable[[object], WeeklyEntry | DatedEntry]]] = {
    EntryKind.SPECIFICATION: parse_specification,
    EntryKind.DATED_SPECIFICATION: parse_specification,
    EntryKind.PERIOD: parse_period,
    EntryKind.SPECIAL_PERIOD: parse_special_period,
}


def read_names(file: FoundFile) -> tuple[str, ...]:
    """The names of the columns that the file stands for. Raises UnusableFileError."""
    with open_in_place(file) as stream:
        if not holds_hours(stream):
            raise UnusableFileError(file.path.name, NO_ROWS_IN_JSON)
    return NAMES


def read_weekly_hours(file: Path | OpenFile) -> SnapshotRead:
    """Read the weekly hours into the frame of `hours_file.read_hours_file`.

    It has one more column: is_local_from (bool: valid_from_us is in local time). An entry gives a
    row for each day. Raises UnusableFileError.
    """
    read = _read(file, is_dated=False)
    entries = [(entry, parsed) for entry, parsed in read.good if isinstance(parsed, WeeklyEntry)]
    versions: dict[tuple[str, int | None, bool], list[JsonEntry]] = {}
    is_open: set[tuple[str, int | None, bool]] = set()
    has_versions: set[str] = set()
    for entry, parsed in entries:
        key = (entry.store_id, parsed.valid_from_us, parsed.is_local)
        versions.setdefault(key, []).append(entry)
        if any(start < end for _, start, end in parsed.rows):
            is_open.add(key)
        if parsed.valid_from_us is not None:
            has_versions.add(entry.store_id)
    # A week without any hours would count as always open.
    never_open = [entry for key, found in versions.items() if key not in is_open for entry in found]
    rejected = [*read.rejected, *(_reject(entry, Reason.NEVER_OPEN) for entry in never_open)]
    rows = [
        (entry, parsed, row)
        for entry, parsed in entries
        if (entry.store_id, parsed.valid_from_us, parsed.is_local) in is_open
        for row in parsed.rows
        if row[1] < row[2]
    ]
    # Hours without a start hold before those with one, not from the load on.
    since = [
        ALWAYS if parsed.valid_from_us is None and entry.store_id in has_versions
        else parsed.valid_from_us
        for entry, parsed, _ in rows
    ]  # fmt: skip
    frame = _frame([entry for entry, _, _ in rows])
    frame["day_of_week"] = np.array([row[0] for _, _, row in rows], np.int8)
    frame["start_us"] = np.array([row[1] for _, _, row in rows], np.int64)
    frame["end_us"] = np.array([row[2] for _, _, row in rows], np.int64)
    frame["valid_from_us"] = pd.array(since, "Int64")
    frame["is_local_from"] = np.array([parsed.is_local for _, parsed, _ in rows], np.bool_)
    return _snapshot(frame, rejected, read.bytes_read)


def read_dates(file: Path | OpenFile) -> SnapshotRead:
    """Read the hours of dates into the frame of `special_hours_file.read_special_hours_file`.

    Raises UnusableFileError.
    """
    read = _read(file, is_dated=True)
    entries = [(entry, parsed) for entry, parsed in read.good if isinstance(parsed, DatedEntry)]
    shortest: dict[tuple[str, int], int] = {}
    for entry, parsed in entries:
        for day in parsed.days:
            key = (entry.store_id, day)
            shortest[key] = min(parsed.period_days, shortest.get(key, parsed.period_days))
    rows = [
        (entry, parsed, day)
        for entry, parsed in entries
        for day in parsed.days
        if shortest[entry.store_id, day] == parsed.period_days
    ]
    start_us = np.array([parsed.start_us for _, parsed, _ in rows], np.int64)
    end_us = np.array([parsed.end_us for _, parsed, _ in rows], np.int64)
    is_closed = (start_us == CLOSED[0]) & (end_us == CLOSED[1])
    frame = _frame([entry for entry, _, _ in rows])
    frame["day"] = np.array([day for _, _, day in rows], np.int64)
    frame["start_us"] = start_us
    frame["end_us"] = np.where(is_closed, 0, start_us + interval_length(start_us, end_us))
    frame["valid_from_us"] = pd.array([None] * len(rows), "Int64")
    return _snapshot(frame, read.rejected, read.bytes_read)


@dataclass(frozen=True, slots=True)
class _Read:
    """The entries of one kind that can be read, and the others."""

    good: list[tuple[JsonEntry, WeeklyEntry | DatedEntry]]
    rejected: list[RejectedRow]
    bytes_read: int


def _read(file: Path | OpenFile, *, is_dated: bool) -> _Read:
    with _opened(file) as opened:
        size = opened.stream.seek(0, 2)
        opened.stream.seek(0)
        entries = [
            entry
            for entry in read_entries(opened.name, opened.stream, size=size)
            if entry.kind.is_dated is is_dated
        ]
    verdict = Verdict(len(entries))
    reject_bad_ids(verdict, *distinct_texts(pa.array([e.store_id for e in entries], pa.string())))
    reasons = dict(verdict.findings())
    good: list[tuple[JsonEntry, WeeklyEntry | DatedEntry]] = []
    rejected: list[RejectedRow] = []
    for number, entry in enumerate(entries):
        reason = reasons.get(number)
        try:
            parsed = _PARSERS[entry.kind](entry.value)
        except BadEntryError as error:
            rejected.append(_reject(entry, reason or error.reason))
            continue
        if isinstance(parsed, DatedEntry) is not is_dated:
            reason = reason or Reason.PERIOD_OF_HOURS
        if reason is None:
            good.append((entry, parsed))
        else:
            rejected.append(_reject(entry, reason))
    return _Read(good, rejected, size)


@contextmanager
def _opened(file: Path | OpenFile) -> Iterator[OpenFile]:
    if isinstance(file, OpenFile):
        yield file
        return
    with open_file(FoundFile(file, file.name, size_bytes=-1, modified_ns=0)) as opened:
        yield opened


def _reject(entry: JsonEntry, reason: Reason) -> RejectedRow:
    return RejectedRow.of(entry.line, entry.text, reason)


def _frame(entries: Sequence[JsonEntry]) -> pd.DataFrame:
    """The ids and lines of rows."""
    ids, store = distinct_texts(pa.array([entry.store_id for entry in entries], pa.string()))
    return pd.DataFrame(
        {
            "store_id": repeated_text_column(ids, store),
            "line": np.array([entry.line for entry in entries], np.int64),
        }
    )


def _snapshot(
    frame: pd.DataFrame, rejected: Sequence[RejectedRow], bytes_read: int
) -> SnapshotRead:
    in_order = tuple(sorted(rejected, key=lambda row: row.line))
    return SnapshotRead(frame, in_order, len(frame) + len(in_order), bytes_read, _HEADER)
