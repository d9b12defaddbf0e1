"""Reading the storefronts of stores."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.channels.channel_rule import read_channel_rule
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.polls.status_run_queries import read_keys_with_polls
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
    rows = read_storefront_rows(bulk, stores)
    if rows.num_rows == 0:
        return None
    with_fronts = stores.take(np.unique(stores.positions(rows["store_key"].to_numpy())))
    polled = read_keys_with_polls(bulk, with_fronts)
    return build_storefronts(stores, rows, polled, read_channel_rule(bulk))


def read_storefront_rows(bulk: Bulk, stores: StoreIndex) -> pa.Table:
    """The rows of `storefronts` of these stores, in order of their keys."""
    chosen = stores.condition()
    return bulk.fetch(
        f"""
        SELECT storefront_key, store_key, storefront_id, channel FROM storefronts
        WHERE {chosen.sql} ORDER BY storefront_key
        """,  # noqa: S608  (conditions are made of names and numbers)
        chosen.parameters,
    )


def build_storefronts(
    stores: StoreIndex, rows: pa.Table, polled: IntArray, rule: ChannelRule
) -> Storefronts:
    """The storefronts of stores from rows of `storefronts`.

    `polled` are the keys of stores whose own id has polls.
    """
    own = np.setdiff1d(
        np.intersect1d(polled, rows["store_key"].to_numpy()), rows["storefront_key"].to_numpy()
    )
    keys = np.append(rows["storefront_key"].to_numpy(), own).astype(np.int64)
    store = stores.positions(np.append(rows["store_key"].to_numpy(), own))
    own_ids = stores.store_ids.take(pa.array(stores.positions(own)))
    ids = pa.concat_arrays([rows["storefront_id"].combine_chunks(), own_ids])
    channels = [*rows["channel"].to_pylist(), *[OWN_CHANNEL] * len(own)]
    rank = np.argsort(np.argsort(np.array(ids.to_pylist(), dtype=object), kind="stable"))
    order = np.lexsort((rank, store))
    store, keys = store[order], keys[order]
    return Storefronts(
        StoreIndex(ids.take(pa.array(order)), keys),
        store,
        keys == stores.store_keys[store],
        [channels[number] for number in order.tolist()],
        rule,
    )
