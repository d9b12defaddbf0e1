"""Conversion of rows of the tables `status_runs` and `store_status`."""

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.instants import microseconds_of, timestamps
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.lake_files.data_files import PollRows
from storemon_pipeline.uptime.status_runs import StatusRuns


def status_runs_from_rows(rows: pa.Table, store: IntArray | None = None) -> StatusRuns:
    """Convert fetched rows, in any order, to status runs sorted by store and time.

    `store`, shape `(n,)`, identifies the store of each row; by default this is the store's key.
    """
    if store is None:
        store = rows["store_key"].to_numpy().astype(np.int64)
    return StatusRuns(
        store,
        microseconds_of(rows["first_poll_at"]),
        microseconds_of(rows["last_poll_at"]),
        rows["is_active"].to_numpy(),
        rows["polls"].to_numpy().astype(np.int64),
    ).in_order()


def rows_from_status_runs(status_runs: StatusRuns) -> pa.Table:
    """Convert status runs, whose stores are keys, to rows in the same order."""
    return pa.table(
        {
            "store_key": status_runs.store.astype(np.int32),
            "first_poll_at": timestamps(status_runs.first_poll_us),
            "last_poll_at": timestamps(status_runs.last_poll_us),
            "is_active": status_runs.is_active,
            "polls": status_runs.polls.astype(np.int32),
        }
    )


def polls_from_rows(rows: pa.Table) -> PollRows:
    """Convert fetched rows of `store_status`, in any order, to polls sorted by key and instant.

    Their loads are 0 when they were not fetched.
    """
    load_id = np.zeros(len(rows), np.int64)
    if "load_id" in rows.column_names:
        load_id = rows["load_id"].to_numpy().astype(np.int64)
    return PollRows(
        rows["store_key"].to_numpy().astype(np.int64),
        microseconds_of(rows["polled_at"]),
        rows["is_active"].to_numpy(),
        load_id,
    ).in_order()
