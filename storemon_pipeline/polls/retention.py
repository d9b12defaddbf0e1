"""What is kept of raw polls and of reports, and what is dropped when its time is over.

Status runs, versions and closures are never dropped: every report can be made from them.
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
    """Polls that were good when they were read and have become too old since; read them again."""


@dataclass(frozen=True, slots=True)
class DroppedPolls:
    """What a retention run dropped."""

    partitions: int
    superseded_polls: int


def read_polls_kept_from(bulk: Bulk) -> datetime | None:
    """The instant before which polls are refused; None while none was ever dropped."""
    rows = bulk.fetch("SELECT polls_kept_from FROM retention_state").to_pylist()
    return rows[0]["polls_kept_from"] if rows else None


def read_polls_kept_from_us(bulk: Bulk) -> int | None:
    """As `read_polls_kept_from`, in microseconds since 1970."""
    kept_from = read_polls_kept_from(bulk)
    return None if kept_from is None else microseconds(kept_from)


def drop_old_polls(bulk: Bulk, *, newest: datetime, keep: timedelta) -> DroppedPolls:
    """Raw polls are gone by the week once they are older than `keep`, counted from the newest.

    From now on polls of weeks that began before `newest - keep` are refused. The week before that
    border stays as well: mending the runs around the oldest poll that is taken needs the poll
    before it, which is less than a day away wherever a run contains both. The border never moves
    back. The transaction holds the lock of those who write polls.
    """
    wanted_us = microseconds(newest - keep)
    border_us = wanted_us - (wanted_us - MONDAY_US) % PARTITION_US
    border_us = max(border_us, read_polls_kept_from_us(bulk) or border_us)
    drop_before = instant(border_us - PARTITION_US)
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
        (instant(border_us),),
    )
    return DroppedPolls(len(partitions), int(superseded))
