"""What stores are called and counted with, and the zone and hours that they have."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from storemon_pipeline.storage.bulk import Bulk
from storemon_pipeline.storage.uptime_inputs import StoreIndex
from storemon_pipeline.uptime.windows import BoolArray


@dataclass(frozen=True, slots=True)
class StoreDetails:
    """Details by position of the store; each list has one entry per store.

    `timezones` is None where no valid zone was ever loaded; `has_hours` false where no hours were.
    """

    names: list[str | None]
    groups: list[str | None]
    regions: list[str | None]
    timezones: list[str | None]
    has_hours: BoolArray


def read_details(bulk: Bulk, stores: StoreIndex, *, as_of: datetime) -> StoreDetails:
    """The details of the stores, with the zone that counts at an instant."""
    rows = bulk.fetch(
        """
        SELECT s.store_key, d.name, d.group_name, d.region, z.timezone,
               EXISTS (SELECT FROM business_hours h WHERE h.store_key = s.store_key) AS has_hours
        FROM stores s
        LEFT JOIN store_details d USING (store_key)
        LEFT JOIN LATERAL (
            SELECT timezone FROM store_timezones z WHERE z.store_key = s.store_key
            ORDER BY valid_from <= $1 DESC, CASE WHEN valid_from <= $1 THEN valid_from END DESC,
                     valid_from, load_id DESC, row_number DESC
            LIMIT 1
        ) z ON true
        WHERE $2 = 0 OR s.store_key = $2
        """,
        (as_of, stores.only_key),
    )
    position = stores.positions(rows["store_key"].to_numpy())
    rows = rows.take(pa.array(np.argsort(position)))
    return StoreDetails(
        rows["name"].to_pylist(),
        rows["group_name"].to_pylist(),
        rows["region"].to_pylist(),
        rows["timezone"].to_pylist(),
        rows["has_hours"].to_numpy(),
    )
