"""Parsing rows of channels. Which store a storefront belongs to in the end is in `storefronts`."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.domain.channels import MOST_STOREFRONTS
from storemon_pipeline.domain.rejections import Reason, UnusableFileError, Verdict
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import SnapshotRead, read_snapshot, text_column
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (Column("store_id"), Column("channel"), Column("channel_store_id"))


def read_channels_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of channels.

    Columns of the frame: store_id, channel, channel_store_id (str), line (int64). Raises
    UnusableFileError, also when one store has too many storefronts.
    """
    read = read_snapshot(file, COLUMNS, parse_channels)
    counts = read.frame.groupby("store_id", sort=False)["channel_store_id"].nunique()
    if counts.max() > MOST_STOREFRONTS:
        raise UnusableFileError(
            file.name if isinstance(file, OpenFile) else file,
            f"store {counts.idxmax()} has {counts.max():,} storefronts, "
            f"of at most {MOST_STOREFRONTS:,}",
        )
    return read


def parse_channels(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_channels_file without `line`, for all rows; reject bad ones."""
    frame = {}
    for name in ("store_id", "channel_store_id"):
        ids, number = distinct_texts(columns[name])
        reject_bad_ids(verdict, ids, number)
        frame[name] = text_column(ids, number)
    names, number = distinct_texts(columns["channel"])
    verdict.reject(np.array([not name for name in names], np.bool_)[number], Reason.NO_CHANNEL)
    frame["channel"] = text_column(names, number)
    return pd.DataFrame(frame)
