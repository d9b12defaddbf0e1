"""The table `demand`: reading the demand curves of stores. Its rows are written as versions."""

from typing import Final

import numpy as np

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.first_rows import is_empty
from storemon_pipeline.database.instants import microseconds_of
from storemon_pipeline.demand.expected_sales import HOURS_OF_WEEK, DemandCurves
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
        SELECT store_key, nullif(valid_from, '-infinity') AS valid_from, load_id, row_number,
               day_of_week * 24 + hour AS hour, sales_per_hour, currency
        FROM demand WHERE {chosen.sql}
        """,  # noqa: S608  (conditions are made of names and numbers)
        chosen.parameters,
    )
    currencies = rows["currency"].combine_chunks().dictionary_encode()
    columns = [
        stores.positions(rows["store_key"].to_numpy()),
        microseconds_of(rows["valid_from"]),
        rows["load_id"].to_numpy(),
        rows["row_number"].to_numpy(),
        rows["hour"].to_numpy(),
        rows["sales_per_hour"].to_numpy(),
        currencies.indices.to_numpy(),
    ]
    order = np.lexsort(columns[3::-1])
    store, valid_from_us, load_id, _, hour, sales, currency = (column[order] for column in columns)
    is_last = np.append(store[1:] != store[:-1], True)[: len(store)]
    of_store = np.full(len(stores), -1)
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
    names = currencies.dictionary.to_pylist()
    return DemandCurves(
        store[is_first],
        valid_from_us[is_first],
        rate,
        [None if number < 0 else names[number] for number in of_store.tolist()],
    )
