"""Writing polls and their status runs in one transaction, so that the two always agree.

The caller's transaction holds the lock of writers of polls.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds_of, timestamps
from storemon_pipeline.database.overlap import overlapping
from storemon_pipeline.database.parameters import keep_max_gap_us
from storemon_pipeline.domain.rejections import RejectedRow
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.store_instants import pairs, sort_keys
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.loads.load_log import Load, RowCounts, close_load, open_load
from storemon_pipeline.polls.arrivals.compare_arrivals import compare_arrivals
from storemon_pipeline.polls.arrivals.lake_poll_table import (
    NamedStores,
    load_into_lake,
    undo_in_lake,
)
from storemon_pipeline.polls.arrivals.poll_changes import (
    NO_REGION,
    KnownPolls,
    PollBatch,
    Region,
    UndonePolls,
    cut_off,
    distinct,
    earliest_of_stores,
    last_of_each,
    late_stores,
    status_runs_around,
    status_runs_without,
)
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.polls.poll_rows import Polls
from storemon_pipeline.polls.poll_weeks import PollWeek, attach_week, create_week, has_week
from storemon_pipeline.polls.retention import (
    MONDAY_US,
    PARTITION_US,
    PollsNotKeptError,
    read_polls_kept_from_us,
)
from storemon_pipeline.polls.status_run_rows import rows_from_status_runs, status_runs_from_rows
from storemon_pipeline.stores.store_keys import store_keys
from storemon_pipeline.uptime.status_runs import StatusRuns

_MANY_ROWS: Final = 50_000
_MANY_SHARE: Final = 1.0
"""Above this number of new rows, and this share of the known ones, the planner's statistics are
updated immediately."""

_MANY_STORES: Final = 50_000
"""Above this number, the last status runs of an hour are read together: by store they are all over
the table."""


def write_poll_load(
    bulk: Bulk,
    polls: Polls,
    rejected: Sequence[RejectedRow],
    *,
    file_path: str | None,
    run_id: str | None,
    loaded_at: datetime,
    header: str | None,
) -> tuple[int, RowCounts]:
    """Write the polls of one file or pushed batch as one load; return its id and row counts.

    `header` is the CSV header of the rejected rows. Raises PollsNotKeptError.
    """
    load = open_load(
        bulk, Source.STORE_STATUS, file_path=file_path, run_id=run_id, loaded_at=loaded_at
    )
    written = load_polls(bulk, load, polls, max_gap_us=keep_max_gap_us(bulk))
    bounds_us = polled_bounds_us(polls)
    row_counts = close_load(bulk, load, written, rejected, polled_us=bounds_us, header=header)
    return load.load_id, row_counts


def load_polls(bulk: Bulk, load: Load, polls: Polls, *, max_gap_us: int) -> RowCounts:
    """Write the polls of one file or push, and update the status runs around them.

    Afterwards `store_status` has the last arrival for each (store, instant), and `status_runs` is
    the compression of all polls; or the lake has both in their place. `polls` are in order of
    arrival. The row counts have no rejected rows. Raises PollsNotKeptError when a poll is older
    than the retention period.
    """
    kept_from_us = read_polls_kept_from_us(bulk)
    if kept_from_us is not None and (polls.polled_at_us < kept_from_us).any():
        raise PollsNotKeptError(f"polls before {instant(kept_from_us)} are no longer kept")
    keys = store_keys(bulk, polls.store_ids.tolist())
    batch, repeated = last_of_each(keys, polls)
    if len(batch.store) == 0:
        return repeated
    lake = read_lake_of_polls(bulk)
    if lake is not None:
        named = NamedStores(keys, polls.store_ids)
        return repeated + load_into_lake(bulk, lake, load, batch, named, max_gap_us=max_gap_us)
    tails = _last_status_runs(bulk, batch, max_gap_us=max_gap_us)
    region = _read_region(bulk, *late_stores(batch, tails))
    known = region.known
    matched, is_arrival = compare_arrivals(bulk, load, batch, known)

    is_new = matched < 0
    was_active = known.is_active[matched] if len(known.store) else batch.is_active
    is_changed = ~is_new & is_arrival & (was_active != batch.is_active)
    with overlapping() as hand_over:
        hand_over(partial(_append_polls, bulk, load, batch.take(is_new)))
        old, changed_status_runs = status_runs_around(
            batch, is_new | is_changed, matched, tails, region, max_gap_us=max_gap_us
        )
    _supersede(bulk, load, batch.take(is_arrival & ~is_new))
    _write_status_runs(bulk, old, changed_status_runs)
    new, changed = int(is_new.sum()), int(is_changed.sum())
    if new > _MANY_ROWS and _is_much_of_table(bulk, new):
        for table in ("stores", "store_status", "status_runs"):
            bulk.execute(f"ANALYZE {table}")
    return repeated + RowCounts(new, changed, len(batch.store) - new - changed, 0)


def _is_much_of_table(bulk: Bulk, new: int) -> bool:
    """Whether the polls are so many that the statistics no longer hold.

    Otherwise autovacuum updates them in time: sampling all weeks takes seconds in a large fleet.
    """
    counted = bulk.scalar(
        "SELECT reltuples::float8 AS rows FROM pg_class WHERE oid = 'store_status'::regclass"
    )
    return bool(new > _MANY_SHARE * counted)


def undo_polls(bulk: Bulk, load_id: int, *, max_gap_us: int) -> UndonePolls:
    """Undo the polls of a load.

    Polls that the load replaced are restored. Polls that later loads replaced stay as these wrote
    them. The status runs are updated. The load's polls must be within the retention period.
    """
    lake = read_lake_of_polls(bulk)
    if lake is not None:
        return undo_in_lake(bulk, lake, load_id, max_gap_us=max_gap_us)
    gone, back = _owned_polls(bulk, load_id)
    replaced = bulk.fetch(
        "DELETE FROM superseded_polls WHERE load_id = $1 RETURNING store_key", (load_id,)
    )
    named = np.unique(np.concatenate([gone.store, back.store, replaced["store_key"].to_numpy()]))
    if len(gone.store) + len(back.store) == 0:
        return UndonePolls(0, named)
    region = _read_region(bulk, *earliest_of_stores(gone, back))
    _restore(bulk, gone, back)
    new_status_runs = status_runs_without(region, gone, back, max_gap_us=max_gap_us)
    _write_status_runs(bulk, region.status_runs, new_status_runs)
    return UndonePolls(len(gone.store), named)


def _owned_polls(bulk: Bulk, load_id: int) -> tuple[PollBatch, PollBatch]:
    """The current polls of this load: those of no other load, and the others as before the load."""
    (bounds,) = bulk.fetch(
        "SELECT first_polled_at, last_polled_at FROM loads WHERE load_id = $1", (load_id,)
    ).to_pylist()
    if bounds["first_polled_at"] is None:
        nothing = np.empty(0, np.int64)
        return (PollBatch(nothing, nothing, nothing.astype(np.bool_)),) * 2
    rows = bulk.fetch(
        """
        SELECT p.store_key, p.polled_at, s.is_active
        FROM store_status p
        LEFT JOIN LATERAL (
            SELECT is_active FROM superseded_polls s
            WHERE s.store_key = p.store_key AND s.polled_at = p.polled_at
            ORDER BY s.load_id DESC LIMIT 1
        ) s ON true
        WHERE p.load_id = $1 AND p.polled_at BETWEEN $2 AND $3
        """,
        (load_id, bounds["first_polled_at"], bounds["last_polled_at"]),
    )
    has_earlier = np.asarray(pc.is_valid(rows["is_active"]), np.bool_)
    polls = PollBatch(
        rows["store_key"].to_numpy().astype(np.int64),
        microseconds_of(rows["polled_at"]),
        np.asarray(pc.fill_null(rows["is_active"], fill_value=False), np.bool_),
    )
    polls = polls.take(order := np.lexsort((polls.polled_at_us, polls.store)))
    has_earlier = has_earlier[order]
    return polls.take(~has_earlier), polls.take(has_earlier)


def _restore(bulk: Bulk, gone: PollBatch, back: PollBatch) -> None:
    """Delete the polls `gone`, and restore the polls `back` from the load before."""
    for name, polls in (("gone_polls", gone), ("restored_polls", back)):
        bulk.stage(
            name,
            pa.table(
                {
                    "store_key": polls.store.astype(np.int32),
                    "polled_at": timestamps(polls.polled_at_us),
                }
            ),
        )
    bulk.execute(
        """
        DELETE FROM store_status p USING pg_temp.gone_polls g
        WHERE p.store_key = g.store_key AND p.polled_at = g.polled_at
        """
    )
    bulk.execute(
        """
        WITH last_superseded AS (
            SELECT DISTINCT ON (store_key, polled_at) s.*
            FROM superseded_polls s JOIN pg_temp.restored_polls USING (store_key, polled_at)
            ORDER BY store_key, polled_at, load_id DESC
        ), taken AS (
            DELETE FROM superseded_polls s USING last_superseded l
            WHERE s.store_key = l.store_key AND s.polled_at = l.polled_at AND s.load_id = l.load_id
        )
        UPDATE store_status p SET is_active = l.is_active, load_id = l.load_id
        FROM last_superseded l WHERE p.store_key = l.store_key AND p.polled_at = l.polled_at
        """
    )


def polled_bounds_us(polls: Polls) -> tuple[int, int] | None:
    """The first and last instant of the polls, or None without any."""
    if len(polls.polled_at_us) == 0:
        return None
    return int(polls.polled_at_us.min()), int(polls.polled_at_us.max())


def _last_status_runs(bulk: Bulk, batch: PollBatch, *, max_gap_us: int) -> StatusRuns:
    """The last status run of each store in the batch, if it has one."""
    stores = distinct(batch.store)
    first_us = int(batch.polled_at_us.min())
    if len(stores) < _MANY_STORES or int(batch.polled_at_us.max()) - first_us > max_gap_us:
        return _look_up_last_status_runs(bulk, stores)
    # Polls of one hour of a large chain go on with status runs that nearly all end shortly before.
    recent = status_runs_from_rows(
        bulk.fetch(
            """
            SELECT store_key, first_poll_at, last_poll_at, is_active, polls
            FROM status_runs WHERE last_poll_at >= $1
            """,
            (instant(first_us - max_gap_us),),
        )
    )
    is_last = np.diff(recent.store, append=-1) != 0
    recent = recent.take(is_last)
    recent = recent.take(np.isin(recent.store, stores))
    others = np.setdiff1d(stores, recent.store, assume_unique=True)
    return recent.merge(_look_up_last_status_runs(bulk, others))


def _look_up_last_status_runs(bulk: Bulk, stores: IntArray) -> StatusRuns:
    bulk.stage("batch_stores", pa.table({"store_key": stores.astype(np.int32)}))
    return status_runs_from_rows(
        bulk.fetch(
            """
            SELECT r.store_key, r.first_poll_at, r.last_poll_at, r.is_active, r.polls
            FROM pg_temp.batch_stores b
            CROSS JOIN LATERAL (
                SELECT * FROM status_runs r WHERE r.store_key = b.store_key
                ORDER BY r.first_poll_at DESC LIMIT 1
            ) r
            """
        )
    )


def _read_region(bulk: Bulk, late: IntArray, since_us: IntArray) -> Region:
    """What is stored of these stores around their earliest changed polls, and after them."""
    if len(late) == 0:
        return NO_REGION
    bulk.stage(
        "late_stores",
        pa.table({"store_key": late.astype(np.int32), "since": timestamps(since_us)}),
    )
    bulk.execute("DROP TABLE IF EXISTS pg_temp.anchors")
    bulk.execute(
        """
        CREATE TEMPORARY TABLE anchors AS
        SELECT l.store_key, r.first_poll_at, r.last_poll_at, r.is_active, r.polls,
               coalesce(p.polled_at, r.last_poll_at) AS anchor_at
        FROM pg_temp.late_stores l
        LEFT JOIN LATERAL (
            SELECT * FROM status_runs r
            WHERE r.store_key = l.store_key AND r.first_poll_at < l.since
            ORDER BY r.first_poll_at DESC LIMIT 1
        ) r ON true
        LEFT JOIN LATERAL (
            SELECT polled_at FROM store_status p
            WHERE p.store_key = l.store_key
              AND p.polled_at >= r.first_poll_at AND p.polled_at < l.since
            ORDER BY p.polled_at DESC LIMIT 1
        ) p ON true
        """
    )
    bulk.execute("ANALYZE pg_temp.anchors")
    whole = bulk.fetch("SELECT * FROM pg_temp.anchors WHERE first_poll_at IS NOT NULL")
    rows = bulk.fetch(
        """
        SELECT p.store_key, p.polled_at, p.is_active, p.load_id
        FROM pg_temp.anchors a
        JOIN store_status p ON p.store_key = a.store_key
         AND p.polled_at > coalesce(a.anchor_at, '-infinity')
        """
    )
    old_status_runs = status_runs_from_rows(
        bulk.fetch(
            """
            SELECT r.store_key, r.first_poll_at, r.last_poll_at, r.is_active, r.polls
            FROM pg_temp.anchors a
            JOIN status_runs r ON r.store_key = a.store_key
             AND r.first_poll_at >= coalesce(a.first_poll_at, '-infinity')
            """
        )
    )
    store = rows["store_key"].to_numpy().astype(np.int64)
    polled_at_us = microseconds_of(rows["polled_at"])
    order = np.lexsort((polled_at_us, store))
    known = KnownPolls(
        store[order],
        polled_at_us[order],
        rows["is_active"].to_numpy()[order],
        rows["load_id"].to_numpy().astype(np.int64)[order],
    )
    anchor_us = microseconds_of(whole["anchor_at"])[np.argsort(whole["store_key"].to_numpy())]
    anchors = cut_off(status_runs_from_rows(whole), anchor_us, known)
    return Region(anchors, known, old_status_runs)


def _append_polls(bulk: Bulk, load: Load, polls: PollBatch) -> None:
    """Append new polls; missing partitions are created."""
    if len(polls.store) == 0:
        return
    rows = pa.table(
        {
            "store_key": polls.store.astype(np.int32),
            "polled_at": timestamps(polls.polled_at_us),
            "is_active": polls.is_active,
            "load_id": np.full(len(polls.store), load.load_id, np.int32),
        }
    )
    week = (polls.polled_at_us - MONDAY_US) // PARTITION_US
    is_left = np.ones(len(week), np.bool_)
    first_week = int(week.min())
    for number in (first_week + np.flatnonzero(np.bincount(week - first_week))).tolist():
        is_in_week = week == number
        if _append_partition(bulk, number, rows, is_in_week):
            is_left &= ~is_in_week
    bulk.append("store_status", rows.filter(pa.array(is_left)))


def _append_partition(bulk: Bulk, week: int, rows: pa.Table, is_in_week: BoolArray) -> bool:
    """Create the partition of a week with its first rows; False when it exists already."""
    partition = PollWeek(instant(week * PARTITION_US + MONDAY_US).date())
    if has_week(bulk, partition):
        return False
    create_week(bulk, partition)
    bulk.append(
        partition.partition, rows if is_in_week.all() else rows.filter(pa.array(is_in_week))
    )
    attach_week(bulk, partition)
    return True


def _supersede(bulk: Bulk, load: Load, polls: PollBatch) -> None:
    """Overwrite stored polls with those of this load; keep the old ones as superseded."""
    if len(polls.store) == 0:
        return
    bulk.stage(
        "arrived_polls",
        pa.table(
            {
                "store_key": polls.store.astype(np.int32),
                "polled_at": timestamps(polls.polled_at_us),
                "is_active": polls.is_active,
            }
        ),
    )
    bulk.execute(
        """
        INSERT INTO superseded_polls (store_key, polled_at, load_id, is_active)
        SELECT p.store_key, p.polled_at, p.load_id, p.is_active
        FROM store_status p JOIN pg_temp.arrived_polls a USING (store_key, polled_at)
        """
    )
    bulk.execute(
        """
        UPDATE store_status p SET is_active = a.is_active, load_id = $1
        FROM pg_temp.arrived_polls a
        WHERE p.store_key = a.store_key AND p.polled_at = a.polled_at
        """,
        (load.load_id,),
    )


def _write_status_runs(bulk: Bulk, old: StatusRuns, new: StatusRuns) -> None:
    """Replace the status runs `old` by `new`; both are sorted. Equal rows are not written."""
    kept_old, kept_new = pairs(
        *sort_keys(old.store, old.first_poll_us, new.store, new.first_poll_us)
    )
    is_dropped = np.ones(len(old), np.bool_)
    is_dropped[kept_old] = False
    is_added = np.ones(len(new), np.bool_)
    is_added[kept_new] = False
    is_different = (
        (old.last_poll_us[kept_old] != new.last_poll_us[kept_new])
        | (old.is_active[kept_old] != new.is_active[kept_new])
        | (old.polls[kept_old] != new.polls[kept_new])
    )
    if is_dropped.any():
        bulk.stage("dropped_status_runs", rows_from_status_runs(old.take(is_dropped)))
        bulk.execute(
            """
            DELETE FROM status_runs r USING pg_temp.dropped_status_runs d
            WHERE r.store_key = d.store_key AND r.first_poll_at = d.first_poll_at
            """
        )
    if is_different.any():
        bulk.stage("changed_status_runs", rows_from_status_runs(new.take(kept_new[is_different])))
        bulk.execute(
            """
            UPDATE status_runs r
            SET last_poll_at = c.last_poll_at, is_active = c.is_active, polls = c.polls
            FROM pg_temp.changed_status_runs c
            WHERE r.store_key = c.store_key AND r.first_poll_at = c.first_poll_at
              AND r.last_poll_at >= $1
            """,
            # Implied, but with it pages of older status runs need not be read.
            (instant(int(old.last_poll_us[kept_old[is_different]].min())),),
        )
    added = new.take(is_added)
    # In order of time, so that recent status runs share pages even after a first load.
    bulk.append("status_runs", rows_from_status_runs(added.take(np.argsort(added.first_poll_us))))
    if len(added):
        # Every query by time reads the pages that the BRIN index has not summarised yet.
        bulk.execute(
            "SELECT brin_summarize_new_values('ix_status_runs_first_poll_at_last_poll_at')"
        )
