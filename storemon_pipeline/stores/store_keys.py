"""Store ids, and the integer keys that identify them in all other tables."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import stores
from storemon_pipeline.domain.windows import IntArray


def store_keys(bulk: Bulk, store_ids: Sequence[str]) -> IntArray:
    """The key of each store id, shape `(n,)`; new stores are inserted.

    `store_ids` are distinct. New keys ascend in byte order of the ids.
    """
    bulk.stage(
        "named_stores",
        pa.table(
            {"position": np.arange(len(store_ids)), "store_id": pa.array(store_ids, pa.string())}
        ),
    )
    bulk.execute(
        """
        INSERT INTO stores (store_id)
        SELECT n.store_id FROM pg_temp.named_stores n
        WHERE NOT EXISTS (SELECT FROM stores s WHERE s.store_id = n.store_id)
        ORDER BY n.store_id COLLATE "C"
        ON CONFLICT DO NOTHING
        """
    )
    found = bulk.fetch(
        """
        SELECT n.position, s.store_key
        FROM pg_temp.named_stores n JOIN stores s ON s.store_id = n.store_id
        """
    )
    keys = np.empty(len(store_ids), np.int64)
    keys[found["position"].to_numpy()] = found["store_key"].to_numpy()
    return keys


def keys_of(store_ids: AbstractSet[str]) -> sa.Select[tuple[int]]:
    """A query for the keys of these stores, without unknown ones."""
    ids = sa.literal(sorted(store_ids), postgresql.ARRAY(sa.Text))
    return sa.select(stores.c.store_key).where(stores.c.store_id == sa.any_(ids))
