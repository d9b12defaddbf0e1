"""Reading files of stores' names, groups and regions."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.domain.rejections import Verdict
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import SnapshotRead, read_snapshot, text_column
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (
    Column("store_id"),
    Column("name", is_needed=False),
    Column("group", is_needed=False),
    Column("region", is_needed=False),
)


def read_store_details_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of details.

    Columns of the frame: store_id, name, group, region (str; empty where the file has no value),
    line (int64). Raises UnusableFileError.
    """
    return read_snapshot(file, COLUMNS, parse_store_details)


def parse_store_details(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_store_details_file without `line`, for all rows; reject bad ones."""
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    frame = pd.DataFrame({"store_id": text_column(ids, store)})
    for column in COLUMNS[1:]:
        texts, number = [""], np.zeros(len(store), np.int32)
        if column.name in columns:
            texts, number = distinct_texts(columns[column.name])
        frame[column.name] = text_column(texts, number)
    return frame
