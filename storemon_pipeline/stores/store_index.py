"""Stores in order of their ids, and the SQL condition that selects their rows."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.stores.store_keys import POLLED_STORES_SQL

_MAX_RANGES: Final = 32
"""The most ranges of keys in one SQL condition; above that, stores are selected by id."""


@dataclass(frozen=True, slots=True)
class StoreCondition:
    """An SQL condition on `store_key`, and its parameters."""

    sql: str
    parameters: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class StoreIndex:
    """Stores in byte order of their ids; the engine identifies a store by its position here.

    These are all known stores (`is_whole`), a contiguous range of ids (`is_range`), or any others.
    """

    store_ids: pa.Array
    store_keys: IntArray
    is_whole: bool = False
    is_range: bool = False

    def __len__(self) -> int:
        return len(self.store_keys)

    def take(self, positions: IntArray) -> "StoreIndex":
        """The stores at these ascending positions."""
        return StoreIndex(self.store_ids.take(pa.array(positions)), self.store_keys[positions])

    def chunks(self, stores_per_chunk: int) -> Iterator["StoreIndex"]:
        """The same stores in chunks; one empty chunk if there are no stores."""
        if len(self) <= stores_per_chunk:
            yield self
            return
        is_range = self.is_whole or self.is_range
        for first in range(0, len(self), stores_per_chunk):
            end = first + stores_per_chunk
            yield StoreIndex(
                self.store_ids[first:end], self.store_keys[first:end], is_range=is_range
            )

    def condition(self, *, parameter: int = 1) -> StoreCondition:
        """The condition for these stores' rows; its parameters are numbered from `$parameter`.

        Within one load, keys ascend with ids, and tables are in order of keys. So a chunk has about
        one range of keys for each load that added stores to it.
        """
        if self.is_whole:
            return StoreCondition("true", ())
        if len(self) == 0:
            return StoreCondition("false", ())
        keys = np.sort(self.store_keys)
        bounds = np.flatnonzero(np.diff(keys, prepend=-1, append=-1) != 1)
        first, last = keys[bounds[:-1]].tolist(), keys[bounds[1:] - 1].tolist()
        if len(first) <= _MAX_RANGES:
            ranges = [
                f"store_key BETWEEN ${number} AND ${number + 1}"
                for number in range(parameter, parameter + 2 * len(first), 2)
            ]
            parameters = tuple(key for pair in zip(first, last, strict=True) for key in pair)
            return StoreCondition(f"({' OR '.join(ranges)})", parameters)
        if not self.is_range:
            # As a constant, so that the planner knows their number and uses a hash lookup.
            known = ",".join(map(str, keys.tolist()))
            return StoreCondition(f"store_key = ANY ('{{{known}}}'::int[])", ())
        ids = f"${parameter + 2} AND ${parameter + 3}"
        own = f"SELECT store_key FROM stores WHERE store_id BETWEEN {ids}"  # noqa: S608
        return StoreCondition(
            f"store_key BETWEEN ${parameter} AND ${parameter + 1} AND store_key IN ({own})",
            (first[0], last[-1], self.store_ids[0].as_py(), self.store_ids[-1].as_py()),
        )

    def marked(self, store_ids: Collection[str]) -> BoolArray:
        """Which of the stores have one of these ids, shape `(n,)`."""
        wanted = pa.array(sorted(store_ids), self.store_ids.type)
        found: BoolArray = pc.is_in(self.store_ids, wanted).to_numpy(zero_copy_only=False)
        return found

    @property
    def only_key(self) -> int:
        """The key if there is exactly one store, else 0, which is not a store's key."""
        return int(self.store_keys[0]) if len(self) == 1 else 0

    def positions(self, keys: IntArray) -> IntArray:
        """The position of each key, shape `(n,)`; all keys are of these stores."""
        position = np.empty(int(self.store_keys.max(initial=0)) + 1, np.int64)
        position[self.store_keys] = np.arange(len(self))
        return position[keys]


def has_storefronts(bulk: Bulk) -> bool:
    """Whether any store has storefronts."""
    return bool(bulk.scalar("SELECT EXISTS (SELECT FROM storefronts) AS has_storefronts"))


def read_stores(bulk: Bulk) -> StoreIndex:
    """All known stores, without their storefronts."""
    # Tables have rows of storefronts, too, which no condition would leave out.
    has_others = has_storefronts(bulk)
    return _in_order(
        bulk.fetch("SELECT store_key, store_id FROM stores"),
        is_whole=not has_others,
        is_range=has_others,
    )


def read_polled_stores(bulk: Bulk) -> StoreIndex:
    """All known stores and their storefronts: every id that polls may name."""
    return _in_order(bulk.fetch(POLLED_STORES_SQL)) if has_storefronts(bulk) else read_stores(bulk)


def _in_order(rows: pa.Table, *, is_whole: bool = False, is_range: bool = False) -> StoreIndex:
    # Arrow compares strings by bytes, which is the order of rows in a report.
    store_ids = rows["store_id"].combine_chunks()
    order = pc.sort_indices(store_ids)
    keys = rows["store_key"].combine_chunks().take(order).to_numpy().astype(np.int64)
    return StoreIndex(store_ids.take(order), keys, is_whole, is_range)


def read_store(bulk: Bulk, store_id: str) -> StoreIndex | None:
    """One store, or None when it is unknown."""
    rows = bulk.fetch("SELECT store_key, store_id FROM stores WHERE store_id = $1", (store_id,))
    return _in_order(rows) if rows.num_rows else None
