"""Bringing polls that only a lake has back into the database."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import pyarrow as pa

from storemon_pipeline.checks.table_checks import StatusRunComparison, compare_all_status_runs
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.figures.daily_table import forget_days
from storemon_pipeline.lake.database_rows import Counts, count_rows, read_last_load
from storemon_pipeline.lake.export_polls import with_store_ids
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Manifest, commit_free, read_manifest
from storemon_pipeline.lake_files.polls_of_period import first_poll_us, read_polls_of_stores
from storemon_pipeline.polls.arrivals.copy_back import copy_polls_back, copy_status_runs_back
from storemon_pipeline.polls.lake_of_polls import (
    LakeOfPolls,
    read_lake_of_polls,
    unset_lake_of_polls,
)
from storemon_pipeline.polls.poll_weeks import (
    BEGINNING,
    PollWeek,
    read_first_kept_week,
    restore_week,
)
from storemon_pipeline.polls.retention import (
    read_lake_of_dropped_polls,
    set_lake_of_dropped_polls,
)
from storemon_pipeline.polls.status_run_queries import read_first_poll
from storemon_pipeline.stores.store_index import read_polled_stores

_STORES_AT_ONCE: Final = 20_000
"""With hourly polls they have 3 million polls a week."""


class RestoredPollsDifferError(Exception):
    """The status runs are not what the polls of the lake make."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, and how many status runs were compared with all polls."""

    weeks: int
    polls: int
    status_runs: int


def restore_polls(url: str) -> Restored:
    """The database has all polls again that a lake kept for it, and names no lake any more.

    If the lake has all polls and status runs, both come back in one transaction. If it has the old
    polls alone, the newest week comes first, each in a transaction of its own: after an error the
    next call goes on. Then status runs and all figures stay as they are. At the end all status runs
    are computed again from the polls, and compared. Raises RestoredPollsDifferError, NoLakeError
    and UnreachableError.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        own = read_lake_of_polls(bulk)
        if own is not None:
            return _restore_all(bulk, own)
        place = read_lake_of_dropped_polls(bulk)
    if place is None:
        return Restored(0, 0, 0)
    lake = LakeFolder(place)
    manifest = read_manifest(lake)
    first_us = first_poll_us(lake, manifest)
    weeks = polls = 0
    while (restored := _restore_week_before(url, lake, manifest, first_us)) is not None:
        weeks, polls = weeks + 1, polls + restored
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        compared = compare_all_status_runs(bulk, max_gap_us=read_max_gap_us(bulk), since=BEGINNING)
        _refuse_others(compared, place)
        set_lake_of_dropped_polls(bulk, None)
    return Restored(weeks, polls, compared.compared)


def _restore_all(bulk: Bulk, lake: LakeOfPolls) -> Restored:
    weeks = copy_polls_back(bulk, lake)
    copy_status_runs_back(bulk, lake)
    unset_lake_of_polls(bulk)
    forget_days(bulk)
    counted = count_rows(bulk)
    kept = Counts(counted.stores, lake.manifest.polls, lake.manifest.status_runs)
    if counted != kept:
        raise RestoredPollsDifferError(f"{counted} came back of {kept} in {lake.folder}")
    first_us, first_of_runs = first_poll_us(lake.folder, lake.manifest), read_first_poll(bulk)
    # Polls that were dropped before there was a lake are in status runs alone.
    is_all = first_us is None or first_of_runs is None or instant(first_us) <= first_of_runs
    compared = compare_all_status_runs(
        bulk, max_gap_us=read_max_gap_us(bulk), since=BEGINNING if is_all else None
    )
    _refuse_others(compared, str(lake.folder))
    # What another writer may have left is not the newest version any more.
    commit_free(lake.folder, replace(lake.manifest, load_id=read_last_load(bulk), data_version=""))
    return Restored(weeks, counted.polls, compared.compared)


def _refuse_others(compared: StatusRunComparison, place: str) -> None:
    if compared.different:
        raise RestoredPollsDifferError(
            f"{compared.different} of {compared.compared} status runs are not those of the "
            f"polls in {place}"
        )


def _restore_week_before(
    url: str, lake: LakeFolder, manifest: Manifest, first_us: int | None
) -> int | None:
    """Restore the last week that the database has dropped; return its polls, None without one."""
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        kept = read_first_kept_week(bulk)
        if kept is None or first_us is None or first_us >= microseconds(kept):
            return None
        week = PollWeek((kept - timedelta(weeks=1)).date())
        return restore_week(bulk, week, _parts(bulk, lake, manifest, week))


def _parts(bulk: Bulk, lake: LakeFolder, manifest: Manifest, week: PollWeek) -> Iterator[pa.Table]:
    """The polls of a week as `read_week` gives them."""
    for stores in read_polled_stores(bulk).chunks(_STORES_AT_ONCE):
        polls = read_polls_of_stores(
            lake,
            manifest,
            stores,
            start_us=microseconds(week.start),
            end_us=microseconds(week.end),
        )
        if len(polls):
            rows = with_store_ids(stores, polls)
            for name in ("store_id", "status"):
                position = rows.schema.get_field_index(name)
                rows = rows.set_column(position, name, rows[name].cast(pa.string()))
            yield rows.append_column("load_id", pa.array(polls.load_id, pa.int32()))
