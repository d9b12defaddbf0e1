"""The table `planned_polls`: the poll plan that was made last."""

import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.poll_plan.plan import LEAST_STEP_US, PlannedPolls
from storemon_pipeline.stores.store_index import StoreIndex


def write_planned_polls(bulk: Bulk, stores: StoreIndex, polls: PlannedPolls) -> None:
    """Replace the table's rows."""
    bulk.execute("DELETE FROM planned_polls")
    rows = {
        "store_key": pa.array(stores.store_keys[polls.store], pa.int32()),
        "poll_at": pa.array(polls.poll_at_us, pa.timestamp("us", "UTC")),
    }
    bulk.append("planned_polls", pa.table(rows))


def count_plan_faults(bulk: Bulk) -> int:
    """Planned polls that are too soon after another one of their store, or not in the hour."""
    return int(
        bulk.scalar(
            """
            SELECT count(*) FILTER (WHERE step < $1 * interval '1 microsecond')
                 + count(*) FILTER (WHERE poll_at >= first + interval '1 hour')
            FROM (
                SELECT poll_at, min(poll_at) OVER () AS first,
                       poll_at - lag(poll_at) OVER (PARTITION BY store_key ORDER BY poll_at) AS step
                FROM planned_polls
            ) AS polls
            """,
            (LEAST_STEP_US,),
        )
    )
