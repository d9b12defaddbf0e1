"""A few polls and status runs, to show in the Dagster UI."""

from typing import Final, Literal

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import timestamps
from storemon_pipeline.database.previews import read_preview
from storemon_pipeline.lake_files.status_runs_of_stores import read_last
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.stores.store_index import read_polled_stores

_ROWS: Final = 5
_STORES: Final = 1_000
"""Of the lake, so that a preview costs the same for any number of stores."""


def read_poll_preview(bulk: Bulk, table: Literal["store_status", "status_runs"]) -> pa.Table:
    """Up to five rows: the newest status runs, or their last polls; from the lake if it has them.

    From the lake they are the newest ones of the first thousand stores.
    """
    lake = read_lake_of_polls(bulk)
    if lake is None:
        return read_preview(bulk, table)
    stores = next(read_polled_stores(bulk).chunks(_STORES))
    last = read_last(lake.folder, lake.manifest, stores)
    last = last.take(np.argsort(-last.first_poll_us, kind="stable")[:_ROWS])
    store_ids = stores.store_ids.take(pa.array(last.store))
    last_poll_at = timestamps(last.last_poll_us)
    if table == "store_status":
        columns = {
            "store_id": store_ids,
            "polled_at": last_poll_at,
            "is_active": last.is_active,
        }
    else:
        columns = {
            "store_id": store_ids,
            "first_poll_at": timestamps(last.first_poll_us),
            "last_poll_at": last_poll_at,
            "is_active": last.is_active,
            "polls": last.polls,
        }
    return pa.table(columns)
