"""Retention of raw polls.

Status runs, versions and closures are never dropped, so any report can be computed again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import DAY_US, WEEK_US

PARTITION_US: Final = WEEK_US
"""Raw polls are kept in partitions of a week, Monday to Monday UTC."""

MONDAY_US: Final = 4 * DAY_US
"""1970-01-05 was a Monday."""


class PollsNotKeptError(Exception):
    """Polls became older than the retention period since they were parsed; parse them again."""


@dataclass(frozen=True, slots=True)
class DroppedPolls:
    """The numbers of dropped partitions and superseded polls."""

    partitions: int
    superseded_polls: int


def read_polls_kept_from(bulk: Bulk) -> datetime | None:
    """The instant before which polls are rejected; None if none were ever dropped."""
    rows = bulk.fetch("SELECT polls_kept_from FROM retention_state").to_pylist()
    return rows[0]["polls_kept_from"] if rows else None


def read_polls_kept_from_us(bulk: Bulk) -> int | None:
    """As `read_polls_kept_from`, in microseconds since 1970."""
    kept_from = read_polls_kept_from(bulk)
    return None if kept_from is None else microseconds(kept_from)


def drop_old_polls(bulk: Bulk, *, newest: datetime, keep: timedelta) -> DroppedPolls:
    """Drop the weeks of raw polls that are older than `keep` before the newest poll.

    Polls before the week of `newest - keep` are rejected from now on. The week before that limit is
    kept as well: updating the status runs around the oldest accepted poll needs the poll before it,
    which is less than a day away if both are in one status run. The limit never moves back. The
    transaction holds the lock of writers of polls.
    """
    wanted_us = microseconds(newest - keep)
    limit_us = wanted_us - (wanted_us - MONDAY_US) % PARTITION_US
    limit_us = max(limit_us, read_polls_kept_from_us(bulk) or limit_us)
    drop_before = instant(limit_us - PARTITION_US)
    partitions = bulk.fetch(
        """
        SELECT c.oid::regclass::text AS name FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'store_status'::regclass
          AND (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([^'']+)'''))[1]
              ::timestamptz <= $1
        ORDER BY 1
        """,
        (drop_before,),
    )["name"].to_pylist()
    for name in partitions:
        bulk.execute(f"DROP TABLE {name}")
    superseded = bulk.scalar(
        """
        WITH gone AS (DELETE FROM superseded_polls WHERE polled_at < $1 RETURNING 1)
        SELECT count(*) FROM gone
        """,
        (drop_before,),
    )
    bulk.execute(
        """
        INSERT INTO retention_state (polls_kept_from) VALUES ($1)
        ON CONFLICT (is_only_row) DO UPDATE SET polls_kept_from = excluded.polls_kept_from
        """,
        (instant(limit_us),),
    )
    return DroppedPolls(len(partitions), int(superseded))
