"""Weeks of raw polls: the partitions of `store_status`.

Which polls are stored, and their status runs, belong to `poll_table`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds_of
from storemon_pipeline.stores.store_keys import POLLED_STORES_SQL

BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Before all polls."""

_EVER: Final = datetime.max.replace(tzinfo=UTC)

_PREFIX: Final = "store_status_"
_STORES_PER_PART: Final = 20_000
"""With hourly polls a part has 3 million rows."""


@dataclass(frozen=True, slots=True, order=True)
class PollWeek:
    """A week from Monday to Monday, UTC, by its first day."""

    monday: date

    @property
    def start(self) -> datetime:
        """Its first instant."""
        return datetime.combine(self.monday, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first instant after it."""
        return self.start + timedelta(weeks=1)

    @property
    def partition(self) -> str:
        """The name of its partition."""
        return f"{_PREFIX}{self.monday.isoformat().replace('-', '_')}"


def list_weeks(bulk: Bulk, *, until: datetime) -> list[PollWeek]:
    """The weeks with a partition that end by this instant, oldest first."""
    names = bulk.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent = 'store_status'::regclass"
    )["name"].to_pylist()
    weeks = [
        PollWeek(date.fromisoformat(name.removeprefix(_PREFIX).replace("_", "-"))) for name in names
    ]
    return sorted(week for week in weeks if week.end <= until)


def read_first_kept_week(bulk: Bulk) -> datetime | None:
    """The beginning of the first week whose polls the database still has; None without any."""
    weeks = list_weeks(bulk, until=_EVER - timedelta(days=1))
    return weeks[0].start if weeks else None


def drop_weeks(bulk: Bulk, weeks: Sequence[PollWeek]) -> int:
    """Drop the polls of these weeks; return how many superseded polls were among them."""
    superseded = 0
    for week in weeks:
        bulk.execute(f"DROP TABLE {week.partition}")
        superseded += bulk.scalar(
            """
            WITH gone AS (
                DELETE FROM superseded_polls WHERE polled_at >= $1 AND polled_at < $2 RETURNING 1
            )
            SELECT count(*) FROM gone
            """,
            (week.start, week.end),
        )
    return superseded


def clear_polls(bulk: Bulk) -> None:
    """The database has no polls, status runs and days any more; superseded polls stay.

    The newest poll stays known, and up to which poll days reach: they are computed from now on.
    """
    for week in list_weeks(bulk, until=_EVER - timedelta(days=1)):
        bulk.execute(f"DROP TABLE {week.partition}")
    bulk.execute("TRUNCATE status_runs, store_uptime_daily, store_uptime_daily_stale")


def read_week(bulk: Bulk, week: PollWeek) -> Iterator[pa.Table]:
    """All rows of a week, also superseded ones, in parts of some stores.

    The columns are those of a file of polls, and the load. Rows are sorted by store, instant and
    load. So of several rows for one instant the last one counts, as in a file.
    """
    last = bulk.scalar(f"SELECT coalesce(max(store_key), 0) AS last FROM {week.partition}")  # noqa: S608  (a date)
    for first in range(0, last + 1, _STORES_PER_PART):
        rows = bulk.fetch(
            f"""
            SELECT store_key, polled_at, is_active, load_id FROM {week.partition}
            WHERE store_key >= $1 AND store_key < $2
            UNION ALL
            SELECT store_key, polled_at, is_active, load_id FROM superseded_polls
            WHERE store_key >= $1 AND store_key < $2 AND polled_at >= $3 AND polled_at < $4
            """,  # noqa: S608  (a date)
            (first, first + _STORES_PER_PART, week.start, week.end),
        )
        if rows.num_rows:
            yield _with_store_ids(bulk, rows)


def _with_store_ids(bulk: Bulk, rows: pa.Table) -> pa.Table:
    """Rows of `store_status` as those of a file, sorted."""
    store, load_id = rows["store_key"].to_numpy(), rows["load_id"].to_numpy()
    rows = rows.take(np.lexsort((load_id, microseconds_of(rows["polled_at"]), store)))
    keys, position = np.unique(rows["store_key"].to_numpy(), return_inverse=True)
    bulk.stage("archived_stores", pa.table({"store_key": keys}))
    ids = bulk.fetch(
        f"SELECT store_id FROM ({POLLED_STORES_SQL}) s"  # noqa: S608  (a constant)
        " JOIN pg_temp.archived_stores USING (store_key) ORDER BY store_key"
    )["store_id"].combine_chunks()
    is_active = rows["is_active"].combine_chunks().cast(pa.int8())
    return pa.table(
        {
            "store_id": pa.DictionaryArray.from_arrays(position.astype(np.int32), ids),
            "timestamp_utc": rows["polled_at"],
            "status": pa.DictionaryArray.from_arrays(is_active, ["inactive", "active"]),
            "load_id": rows["load_id"],
        }
    )


def read_times_of_loads(bulk: Bulk, load_ids: Iterable[int]) -> dict[int, datetime]:
    """When each of these loads was loaded; unknown loads are left out."""
    bulk.stage("some_loads", pa.table({"load_id": pa.array(sorted(load_ids), pa.int32())}))
    rows = bulk.fetch(
        "SELECT load_id, loaded_at FROM loads JOIN pg_temp.some_loads USING (load_id)"
    )
    return dict(zip(rows["load_id"].to_pylist(), rows["loaded_at"].to_pylist(), strict=True))


def create_week(bulk: Bulk, week: PollWeek) -> None:
    """A table for the polls of the week, which is a partition once `attach_week` was called.

    Until then it has no primary key, which halves the time to copy rows into it.
    """
    bulk.execute(f"CREATE TABLE {week.partition} (LIKE store_status)")


def attach_week(bulk: Bulk, week: PollWeek) -> None:
    """The week is a partition."""
    bulk.execute(f"ALTER TABLE {week.partition} ADD PRIMARY KEY (store_key, polled_at)")
    # Dates are written as ISO 8601: `strftime` would write the year 7 as "7", which is 2007.
    bulk.execute(
        f"ALTER TABLE store_status ATTACH PARTITION {week.partition}"
        f" FOR VALUES FROM ('{week.monday}') TO ('{week.end.date()}')"
    )


def has_week(bulk: Bulk, week: PollWeek) -> bool:
    """Whether the week has a partition."""
    return bool(bulk.scalar("SELECT to_regclass($1) IS NOT NULL AS has_week", (week.partition,)))


def count_week(bulk: Bulk, week: PollWeek) -> int:
    """How many polls the database has of a week with a partition."""
    return int(bulk.scalar(f"SELECT count(*) AS polls FROM {week.partition}"))  # noqa: S608  (a date)


def restore_week(bulk: Bulk, week: PollWeek, parts: Iterable[pa.Table]) -> int:
    """The week has its partition again, with rows as `read_week` gave them; return how many.

    Status runs have never been dropped, and stay as they are.
    """
    create_week(bulk, week)
    rows = 0
    for part in parts:
        bulk.stage("archived_polls", part)
        # The last row of each instant is the current one.
        for table, comparison in ((week.partition, "="), ("superseded_polls", "<")):
            bulk.execute(
                f"""
                INSERT INTO {table} (store_key, polled_at, is_active, load_id)
                SELECT store_key, timestamp_utc, status = 'active', load_id
                FROM (
                    SELECT *, max(load_id) OVER (PARTITION BY store_id, timestamp_utc) AS last_load
                    FROM pg_temp.archived_polls
                ) a JOIN ({POLLED_STORES_SQL}) s USING (store_id)
                WHERE load_id {comparison} last_load
                """  # noqa: S608  (constants and a date)
            )
        rows += part.num_rows
    attach_week(bulk, week)
    bulk.execute(f"ANALYZE {week.partition}")
    return rows


def has_status_run(bulk: Bulk, *, start: datetime, end: datetime) -> bool:
    """Whether a status run overlaps `[start, end)`."""
    return bool(
        bulk.scalar(
            """
            SELECT EXISTS (
                SELECT FROM status_runs WHERE last_poll_at >= $1 AND first_poll_at < $2
            ) AS has_status_run
            """,
            (start, end),
        )
    )
