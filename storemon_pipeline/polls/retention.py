"""Retention of raw polls: until when they are dropped, and the lake that keeps them.

Status runs, versions and closures are never dropped, so any report can be computed again.
"""

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


def read_polls_kept_from(bulk: Bulk) -> datetime | None:
    """The instant before which polls are rejected; None if none were ever dropped."""
    rows = bulk.fetch("SELECT polls_kept_from FROM retention_state").to_pylist()
    return rows[0]["polls_kept_from"] if rows else None


def read_polls_kept_from_us(bulk: Bulk) -> int | None:
    """As `read_polls_kept_from`, in microseconds since 1970."""
    kept_from = read_polls_kept_from(bulk)
    return None if kept_from is None else microseconds(kept_from)


def move_start_of_retention(bulk: Bulk, *, newest: datetime, keep: timedelta) -> datetime:
    """Polls before the week of `newest - keep` are rejected from now on.

    Returns the instant before which polls can be dropped. It is a week earlier: updating the status
    runs around the oldest accepted poll needs the poll before it, which is less than a day away if
    both are in one status run. The start of retention never moves back. The transaction holds the
    lock of writers of polls.
    """
    wanted_us = microseconds(newest - keep)
    limit_us = wanted_us - (wanted_us - MONDAY_US) % PARTITION_US
    limit_us = max(limit_us, read_polls_kept_from_us(bulk) or limit_us)
    set_start_of_retention(bulk, instant(limit_us))
    return instant(limit_us - PARTITION_US)


def set_start_of_retention(bulk: Bulk, kept_from: datetime) -> None:
    """Polls before this instant are rejected from now on."""
    bulk.execute(
        """
        INSERT INTO retention_state (polls_kept_from) VALUES ($1)
        ON CONFLICT (is_only_row) DO UPDATE SET polls_kept_from = excluded.polls_kept_from
        """,
        (kept_from,),
    )


def read_lake_of_dropped_polls(bulk: Bulk) -> str | None:
    """The path or URL of the lake that has the dropped polls; None without one."""
    rows = bulk.fetch("SELECT lake FROM retention_state").to_pylist()
    return rows[0]["lake"] if rows else None


def set_lake_of_dropped_polls(bulk: Bulk, lake: str | None) -> None:
    """From now on the dropped polls are read from this lake. Retention has begun."""
    bulk.execute("UPDATE retention_state SET lake = $1", (lake,))


def read_drop_border(bulk: Bulk) -> datetime | None:
    """The instant before which polls can be dropped; None if none ever were."""
    kept_from = read_polls_kept_from(bulk)
    return None if kept_from is None else kept_from - timedelta(microseconds=PARTITION_US)
