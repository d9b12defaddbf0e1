"""The table `store_uptime_daily`: its stale days, and writing days."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds_of
from storemon_pipeline.domain.windows import DAY_US, BoolArray, IntArray
from storemon_pipeline.likelihood.spreads import Spreads
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.daily import NEVER, Days
from storemon_pipeline.uptime.history import Amounts


@dataclass(frozen=True, slots=True)
class StaleStores:
    """Stores whose days must be recomputed, by key, and from when on (`ALWAYS`: all their days)."""

    store_keys: IntArray
    since_us: IntArray


@dataclass(frozen=True, slots=True)
class DailyState:
    """What the stored days include: polls up to `as_of`, and loads up to `last_load_id`.

    `zone_rules` is the release of the zones' rules that made them. Days of older versions have
    none, and their loads are unknown until the first refresh. `likely_recipe` is the recipe of the
    status models that their spreads come from, None if days have no spread.
    """

    as_of: datetime
    last_load_id: int | None
    zone_rules: str | None
    likely_recipe: int | None


@dataclass(frozen=True, slots=True)
class DayRows:
    """Days with their spreads, by a version of the status model; both None without one."""

    days: Days
    spreads: Spreads | None
    status_model_id: int | None

    def take(self, which: BoolArray) -> "DayRows":
        """The days for which this mask is true."""
        spreads = None if self.spreads is None else self.spreads.take(which)
        return DayRows(self.days.take(which), spreads, self.status_model_id)


def read_daily_state(bulk: Bulk) -> DailyState | None:
    """The state of the stored days; None before they were first computed."""
    rows = bulk.fetch(
        "SELECT as_of, last_load_id, zone_rules, likely_recipe FROM store_uptime_daily_state"
    ).to_pylist()
    return DailyState(**rows[0]) if rows else None


def read_last_load_id(bulk: Bulk) -> int:
    """The newest load; 0 without any."""
    return int(bulk.scalar("SELECT coalesce(max(load_id), 0) AS load_id FROM loads"))


def read_stale_stores(bulk: Bulk) -> StaleStores:
    """The stores whose older data has changed since the last refresh, or their storefronts'."""
    rows = bulk.fetch(
        """
        SELECT store_key, nullif(min(since), '-infinity') AS since
        FROM (
            SELECT coalesce(f.store_key, s.store_key) AS store_key, s.since
            FROM store_uptime_daily_stale s
            LEFT JOIN storefronts f ON f.storefront_key = s.store_key
        ) AS own
        GROUP BY store_key ORDER BY store_key
        """
    )
    return StaleStores(
        rows["store_key"].to_numpy().astype(np.int64), microseconds_of(rows["since"])
    )


def read_kept_from(bulk: Bulk) -> datetime | None:
    """The start of poll retention. None: all polls are kept."""
    rows = bulk.fetch("SELECT polls_kept_from FROM retention_state").to_pylist()
    return rows[0]["polls_kept_from"] if rows else None


def write_days(
    bulk: Bulk,
    stores: StoreIndex,
    made: Sequence[tuple[StoreIndex, DayRows]],
    *,
    from_day: IntArray,
) -> None:
    """Replace the days from `from_day` on, in local days since 1970, shape `(stores,)`.

    `made` are the new ones, in chunks of the stores. Days of other stores are left as they are.
    """
    bulk.stage(
        "daily_borders",
        pa.table(
            {
                "store_key": stores.store_keys.astype(np.int32),
                "from_date": _dates(from_day),
            }
        ),
    )
    bulk.execute(
        """
        DELETE FROM store_uptime_daily d USING pg_temp.daily_borders b
        WHERE d.store_key = b.store_key AND d.local_date >= b.from_date AND d.local_date >= $1
        """,
        # Implied, but with it pages of older days need not be read.
        (_dates(from_day.min(keepdims=True, initial=NEVER)).to_pylist()[0],),
    )
    for chunk, rows in made:
        append_days(bulk, chunk, rows)


