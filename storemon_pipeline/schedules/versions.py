"""Versions of weekly hours and zones: which rows of a snapshot are new, and from when they hold.

A version is the set of rows of one load, store and `valid_from`. Both sources follow the same
rules; only their columns differ.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.first_rows import is_empty, key_built_afterwards
from storemon_pipeline.database.instants import (
    microseconds,
    microseconds_of,
    timestamps_or_minus_infinity,
)
from storemon_pipeline.database.overlap import overlapping
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.loads.load_log import NO_ROWS, Load, RowCounts
from storemon_pipeline.stores.store_keys import store_keys


@dataclass(frozen=True, slots=True)
class VersionTable:
    """A table of versions: its name, its own columns, and whether a version is a single row."""

    name: str
    columns: tuple[str, ...]
    is_one_row: bool


BUSINESS_HOURS: Final = VersionTable(
    "business_hours", ("day_of_week", "start_us", "end_us"), is_one_row=False
)
STORE_TIMEZONES: Final = VersionTable("store_timezones", ("timezone",), is_one_row=True)

_STORES_PER_CHUNK: Final = 100_000
"""Comparing the rows of a store with a row of hours for each day takes 1 KB."""

_VERSION: Final = ["store_key", "valid_from_us", "is_dated"]


def write_versions(
    bulk: Bulk, loads: Sequence[Load], frames: Sequence[pd.DataFrame], *, table: VersionTable
) -> list[RowCounts]:
    """Write the versions of a snapshot that are new. The snapshot has one frame and load per file.

    A frame has the columns `store_id` (str, or a category of it), `valid_from_us` (Int64, NA
    without a value), and those of the table, in file order. Rows without `valid_from` hold always
    if they are the store's first, else from the load on. A version from files is new when it
    differs from the last one from files; a version from a push, when it differs from the one in
    force.

    All frames are treated as one file, in their order. A version with rows from several files
    belongs to the last one; each row is counted in the load of its own file. All loads have the
    same `loaded_at`, and all or none of them have a file. No row is counted as rejected.
    """
    # Copying the only frame of a large chain would take half a gigabyte.
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    part = np.repeat(np.arange(len(frames)), [len(rows) for rows in frames])
    if frame.empty:
        return [NO_ROWS for _ in loads]
    store, ids = pd.factorize(frame["store_id"])
    store_key = store_keys(bulk, ids.tolist())[store]
    loaded, replaced = np.zeros((2, len(loads)), np.int64)
    is_first = is_empty(bulk, table.name)
    with (
        key_built_afterwards(bulk, table.name, rows=len(frame)),
        overlapping() as hand_over,
    ):
        for chunk in _chunks(store_key):
            rows = frame[[*table.columns, "valid_from_us"]].iloc[chunk]
            rows = rows.assign(
                store_key=store_key[chunk],
                is_dated=rows["valid_from_us"].notna().to_numpy(),
                valid_from_us=rows["valid_from_us"].fillna(ALWAYS).astype("int64").to_numpy(),
            )
            known = None if is_first else _read_known(bulk, loads[0], table, rows)
            written = _new_rows(loads, rows, known, part, table)
            append = partial(bulk.append, table.name, _to_rows(written.rows, table))
            if is_first:
                hand_over(append)  # nothing is read meanwhile
            else:
                append()
            loaded += np.bincount(part[written.first], minlength=len(loads))
            replaced += np.bincount(part[written.replaced], minlength=len(loads))
    read = np.bincount(part, minlength=len(loads))
    return [
        RowCounts(int(new), int(changed), int(total - new - changed), 0)
        for total, new, changed in zip(read, loaded, replaced, strict=True)
    ]


def _chunks(store_key: IntArray) -> Iterator[IntArray]:
    """The positions of the rows of some stores at a time, by key, otherwise in file order."""
    order = np.argsort(store_key, kind="stable")
    begins = np.flatnonzero(np.diff(store_key[order], prepend=-1))
    for first, end in pairwise([*begins[::_STORES_PER_CHUNK].tolist(), len(order)]):
        yield order[first:end]


@dataclass(frozen=True, slots=True)
class _Known:
    """The rows that new ones are compared with, and the keys of the stores that have any row."""

    last: pd.DataFrame
    stores: IntArray


@dataclass(frozen=True, slots=True)
class _Written:
    """New rows, with the index of those of new stores and of those that replace others."""

    rows: pd.DataFrame
    first: "pd.Index[int]"
    replaced: "pd.Index[int]"


def _read_known(bulk: Bulk, load: Load, table: VersionTable, rows: pd.DataFrame) -> _Known:
    stores = np.unique(rows["store_key"].to_numpy())
    bulk.stage("snapshot_stores", pa.table({"store_key": stores.astype(np.int32)}))
    if load.file_path is None:
        last = _rows_in_force(bulk, load, table)
    else:
        last = _last_rows_of_files(bulk, table)
    return _Known(last, _stores_with_versions(bulk, table))


def _new_rows(
    loads: Sequence[Load],
    rows: pd.DataFrame,
    known: _Known | None,
    part: IntArray,
    table: VersionTable,
) -> _Written:
    """The rows of new versions; `part` is the number of the load of each row of the snapshot."""
    distinct = rows.drop_duplicates(keep="last")
    if table.is_one_row:
        # A store has one zone at a time: of several rows for one start the last one counts.
        is_replaced = distinct.duplicated(_VERSION, keep="last")
        replaced_rows = distinct[is_replaced].index
        distinct = distinct[~is_replaced]
    else:
        replaced_rows = distinct.index[:0]
    if known is None:
        written = distinct.copy()
        is_first = pd.Series(data=True, index=written.index)
    else:
        written = distinct[_differs(distinct, known.last, table)].copy()
        is_first = ~written["store_key"].isin(known.stores)
    starts_now = ~written["is_dated"] & ~is_first
    written.loc[starts_now, "valid_from_us"] = microseconds(loads[0].loaded_at)
    written["part"] = part[written.index]
    last_part = written.groupby(["store_key", "valid_from_us"])["part"].transform("max")
    written["load_id"] = np.array([load.load_id for load in loads], np.int32)[last_part.to_numpy()]
    return _Written(
        written, written[is_first].index, written[~is_first].index.append(replaced_rows)
    )


def _last_rows_of_files(bulk: Bulk, table: VersionTable) -> pd.DataFrame:
    """The last rows from files for each (store, valid_from); ALWAYS for rows without a date.

    Of the stores in `snapshot_stores`, as everything below.
    """
    columns = ", ".join(f"v.{name}" for name in table.columns)
    rows = bulk.fetch(
        f"""
        WITH from_files AS (
            SELECT v.store_key, v.load_id, v.is_dated, {columns},
                   CASE WHEN v.is_dated THEN nullif(v.valid_from, '-infinity') END AS valid_from
            FROM {table.name} v JOIN loads l USING (load_id)
            JOIN pg_temp.snapshot_stores USING (store_key)
            WHERE l.file_path IS NOT NULL
        ), aged AS (
            SELECT *, rank() OVER (
                PARTITION BY store_key, is_dated, valid_from ORDER BY load_id DESC
            ) AS age
            FROM from_files
        )
        SELECT * FROM aged WHERE age = 1
        """  # noqa: S608  (names of columns and tables are constants of this module)
    )
    return _frame(rows, table)


def _rows_in_force(bulk: Bulk, load: Load, table: VersionTable) -> pd.DataFrame:
    """The rows that count, from files and pushes.

    These are the rows loaded last for each `valid_from`, as dated rows, and the rows in force at
    the instant of the load, as undated rows.
    """
    columns = ", ".join(table.columns)
    rows = bulk.fetch(
        f"""
        WITH aged AS (
            SELECT *, rank() OVER (PARTITION BY store_key, valid_from ORDER BY load_id DESC) AS age
            FROM {table.name} JOIN pg_temp.snapshot_stores USING (store_key)
        ), current AS (
            SELECT *, max(valid_from) FILTER (WHERE valid_from <= $1)
                      OVER (PARTITION BY store_key) AS in_force_from
            FROM aged WHERE age = 1
        )
        SELECT store_key, true AS is_dated, nullif(valid_from, '-infinity') AS valid_from, {columns}
        FROM current
        UNION ALL
        SELECT store_key, false, NULL, {columns} FROM current WHERE valid_from = in_force_from
        """,  # noqa: S608  (as above)
        (load.loaded_at,),
    )
    return _frame(rows, table)


def _frame(rows: pa.Table, table: VersionTable) -> pd.DataFrame:
    frame = pd.DataFrame({name: rows[name].to_pandas() for name in table.columns})
    frame["store_key"] = rows["store_key"].to_numpy().astype(np.int64)
    frame["is_dated"] = rows["is_dated"].to_numpy()
    frame["valid_from_us"] = microseconds_of(rows["valid_from"])
    return frame


def _differs(rows: pd.DataFrame, last: pd.DataFrame, table: VersionTable) -> "pd.Series[bool]":
    """Whether each row's version, as a set of rows, differs from the last one."""
    compared = [*_VERSION, *table.columns]
    both = rows[compared].merge(
        last[compared].astype(rows[compared].dtypes.to_dict()).drop_duplicates(),
        how="outer",
        on=compared,
        indicator=True,
    )
    unmatched = both[both["_merge"] != "both"]
    changed = pd.MultiIndex.from_frame(unmatched[_VERSION].drop_duplicates())
    is_changed = pd.MultiIndex.from_frame(rows[_VERSION]).isin(changed)
    return pd.Series(is_changed, index=rows.index)


