"""Details of stores: name, group, region, zone, and whether they have hours."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import DEFAULT_ZONE, BoolArray, IntArray
from storemon_pipeline.loads.load_log import NO_ROWS, Load, RowCounts
from storemon_pipeline.loads.rejected_hours import fetch_rejected_hours
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.stores.store_keys import store_keys

_COLUMNS = {"name": "name", "group": "group_name", "region": "region"}
"""Columns of the source, with their names in the table."""

_ZONE: Final = """
    SELECT timezone FROM store_timezones z WHERE z.store_key = s.store_key
    ORDER BY valid_from <= $1 DESC, CASE WHEN valid_from <= $1 THEN valid_from END DESC,
             valid_from, load_id DESC, row_number DESC
    LIMIT 1
"""
"""The zone of the store `s` at the instant $1."""


@dataclass(frozen=True, slots=True)
class StoreDetails:
    """Details by position of the store; each list has one entry per store.

    `timezones` is None for stores without a valid zone, `has_hours` is false for those without
    hours. `are_hours_rejected`: and all rows of their hours were rejected.
    """

    names: list[str | None]
    groups: list[str | None]
    regions: list[str | None]
    timezones: list[str | None]
    has_hours: BoolArray
    are_hours_rejected: BoolArray

    def take(self, positions: IntArray) -> "StoreDetails":
        """The details of the stores at these positions."""
        at = positions.tolist()
        return StoreDetails(
            [self.names[position] for position in at],
            [self.groups[position] for position in at],
            [self.regions[position] for position in at],
            [self.timezones[position] for position in at],
            self.has_hours[positions],
            self.are_hours_rejected[positions],
        )


def write_store_details(
    bulk: Bulk, loads: Sequence[Load], frames: Sequence[pd.DataFrame]
) -> list[RowCounts]:
    """Write names, groups and regions of a snapshot of one or several files, one load per file.

    Each frame has the columns `store_id`, `name`, `group`, `region`; empty text means no value. Of
    several rows for one store the last one counts. A store that is in no file keeps its details.
    Returns the row counts of each load, without rejected rows.
    """
    rows = pd.concat(frames, ignore_index=True)
    part = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    if rows.empty:
        return [NO_ROWS for _ in loads]
    ids = pd.Index(rows["store_id"].unique())
    keys = store_keys(bulk, ids.tolist())[ids.get_indexer(rows["store_id"])]
    is_last = ~pd.Series(keys).duplicated(keep="last").to_numpy()
    load_ids = np.array([load.load_id for load in loads], np.int32)
    bulk.stage(
        "new_details",
        pa.table(
            {
                "part": pa.array(part[is_last], pa.int32()),
                "store_key": keys[is_last].astype(np.int32),
                "load_id": load_ids[part[is_last]],
            }
            | {
                column: pa.array(
                    [text or None for text in rows[name][is_last].tolist()], pa.string()
                )
                for name, column in _COLUMNS.items()
            }
        ),
    )
    changes = bulk.fetch(
        """
        SELECT n.part, d.store_key IS NULL AS is_new, (d.name, d.group_name, d.region)
               IS DISTINCT FROM (n.name, n.group_name, n.region) AS is_changed
        FROM pg_temp.new_details n LEFT JOIN store_details d USING (store_key)
        """
    )
    bulk.execute(
        """
        INSERT INTO store_details (store_key, name, group_name, region, load_id)
        SELECT store_key, name, group_name, region, load_id FROM pg_temp.new_details
        ON CONFLICT (store_key) DO UPDATE SET name = excluded.name,
               group_name = excluded.group_name, region = excluded.region,
               load_id = excluded.load_id
        WHERE (store_details.name, store_details.group_name, store_details.region)
              IS DISTINCT FROM (excluded.name, excluded.group_name, excluded.region)
        """
    )
    is_new, of_part = changes["is_new"].to_numpy(), changes["part"].to_numpy()
    is_replaced = changes["is_changed"].to_numpy() & ~is_new
    read, new, replaced = (
        np.bincount(which, minlength=len(loads)).tolist()
        for which in (part, of_part[is_new], of_part[is_replaced])
    )
    return [
        RowCounts(new[number], replaced[number], read[number] - new[number] - replaced[number], 0)
        for number in range(len(loads))
    ]


def read_details(bulk: Bulk, stores: StoreIndex, *, as_of: datetime) -> StoreDetails:
    """The details of the stores, with the zone in force at an instant."""
    rows = bulk.fetch(
        f"""
        SELECT s.store_key, d.name, d.group_name, d.region, z.timezone,
               EXISTS (SELECT FROM business_hours h WHERE h.store_key = s.store_key) AS has_hours
        FROM stores s
        LEFT JOIN store_details d USING (store_key)
        LEFT JOIN LATERAL ({_ZONE}) z ON true
        WHERE $2 = 0 OR s.store_key = $2
        """,  # noqa: S608  (a constant)
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
        stores.marked(fetch_rejected_hours(bulk).store_ids),
    )


def read_zones_of(bulk: Bulk, store_ids: AbstractSet[str], *, as_of: datetime) -> dict[str, str]:
    """The zone of each of these stores at an instant; DEFAULT_ZONE for stores without any."""
    rows = bulk.fetch(
        f"""
        SELECT s.store_id, z.timezone FROM stores s LEFT JOIN LATERAL ({_ZONE}) z ON true
        WHERE s.store_id = ANY ($2)
        """,  # noqa: S608  (a constant)
        # The driver cannot infer a type for an empty list.
        (as_of, sorted(store_ids) or [""]),
    )
    known = zip(rows["store_id"].to_pylist(), rows["timezone"].to_pylist(), strict=True)
    return dict.fromkeys(store_ids, DEFAULT_ZONE) | {
        store_id: zone for store_id, zone in known if zone is not None
    }


def read_groups(bulk: Bulk, stores: StoreIndex) -> list[str]:
    """The group of each store; empty for a store without one."""
    chosen = stores.condition()
    rows = bulk.fetch(
        f"SELECT store_key, coalesce(group_name, '') AS name FROM store_details WHERE {chosen.sql}",  # noqa: S608  (conditions are made of names and numbers)
        chosen.parameters,
    )
    names = dict(zip(rows["store_key"].to_pylist(), rows["name"].to_pylist(), strict=True))
    return [names.get(key, "") for key in stores.store_keys.tolist()]
