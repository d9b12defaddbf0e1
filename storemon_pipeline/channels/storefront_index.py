"""Reading the storefronts of stores."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.channels.channel_rule import read_channel_rule
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.stores.store_index import StoreIndex, has_storefronts

OWN_CHANNEL: Final = ""
"""The channel of polls of the store's own id, unless a row of channels names it."""


@dataclass(frozen=True, slots=True)
class Storefronts:
    """The storefronts of some stores, and the rule that joins them.

    `index` identifies each storefront by a position; `store`, of shape `(n,)`, is the position of
    its store, ascending. `is_own` marks those whose id is the store's own: it is a storefront when
    it has polls, or when a row of channels names it. `channels` are the names.
    """

    index: StoreIndex
    store: IntArray
    is_own: BoolArray
    channels: list[str]
    rule: ChannelRule

    @property
    def stores(self) -> IntArray:
        """The positions of the stores that have storefronts, ascending."""
        return np.unique(self.store)

    @property
    def several(self) -> IntArray:
        """The positions of the stores that have more than one."""
        store, count = np.unique(self.store, return_counts=True)
        found: IntArray = store[count > 1]
        return found

    def of_stores(self, positions: IntArray) -> "Storefronts":
        """Those of the stores at these ascending positions, numbered from 0 afterwards."""
        which = np.flatnonzero(np.isin(self.store, positions))
        return Storefronts(
            self.index.take(which),
            np.searchsorted(positions, self.store[which]),
            self.is_own[which],
            [self.channels[position] for position in which.tolist()],
            self.rule,
        )


def read_storefronts(bulk: Bulk, stores: StoreIndex) -> Storefronts | None:
    """The storefronts of these stores; None when none of them has any."""
    if not has_storefronts(bulk):
        return None
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        WITH own AS (
            SELECT storefront_key, store_key, storefront_id, channel FROM storefronts
            WHERE {chosen.sql}
        )
        SELECT * FROM own
        UNION ALL
        SELECT s.store_key, s.store_key, s.store_id, '{OWN_CHANNEL}'
        FROM stores s
        WHERE s.store_key IN (SELECT store_key FROM own)
          AND NOT EXISTS (SELECT FROM own o WHERE o.storefront_key = s.store_key)
          AND EXISTS (SELECT FROM status_runs r WHERE r.store_key = s.store_key)
        """,  # noqa: S608  (conditions are made of names and numbers)
        chosen.parameters,
    )
    if rows.num_rows == 0:
        return None
    store = stores.positions(rows["store_key"].to_numpy())
    ids = rows["storefront_id"].combine_chunks()
    rank = np.argsort(np.argsort(np.array(ids.to_pylist(), dtype=object), kind="stable"))
    order = np.lexsort((rank, store))
    rows, store = rows.take(pa.array(order)), store[order]
    keys = rows["storefront_key"].to_numpy().astype(np.int64)
    return Storefronts(
        StoreIndex(ids.take(pa.array(order)), keys),
        store,
        keys == rows["store_key"].to_numpy(),
        rows["channel"].to_pylist(),
        read_channel_rule(bulk),
    )
