"""The table `storefronts`: which ids are storefronts now, and of which store.

A storefront is not a store: its id is in this table in place of `stores`, with the same key. So its
polls and events keep their rows, whichever was known first.
"""

from collections import Counter
from typing import Final

import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.channels import MOST_STOREFRONTS
from storemon_pipeline.stores.store_keys import POLLED_STORES_SQL, store_keys

_COMPUTED: Final = (
    "store_uptime_daily",
    "store_uptime_daily_stale",
    "planned_polls",
    "learned_demand",
)
"""Tables with rows for each store that are made of other data."""


class StorefrontsRefusedError(Exception):
    """There cannot be these storefronts; `str()` says why."""


def refresh_storefronts(bulk: Bulk) -> None:
    """Bring the table in line with `channels`. Ids come from `stores`, or return there.

    A storefront of a storefront belongs to the store of the latter. Rows that lead in a circle
    count for nothing. The days of every store concerned are stale. Raises StorefrontsRefusedError.
    """
    rows = bulk.fetch(
        f"""
        SELECT c.channel_store_id, a.store_id, c.channel FROM channels c
        JOIN ({POLLED_STORES_SQL}) a USING (store_key)
        WHERE c.cancelled_by_load_id IS NULL ORDER BY c.channel_store_id
        """  # noqa: S608  (a constant)
    )
    ids, store_ids, names = (column.to_pylist() for column in rows.columns)
    wanted = [
        (one, root, name)
        for one, root, name in zip(ids, _roots(ids, store_ids), names, strict=True)
        if root is not None
    ]
    for root, count in Counter(root for _, root, _ in wanted).most_common(1):
        if count > MOST_STOREFRONTS:
            raise StorefrontsRefusedError(
                f"Store {root} would have {count:,} storefronts, of at most {MOST_STOREFRONTS:,}."
            )
    fronts = pa.array([one for one, _, _ in wanted], pa.string())
    own = pa.array([one == root for one, root, _ in wanted], pa.bool_())
    bulk.stage("wanted_ids", pa.table({"storefront_id": fronts, "is_own": own}))
    bulk.execute(
        """
        INSERT INTO stores (store_key, store_id) OVERRIDING SYSTEM VALUE
        SELECT storefront_key, storefront_id FROM storefronts f
        WHERE storefront_key <> store_key AND NOT EXISTS (
            SELECT FROM pg_temp.wanted_ids w
            WHERE w.storefront_id = f.storefront_id AND NOT w.is_own
        )
        """
    )
    bulk.execute(
        """
        DELETE FROM storefronts f USING stores s
        WHERE s.store_key = f.storefront_key AND f.storefront_key <> f.store_key
        """
    )
    every = sorted({*(one for one, _, _ in wanted), *(root for _, root, _ in wanted)})
    keys = dict(zip(every, store_keys(bulk, every).tolist(), strict=True))
    bulk.stage(
        "wanted_storefronts",
        pa.table(
            {
                "storefront_key": pa.array([keys[one] for one, _, _ in wanted], pa.int32()),
                "storefront_id": fronts,
                "store_key": pa.array([keys[root] for _, root, _ in wanted], pa.int32()),
                "channel": pa.array([name for _, _, name in wanted], pa.string()),
            }
        ),
    )
    _mark(bulk)
    bulk.execute("DELETE FROM storefronts")
    bulk.execute(
        """
        INSERT INTO storefronts (storefront_key, storefront_id, store_key, channel)
        SELECT storefront_key, storefront_id, store_key, channel FROM pg_temp.wanted_storefronts
        """
    )


def _roots(ids: list[str], store_ids: list[str]) -> list[str | None]:
    """The store that each storefront belongs to in the end; None for one that leads in a circle."""
    parent = dict(zip(ids, store_ids, strict=True))
    roots: list[str | None] = []
    for store_id in store_ids:
        at, steps = store_id, 0
        while parent.get(at, at) != at and steps <= len(parent):
            at, steps = parent[at], steps + 1
        roots.append(at if steps <= len(parent) else None)
    return roots


def _mark(bulk: Bulk) -> None:
    """Stale the days of stores whose storefronts change; storefronts have no rows of stores."""
    changed = bulk.fetch(
        """
        SELECT coalesce(w.storefront_key, f.storefront_key) AS storefront_key,
               w.store_key AS new_store_key, f.store_key AS old_store_key
        FROM pg_temp.wanted_storefronts w FULL JOIN storefronts f USING (storefront_key)
        WHERE w.store_key IS DISTINCT FROM f.store_key
        """
    )
    bulk.stage("changed_storefronts", changed)
    bulk.execute(
        """
        DELETE FROM stores s USING pg_temp.wanted_storefronts w
        WHERE s.store_key = w.storefront_key AND w.storefront_key <> w.store_key
        """
    )
    for table in _COMPUTED:
        bulk.execute(
            f"""
            DELETE FROM {table} t USING pg_temp.wanted_storefronts w
            WHERE t.store_key = w.storefront_key AND w.storefront_key <> w.store_key
            """  # noqa: S608  (a constant)
        )
    make_days_stale(
        bulk,
        """
        SELECT storefront_key AS store_key FROM pg_temp.changed_storefronts
        UNION SELECT new_store_key FROM pg_temp.changed_storefronts
        UNION SELECT old_store_key FROM pg_temp.changed_storefronts
        """,
    )


def make_days_stale(bulk: Bulk, keys_sql: str) -> None:
    """Stale all days of the stores with these keys, if there are days."""
    bulk.execute(
        f"""
        INSERT INTO store_uptime_daily_stale (store_key, since)
        SELECT store_key, '-infinity' FROM stores
        WHERE store_key IN ({keys_sql}) AND EXISTS (SELECT FROM store_uptime_daily_state)
        ON CONFLICT (store_key) DO UPDATE SET since = excluded.since
        """  # noqa: S608  (constants)
    )
