"""Store ids, and the integer keys that identify them in all other tables."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import stores
from storemon_pipeline.domain.windows import IntArray

POLLED_STORES_SQL: Final = (
    "SELECT store_key, store_id FROM stores"
    " UNION ALL SELECT storefront_key, storefront_id FROM storefronts"
    " WHERE storefront_key <> store_key"
)
"""Also the storefronts of stores, which polls and events name by ids of their own."""

ALL_STORES_SQL: Final = (
    f"{POLLED_STORES_SQL} UNION ALL SELECT store_key, store_id FROM former_stores"  # noqa: S608  (a constant)
)
"""Also the stores that older reports refer to and that no data names any more."""

all_stores: Final = (
    sa.text(ALL_STORES_SQL).columns(stores.c.store_key, stores.c.store_id).subquery("all_stores")
)


_UNKNOWN: Final = 0
"""Keys begin at 1."""

_MANY_STORES: Final = 50_000
"""Above this number, all known ids are read: the server would compare them more slowly."""


def store_keys(bulk: Bulk, store_ids: Sequence[str]) -> IntArray:
    """The key of each store id, shape `(n,)`; new stores are inserted, former ones are known again.

    The id of a storefront has the storefront's key. `store_ids` are distinct. New keys ascend in
    byte order of the ids.
    """
    if len(store_ids) < _MANY_STORES:
        return _find_or_insert(bulk, store_ids)
    ids = pa.array(store_ids, pa.string())
    known = bulk.fetch(POLLED_STORES_SQL)
    row = pc.index_in(ids, known["store_id"])
    keys = np.asarray(pc.fill_null(known["store_key"].take(row), _UNKNOWN), np.int64)
    is_unknown = keys == _UNKNOWN
    if is_unknown.any():
        keys[is_unknown] = _find_or_insert(bulk, ids.filter(pa.array(is_unknown)).to_pylist())
    return keys


def _find_or_insert(bulk: Bulk, store_ids: Sequence[str]) -> IntArray:
    bulk.stage(
        "named_stores",
        pa.table(
            {"position": np.arange(len(store_ids)), "store_id": pa.array(store_ids, pa.string())}
        ),
    )
    if bulk.scalar("SELECT EXISTS (SELECT FROM former_stores) AS has_former_stores"):
        bulk.execute(
            """
            WITH known_again AS (
                DELETE FROM former_stores f USING pg_temp.named_stores n
                WHERE f.store_id = n.store_id RETURNING f.store_key, f.store_id
            )
            INSERT INTO stores (store_key, store_id) OVERRIDING SYSTEM VALUE
            SELECT store_key, store_id FROM known_again
            """
        )
    bulk.execute(
        """
        INSERT INTO stores (store_id)
        SELECT n.store_id FROM pg_temp.named_stores n
        WHERE NOT EXISTS (SELECT FROM stores s WHERE s.store_id = n.store_id)
          AND NOT EXISTS (SELECT FROM storefronts f WHERE f.storefront_id = n.store_id)
        ORDER BY n.store_id COLLATE "C"
        ON CONFLICT DO NOTHING
        """
    )
    found = bulk.fetch(
        """
        SELECT n.position, s.store_key
        FROM pg_temp.named_stores n JOIN stores s ON s.store_id = n.store_id
        UNION ALL
        SELECT n.position, f.storefront_key
        FROM pg_temp.named_stores n JOIN storefronts f ON f.storefront_id = n.store_id
        WHERE f.storefront_key <> f.store_key
        """
    )
    keys = np.empty(len(store_ids), np.int64)
    keys[found["position"].to_numpy()] = found["store_key"].to_numpy()
    return keys


def keys_of(store_ids: AbstractSet[str]) -> sa.Select[tuple[int]]:
    """A query for the keys of these stores, also former ones, without unknown ones."""
    ids = sa.literal(sorted(store_ids), postgresql.ARRAY(sa.Text))
    return sa.select(all_stores.c.store_key).where(all_stores.c.store_id == sa.any_(ids))


def is_store(connection: sa.Connection, store_id: str) -> bool:
    """Whether this is the id of a known store, and not of a storefront or a former store."""
    query = sa.select(stores.c.store_key).where(stores.c.store_id == store_id)
    return connection.execute(query).first() is not None
