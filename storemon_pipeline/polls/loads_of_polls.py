"""Which loads wrote polls that are in the lake alone: for queries that join `store_status` else."""

from collections.abc import Set as AbstractSet

import numpy as np
import sqlalchemy as sa

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import url_of
from storemon_pipeline.domain.windows import WEEK_US
from storemon_pipeline.lake_files.polls_of_period import read_polls_of_stores
from storemon_pipeline.lake_files.status_runs_of_stores import read_last
from storemon_pipeline.polls.lake_of_polls import LakeOfPolls, has_lake_of_polls, read_lake_of_polls
from storemon_pipeline.stores.store_index import StoreIndex, read_stores


def loads_in_lake(
    connection: sa.Connection, store_ids: AbstractSet[str], *, start_us: int, end_us: int
) -> list[int]:
    """The loads of the polls of these stores in `[start, end)`; none where the database has them.

    Raises NoLakeError and UnreachableError.
    """
    found = _lake_and_stores(connection, store_ids)
    if found is None:
        return []
    lake, own = found
    polls = read_polls_of_stores(lake.folder, lake.manifest, own, start_us=start_us, end_us=end_us)
    loads: list[int] = np.unique(polls.load_id).tolist()
    return loads


def newest_loads_in_lake(connection: sa.Connection, store_ids: AbstractSet[str]) -> list[int]:
    """The loads of the newest poll of each of these stores; none where the database has them.

    Raises NoLakeError and UnreachableError.
    """
    found = _lake_and_stores(connection, store_ids)
    if found is None:
        return []
    lake, own = found
    last = read_last(lake.folder, lake.manifest, own)
    week = last.last_poll_us // WEEK_US
    loads: set[int] = set()
    for number in np.unique(week).tolist():
        which = np.flatnonzero(week == number)
        last_us = np.zeros(len(own), np.int64)
        last_us[last.store[which]] = last.last_poll_us[which]
        polls = read_polls_of_stores(
            lake.folder,
            lake.manifest,
            own.take(last.store[which]),
            start_us=int(last.last_poll_us[which].min()),
            end_us=int(last.last_poll_us[which].max()) + 1,
        )
        is_newest = polls.at_us == last_us[own.positions(polls.store_key)]
        loads.update(polls.load_id[is_newest].tolist())
    return sorted(loads)


def _lake_and_stores(
    connection: sa.Connection, store_ids: AbstractSet[str]
) -> tuple[LakeOfPolls, StoreIndex] | None:
    """The lake that has the polls, and these stores; None where the database has the polls."""
    if not has_lake_of_polls(connection):
        return None
    with bulk_transaction(url_of(connection)) as bulk:
        lake, stores = read_lake_of_polls(bulk), read_stores(bulk)
    if lake is None:
        return None
    return lake, stores.take(np.flatnonzero(stores.marked(store_ids)))
