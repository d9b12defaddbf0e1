"""Which stores and storefronts belong to which bucket: each is in that of its own id."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.lake_files.manifest import Manifest
from storemon_pipeline.stores.store_index import StoreIndex, read_polled_stores, read_stores


@dataclass(frozen=True, slots=True)
class BucketIds:
    """The ids of a range, in byte order: `stores`, and `polled`, which has storefronts as well.

    Polls and status runs are those of `polled`, and reports have rows of `stores`. Without
    storefronts both are the same.
    """

    stores: StoreIndex
    polled: StoreIndex

    @classmethod
    def read(cls, bulk: Bulk) -> Self:
        """All that the database knows."""
        stores, polled = read_stores(bulk), read_polled_stores(bulk)
        return cls(stores, stores if len(polled) == len(stores) else polled)

    @property
    def storefronts(self) -> StoreIndex:
        """The storefronts, which are not among the stores."""
        is_store = np.isin(self.polled.store_keys, self.stores.store_keys)
        return self.polled.take(np.flatnonzero(~is_store))

    def chunks(self, ids_per_bucket: int) -> Iterator[Self]:
        """The same ids in chunks; one empty chunk without any."""
        return map(self._part, self.polled.chunks(ids_per_bucket))

    def by_bucket(self, manifest: Manifest) -> list[Self]:
        """The ids of each bucket; the first one also takes those before its beginning."""
        ids = np.array(self.polled.store_ids.cast(pa.binary()).to_pylist(), object)
        firsts = np.array([one.first_store_id.encode() for one in manifest.buckets[1:]], object)
        edges = [0, *np.searchsorted(ids, firsts).tolist(), len(ids)]
        has_fronts = self.polled is not self.stores
        return [
            self._part(
                StoreIndex(
                    self.polled.store_ids[first:end],
                    self.polled.store_keys[first:end],
                    is_whole=self.polled.is_whole and len(edges) == 2,  # noqa: PLR2004  (one bucket)
                    is_range=not has_fronts,
                )
            )
            for first, end in pairwise(edges)
        ]

    def _part(self, polled: StoreIndex) -> Self:
        if self.polled is self.stores:
            return type(self)(polled, polled)
        which = np.flatnonzero(np.isin(polled.store_keys, self.stores.store_keys))
        stores = StoreIndex(
            polled.store_ids.take(pa.array(which)), polled.store_keys[which], is_range=True
        )
        return type(self)(stores, polled)
