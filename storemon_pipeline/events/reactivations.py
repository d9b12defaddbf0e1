"""Ends of events that a source has told, and has taken back by saying that the store is up again.

An event without an end needs none of this: it lasts until the next event of its source.
"""

from bisect import bisect_right
from collections import defaultdict

import pandas as pd
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds_of
from storemon_pipeline.stores.store_keys import POLLED_STORES_SQL
from storemon_pipeline.uptime.event_stretches import OPEN_EVENT


def with_earlier_ends(bulk: Bulk, events: pd.DataFrame) -> pd.DataFrame:
    """New events, together with the events in force that end earlier because of them.

    An event down ends where an event up of the same store and source begins inside of it, in
    whatever order the two were told. `events` has the columns of `events_file.read_events_file`.
    """
    identity = ["store_id", "source", "from_us"]
    rows = pd.concat([_in_force(bulk, events), events.assign(is_new=True)], ignore_index=True)
    rows = rows[~rows.duplicated(identity, keep="last")].sort_values(identity, ignore_index=True)
    keys = list(zip(rows["store_id"], rows["source"], strict=True))
    starts, ends = rows["from_us"].tolist(), rows["to_us"].tolist()
    is_up, is_new = rows["is_up"].tolist(), rows["is_new"].tolist()
    ups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if is_up[row]:
            ups[key].append(row)
    is_kept = list(is_new)
    for row, key in enumerate(keys):
        if is_up[row] or ends[row] == OPEN_EVENT:
            continue
        place = bisect_right(ups[key], starts[row], key=starts.__getitem__)
        following = ups[key][place : place + 1]
        if following and starts[following[0]] < ends[row] and (is_new[row] or is_new[following[0]]):
            ends[row] = starts[following[0]]
            is_kept[row] = True
    return rows.assign(to_us=ends)[is_kept].drop(columns="is_new")


def _in_force(bulk: Bulk, events: pd.DataFrame) -> pd.DataFrame:
    """The events in force of the stores and sources of these events that are up or have an end."""
    pairs = events[["store_id", "source"]].drop_duplicates()
    bulk.stage(
        "event_sources",
        pa.table({name: pa.array(pairs[name].tolist(), pa.string()) for name in pairs}),
    )
    rows = bulk.fetch(
        f"""
        SELECT n.store_id, e.from_at, e.to_at, e.is_up, e.reason, n.source
        FROM pg_temp.event_sources n JOIN ({POLLED_STORES_SQL}) s USING (store_id)
        JOIN store_events e ON e.store_key = s.store_key AND e.source = n.source
        WHERE e.cancelled_by_load_id IS NULL AND (e.is_up OR e.to_at IS NOT NULL)
        """  # noqa: S608  (a constant)
    )
    return pd.DataFrame(
        {
            "store_id": pd.Series(rows["store_id"].to_pylist(), dtype=events["store_id"].dtype),
            "from_us": microseconds_of(rows["from_at"]),
            "to_us": rows["to_at"].cast("int64").fill_null(OPEN_EVENT).to_numpy(),
            "is_up": rows["is_up"].to_numpy(),
            "reason": pd.Series(rows["reason"].to_pylist(), dtype=events["reason"].dtype),
            "source": pd.Series(rows["source"].to_pylist(), dtype=events["source"].dtype),
            "is_new": False,
        }
    )
