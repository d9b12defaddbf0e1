"""Parameters that never change in a database."""

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import DEFAULT_MAX_GAP_US


def read_max_gap_us(bulk: Bulk) -> int:
    """The largest gap between adjacent polls of one status run, in microseconds."""
    rows = bulk.fetch("SELECT max_gap_us FROM database_parameters").to_pylist()
    return int(rows[0]["max_gap_us"]) if rows else DEFAULT_MAX_GAP_US


def keep_max_gap_us(bulk: Bulk) -> int:
    """As `read_max_gap_us`; if none is stored, the default is, so that it never changes.

    For writers of status runs, one at a time: others could not be serialized.
    """
    bulk.execute(
        "INSERT INTO database_parameters (max_gap_us) VALUES ($1) ON CONFLICT DO NOTHING",
        (DEFAULT_MAX_GAP_US,),
    )
    return read_max_gap_us(bulk)
