"""Reading the demand curves of stores: those that were loaded, else those that were learned."""

from typing import Final

import numpy as np
import pyarrow.compute as pc

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
    """The demand curves of these stores; None while no demand is loaded and none was learned.

    A store with loaded demand has no learned curve.
    """
    loaded = _read_loaded(bulk, stores)
    if is_empty(bulk, "learned_demand"):
        return loaded
    has_own = np.zeros(len(stores), np.bool_) if loaded is None else loaded.has_curve
    others = np.flatnonzero(~has_own)
    learned = _read_learned(bulk, stores.take(others))
    if loaded is None:
        loaded = DemandCurves(
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros((0, HOURS_OF_WEEK), np.int64),
            [None] * len(stores),
        )
    currency = list(loaded.currency)
    for position, code in zip(others.tolist(), learned.currency, strict=True):
        currency[position] = code
    store = np.concatenate([loaded.store, others[learned.store]])
    order = np.argsort(store, kind="stable")
    rates = [
        np.concatenate([loaded.rate, rate])[order]
        for rate in (learned.rate, learned.at_lowest().rate, learned.at_highest().rate)
    ]
    return DemandCurves(
        store[order],
        np.concatenate([loaded.valid_from_us, learned.valid_from_us])[order],
        rates[0],
        currency,
        rates[1],
        rates[2],
    )


def _read_learned(bulk: Bulk, stores: StoreIndex) -> DemandCurves:
    """The learned curves of these stores. A store has the currency of its newest version."""
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        SELECT store_key, valid_from, currency, rate, lowest, highest FROM (
            SELECT *, last_value(currency) OVER (
                PARTITION BY store_key ORDER BY valid_from
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            ) AS newest_currency
            FROM learned_demand WHERE {chosen.sql}
        ) l
        WHERE currency = newest_currency
        """,  # noqa: S608  (conditions are made of names and numbers)
        chosen.parameters,
    )
    store = stores.positions(rows["store_key"].to_numpy())
    since_us = microseconds_of(rows["valid_from"])
    order = np.lexsort((since_us, store))
    currency: list[str | None] = [None] * len(stores)
    for position, code in zip(store.tolist(), rows["currency"].to_pylist(), strict=True):
        currency[position] = code
    rate, lowest, highest = (
        pc.list_flatten(rows[name])
        .to_numpy()
        .astype(np.int64)
        .reshape(rows.num_rows, HOURS_OF_WEEK)[order]
        for name in ("rate", "lowest", "highest")
    )
    return DemandCurves(store[order], since_us[order], rate, currency, lowest, highest)


def _read_loaded(bulk: Bulk, stores: StoreIndex) -> DemandCurves | None:
    """The loaded curves of these stores; None while no demand is loaded.

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
