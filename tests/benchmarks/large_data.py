"""Made-up files of a large chain of stores, written as fast as the disk takes them.

The stores and polls are those of the sample data, many times over under other ids.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from storemon_pipeline.sample_data import write_sample_data

_SAMPLE_STORES: Final = 14_100
_SEED: Final = 1
_OPTIONS: Final = pa_csv.WriteOptions(include_header=False, quoting_style="none")


@dataclass(frozen=True, slots=True)
class LargeData:
    """What was written."""

    stores: int
    polls: int


def write_large_data(out: Path, *, stores: int, days: float) -> LargeData:
    """Write store_status.csv, business_hours.csv and timezones.csv of about so many stores.

    A store has 16 polls a day. Rows of the same sample stand together; in each such lot polls come
    in random order.
    """
    sample = min(stores, _SAMPLE_STORES)
    copies = max(1, round(stores / sample))
    folder = out / ".sample"
    write_sample_data(folder, stores=sample, days=days, seed=_SEED)
    # The ids sort by their ends, so that the copies' stores lie between each other's.
    polls = 0
    for name in ("store_status", "business_hours", "timezones"):
        rows = _good_rows(folder / f"{name}.csv")
        with (out / f"{name}.csv").open("wb") as file:
            file.write((",".join(rows.column_names) + "\n").encode())
            for copy in range(copies):
                ids = pc.binary_join_element_wise(rows["store_id"], f"{copy:03}", "")
                pa_csv.write_csv(rows.set_column(0, "store_id", ids), file, _OPTIONS)
        polls += rows.num_rows * copies if name == "store_status" else 0
        (folder / f"{name}.csv").unlink()
    shutil.rmtree(folder)
    return LargeData(sample * copies, polls)


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
