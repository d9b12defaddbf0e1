"""The table `learned_demand`, and reading the orders that it is learned from."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.first_rows import is_empty
from storemon_pipeline.database.instants import microseconds, microseconds_of, timestamps
from storemon_pipeline.demand.expected_sales import HOURS_OF_WEEK
from storemon_pipeline.demand.hourly_orders import IN_FORCE
from storemon_pipeline.demand.learned_rates import FloatArray, LearnedRates
from storemon_pipeline.domain.windows import HOUR_US, IntArray
from storemon_pipeline.stores.store_index import StoreIndex, read_stores


@dataclass(frozen=True, slots=True)
class OrdersOfStores:
    """Orders of stores by UTC hour, and the stores' currencies.

    `store` is a position, `hour` counts from the start of the period. Every store has orders.
    """

    store: IntArray
    hour: IntArray
    amount: FloatArray
    squares: FloatArray
    currency: list[str]


def has_orders(bulk: Bulk) -> bool:
    """Whether any orders were loaded."""
    return not is_empty(bulk, "hourly_orders")


def read_newest_version(bulk: Bulk) -> datetime | None:
    """From when on the newest version holds; None if there is none."""
    newest: datetime | None = bulk.scalar("SELECT max(valid_from) AS newest FROM learned_demand")
    return newest


def read_selling_stores(bulk: Bulk, start: datetime, end: datetime) -> StoreIndex:
    """The stores with orders in a period."""
    stores = read_stores(bulk)
    keys = bulk.fetch(
        f"""
        SELECT DISTINCT store_key FROM ({IN_FORCE}) f
        WHERE hour_start >= $1 AND hour_start < $2 AND orders > 0
        """,  # noqa: S608  (a constant)
        (start, end),
    )["store_key"]
    return stores.take(np.flatnonzero(np.isin(stores.store_keys, keys.to_numpy())))


def read_orders(bulk: Bulk, stores: StoreIndex, start: datetime, end: datetime) -> OrdersOfStores:
    """The orders of the stores in the period, in the currency of each one's newest order."""
    chosen = stores.condition(parameter=3)
    rows = bulk.fetch(
        f"""
        SELECT store_key, hour_start, currency, amount, amount_squares FROM (
            SELECT *, first_value(currency) OVER (
                PARTITION BY store_key ORDER BY hour_start DESC, currency
            ) AS newest_currency
            FROM ({IN_FORCE}) f
            WHERE hour_start >= $1 AND hour_start < $2 AND orders > 0 AND {chosen.sql}
        ) o
        WHERE currency = newest_currency
        """,  # noqa: S608  (conditions are made of names and numbers)
        (start, end, *chosen.parameters),
    )
    store = stores.positions(rows["store_key"].to_numpy())
    currency = dict(zip(store.tolist(), rows["currency"].to_pylist(), strict=True))
    return OrdersOfStores(
        store,
        (microseconds_of(rows["hour_start"]) - microseconds(start)) // HOUR_US,
        rows["amount"].to_numpy().astype(np.float64),
        rows["amount_squares"].to_numpy(),
        [currency[position] for position in range(len(stores))],
    )


def write_learned(
    bulk: Bulk,
    store_keys: IntArray,
    currencies: list[str],
    learned: LearnedRates,
    *,
    valid_from: datetime,
) -> None:
    """Write a version of these stores."""
    load_id = int(bulk.scalar("SELECT max(load_id) AS load_id FROM hourly_orders"))
    stores = len(store_keys)
    bulk.append(
        "learned_demand",
        pa.table(
            {
                "store_key": store_keys.astype(np.int32),
                "valid_from": timestamps(np.full(stores, microseconds(valid_from))),
                "load_id": np.full(stores, load_id, np.int32),
                "currency": pa.array(currencies, pa.string()),
                "rate": _lists(learned.rate),
                "lowest": _lists(learned.lowest),
                "highest": _lists(learned.highest),
            }
        ),
    )


def _lists(rates: FloatArray) -> pa.Array:
    """Rates as arrays of whole hundredths."""
    values = pa.array(np.rint(rates).astype(np.int64).ravel())
    offsets = np.arange(len(rates) + 1, dtype=np.int32) * HOURS_OF_WEEK
    return pa.ListArray.from_arrays(offsets, values)
