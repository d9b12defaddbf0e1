"""Writing all status runs of a bucket: the last one of each store apart from the others."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from storemon_pipeline.domain.windows import WEEK_US, IntArray
from storemon_pipeline.lake_files.data_files import write_status_runs
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import DataFile, Kind
from storemon_pipeline.uptime.status_runs import StatusRuns

_PERIOD_US: Final = 2 * WEEK_US
"""Each file has the status runs that end in a period, counted back from the newest poll.

So a report of the newest poll reads one of them, and any other report one or two.
"""


def write_all_status_runs(lake: LakeFolder, status_runs: StatusRuns) -> list[DataFile]:
    """Write all status runs of a bucket, whose stores are keys, sorted by store and time."""
    last = last_of_stores(status_runs)
    is_last = np.zeros(len(status_runs), np.bool_)
    is_last[last] = True
    parts = _by_period(status_runs.take(~is_last), int(status_runs.last_poll_us.max(initial=0)))
    return [
        *(write_status_runs(lake, Kind.STATUS_RUNS, part, level=2) for part in parts),
        write_status_runs(lake, Kind.LAST_STATUS_RUNS, status_runs.take(last)),
    ]


def last_of_stores(status_runs: StatusRuns) -> IntArray:
    """The position of each store's last status run."""
    return np.flatnonzero(np.append(status_runs.store[1:] != status_runs.store[:-1], True))[
        : len(status_runs)
    ]


def _by_period(status_runs: StatusRuns, newest_us: int) -> Iterator[StatusRuns]:
    period = (newest_us - status_runs.last_poll_us) // _PERIOD_US
    for number in np.unique(period)[::-1]:
        yield status_runs.take(period == number)
