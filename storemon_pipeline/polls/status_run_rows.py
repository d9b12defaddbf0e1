"""Rows of `status_runs` as the engine's runs, and runs as rows. Queries belong elsewhere."""

from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.instants import microseconds_of, timestamps
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.uptime.status_runs import Runs

RUN_COLUMNS: Final = "store_key, first_poll_at, last_poll_at, is_active, polls"
"""What a query of runs selects."""


def runs_of(rows: pa.Table, store: IntArray | None = None) -> Runs:
    """Fetched rows, in any order, as runs sorted by store and time.

    `store`, shape `(n,)`, is what stands for the store of each row; without it the store's key.
    """
    if store is None:
        store = rows["store_key"].to_numpy().astype(np.int64)
    return Runs(
        store,
        microseconds_of(rows["first_poll_at"]),
        microseconds_of(rows["last_poll_at"]),
        rows["is_active"].to_numpy(),
        rows["polls"].to_numpy().astype(np.int64),
    ).in_order()


def run_rows(runs: Runs) -> pa.Table:
    """Runs, their stores being keys, as rows in the same order."""
    return pa.table(
        {
            "store_key": runs.store.astype(np.int32),
            "first_poll_at": timestamps(runs.first_poll_us),
            "last_poll_at": timestamps(runs.last_poll_us),
            "is_active": runs.is_active,
            "polls": runs.polls.astype(np.int32),
        }
    )
