"""Copying polls and status runs from the lake that has them into the tables of the database."""

import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, timestamps
from storemon_pipeline.lake_files.data_files import (
    PollRows,
    of_kind,
    read_polls,
    read_status_runs,
)
from storemon_pipeline.lake_files.manifest import Kind, read_contents
from storemon_pipeline.lake_files.polls_of_period import first_poll_us
from storemon_pipeline.polls.lake_of_polls import LakeOfPolls
from storemon_pipeline.polls.poll_weeks import PollWeek, attach_week, create_week
from storemon_pipeline.polls.retention import MONDAY_US, PARTITION_US
from storemon_pipeline.polls.status_run_rows import rows_from_status_runs


def copy_polls_back(bulk: Bulk, lake: LakeOfPolls) -> int:
    """The empty table `store_status` has all polls of the lake; return of how many weeks."""
    first_us = first_poll_us(lake.folder, lake.manifest)
    last_us = lake.manifest.newest_poll_us
    weeks = 0
    if first_us is None or last_us is None:
        return weeks
    first = (first_us - MONDAY_US) // PARTITION_US
    last = (last_us - MONDAY_US) // PARTITION_US
    for number in range(first, last + 1):
        start_us = number * PARTITION_US + MONDAY_US
        weeks += _copy_week(bulk, lake, start_us)
    bulk.execute("ANALYZE store_status")
    return weeks


def _copy_week(bulk: Bulk, lake: LakeOfPolls, start_us: int) -> bool:
    """The week has its partition, if it has any polls."""
    week = PollWeek(instant(start_us).date())
    end_us = start_us + PARTITION_US
    is_created = False
    for bucket in lake.manifest.buckets:
        files = [
            file
            for file in of_kind(read_contents(lake.folder, bucket), Kind.POLLS)
            if file.last_us >= start_us and file.first_us < end_us
        ]
        polls = read_polls(lake.folder, files)
        polls = polls.take((polls.at_us >= start_us) & (polls.at_us < end_us)).in_order()
        if len(polls):
            if not is_created:
                create_week(bulk, week)
            is_created = True
            bulk.append(week.partition, _rows(polls))
    if is_created:
        attach_week(bulk, week)
    return is_created


def _rows(polls: PollRows) -> pa.Table:
    return pa.table(
        {
            "store_key": pa.array(polls.store_key, pa.int32()),
            "polled_at": timestamps(polls.at_us),
            "is_active": polls.is_active,
            "load_id": pa.array(polls.load_id, pa.int32()),
        }
    )


def copy_status_runs_back(bulk: Bulk, lake: LakeOfPolls) -> None:
    """The empty table `status_runs` has all status runs of the lake."""
    for bucket in lake.manifest.buckets:
        files = read_contents(lake.folder, bucket)
        status_runs = read_status_runs(
            lake.folder,
            [*of_kind(files, Kind.STATUS_RUNS), *of_kind(files, Kind.LAST_STATUS_RUNS)],
        )
        bulk.append("status_runs", rows_from_status_runs(status_runs.in_order()))
    bulk.execute("ANALYZE status_runs")
