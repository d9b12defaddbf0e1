"""Reading hours, zones and closures of stores into a business calendar."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.business_time.calendar import (
    EVERY_STORE,
    OPEN_END,
    Calendar,
    Closures,
    HoursVersions,
    ZoneVersions,
    build_calendar,
)
from storemon_pipeline.business_time.special_hours import DailyRows, SpecialHours
from storemon_pipeline.business_time.weeks import WeekIntervals, interval_length
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds_of
from storemon_pipeline.domain.windows import DAY_US, WEEK_US
from storemon_pipeline.stores.store_index import StoreIndex

_NEAR_US: Final = 4 * DAY_US
"""Hours of dates further from a calendar do not reach it: they end within three days."""

_NO_WEEK: Final = 0
"""Not a real week: ids begin at 1. The driver cannot infer a type for an empty list."""


def read_calendar(
    bulk: Bulk, stores: StoreIndex, *, start_us: int, end_us: int, has_closures: bool = True
) -> Calendar:
    """The business time of the stores in `[start_us, end_us]`.

    With `has_closures=False` closures are ignored.
    """
    rows = read_calendar_rows(bulk, stores, start_us=start_us, end_us=end_us)
    if not has_closures:
        rows = replace(rows, closures=None)
    return rows.build(len(stores), start_us=start_us, end_us=end_us)


@dataclass(frozen=True, slots=True)
class CalendarRows:
    """What a calendar is made of; `store` is the position of a store in its index."""

    weeks: WeekIntervals
    hours: HoursVersions
    zones: ZoneVersions
    special: SpecialHours | None
    closures: Closures | None

    def build(self, stores: int, *, start_us: int, end_us: int) -> Calendar:
        """The calendar; `[start_us, end_us]` lies in the period that was read."""
        return build_calendar(
            stores=stores,
            start_us=start_us,
            end_us=end_us,
            weeks=self.weeks,
            hours=self.hours,
            zones=self.zones,
            special=self.special,
            closures=self.closures,
        )


def read_calendar_rows(
    bulk: Bulk, stores: StoreIndex, *, start_us: int, end_us: int
) -> CalendarRows:
    """The hours, zones and closures of the stores that reach into `[start_us, end_us]`."""
    weeks, hours = _read_hours(bulk, stores)
    return CalendarRows(
        weeks,
        hours,
        _read_zones(bulk, stores),
        _read_special_hours(bulk, stores, start_us, end_us),
        _read_closures(bulk, stores),
    )


def read_report_calendar(bulk: Bulk, stores: StoreIndex, *, as_of_us: int) -> Calendar:
    """The calendar for a report's longest window."""
    return read_calendar(bulk, stores, start_us=as_of_us - WEEK_US, end_us=as_of_us)


def _read_hours(bulk: Bulk, stores: StoreIndex) -> tuple[WeekIntervals, HoursVersions]:
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        SELECT store_key, nullif(valid_from, '-infinity') AS valid_from, week_id
        FROM store_weeks WHERE {chosen.sql}
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    patterns = bulk.fetch(
        """
        SELECT week_id, start_us_of_week, end_us_of_week FROM week_patterns
        WHERE week_id = ANY ($1)
        """,
        ([_NO_WEEK, *np.unique(rows["week_id"].to_numpy()).tolist()],),
    ).combine_chunks()
    week_id = patterns["week_id"].to_numpy()
    number = np.zeros(int(week_id.max(initial=0)) + 1, np.int64)
    number[week_id] = np.arange(len(week_id))
    start, end = patterns["start_us_of_week"], patterns["end_us_of_week"]
    intervals = WeekIntervals(
        np.repeat(np.arange(len(week_id)), pc.list_value_length(start).to_numpy()),
        pc.list_flatten(start).to_numpy(),
        pc.list_flatten(end).to_numpy(),
    )
    versions = HoursVersions(
        stores.positions(rows["store_key"].to_numpy()),
        microseconds_of(rows["valid_from"]),
        number[rows["week_id"].to_numpy()],
    )
    return intervals, versions


