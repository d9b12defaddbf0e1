"""Data files of buckets: tables of integers and texts as Parquet, each written once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import (
    TIMED,
    Bucket,
    DataFile,
    Kind,
    read_named,
    write_contents,
)
from storemon_pipeline.uptime.status_runs import StatusRuns


@dataclass(frozen=True, slots=True)
class PollRows:
    """Polls of stores by their keys; every array has shape `(n,)`.

    `load_id` is the load that wrote each poll; 0 where older files do not say.
    """

    store_key: IntArray
    at_us: IntArray
    is_active: BoolArray
    load_id: IntArray

    def __len__(self) -> int:
        return len(self.store_key)

    def take(self, which: BoolArray | IntArray) -> "PollRows":
        """The polls of this mask, or at these positions."""
        return PollRows(
            self.store_key[which], self.at_us[which], self.is_active[which], self.load_id[which]
        )

    def in_order(self) -> "PollRows":
        """The polls sorted by key and instant."""
        return self.take(np.lexsort((self.at_us, self.store_key)))


_NONE: Final = np.empty(0, np.int64)
NO_POLLS: Final = PollRows(_NONE, _NONE, np.empty(0, np.bool_), _NONE)

BUCKETS: Final = "buckets"
"""The folder with the lists of files."""

_INT: Final = pa.int64()
_KEY: Final = pa.int32()

SCHEMAS: Final = {
    Kind.STORES: pa.schema({"store_key": _KEY, "store_id": pa.string()}),
    Kind.STOREFRONTS: pa.schema(
        {
            "storefront_key": _KEY,
            "store_key": _KEY,
            "storefront_id": pa.string(),
            "channel": pa.string(),
        }
    ),
    Kind.STOREFRONT_IDS: pa.schema({"store_key": _KEY, "store_id": pa.string()}),
    Kind.WEEK_PATTERNS: pa.schema({"week": _INT, "start_us": _INT, "end_us": _INT}),
    Kind.WEEKS: pa.schema({"store_key": _KEY, "valid_from_us": _INT, "week": _INT}),
    Kind.ZONES: pa.schema({"store_key": _KEY, "valid_from_us": _INT, "timezone": pa.string()}),
    Kind.SPECIAL_DAYS: pa.schema(
        {"store_key": _KEY, "day": _INT, "valid_from_us": _INT, "intervals": _INT}
    ),
    Kind.SPECIAL_INTERVALS: pa.schema({"start_us": _INT, "end_us": _INT}),
    Kind.SPECIAL_WEEKS: pa.schema(
        {
            "store_key": _KEY,
            "valid_from_us": _INT,
            "day_of_week": _INT,
            "start_us": _INT,
            "end_us": _INT,
        }
    ),
    Kind.CLOSURES: pa.schema(
        {"store_key": _KEY, "start_local_us": _INT, "end_local_us": _INT, "is_utc": pa.bool_()}
    ),
    Kind.EVENTS: pa.schema(
        {
            "event_id": _INT,
            "store_key": _KEY,
            "source": pa.string(),
            "from_at": pa.timestamp("us", "UTC"),
            "to_at": pa.timestamp("us", "UTC"),
            "is_up": pa.bool_(),
        }
    ),
    Kind.CORRECTIONS: pa.schema(
        {
            "correction_id": _INT,
            "store_key": _KEY,
            "from_at": pa.timestamp("us", "UTC"),
            "to_at": pa.timestamp("us", "UTC"),
            "is_up": pa.bool_(),
        }
    ),
    Kind.LAST_STATUS_RUNS: pa.schema(
        {"store_key": _KEY, "first_us": _INT, "length_us": _INT, "packed": _INT}
    ),
    Kind.STATUS_RUNS: pa.schema(
        {"store_key": _KEY, "first_us": _INT, "length_us": _INT, "packed": _INT}
    ),
    Kind.POLLS: pa.schema(
        {"store_key": _KEY, "at_us": _INT, "is_active": pa.bool_(), "load_id": pa.int32()}
    ),
}
"""The columns of each kind. `packed` is twice the number of polls, plus 1 when active."""


ROWS_PER_GROUP: Final = {
    Kind.POLLS: 250_000,
    Kind.STATUS_RUNS: 25_000,
    Kind.LAST_STATUS_RUNS: 25_000,
}
"""Rows of these kinds are in groups by key, so that those of one store are read as 1 MB or less."""


def write_file(
    lake: LakeFolder,
    kind: Kind,
    table: pa.Table,
    *,
    first_us: int = 0,
    last_us: int = 0,
    level: int = 0,
) -> DataFile:
    """Write a table as a new file, which no manifest names yet."""
    content = _encode(table.cast(SCHEMAS[kind]), rows_per_group=ROWS_PER_GROUP.get(kind))
    name = f"{kind}/{uuid4().hex}.parquet"
    lake.write(name, content)
    return DataFile(kind, name, table.num_rows, len(content), first_us, last_us, level)


def _encode(table: pa.Table, *, rows_per_group: int | None) -> bytes:
    encodings = {
        field.name: "DELTA_BYTE_ARRAY" if pa.types.is_string(field.type) else "DELTA_BINARY_PACKED"
        for field in table.schema
        if not pa.types.is_boolean(field.type) and not pa.types.is_timestamp(field.type)
    }
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=rows_per_group or max(table.num_rows, 1),
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        column_encoding=encodings,
        write_statistics=["store_key"] if rows_per_group else False,
        store_schema=False,
    )
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def read_file(lake: LakeFolder, file: DataFile) -> pa.Table:
    """The table of a file."""
    content = pa.BufferReader(read_named(lake, file.name))
    return typed_rows(pq.read_table(content, use_threads=False), file.kind)


def typed_rows(rows: pa.Table, kind: Kind) -> pa.Table:
    """Rows of a file with the types of its kind. Older files of polls have no loads."""
    if kind is Kind.POLLS and "load_id" not in rows.column_names:
        rows = rows.append_column("load_id", pa.array(np.zeros(len(rows), np.int32)))
    return rows.cast(SCHEMAS[kind])


def read_kind(lake: LakeFolder, files: Iterable[DataFile], kind: Kind) -> pa.Table:
    """The rows of all files of a kind, oldest file first; no rows without a file."""
    tables = _read_files(lake, of_kind(files, kind))
    return pa.concat_tables([SCHEMAS[kind].empty_table(), *tables])


def _read_files(lake: LakeFolder, files: Sequence[DataFile]) -> list[pa.Table]:
    lake.begin_reading(file.name for file in files)
    return [read_file(lake, file) for file in files]


def write_rows(lake: LakeFolder, kind: Kind, rows: pa.Table, *, level: int = 0) -> DataFile:
    """Write rows of a kind of `TIMED` as a new file."""
    first_us = rows["at_us" if kind is Kind.POLLS else "first_us"].to_numpy()
    last_us = first_us if kind is Kind.POLLS else first_us + rows["length_us"].to_numpy()
    return write_file(
        lake,
        kind,
        rows,
        first_us=int(first_us.min(initial=2**62)),
        last_us=int(last_us.max(initial=-(2**62))),
        level=level,
    )


def newest_poll_us(files: Iterable[DataFile]) -> int | None:
    """The newest poll of a bucket with these files; None without any."""
    last = [file.last_us for file in files if file.kind is Kind.LAST_STATUS_RUNS and file.rows]
    return max(last, default=None)


def write_status_runs(
    lake: LakeFolder, kind: Kind, status_runs: StatusRuns, *, level: int = 0
) -> DataFile:
    """Write status runs whose stores are keys."""
    rows = {
        "store_key": status_runs.store,
        "first_us": status_runs.first_poll_us,
        "length_us": status_runs.last_poll_us - status_runs.first_poll_us,
        "packed": (status_runs.polls << 1) | status_runs.is_active,
    }
    return write_rows(lake, kind, pa.table(rows), level=level)


def read_status_runs(lake: LakeFolder, files: Iterable[DataFile]) -> StatusRuns:
    """The status runs of these files, whose stores are keys, in the files' order."""
    rows = _read_files(lake, list(files))
    return status_runs_of_rows(pa.concat_tables([SCHEMAS[Kind.STATUS_RUNS].empty_table(), *rows]))


