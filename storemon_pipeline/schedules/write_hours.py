"""Writing versions of weekly hours, of which some begin at a local time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from storemon_pipeline.business_time.zones import local_to_utc_us
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.loads.load_log import Load, RowCounts
from storemon_pipeline.schedules.versions import BUSINESS_HOURS, write_versions
from storemon_pipeline.stores.store_details import read_zones_of

_LOCAL: Final = "is_local_from"


def write_hours(
    bulk: Bulk, loads: Sequence[Load], frames: Sequence[pd.DataFrame]
) -> list[RowCounts]:
    """Write the versions of weekly hours that are new, as `write_versions` does.

    Where a frame has the column `is_local_from`, its `valid_from_us` are in local time there; they
    are put into UTC by the store's zone at the load.
    """
    in_utc = [_in_utc(bulk, frame, as_of=loads[0].loaded_at) for frame in frames]
    return write_versions(bulk, loads, in_utc, table=BUSINESS_HOURS)


def _in_utc(bulk: Bulk, frame: pd.DataFrame, *, as_of: datetime) -> pd.DataFrame:
    if _LOCAL not in frame:
        return frame
    is_local = frame[_LOCAL].to_numpy(np.bool_)
    frame = frame.drop(columns=_LOCAL)
    if not is_local.any():
        return frame
    store_ids = frame["store_id"].astype("str")
    zones = read_zones_of(bulk, set(store_ids[is_local]), as_of=as_of)
    zone = store_ids.map(zones).to_numpy(object)
    since_us = frame["valid_from_us"].copy()
    for key in set(zone[is_local]):
        is_here = is_local & (zone == key)
        since_us[is_here], _ = local_to_utc_us(key, since_us[is_here].to_numpy(np.int64))
    return frame.assign(valid_from_us=since_us)
