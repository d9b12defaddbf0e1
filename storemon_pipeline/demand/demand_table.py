"""The table `demand`: reading the demand curves of stores. Its rows are written as versions."""

from typing import Final

import numpy as np

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.first_rows import is_empty
from storemon_pipeline.database.instants import microseconds_of
from storemon_pipeline.demand.expected_sales import HOURS_OF_WEEK, DemandCurves
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.schedules.versions import VersionTable
from storemon_pipeline.stores.store_index import StoreIndex

DEMAND: Final = VersionTable(
    "demand", ("day_of_week", "hour", "sales_per_hour", "currency"), is_one_row=False
)


def read_demand(bulk: Bulk, stores: StoreIndex) -> DemandCurves | None:
    """The demand curves of these stores; None while no demand is loaded.

    A store has one currency: that of the last row of its newest version. Rows of another one do
    not count.
    """
    if is_empty(bulk, DEMAND.name):
        return None
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        SELECT (store_key::bigint << 32) | (row_number::bigint << 8) | (day_of_week * 24 + hour)
                   AS packed,
               nullif(valid_from, '-infinity') AS valid_from, load_id, sales_per_hour,
               (ascii(currency) << 16) | (ascii(substr(currency, 2)) << 8)
                   | ascii(substr(currency, 3)) AS currency
        FROM demand WHERE {chosen.sql}
        """,  # noqa: S608  (conditions are made of names and numbers)
        chosen.parameters,
    )
    columns = [
        rows["packed"].to_numpy(),
        microseconds_of(rows["valid_from"]),
        rows["load_id"].to_numpy(),
        rows["sales_per_hour"].to_numpy(),
        rows["currency"].to_numpy(),
    ]
    columns = _by_key(columns)
    packed, valid_from_us, load_id, sales, currency = columns
    store, hour = stores.positions(packed >> 32), packed & 0xFF
    is_last = np.append(store[1:] != store[:-1], True)[: len(store)]
    of_store = np.zeros(len(stores), np.int64)
    of_store[store[is_last]] = currency[is_last]
    counts = np.flatnonzero(currency == of_store[store])
    store, valid_from_us, load_id = store[counts], valid_from_us[counts], load_id[counts]
    is_first = np.append(
        True,
        (store[1:] != store[:-1])
        | (valid_from_us[1:] != valid_from_us[:-1])
        | (load_id[1:] != load_id[:-1]),
    )[: len(store)]
    rate = np.zeros((int(is_first.sum()), HOURS_OF_WEEK), np.int64)
    # Of two rows for one hour the later one counts.
    rate[np.cumsum(is_first) - 1, hour[counts]] = sales[counts]
    first = np.flatnonzero(is_first)
    order = np.argsort(store[first], kind="stable")
    first = first[order]
    return DemandCurves(
        store[first], valid_from_us[first], rate[order], list(map(_code, of_store.tolist()))
    )


def _by_key(columns: list[IntArray]) -> list[IntArray]:
    """The rows by key, start of the version, load and number, as they usually are already."""
    packed, valid_from_us, load_id = columns[:3]
    key = packed >> 32
    is_one_version = (valid_from_us[1:] == valid_from_us[:-1]) & (load_id[1:] == load_id[:-1])
    is_behind = (packed[1:] > packed[:-1]) & (is_one_version | (key[1:] != key[:-1]))
    if is_behind.all():
        return columns
    order = np.lexsort((packed, load_id, valid_from_us, key))
    return [column[order] for column in columns]


def _code(number: int) -> str | None:
    """The three letters that a number stands for; None for 0."""
    return number.to_bytes(3, "big").decode("ascii") if number else None
