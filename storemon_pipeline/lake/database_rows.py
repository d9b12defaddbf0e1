"""Reading from the database what a bucket holds, and what changed since a load."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from storemon_pipeline.channels.storefront_index import read_storefront_rows
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import WEEK_US
from storemon_pipeline.lake.bucket_ids import BucketIds
from storemon_pipeline.lake.write_bucket import StoreRows
from storemon_pipeline.lake_files.data_files import PollRows
from storemon_pipeline.polls.poll_weeks import BEGINNING, list_weeks
from storemon_pipeline.polls.status_run_rows import polls_from_rows, status_runs_from_rows
from storemon_pipeline.schedules.calendars import read_calendar_rows
from storemon_pipeline.stores.store_index import StoreCondition, StoreIndex
from storemon_pipeline.uptime.status_runs import StatusRuns

_EVER: Final = datetime.max.replace(tzinfo=UTC)
_FIRST_DAY_US: Final = microseconds(BEGINNING) + WEEK_US
_LAST_DAY_US: Final = microseconds(_EVER) - WEEK_US
"""Special hours have dates that datetimes can say; bounds beyond them could not be asked for."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows of each kind there are."""

    stores: int
    polls: int
    status_runs: int

    def __str__(self) -> str:
        """Return the numbers with their nouns."""
        return (
            f"{counted(self.stores, 'store')}, {counted(self.polls, 'poll')}, "
            f"{counted(self.status_runs, 'status run')}"
        )


def count_rows(bulk: Bulk) -> Counts:
    """The rows of the tables that a lake holds."""
    (row,) = bulk.fetch(
        """
        SELECT (SELECT count(*) FROM stores) AS stores,
               (SELECT count(*) FROM store_status) AS polls,
               (SELECT count(*) FROM status_runs) AS status_runs
        """
    ).to_pylist()
    return Counts(**row)


def read_store_rows(bulk: Bulk, ids: BucketIds) -> StoreRows:
    """Everything about these stores but their polls, of all time, with their storefronts."""
    stores = ids.stores
    fronts = read_storefront_rows(bulk, stores)
    chosen = stores.condition()
    if len(fronts):
        # Storefronts have events of their own.
        own = "SELECT storefront_key FROM storefronts WHERE"
        sql = f"({chosen.sql} OR store_key IN ({own} {chosen.sql}))"
        chosen = StoreCondition(sql, chosen.parameters)
    events = bulk.fetch(
        f"""
        SELECT event_id::bigint AS event_id, store_key, source, from_at, to_at, is_up
        FROM store_events WHERE cancelled_by_load_id IS NULL AND {chosen.sql} ORDER BY event_id
        """,  # noqa: S608  (conditions are made of names and numbers)
        chosen.parameters,
    )
    corrections = bulk.fetch(
        f"""
        SELECT correction_id::bigint AS correction_id, store_key, from_at, to_at,
               kind = 'up' AS is_up
        FROM corrections
        WHERE cancelled_by_load_id IS NULL AND kind <> 'taken_out' AND {chosen.sql}
        ORDER BY correction_id
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    calendar = read_calendar_rows(bulk, stores, start_us=_FIRST_DAY_US, end_us=_LAST_DAY_US)
    return StoreRows(stores, ids.storefronts, fronts, calendar, events, corrections)


def read_all_status_runs(bulk: Bulk, stores: StoreIndex) -> StatusRuns:
    """All status runs of these stores, which are identified by their keys."""
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        SELECT store_key, first_poll_at, last_poll_at, is_active, polls
        FROM status_runs WHERE {chosen.sql}
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    return status_runs_from_rows(rows)


def read_polls_by_week(bulk: Bulk, stores: StoreIndex) -> Iterator[PollRows]:
    """The stored polls of these stores, a week at a time; weeks without any are left out."""
    chosen = stores.condition(parameter=3)
    for week in list_weeks(bulk, until=_EVER - timedelta(days=1)):
        rows = bulk.fetch(
            f"""
            SELECT store_key, polled_at, is_active, load_id FROM store_status
            WHERE polled_at >= $1 AND polled_at < $2 AND {chosen.sql}
            """,  # noqa: S608  (as above)
            (week.start, week.end, *chosen.parameters),
        )
        if rows.num_rows:
            yield polls_from_rows(rows)


@dataclass(frozen=True, slots=True)
class NewLoads:
    """What was loaded after a load; `polls` are those that these loads wrote.

    `is_only_polls`: nothing but polls was loaded. `has_undo`: polls of a load were taken back.
    """

    last_load_id: int
    is_only_polls: bool
    has_undo: bool
    polls: PollRows


def read_last_load(bulk: Bulk) -> int:
    """The newest load; 0 without any."""
    return int(bulk.scalar("SELECT coalesce(max(load_id), 0) AS last FROM loads"))


def read_new_loads(bulk: Bulk, after_load_id: int) -> NewLoads:
    """What was loaded after this load."""
    (row,) = bulk.fetch(
        """
        SELECT coalesce(max(load_id), $1)::int AS last,
               coalesce(bool_and(source = $2), true) AS is_only_polls,
               coalesce(bool_or(source = $2 AND undoes_load_id IS NOT NULL), false) AS has_undo,
               min(first_polled_at) AS first_at, max(last_polled_at) AS last_at
        FROM loads WHERE load_id > $1
        """,
        (after_load_id, Source.STORE_STATUS.value),
    ).to_pylist()
    with bulk.prefer_indexes():
        polls = bulk.fetch(
            """
            SELECT store_key, polled_at, is_active, load_id FROM store_status
            WHERE load_id > $1 AND polled_at >= $2 AND polled_at <= $3
            """,
            (after_load_id, row["first_at"] or _EVER, row["last_at"] or BEGINNING),
        )
    return NewLoads(
        int(row["last"]), bool(row["is_only_polls"]), bool(row["has_undo"]), polls_from_rows(polls)
    )
