"""The table `channels`: what sources say of the storefronts of stores, and undoing it.

Which stores are storefronts now is kept in `storefronts`.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.channels.storefronts import refresh_storefronts
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.loads.load_log import NO_ROWS, Load, RowCounts
from storemon_pipeline.stores.store_keys import store_keys

_IN_FORCE: Final = "c.cancelled_by_load_id IS NULL AND c.channel_store_id = n.channel_store_id"


def write_channels(
    bulk: Bulk, loads: Sequence[Load], frames: Sequence[pd.DataFrame]
) -> list[RowCounts]:
    """Write the channels of some files, with one frame and load per file.

    Each frame has the columns of `read_channels_file`. A row is identified by `channel_store_id`;
    of several rows for one the last one counts. It replaces the row in force where it differs. A
    storefront that is in no file any more stays with its store.
    """
    rows = pd.concat(frames, ignore_index=True)
    if rows.empty:
        return [NO_ROWS for _ in loads]
    part = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    store, ids = pd.factorize(rows["store_id"])
    keys = store_keys(bulk, ids.tolist())[store]
    is_last = ~rows["channel_store_id"].duplicated(keep="last").to_numpy()
    load_ids = np.array([load.load_id for load in loads], np.int32)[part]
    bulk.stage(
        "new_channels",
        pa.table(
            {
                "part": pa.array(part[is_last], pa.int32()),
                "channel_store_id": pa.array(
                    rows["channel_store_id"][is_last].tolist(), pa.string()
                ),
                "store_key": keys[is_last].astype(np.int32),
                "channel": pa.array(rows["channel"][is_last].tolist(), pa.string()),
                "load_id": load_ids[is_last],
            }
        ),
    )
    changes = bulk.fetch(
        f"""
        WITH changed AS (
            SELECT n.*, c.channel_id FROM pg_temp.new_channels n
            LEFT JOIN channels c ON {_IN_FORCE}
            WHERE (c.store_key, c.channel) IS DISTINCT FROM (n.store_key, n.channel)
        ), replaced AS (
            UPDATE channels c SET cancelled_by_load_id = n.load_id FROM changed n
            WHERE c.channel_id = n.channel_id RETURNING c.channel_store_id
        ), added AS (
            INSERT INTO channels (channel_store_id, store_key, channel, load_id)
            SELECT channel_store_id, store_key, channel, load_id FROM changed
            ORDER BY channel_store_id RETURNING channel_store_id
        )
        SELECT n.part, n.channel_id IS NOT NULL AS is_replacing
        FROM changed n JOIN added USING (channel_store_id)
        LEFT JOIN replaced USING (channel_store_id)
        """  # noqa: S608  (made of constants)
    )
    refresh_storefronts(bulk)
    of_part = changes["part"].to_numpy()
    is_replacing = changes["is_replacing"].to_numpy()
    read, new, replaced = (
        np.bincount(which, minlength=len(loads)).tolist()
        for which in (part, of_part[~is_replacing], of_part[is_replacing])
    )
    return [
        RowCounts(new[number], replaced[number], read[number] - new[number] - replaced[number], 0)
        for number in range(len(loads))
    ]


def undo_channels(bulk: Bulk, load_id: int) -> IntArray:
    """Delete the rows of a load and restore those that it replaced, unless a later one did again.

    Returns the keys of the stores and storefronts of the deleted ones.
    """
    bulk.execute(
        """
        UPDATE channels c SET cancelled_by_load_id = NULL WHERE cancelled_by_load_id = $1
        """,
        (load_id,),
    )
    deleted = bulk.fetch(
        """
        WITH deleted AS (
            DELETE FROM channels WHERE load_id = $1 RETURNING store_key, channel_store_id
        )
        SELECT store_key FROM deleted
        UNION SELECT f.storefront_key FROM deleted JOIN storefronts f
              ON f.storefront_id = deleted.channel_store_id
        """,
        (load_id,),
    )
    bulk.execute(
        """
        UPDATE channels c SET cancelled_by_load_id = n.load_id FROM channels n
        WHERE c.cancelled_by_load_id IS NULL AND n.cancelled_by_load_id IS NULL
          AND c.channel_store_id = n.channel_store_id AND n.channel_id > c.channel_id
        """
    )
    refresh_storefronts(bulk)
    keys: IntArray = deleted["store_key"].to_numpy()
    return keys
