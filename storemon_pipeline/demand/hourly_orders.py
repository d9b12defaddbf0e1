"""The table `hourly_orders`: orders summed by store and UTC hour, with all their versions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import timestamps
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.loads.load_log import NO_ROWS, Load, RowCounts
from storemon_pipeline.stores.store_keys import store_keys

_HOUR = ["store_key", "currency", "hour_us"]

IN_FORCE = """
    SELECT DISTINCT ON (store_key, hour_start, currency) *
    FROM hourly_orders ORDER BY store_key, hour_start, currency, load_id DESC
"""
"""The sums that count: of each hour, those that were loaded last."""


def write_orders(
    bulk: Bulk, loads: Sequence[Load], frames: Sequence[pd.DataFrame]
) -> list[RowCounts]:
    """Write the sums of hours that differ from those in force, with one frame and load per file.

    The frames have the columns of `read_orders_file`. All files count as one: the sum of an hour in
    them replaces the one that was loaded before. Of several rows of a store with one order_id the
    last one counts. An hour that has gone from a file that is still there has no orders any more;
    the hours of a file that was removed stay. No row is counted as rejected.
    """
    rows = pd.concat(frames, ignore_index=True)
    if rows.empty:
        return [NO_ROWS for _ in loads]
    part = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    store, ids = pd.factorize(rows["store_id"])
    rows = pd.DataFrame(
        {
            "store_key": store_keys(bulk, ids.tolist())[store],
            "currency": rows["currency"].astype("str"),
            "hour_us": rows["hour_us"],
            "amount": rows["amount"],
            "order_id": rows["order_id"],
            "part": part,
        }
    )
    is_repeated = (rows["order_id"] != "") & rows.duplicated(["store_key", "order_id"], keep="last")
    counted = rows[~is_repeated]
    counted = counted.assign(squares=counted["amount"].astype("float64") ** 2)
    hours = counted.groupby(_HOUR, as_index=False).agg(
        orders=("amount", "size"),
        amount=("amount", "sum"),
        squares=("squares", "sum"),
        part=("part", "max"),
    )
    changed = _write_changes(bulk, loads, hours)
    of_row = rows[_HOUR].merge(hours[_HOUR].assign(change=changed), how="left", on=_HOUR)["change"]
    change = of_row.fillna(_SAME).to_numpy(np.int64)
    loaded, replaced, unchanged = (
        np.bincount(part[change == kind], minlength=len(loads)).tolist()
        for kind in (_NEW, _CHANGED, _SAME)
    )
    return [RowCounts(*each, 0) for each in zip(loaded, replaced, unchanged, strict=True)]


_NEW, _CHANGED, _SAME = 0, 1, 2


def _write_changes(bulk: Bulk, loads: Sequence[Load], hours: pd.DataFrame) -> IntArray:
    """Write the hours that are new or changed, and those that have gone; returns which are."""
    bulk.stage(
        "new_orders",
        pa.table(
            {
                "row_number": pa.array(np.arange(len(hours)), pa.int32()),
                "store_key": hours["store_key"].to_numpy(np.int32),
                "hour_start": timestamps(hours["hour_us"].to_numpy(np.int64)),
                "currency": pa.array(hours["currency"].tolist(), pa.string()),
                "load_id": np.array([load.load_id for load in loads], np.int32)[
                    hours["part"].to_numpy()
                ],
                "orders": hours["orders"].to_numpy(np.int32),
                "amount": hours["amount"].to_numpy(np.int64),
                "amount_squares": hours["squares"].to_numpy(np.float64),
            }
        ),
    )
    bulk.stage(
        "order_files",
        pa.table(
            {
                "file_path": pa.array([load.file_path for load in loads], pa.string()),
                "new_load_id": pa.array([load.load_id for load in loads], pa.int32()),
            }
        ),
    )
    found = bulk.fetch(
        f"""
        SELECT CASE WHEN f.orders IS NULL OR f.orders = 0 THEN {_NEW}
                    WHEN (f.orders, f.amount, f.amount_squares)
                         IS DISTINCT FROM (n.orders, n.amount, n.amount_squares) THEN {_CHANGED}
                    ELSE {_SAME} END AS change
        FROM pg_temp.new_orders n
        LEFT JOIN ({IN_FORCE}) f USING (store_key, hour_start, currency)
        ORDER BY n.row_number
        """  # noqa: S608  (made of constants)
    )
    change: IntArray = found["change"].to_numpy().astype(np.int64)
    bulk.execute(
        f"""
        INSERT INTO hourly_orders
            (store_key, hour_start, currency, load_id, orders, amount, amount_squares)
        SELECT f.store_key, f.hour_start, f.currency, p.new_load_id, 0, 0, 0
        FROM ({IN_FORCE}) f JOIN loads l USING (load_id)
        JOIN pg_temp.order_files p USING (file_path)
        WHERE f.orders > 0 AND NOT EXISTS (
            SELECT FROM pg_temp.new_orders n
            WHERE (n.store_key, n.hour_start, n.currency)
                  = (f.store_key, f.hour_start, f.currency)
        )
        UNION ALL
        SELECT n.store_key, n.hour_start, n.currency, n.load_id, n.orders, n.amount,
               n.amount_squares
        FROM pg_temp.new_orders n
        LEFT JOIN ({IN_FORCE}) f USING (store_key, hour_start, currency)
        WHERE (f.orders, f.amount, f.amount_squares)
              IS DISTINCT FROM (n.orders, n.amount, n.amount_squares)
        """  # noqa: S608  (made of constants)
    )
    return change


def undo_orders(bulk: Bulk, load_id: int) -> IntArray:
    """Delete the sums of a load, so that earlier ones count again; returns the keys of its stores.

    The curves that were learned from it are deleted as well.
    """
    stores = bulk.fetch(
        "DELETE FROM hourly_orders WHERE load_id = $1 RETURNING store_key", (load_id,)
    )["store_key"]
    bulk.execute("DELETE FROM learned_demand WHERE load_id >= $1", (load_id,))
    keys: IntArray = np.unique(stores.to_numpy())
    return keys