def status_runs_of_rows(rows: pa.Table) -> StatusRuns:
    """The status runs of rows of a file, whose stores are keys."""
    first_us, length_us, packed = (
        rows[name].to_numpy() for name in ("first_us", "length_us", "packed")
    )
    return StatusRuns(
        rows["store_key"].to_numpy().astype(np.int64),
        first_us,
        first_us + length_us,
        (packed & 1).astype(np.bool_),
        packed >> 1,
    )


def write_polls(lake: LakeFolder, polls: PollRows, *, level: int = 0) -> DataFile:
    """Write polls in order."""
    rows = {
        "store_key": polls.store_key,
        "at_us": polls.at_us,
        "is_active": polls.is_active,
        "load_id": polls.load_id,
    }
    return write_rows(lake, Kind.POLLS, pa.table(rows), level=level)


def read_polls(lake: LakeFolder, files: Iterable[DataFile]) -> PollRows:
    """The polls of these files, in the files' order."""
    return polls_of_rows(read_kind(lake, files, Kind.POLLS))


def polls_of_rows(rows: pa.Table) -> PollRows:
    """The polls of rows of a file."""
    return PollRows(
        rows["store_key"].to_numpy().astype(np.int64),
        rows["at_us"].to_numpy(),
        rows["is_active"].to_numpy(),
        rows["load_id"].to_numpy().astype(np.int64),
    )


def make_bucket(
    lake: LakeFolder, first_store_id: str, files: Sequence[DataFile], *, newest_poll_us: int | None
) -> Bucket:
    """A bucket with these files, whose list is written."""
    contents = f"{BUCKETS}/{uuid4().hex}.json"
    write_contents(lake, contents, files)

    def rows(*kinds: Kind) -> int:
        return sum(file.rows for file in files if file.kind in kinds)

    return Bucket(
        first_store_id,
        stores=rows(Kind.STORES),
        polls=rows(Kind.POLLS),
        status_runs=rows(Kind.LAST_STATUS_RUNS, Kind.STATUS_RUNS),
        bytes=sum(file.bytes for file in files),
        newest_poll_us=newest_poll_us,
        contents=contents,
        storefronts=rows(Kind.STOREFRONT_IDS),
    )


def timed(files: Iterable[DataFile]) -> list[DataFile]:
    """The files of polls and status runs."""
    return [file for file in files if file.kind in TIMED]


def of_kind(files: Iterable[DataFile], kind: Kind) -> list[DataFile]:
    """The files of a kind."""
    return [file for file in files if file.kind is kind]


def of_stores(files: Iterable[DataFile]) -> list[DataFile]:
    """The files that describe the stores."""
    return [file for file in files if file.kind not in TIMED]