def _read_zones(bulk: Bulk, stores: StoreIndex) -> ZoneVersions:
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        SELECT store_key, nullif(valid_from, '-infinity') AS valid_from, timezone,
               load_id, row_number
        FROM store_timezones WHERE {chosen.sql}
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    store = stores.positions(rows["store_key"].to_numpy())
    if np.bincount(store).max(initial=0) > 1:
        in_order_of_loading = np.lexsort(
            (rows["row_number"].to_numpy(), rows["load_id"].to_numpy())
        )
        rows, store = rows.take(pa.array(in_order_of_loading)), store[in_order_of_loading]
    zones = rows["timezone"].combine_chunks().dictionary_encode()
    return ZoneVersions(
        store,
        microseconds_of(rows["valid_from"]),
        zones.indices.to_numpy().astype(np.int64),
        tuple(zones.dictionary.to_pylist()),
    )


def _read_special_hours(
    bulk: Bulk, stores: StoreIndex, start_us: int, end_us: int
) -> SpecialHours | None:
    """The special hours that may reach into `[start_us, end_us]`; None if there are none."""
    chosen = stores.condition(parameter=3)
    rows = bulk.fetch(
        f"""
        SELECT DISTINCT ON (store_key, local_date, valid_from)
               store_key, local_date - date '1970-01-01' AS day,
               nullif(valid_from, '-infinity') AS valid_from, starts_us, ends_us,
               coalesce(cardinality(starts_us), -1) AS intervals
        FROM special_hours
        WHERE local_date >= date '1970-01-01' + $1::int
          AND local_date <= date '1970-01-01' + $2::int AND ({chosen.sql})
        ORDER BY store_key, local_date, valid_from, load_id DESC, is_dated DESC
        """,  # noqa: S608  (as above)
        ((start_us - _NEAR_US) // DAY_US, (end_us + _NEAR_US) // DAY_US, *chosen.parameters),
    )
    if rows.num_rows == 0:
        return None
    keys = np.unique(rows["store_key"].to_numpy())
    weekly = bulk.fetch(
        """
        SELECT store_key, nullif(b.valid_from, '-infinity') AS valid_from,
               b.day_of_week, b.start_us, b.end_us
        FROM business_hours b JOIN (
            SELECT DISTINCT store_key, valid_from, load_id FROM business_hour_intervals
            WHERE store_key = ANY ($1)
        ) i USING (store_key, valid_from, load_id)
        """,
        (keys.tolist(),),
    )
    day, start = (weekly[name].to_numpy().astype(np.int64) for name in ("day_of_week", "start_us"))
    length = interval_length(start, weekly["end_us"].to_numpy())
    return SpecialHours(
        store=stores.positions(rows["store_key"].to_numpy()),
        day=rows["day"].to_numpy().astype(np.int64),
        valid_from_us=microseconds_of(rows["valid_from"]),
        intervals=rows["intervals"].to_numpy().astype(np.int64),
        start_us=pc.list_flatten(rows["starts_us"]).to_numpy(),
        end_us=pc.list_flatten(rows["ends_us"]).to_numpy(),
        weekly=DailyRows(
            store=stores.positions(weekly["store_key"].to_numpy()),
            valid_from_us=microseconds_of(weekly["valid_from"]),
            day_of_week=(day + start // DAY_US) % 7,
            start_us=start % DAY_US,
            end_us=start % DAY_US + length,
        ),
    )


def _read_closures(bulk: Bulk, stores: StoreIndex) -> Closures:
    """The closures of the stores, and what corrections take out, in UTC like the session."""
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        SELECT store_key, start_local, end_local, false AS is_utc FROM closures
        WHERE cancelled_by_load_id IS NULL AND (store_key IS NULL OR ({chosen.sql}))
        UNION ALL
        SELECT store_key, from_at::timestamp, to_at::timestamp, true
        FROM corrections
        WHERE cancelled_by_load_id IS NULL AND kind = 'taken_out' AND {chosen.sql}
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    key = rows["store_key"]
    is_for_all = pc.is_null(key).to_numpy()
    store = np.full(len(key), EVERY_STORE)
    if len(stores):
        store = stores.positions(pc.fill_null(key, stores.store_keys[0]).to_numpy())
    return Closures(
        np.where(is_for_all, EVERY_STORE, store),
        rows["start_local"].cast(pa.int64()).to_numpy(),
        pc.fill_null(rows["end_local"].cast(pa.int64()), OPEN_END).to_numpy(),
        rows["is_utc"].to_numpy(),
    )
