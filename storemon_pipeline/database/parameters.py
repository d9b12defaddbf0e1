"""Parameters that never change in a database."""

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import DEFAULT_MAX_GAP_US


def read_max_gap_us(bulk: Bulk) -> int:
    """The largest gap between adjacent polls of one status run, in microseconds.

    The first call stores the default.
    """
    rows = bulk.fetch("SELECT max_gap_us FROM database_parameters").to_pylist()
    if not rows:
        bulk.execute(
            "INSERT INTO database_parameters (max_gap_us) VALUES ($1) ON CONFLICT DO NOTHING",
            (DEFAULT_MAX_GAP_US,),
        )
        return DEFAULT_MAX_GAP_US
    return int(rows[0]["max_gap_us"])