def append_days(bulk: Bulk, stores: StoreIndex, rows: DayRows) -> None:
    """These days, which have no rows yet, are in the table."""
    table = _rows(stores.store_keys, rows.days)
    if rows.spreads is not None:
        for field in fields(Spreads):
            table = table.append_column(
                f"likely_{field.name}", pa.array(getattr(rows.spreads, field.name))
            )
        version = pa.repeat(pa.scalar(rows.status_model_id, pa.int32()), table.num_rows)
        table = table.append_column("status_model_id", version)
    bulk.append("store_uptime_daily", table)


def delete_day(bulk: Bulk, day: date) -> None:
    """No store has a row for this local date."""
    bulk.execute("DELETE FROM store_uptime_daily WHERE local_date = $1", (day,))


def mark_days_changed(bulk: Bulk) -> None:
    """What was read of the days before is no longer so."""
    now = datetime.now(UTC)
    bulk.execute("UPDATE store_uptime_daily_state SET refreshed_at = $1", (now,))


def write_daily_state(bulk: Bulk, state: DailyState) -> None:
    """The days of all stores are in this state, and no store is stale."""
    bulk.execute("DELETE FROM store_uptime_daily_stale")
    bulk.execute(
        """
        INSERT INTO store_uptime_daily_state
               (as_of, last_load_id, zone_rules, likely_recipe, refreshed_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (is_only_row) DO UPDATE
        SET as_of = excluded.as_of, last_load_id = excluded.last_load_id,
            zone_rules = excluded.zone_rules, likely_recipe = excluded.likely_recipe,
            refreshed_at = excluded.refreshed_at
        """,
        (
            state.as_of,
            state.last_load_id,
            state.zone_rules,
            state.likely_recipe,
            datetime.now(UTC),
        ),
    )


def forget_days(bulk: Bulk) -> None:
    """The next refresh computes all days: none is stored."""
    bulk.execute("DELETE FROM store_uptime_daily_state")


def count_different_days(
    bulk: Bulk, stores: StoreIndex, days: Days, *, from_day: IntArray, before_day: IntArray
) -> int:
    """Days in `[from_day, before_day)` (as for `write_days`) that are stored with other amounts.

    Stored days that are not in `days` count as well. Spreads are not compared: they may come from
    an older version of the status model. Stores whose `from_day` is NEVER are skipped.
    """
    asked = from_day < NEVER
    bulk.stage(
        "asked_days",
        pa.table(
            {
                "store_key": stores.store_keys[asked].astype(np.int32),
                "from_date": _dates(from_day[asked]),
                "before_date": _dates(before_day[asked]),
            }
        ),
    )
    made = _rows(stores.store_keys, days)
    columns = ", ".join(made.column_names)
    stored = bulk.fetch(
        f"""
        SELECT {columns} FROM store_uptime_daily JOIN pg_temp.asked_days USING (store_key)
        WHERE local_date >= from_date AND local_date < before_date
        """  # noqa: S608  (names of columns are constants of this module)
    )
    return len(_identities(made) ^ _identities(stored))


def _identities(rows: pa.Table) -> set[tuple[object, ...]]:
    return set(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def _rows(store_keys: IntArray, days: Days) -> pa.Table:
    return pa.table(
        {
            "store_key": store_keys[days.store].astype(np.int32),
            "local_date": _dates(days.begin_local_us // DAY_US),
        }
        | {field.name: getattr(days.amounts, field.name) for field in fields(Amounts)}
        | {"incidents": days.incidents.astype(np.int32)}
    )


def _dates(days: IntArray) -> pa.Array:
    # The range of dates in both Arrow and PostgreSQL.
    named = np.clip(days, -700_000, 2_000_000).astype(np.int32)
    return pa.array(named, pa.int32()).cast(pa.date32())
