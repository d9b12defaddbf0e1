"""Which of arriving polls count, beside those that their file had before.

Polls that another load replaced are in the table `superseded_polls`, wherever the current ones are.
"""

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import timestamps
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.loads.load_log import Load
from storemon_pipeline.polls.arrivals.poll_changes import KnownPolls, PollBatch, match


def compare_arrivals(
    bulk: Bulk, load: Load, batch: PollBatch, known: KnownPolls
) -> tuple[IntArray, BoolArray]:
    """The known row of each poll (-1: none), and whether the poll counts as an arrival.

    A poll that the same file had before, with the same status, is not a new arrival.
    """
    matched = match(batch, known)
    is_arrival = np.ones(len(matched), np.bool_)
    is_known = matched >= 0
    if not is_known.any():
        return matched, is_arrival
    own_loads = (
        np.empty(0, np.int64)
        if load.file_path is None
        else bulk.fetch(
            "SELECT load_id FROM loads WHERE source = $1 AND file_path = $2",
            (load.source.value, load.file_path),
        )["load_id"].to_numpy()
    )
    row = matched[is_known]
    is_own = np.isin(known.load_id[row], own_loads)
    is_same = known.is_active[row] == batch.is_active[is_known]
    is_arrival[is_known] = ~(is_own & is_same)
    is_foreign = is_known.copy()
    is_foreign[is_known] = ~is_own
    if is_foreign.any() and len(own_loads):
        is_arrival[is_foreign] = ~_is_repeated(bulk, batch.take(is_foreign), load)
    return matched, is_arrival


def _is_repeated(bulk: Bulk, batch: PollBatch, load: Load) -> BoolArray:
    """Whether the file's own last version of each superseded poll had the same status."""
    is_repeated = np.zeros(len(batch.store), np.bool_)
    bulk.stage(
        "repeated_polls",
        pa.table(
            {
                "position": np.arange(len(batch.store)),
                "store_key": batch.store.astype(np.int32),
                "polled_at": timestamps(batch.polled_at_us),
                "is_active": batch.is_active,
            }
        ),
    )
    rows = bulk.fetch(
        """
        SELECT DISTINCT ON (n.position) n.position, s.is_active = n.is_active AS is_same
        FROM pg_temp.repeated_polls n
        JOIN superseded_polls s USING (store_key, polled_at)
        JOIN loads l ON l.load_id = s.load_id AND l.source = $1 AND l.file_path = $2
        ORDER BY n.position, s.load_id DESC
        """,
        (load.source.value, load.file_path),
    )
    is_repeated[rows["position"].to_numpy()] = rows["is_same"].to_numpy()
    return is_repeated
