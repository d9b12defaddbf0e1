"""Stores in the order of their ids, and the SQL condition that selects some of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import IntArray

_MOST_RANGES: Final = 32
"""Up to so many ranges of keys are looked up each; else the stores are looked up by their ids."""


@dataclass(frozen=True, slots=True)
class StoreCondition:
    """A condition on `store_key`, and the parameters that it names."""

    sql: str
    parameters: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class StoreIndex:
    """Stores in the order of their ids' bytes; the engine knows a store by its position.

    All that are known (`is_whole`), a stretch of them (`is_range`), or any others.
    """

    store_ids: pa.Array
    store_keys: IntArray
    is_whole: bool = False
    is_range: bool = False

    def __len__(self) -> int:
        return len(self.store_keys)

    def take(self, positions: IntArray) -> "StoreIndex":
        """The stores at these positions alone, which ascend."""
        return StoreIndex(self.store_ids.take(pa.array(positions)), self.store_keys[positions])

    def chunks(self, stores_per_chunk: int) -> Iterator["StoreIndex"]:
        """The same stores, at most so many at a time; without stores one empty part."""
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
        """What chooses these stores' rows of a table; `$parameter` and on are its parameters.

        The keys that one load gives rise with the ids, and tables are in the order of keys: a
        stretch has as many ranges of keys as loads have brought stores of it.
        """
        if self.is_whole:
            return StoreCondition("true", ())
        if len(self) == 0:
            return StoreCondition("false", ())
        keys = np.sort(self.store_keys)
        bounds = np.flatnonzero(np.diff(keys, prepend=-1, append=-1) != 1)
        first, last = keys[bounds[:-1]].tolist(), keys[bounds[1:] - 1].tolist()
        if len(first) <= _MOST_RANGES:
            ranges = [
                f"store_key BETWEEN ${number} AND ${number + 1}"
                for number in range(parameter, parameter + 2 * len(first), 2)
            ]
            parameters = tuple(key for pair in zip(first, last, strict=True) for key in pair)
            return StoreCondition(f"({' OR '.join(ranges)})", parameters)
        if not self.is_range:
            # As a constant: the planner knows how many there are, and rows are looked up in a hash.
            known = ",".join(map(str, keys.tolist()))
            return StoreCondition(f"store_key = ANY ('{{{known}}}'::int[])", ())
        ids = f"${parameter + 2} AND ${parameter + 3}"
        own = f"SELECT store_key FROM stores WHERE store_id BETWEEN {ids}"  # noqa: S608
        return StoreCondition(
            f"store_key BETWEEN ${parameter} AND ${parameter + 1} AND store_key IN ({own})",
            (first[0], last[-1], self.store_ids[0].as_py(), self.store_ids[-1].as_py()),
        )

    @property
    def only_key(self) -> int:
        """The key of a store that is alone here, else 0: no store has it."""
        return int(self.store_keys[0]) if len(self) == 1 else 0

    def positions(self, keys: IntArray) -> IntArray:
        """The position of each key, shape `(n,)`; every key is known."""
        position = np.empty(int(self.store_keys.max(initial=0)) + 1, np.int64)
        position[self.store_keys] = np.arange(len(self))
        return position[keys]


def read_stores(bulk: Bulk) -> StoreIndex:
    """Every known store."""
    return _in_order(bulk.fetch("SELECT store_key, store_id FROM stores"), is_whole=True)


def read_stores_from(bulk: Bulk, first_id: str, before_id: str | None) -> StoreIndex:
    """The stores whose ids lie in `[first_id, before_id)`; None is the end of all."""
    return _in_order(
        bulk.fetch(
            """
            SELECT store_key, store_id FROM stores
            WHERE store_id >= $1 AND ($2 = '' OR store_id < $2)
            """,
            (first_id, before_id or ""),
        ),
        is_range=True,
    )


def read_shard_starts(bulk: Bulk, shards: int) -> list[str]:
    """The first id of each of so many stretches (or fewer) of about as many stores each."""
    rows = bulk.fetch(
        """
        SELECT min(store_id) AS first_id
        FROM (
            SELECT store_id, ntile(CAST($1 AS int)) OVER (ORDER BY store_id) AS shard FROM stores
        ) AS cut
        GROUP BY shard ORDER BY shard
        """,
        (shards,),
    )
    starts: list[str] = rows["first_id"].to_pylist()
    return starts


def _in_order(rows: pa.Table, *, is_whole: bool = False, is_range: bool = False) -> StoreIndex:
    # Arrow compares strings by their bytes, as the contract orders a report.
    store_ids = rows["store_id"].combine_chunks()
    order = pc.sort_indices(store_ids)
    keys = rows["store_key"].combine_chunks().take(order).to_numpy().astype(np.int64)
    return StoreIndex(store_ids.take(order), keys, is_whole, is_range)


def read_store(bulk: Bulk, store_id: str) -> StoreIndex | None:
    """One store alone, or None when nothing has named it."""
    rows = bulk.fetch("SELECT store_key, store_id FROM stores WHERE store_id = $1", (store_id,))
    return _in_order(rows) if rows.num_rows else None
