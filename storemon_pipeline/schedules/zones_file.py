"""Parsing rows of store_timezones into the zone of each store.

The default zone belongs to `business_time.calendar`.
"""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.business_time.zones import zone_keys_by_folded_name
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
    text_column,
)
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (Column("store_id"), Column("timezone_str"), VALID_FROM)


def read_zones_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of time zones.

    Columns of the frame: store_id (category of str), timezone (str, one of `zone_keys`),
    valid_from_us (Int64, see parse_valid_from), line (int64). Raises UnusableFileError.
    """
    return read_snapshot(file, COLUMNS, parse_zones)


def parse_zones(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_zones_file without `line`, for all rows; reject the bad ones.

    A zone's name may be written in any case.
    """
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    keys = zone_keys_by_folded_name()
    names, zone = distinct_texts(columns["timezone_str"])
    zones = [keys.get(name.casefold(), "") for name in names]
    is_known = np.array([key != "" for key in zones], np.bool_)[zone]
    verdict.reject(~is_known, Reason.UNKNOWN_ZONE)
    return pd.DataFrame(
        {
            "store_id": repeated_text_column(ids, store),
            "timezone": text_column(zones, zone),
            "valid_from_us": parse_valid_from(columns, verdict),
        }
    )