def _stores_with_versions(bulk: Bulk, table: VersionTable) -> IntArray:
    keys = bulk.fetch(
        f"""
        SELECT store_key FROM pg_temp.snapshot_stores s
        WHERE EXISTS (SELECT FROM {table.name} v WHERE v.store_key = s.store_key)
        """  # noqa: S608  (as above)
    )["store_key"]
    stores: IntArray = keys.to_numpy().astype(np.int64)
    return stores


def _to_rows(rows: pd.DataFrame, table: VersionTable) -> pa.Table:
    columns = {
        "store_key": rows["store_key"].to_numpy(np.int32),
        "valid_from": timestamps_or_minus_infinity(rows["valid_from_us"].to_numpy(np.int64)),
        "load_id": rows["load_id"].to_numpy(np.int32),
        "is_dated": rows["is_dated"].to_numpy(np.bool_),
        # An undated row of a new store has the same start as one with `always`.
        "row_number": rows.groupby(["store_key", "valid_from_us"]).cumcount().to_numpy(np.int32),
    }
    for name in table.columns:
        columns[name] = pa.Array.from_pandas(rows[name])
    return pa.table(columns)


def undo_versions(bulk: Bulk, load_id: int, table: VersionTable) -> IntArray:
    """Delete the versions of a load; return the keys of their stores.

    If a store loses its first version, its next version without `valid_from` holds always.
    """
    stores = bulk.fetch(
        f"DELETE FROM {table.name} WHERE load_id = $1 RETURNING store_key",  # noqa: S608
        (load_id,),
    )
    bulk.stage("undone_stores", pa.table({"store_key": stores["store_key"]}))
    bulk.execute(
        f"""
        UPDATE {table.name} v SET valid_from = '-infinity'
        FROM (
            SELECT store_key, min(load_id) AS load_id FROM {table.name}
            WHERE store_key IN (SELECT store_key FROM pg_temp.undone_stores) GROUP BY store_key
        ) f
        WHERE v.store_key = f.store_key AND v.load_id = f.load_id AND NOT v.is_dated
          AND NOT EXISTS (
            SELECT FROM {table.name} a
            WHERE a.store_key = f.store_key AND a.load_id = f.load_id
              AND a.valid_from = '-infinity'
          )
        """  # noqa: S608  (names of tables are constants of `versions`)
    )
    return np.unique(stores["store_key"].to_numpy())
