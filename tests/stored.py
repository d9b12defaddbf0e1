"""Rows in words, for tests of what loads leave in the database.

An instant is a clock that starts at `MIDNIGHT` and runs on past 24:00, such as `09:30`, `33:00` or
`12:00:00.000001`. The tests themselves say which rows they expect.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_log import RowCounts, close_load, open_load
from storemon_pipeline.polls.poll_rows import Polls
from storemon_pipeline.polls.poll_table import load_polls, polled_bounds_us
from storemon_pipeline.schedules.hours_file import read_hours_file
from storemon_pipeline.schedules.versions import (
    BUSINESS_HOURS,
    STORE_TIMEZONES,
    VersionTable,
    write_versions,
)
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.schedules.zones_file import read_zones_file

MIDNIGHT: Final = datetime(2023, 1, 23, tzinfo=UTC)
"""A Monday."""

LOADED_AT: Final = datetime(2023, 2, 1, tzinfo=UTC)
HOUR: Final = 3_600_000_000
MAX_GAP: Final = 3 * HOUR
PUSHED: Final = None
"""The file of rows that were pushed."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MIDNIGHT_US: Final = (MIDNIGHT - _EPOCH) // _MICROSECOND
_STATUSES: Final = {"up": True, "down": False}

Row = tuple[str, int, bool]
"""Store id, microseconds since 1970, whether active."""


def at_us(clock: str) -> int:
    """Read a clock as microseconds since 1970; `-02:00` lies before `MIDNIGHT`."""
    sign = -1 if clock.startswith("-") else 1
    hours, minutes, *rest = clock.lstrip("-").split(":")
    seconds = round(float(rest[0]) * 1_000_000) if rest else 0
    return _MIDNIGHT_US + sign * (int(hours) * HOUR + int(minutes) * 60_000_000 + seconds)


def at(clock: str) -> datetime:
    """Read a clock as an aware instant."""
    return _EPOCH + at_us(clock) * _MICROSECOND


def clock_of(instant: datetime) -> str:
    """Write an instant as a clock."""
    microseconds = (instant - MIDNIGHT) // _MICROSECOND
    sign = "-" if microseconds < 0 else ""
    minutes, rest = divmod(abs(microseconds), 60_000_000)
    seconds = f":{rest / 1_000_000:09.6f}" if rest else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}{seconds}"


def polls(rows: Sequence[Row]) -> Polls:
    """Give rows the form in which a file's reader hands them over."""
    store_ids = list(dict.fromkeys(store_id for store_id, _, _ in rows))
    return Polls(
        store_ids=np.array(store_ids, dtype=object),
        store=np.array([store_ids.index(store_id) for store_id, _, _ in rows], np.int32),
        polled_at_us=np.array([polled_at for _, polled_at, _ in rows], np.int64),
        is_active=np.array([is_active for _, _, is_active in rows], np.bool_),
        line=np.arange(2, len(rows) + 2),
    )


def read_rows(texts: Iterable[str]) -> list[Row]:
    """Read `A 09:00 up` or `A 09:00 down`, one row each."""
    rows = []
    for text in texts:
        store_id, clock, status = text.split()
        rows.append((store_id, at_us(clock), _STATUSES[status]))
    return rows


def load_rows(
    bulk: Bulk, rows: Sequence[Row], *, file_path: str | None, max_gap_us: int = MAX_GAP
) -> RowCounts:
    """Load rows as one file, or as one pushed batch, within a transaction."""
    load = open_load(
        bulk, Source.STORE_STATUS, file_path=file_path, run_id=None, loaded_at=LOADED_AT
    )
    batch = polls(rows)
    row_counts = load_polls(bulk, load, batch, max_gap_us=max_gap_us)
    close_load(bulk, load, row_counts, (), polled_us=polled_bounds_us(batch))
    return row_counts


def load(
    url: str, *texts: str, file_path: str | None = "store_status.csv", max_gap_us: int = MAX_GAP
) -> RowCounts:
    """Load rows in words, in a transaction of their own."""
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        return load_rows(bulk, read_rows(texts), file_path=file_path, max_gap_us=max_gap_us)


