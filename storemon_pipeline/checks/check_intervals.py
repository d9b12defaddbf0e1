"""The hourly check of weekly intervals, which reads only what has changed since the last one."""

from storemon_pipeline.checks.table_checks import (
    count_interval_faults,
    record_intervals_checked,
    were_all_intervals_checked,
)
from storemon_pipeline.database.bulk import bulk_transaction


def check_intervals(url: str) -> int:
    """Count the faults in weeks that have changed since their last check.

    The first check is of all weeks. After a fault the same weeks are checked the next time, too.
    Writers of weeks wait meanwhile, so that none marks a week that this check has not seen.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        faults = count_interval_faults(bulk, is_of_unchecked=were_all_intervals_checked(bulk))
        if faults == 0:
            record_intervals_checked(bulk)
        return faults
