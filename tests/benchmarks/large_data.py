"""Made-up files of a large chain of stores, written as fast as the disk takes them.

The stores and polls are those of the sample data, many times over under other ids.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from storemon_pipeline.sample_data import write_sample_data

_SAMPLE_STORES: Final = 14_100
_SEED: Final = 1
_HOUR_US: Final = 3_600_000_000
_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
_OPTIONS: Final = pa_csv.WriteOptions(include_header=False, quoting_style="none")


@dataclass(frozen=True, slots=True)
class LargeData:
    """What was written."""

    stores: int
    polls: int


def write_large_data(out: Path, next_hour: Path, *, stores: int, days: float) -> LargeData:
    """Write store_status.csv, business_hours.csv and timezones.csv of about this number of stores.

    A store has 16 polls a day. Rows of the same sample stand together; in each such lot polls come
    in random order. The file `next_hour` has one more poll of each store.
    """
    sample = min(stores, _SAMPLE_STORES)
    copies = max(1, round(stores / sample))
    folder = out / ".sample"
    write_sample_data(folder, stores=sample, days=days, seed=_SEED)
    # The ids sort by their ends, so that the copies' stores lie between each other's.
    polls = 0
    for name in ("store_status", "business_hours", "timezones"):
        rows = _good_rows(folder / f"{name}.csv")
        _write_copies(rows, out / f"{name}.csv", copies)
        if name == "store_status":
            _write_copies(_next_polls(rows), next_hour, copies)
        polls += rows.num_rows * copies if name == "store_status" else 0
        (folder / f"{name}.csv").unlink()
    shutil.rmtree(folder)
    return LargeData(sample * copies, polls)


def write_later_polls(hour: Path, later: Path) -> None:
    """Write the same polls an hour later."""
    polls = _good_rows(hour)
    at = pc.strptime(pc.utf8_slice_codeunits(polls["timestamp_utc"], 0, 19), _FORMAT, "us")
    later_us = pc.add(at.cast(pa.int64()), _HOUR_US).cast(pa.timestamp("us"))
    texts = pc.binary_join_element_wise(pc.strftime(later_us, _FORMAT), "UTC", " ")
    place = polls.column_names.index("timestamp_utc")
    with later.open("wb") as file:
        _write(polls.set_column(place, "timestamp_utc", texts), file)


def _write_copies(rows: pa.Table, path: Path, copies: int) -> None:
    """Repeat the rows this number of times, each time with other ids."""
    with path.open("wb") as file:
        _write(rows.slice(0, 0), file)
        for copy in range(copies):
            ids = pc.binary_join_element_wise(rows["store_id"], f"{copy:03}", "")
            pa_csv.write_csv(rows.set_column(0, "store_id", ids), file, _OPTIONS)


def _write(rows: pa.Table, file: BinaryIO) -> None:
    """The header and the rows."""
    file.write((",".join(rows.column_names) + "\n").encode())
    pa_csv.write_csv(rows, file, _OPTIONS)


def _next_polls(polls: pa.Table) -> pa.Table:
    """One poll of each store in the hour after the newest; one in 20 has another status."""
    texts = pc.utf8_slice_codeunits(polls["timestamp_utc"], 0, 19)
    at = pc.strptime(texts, _FORMAT, "us", error_is_null=True)
    polls, at = polls.filter(pc.is_valid(at)), pc.drop_null(at)
    in_order = polls.take(pc.sort_indices(at)).combine_chunks()
    stores = in_order.group_by("store_id", use_threads=False).aggregate([("status", "last")])
    place = np.arange(stores.num_rows)
    first_us = pc.max(at).cast(pa.int64()).as_py() + 1_000_000
    at_us = pa.array(first_us + place * 3_500_000_000 // len(place)).cast(pa.timestamp("us"))
    is_up = pc.equal(pc.utf8_lower(stores["status_last"]), "active").to_numpy() ^ (place % 20 == 0)
    columns = {
        "store_id": stores["store_id"],
        "status": pa.array(np.where(is_up, "active", "inactive")),
        "timestamp_utc": pc.binary_join_element_wise(pc.strftime(at_us, _FORMAT), "UTC", " "),
    }
    return pa.table({name: columns[name] for name in polls.column_names})


def _good_rows(path: Path) -> pa.Table:
    """The rows of a sample's file that have a store, its columns as texts, `store_id` first."""
    rows = pa_csv.read_csv(
        path,
        convert_options=pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in path.open().readline().strip().split(",")},
            strings_can_be_null=False,
        ),
    )
    return rows.filter(pc.not_equal(rows["store_id"], ""))