def load_hours(
    url: str,
    *rows: str,
    loaded_at: datetime = LOADED_AT,
    file_path: str | None = "business_hours.csv",
) -> RowCounts:
    """Load rows such as `A,0,09:00,17:00` or `A,0,09:00,17:00,always` as one snapshot."""
    header = "store_id,dayOfWeek,start_time_local,end_time_local,valid_from"
    return _load_snapshot(url, BUSINESS_HOURS, header, rows, loaded_at, file_path)


def load_zones(
    url: str,
    *rows: str,
    loaded_at: datetime = LOADED_AT,
    file_path: str | None = "timezones.csv",
) -> RowCounts:
    """Load rows such as `A,Europe/Berlin` or `A,Europe/Berlin,always` as one snapshot."""
    header = "store_id,timezone_str,valid_from"
    return _load_snapshot(url, STORE_TIMEZONES, header, rows, loaded_at, file_path)


def load_monday(url: str, *polls: str) -> None:
    """Load these polls of store A, which is on UTC and open on Mondays from 9 to 18."""
    load(url, *polls)
    load_zones(url, "A,UTC,always")
    load_hours(url, "A,0,09:00,18:00")
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)


def _load_snapshot(
    url: str,
    table: VersionTable,
    header: str,
    rows: Sequence[str],
    loaded_at: datetime,
    file_path: str | None,
) -> RowCounts:
    """Load rows through a file's reader; a row without `valid_from` gets an empty one."""
    fields = header.count(",")
    lines = [header, *(row + "," * (fields - row.count(",")) for row in rows), ""]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot.csv"
        path.write_text("\n".join(lines))
        frame = (read_hours_file if table is BUSINESS_HOURS else read_zones_file)(path).frame
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        return load_frame(bulk, table, frame, loaded_at=loaded_at, file_path=file_path)


def load_frame(
    bulk: Bulk,
    table: VersionTable,
    frame: pd.DataFrame,
    *,
    loaded_at: datetime,
    file_path: str | None,
) -> RowCounts:
    """Load a frame as one snapshot, within a transaction."""
    load = open_load(
        bulk, Source(table.name), file_path=file_path, run_id=None, loaded_at=loaded_at
    )
    (row_counts,) = write_versions(bulk, [load], [frame], table=table)
    close_load(bulk, load, row_counts, ())
    return row_counts


def fetch(url: str, query: str) -> list[dict[str, Any]]:
    """Read the rows of a query."""
    with bulk_transaction(url) as bulk:
        return rows_of(bulk.fetch(query))


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Turn fetched rows into plain ones."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def execute(url: str, *statements: str) -> None:
    """Run statements in one transaction."""
    with bulk_transaction(url) as bulk:
        for statement in statements:
            bulk.execute(statement)


def stored_runs(url: str) -> list[str]:
    """Read `A 09:00 to 11:00 up, 3 polls` for every status run, by store and time."""
    rows = fetch(
        url,
        "SELECT store_id, first_poll_at, last_poll_at, is_active, polls"
        " FROM status_runs JOIN stores USING (store_key) ORDER BY store_id, first_poll_at",
    )
    return [
        f"{row['store_id']} {clock_of(row['first_poll_at'])} to {clock_of(row['last_poll_at'])}"
        f" {_word(row['is_active'])}, {row['polls']} poll{'s' if row['polls'] > 1 else ''}"
        for row in rows
    ]


def stored_polls(url: str) -> list[str]:
    """Read `A 09:00 up` for every poll, by store and time."""
    rows = fetch(
        url,
        "SELECT store_id, polled_at, is_active FROM store_status JOIN stores USING (store_key)"
        " ORDER BY store_id, polled_at",
    )
    return [
        f"{row['store_id']} {clock_of(row['polled_at'])} {_word(row['is_active'])}" for row in rows
    ]


def superseded_polls(url: str) -> list[str]:
    """Read `A 09:00 up of load 1` for every superseded statement, by store, time and load."""
    rows = fetch(
        url,
        "SELECT store_id, polled_at, is_active, load_id FROM superseded_polls"
        " JOIN stores USING (store_key) ORDER BY store_id, polled_at, load_id",
    )
    return [
        f"{row['store_id']} {clock_of(row['polled_at'])} {_word(row['is_active'])}"
        f" of load {row['load_id']}"
        for row in rows
    ]


def _word(is_active: object) -> str:
    return "up" if is_active else "down"
