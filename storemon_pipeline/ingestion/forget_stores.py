"""Forgetting stores that no data names any more, after a load was undone."""

from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.lake_files.status_runs_of_stores import read_last
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.stores.store_index import StoreIndex

_NAMING: Final = (
    "status_runs",
    "superseded_polls",
    "business_hours",
    "store_timezones",
    "closures",
    "store_details",
    "objectives",
    "special_hours",
    "demand",
    "store_events",
    "hourly_orders",
    "corrections",
    "channels",
)
"""A store with a row in one of these tables is known. Status runs outlive their polls."""

_COMPUTED: Final = (
    "business_hour_intervals",
    "store_weeks",
    "store_uptime_daily",
    "store_uptime_daily_stale",
    "planned_polls",
    "learned_demand",
)

_UNNAMED: Final = " AND ".join(
    f"NOT EXISTS (SELECT FROM {table} n WHERE n.store_key = s.store_key)" for table in _NAMING
)


def forget_stores(bulk: Bulk, store_keys: IntArray) -> int:
    """Of these stores, those that no data names are no longer known; returns how many.

    They become `former_stores`, because older reports and alerts refer to their keys. A later load
    that names one makes it known again, with the same key.
    """
    if len(store_keys) == 0:
        return 0
    store_keys = _without_polls_in_lake(bulk, store_keys)
    bulk.stage("undone_store_keys", pa.table({"store_key": pa.array(store_keys, pa.int32())}))
    forgotten = bulk.fetch(
        f"""
        WITH forgotten AS (
            DELETE FROM stores s USING pg_temp.undone_store_keys u
            WHERE s.store_key = u.store_key AND {_UNNAMED}
            RETURNING s.store_key, s.store_id
        )
        INSERT INTO former_stores (store_key, store_id)
        SELECT store_key, store_id FROM forgotten RETURNING store_key
        """  # noqa: S608  (made of constants)
    )
    bulk.stage("forgotten_stores", forgotten)
    for table in _COMPUTED:
        bulk.execute(
            f"DELETE FROM {table} t USING pg_temp.forgotten_stores f"  # noqa: S608  (a constant)
            " WHERE t.store_key = f.store_key"
        )
    return int(forgotten.num_rows)


def _without_polls_in_lake(bulk: Bulk, store_keys: IntArray) -> IntArray:
    """Those of the stores that have no polls in the lake, if one has the polls."""
    lake = read_lake_of_polls(bulk)
    if lake is None:
        return store_keys
    bulk.stage("undone_store_keys", pa.table({"store_key": pa.array(store_keys, pa.int32())}))
    rows = bulk.fetch(
        """
        SELECT store_key, store_id FROM stores JOIN pg_temp.undone_store_keys USING (store_key)
        ORDER BY store_id COLLATE "C"
        """
    )
    stores = StoreIndex(
        rows["store_id"].combine_chunks(), rows["store_key"].to_numpy().astype(np.int64)
    )
    polled = read_last(lake.folder, lake.manifest, stores).store
    return np.delete(stores.store_keys, polled)
