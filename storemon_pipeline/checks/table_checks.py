"""Consistency checks of the tables: each counts the violations of a rule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds, microseconds_of
from storemon_pipeline.domain.amounts import BUSINESS, DOWNTIME, UPTIME
from storemon_pipeline.domain.rejections import Reason
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.store_instants import pairs, sort_keys
from storemon_pipeline.domain.windows import WEEK_US, Window
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.lake_files.data_files import PollRows
from storemon_pipeline.lake_files.status_runs_of_stores import NEVER
from storemon_pipeline.polls.dropped_polls import read_dropped_polls
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.polls.retention import read_drop_border
from storemon_pipeline.polls.status_run_queries import read_first_poll, read_status_runs
from storemon_pipeline.polls.status_run_rows import polls_from_rows, status_runs_from_rows
from storemon_pipeline.stores.store_index import StoreIndex, read_polled_stores
from storemon_pipeline.stores.store_keys import POLLED_STORES_SQL
from storemon_pipeline.uptime.status_runs import StatusRuns, compress


def count_unaccounted_polls(bulk: Bulk) -> int:
    """Polls that were counted as new and not removed, minus the polls in status runs; 0 if correct.

    Undone loads count as well, because polls that other loads repeated have stayed. Where the lake
    has the polls, they are counted themselves.
    """
    of_lake = read_lake_of_polls(bulk)
    counted = bulk.scalar(
        """
        SELECT (SELECT coalesce(sum(rows_loaded - rows_removed), 0) FROM loads
                WHERE source = $1)
             - (SELECT coalesce(sum(polls), 0) FROM status_runs)
        """,
        (Source.STORE_STATUS.value,),
    )
    return int(counted) - (0 if of_lake is None else of_lake.manifest.polls)


def count_lost_polls(bulk: Bulk, load_ids: Sequence[int]) -> int:
    """Polls that these loads counted as new, minus the stored polls that they loaded first.

    Unlike `count_unaccounted_polls` it reads only polls between the first and the last poll of the
    loads. `compare_status_runs` checks that status runs count these polls. None of the loads was
    undone.
    """
    if not load_ids:
        return 0
    if read_lake_of_polls(bulk) is not None:
        return _count_lost_of_lake(bulk, load_ids)
    with bulk.prefer_indexes():
        return int(
            bulk.scalar(
                """
                WITH counted AS (
                    SELECT sum(rows_loaded) AS polls,
                           min(first_polled_at) AS first, max(last_polled_at) AS last
                    FROM loads WHERE load_id = ANY ($1)
                ), earlier AS (
                    SELECT s.store_key, s.polled_at, min(s.load_id) AS load_id
                    FROM superseded_polls s, counted WHERE s.polled_at BETWEEN first AND last
                    GROUP BY s.store_key, s.polled_at
                )
                SELECT (SELECT coalesce(polls, 0)::bigint FROM counted) - (
                    SELECT count(*) FROM store_status p
                    LEFT JOIN earlier e USING (store_key, polled_at)
                    WHERE p.polled_at >= (SELECT first FROM counted)
                      AND p.polled_at <= (SELECT last FROM counted)
                      AND coalesce(e.load_id, p.load_id) = ANY ($1)
                ) AS lost
                """,
                (list(load_ids),),
            )
        )


def _count_lost_of_lake(bulk: Bulk, load_ids: Sequence[int]) -> int:
    (counted,) = bulk.fetch(
        """
        SELECT coalesce(sum(rows_loaded), 0)::bigint AS polls,
               min(first_polled_at) AS first, max(last_polled_at) AS last
        FROM loads WHERE load_id = ANY ($1)
        """,
        (list(load_ids),),
    ).to_pylist()
    if counted["first"] is None:
        return int(counted["polls"])
    start_us, end_us = microseconds(counted["first"]), microseconds(counted["last"])
    superseded = bulk.fetch(
        """
        SELECT store_key, polled_at, min(load_id) AS load_id FROM superseded_polls
        WHERE polled_at BETWEEN $1 AND $2 GROUP BY store_key, polled_at
        ORDER BY store_key, polled_at
        """,
        (counted["first"], counted["last"]),
    )
    found = 0
    for chunk in _chunks_of_lake(bulk, start_us, end_us):
        polls = read_dropped_polls(bulk, chunk, start_us=start_us, end_us=end_us)
        first_load = polls.load_id.copy()
        place, earlier = pairs(
            *sort_keys(
                polls.store_key,
                polls.at_us,
                superseded["store_key"].to_numpy().astype(np.int64),
                microseconds_of(superseded["polled_at"]),
            )
        )
        first_load[place] = superseded["load_id"].to_numpy()[earlier]
        found += int(np.isin(first_load, load_ids).sum())
    return int(counted["polls"]) - found


_EVERY_KEY: Final = range(2**31 - 1)
_EVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_END: Final = datetime.max.replace(tzinfo=UTC)
_STORES_AND_WEEKS: Final = 20_000
"""Of a chunk whose polls are read from the lake: with hourly polls 3 million."""

_COMPARED_IN_LAKE: Final = timedelta(days=30)
"""The lake keeps all polls, which are too many to compare all of them each night."""

_STORES_PER_CHUNK: Final = 1_000
"""With hourly polls for 90 days a chunk has about 2 million polls."""


@dataclass(frozen=True, slots=True)
class StatusRunComparison:
    """How many status runs were computed again from the polls, and how many differ."""

    compared: int
    different: int


def compare_all_status_runs(
    bulk: Bulk, *, max_gap_us: int, since: datetime | None = None
) -> StatusRunComparison:
    """As `compare_status_runs`, for all polls that retention keeps, in chunks of stores.

    Where the lake has the polls, those of the last 30 days.
    """
    lake = read_lake_of_polls(bulk)
    if since is None:
        since = read_drop_border(bulk) or _EVER
        if lake is not None and lake.manifest.newest_poll_us is not None:
            since = max(since, instant(lake.manifest.newest_poll_us) - _COMPARED_IN_LAKE)
    if lake is not None:
        return compare_status_runs(bulk, since=since, max_gap_us=max_gap_us)
    last = bulk.scalar(f"SELECT coalesce(max(store_key), 0) FROM ({POLLED_STORES_SQL}) s")  # noqa: S608
    compared = different = 0
    for first in range(0, last + 1, _STORES_PER_CHUNK):
        part = compare_status_runs(
            bulk,
            since=since,
            max_gap_us=max_gap_us,
            store_keys=range(first, first + _STORES_PER_CHUNK),
        )
        compared += part.compared
        different += part.different
    return StatusRunComparison(compared, different)


def compare_status_runs(
    bulk: Bulk, *, since: datetime, max_gap_us: int, store_keys: range = _EVERY_KEY
) -> StatusRunComparison:
    """Compute status runs again from the polls since an instant, and compare them.

    For those that began before, only the last poll and the status are compared. The lake's are
    always compared of all stores.
    """
    if read_lake_of_polls(bulk) is None:
        return _compare(*_read_from_database(bulk, since, store_keys), since, max_gap_us)
    compared = different = 0
    for chunk in _chunks_of_lake(bulk, microseconds(since), NEVER):
        part = _compare(*_read_from_lake(bulk, since, chunk), since, max_gap_us)
        compared, different = compared + part.compared, different + part.different
    return StatusRunComparison(compared, different)


def _compare(
    polls: PollRows, status_runs: StatusRuns, since: datetime, max_gap_us: int
) -> StatusRunComparison:
    computed = compress(polls.store_key, polls.at_us, polls.is_active, max_gap_us=max_gap_us)
    if len(computed) != len(status_runs):
        return StatusRunComparison(len(status_runs), max(len(computed), len(status_runs)))
    began_before = status_runs.first_poll_us < microseconds(since)
    is_same = (
        (computed.store == status_runs.store)
        & (computed.last_poll_us == status_runs.last_poll_us)
        & (computed.is_active == status_runs.is_active)
        & (began_before | (computed.first_poll_us == status_runs.first_poll_us))
        & (began_before | (computed.polls == status_runs.polls))
    )
    return StatusRunComparison(len(status_runs), int((~is_same).sum()))


def _chunks_of_lake(bulk: Bulk, start_us: int, end_us: int) -> Iterator[StoreIndex]:
    """All stores and storefronts, in chunks whose polls of a period fit into memory."""
    newest, earliest = read_newest_poll(bulk), read_first_poll(bulk)
    if newest is None or earliest is None:
        return
    length_us = min(end_us, microseconds(newest)) - max(start_us, microseconds(earliest))
    yield from read_polled_stores(bulk).chunks(
        _STORES_AND_WEEKS // max(1, length_us // WEEK_US) or 1
    )


def _read_from_database(
    bulk: Bulk, since: datetime, store_keys: range
) -> tuple[PollRows, StatusRuns]:
    """The polls since an instant of stores with keys of a range, and their status runs."""
    chosen = (since, store_keys.start, store_keys.stop)
    with bulk.prefer_indexes():
        polls = bulk.fetch(
            """
            SELECT store_key, polled_at, is_active FROM store_status
            WHERE polled_at >= $1 AND store_key >= $2 AND store_key < $3
            """,
            chosen,
        )
    stored = bulk.fetch(
        """
        SELECT store_key, first_poll_at, last_poll_at, is_active, polls
        FROM status_runs WHERE last_poll_at >= $1 AND store_key >= $2 AND store_key < $3
        """,
        chosen,
    )
    return polls_from_rows(polls), status_runs_from_rows(stored)


def _read_from_lake(bulk: Bulk, since: datetime, stores: StoreIndex) -> tuple[PollRows, StatusRuns]:
    """As `_read_from_database`, of these stores, where the lake has both."""
    polls = read_dropped_polls(bulk, stores, start_us=microseconds(since), end_us=NEVER)
    # The polls at `since` itself belong to them.
    status_runs = read_status_runs(
        bulk, stores, as_of=_END, look_back=_END - since + timedelta(microseconds=1)
    )
    by_key = replace(status_runs, store=stores.store_keys[status_runs.store])
    return polls, by_key.in_order()


def count_interval_faults(bulk: Bulk, *, is_of_unchecked: bool = False) -> int:
    """Count touching or overlapping intervals, stores without any, and weeks without a pattern.

    Stores that are newer than the intervals have none until the next refresh. With
    `is_of_unchecked`, only of the stores in `unchecked_weeks`.
    """
    chosen = "store_key IN (SELECT store_key FROM unchecked_weeks)" if is_of_unchecked else "true"
    return int(
        bulk.scalar(
            f"""
            SELECT (
                SELECT count(*) FROM (
                    SELECT start_us_of_week <= lag(end_us_of_week) OVER (
                        PARTITION BY store_key, valid_from ORDER BY start_us_of_week
                    ) AS is_fault
                    FROM business_hour_intervals WHERE {chosen}
                ) AS neighbours WHERE is_fault
            ) + (
                SELECT count(*) FROM stores s
                WHERE {chosen} AND s.store_key <= coalesce(
                    (SELECT last_store_key FROM intervals_state), s.store_key
                ) AND NOT EXISTS (
                    SELECT FROM business_hour_intervals i WHERE i.store_key = s.store_key
                )
            ) + (
                SELECT count(*) FROM (
                    SELECT DISTINCT store_key, valid_from FROM business_hour_intervals
                    WHERE load_id IS NOT NULL AND {chosen}
                ) AS versions
                FULL JOIN (SELECT * FROM store_weeks WHERE {chosen}) w
                USING (store_key, valid_from)
                WHERE w.week_id IS NULL OR versions IS NULL
            )
            """  # noqa: S608  (a constant condition)
        )
    )


def were_all_intervals_checked(bulk: Bulk) -> bool:
    """Whether `unchecked_weeks` has all stores whose week is unchecked."""
    return bool(
        bulk.scalar("SELECT coalesce(bool_and(is_checked), false) AS checked FROM intervals_state")
    )


def record_intervals_checked(bulk: Bulk) -> None:
    """No week is unchecked. The caller holds the lock of writers of polls, as writers of weeks."""
    bulk.execute("DELETE FROM unchecked_weeks")
    bulk.execute("UPDATE intervals_state SET is_checked = true WHERE NOT is_checked")


_DOES_NOT_ADD_UP: Final = " OR ".join(
    f"{UPTIME.column(window)} + {DOWNTIME.column(window)} <> {BUSINESS.column(window)}"
    for window in Window
)


def count_uptime_faults(bulk: Bulk) -> int:
    """Count rows of `store_uptime` whose uptime and downtime do not add up to business time."""
    return int(
        bulk.scalar(
            f"SELECT count(*) FROM store_uptime WHERE {_DOES_NOT_ADD_UP}"  # noqa: S608
        )
    )


@dataclass(frozen=True, slots=True)
class RejectedExample:
    """A rejected row as it stood in its file."""

    line: int
    row_text: str


def read_rejected(
    bulk: Bulk, source: Source, *, reason: Reason | None = None, limit: int = 20
) -> tuple[int, list[RejectedExample]]:
    """The number of rows that the last load of a source's files rejected, and the first of them."""
    rows = bulk.fetch(
        """
        SELECT line, row_text, count(*) OVER () AS total FROM rejected_rows
        WHERE load_id IN (
            (SELECT load_id FROM loads
             WHERE source = $1 AND file_path IS NOT NULL AND undone_at IS NULL
             ORDER BY load_id DESC LIMIT 1)
            UNION ALL
            -- A snapshot is the union of its files, each with its last load.
            SELECT load_id FROM ingested_files WHERE source = $1 AND source <> $4
        )
          AND replayed_by_load_id IS NULL
          AND ($2 = '' OR reason = $2)
        ORDER BY load_id, line LIMIT $3
        """,
        (
            source.value,
            reason.value if reason else "",
            limit,
            Source.STORE_STATUS.value,
        ),
    ).to_pylist()
    examples = [RejectedExample(row["line"], row["row_text"]) for row in rows]
    return (rows[0]["total"] if rows else 0), examples
