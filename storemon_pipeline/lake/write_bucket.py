"""Writing what a bucket holds of its stores."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from storemon_pipeline.business_time.calendar import EVERY_STORE, Closures
from storemon_pipeline.business_time.special_hours import SpecialHours
from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.lake_files.data_files import write_file
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import DataFile, Kind
from storemon_pipeline.schedules.calendars import CalendarRows
from storemon_pipeline.stores.store_index import StoreIndex


@dataclass(frozen=True, slots=True)
class StoreRows:
    """Everything about the stores of a bucket but their polls.

    `storefront_ids` are the storefronts whose polls are in the bucket, `storefronts` those of its
    stores. `storefronts`, `events` and `corrections` have the columns of their kind, sorted by key
    or id; the latter two are also of these storefronts.
    """

    stores: StoreIndex
    storefront_ids: StoreIndex
    storefronts: pa.Table
    calendar: CalendarRows
    events: pa.Table
    corrections: pa.Table


def write_store_rows(lake: LakeFolder, rows: StoreRows) -> list[DataFile]:
    """Write the files that describe the stores; a kind without rows has no file."""
    return [
        write_file(lake, kind, table) for kind, table in store_tables(rows).items() if len(table)
    ]


def store_tables(rows: StoreRows) -> dict[Kind, pa.Table]:
    """What the files of the stores hold, by kind."""
    keys, calendar = rows.stores.store_keys, rows.calendar
    weeks, hours, zones = calendar.weeks, calendar.hours, calendar.zones
    names = pa.array(zones.names, pa.string())
    tables = {
        Kind.STORES: _ids(rows.stores),
        Kind.STOREFRONT_IDS: _ids(rows.storefront_ids),
        Kind.WEEK_PATTERNS: {
            "week": weeks.week,
            "start_us": weeks.start_us,
            "end_us": weeks.end_us,
        },
        Kind.WEEKS: {
            "store_key": keys[hours.store],
            "valid_from_us": hours.valid_from_us,
            "week": hours.week,
        },
        Kind.ZONES: {
            "store_key": keys[zones.store],
            "valid_from_us": zones.valid_from_us,
            "timezone": names.take(pa.array(zones.zone)),
        },
    }
    if calendar.closures is not None:
        tables[Kind.CLOSURES] = _of_closures(calendar.closures, keys)
    if calendar.special is not None:
        tables |= _of_special_hours(calendar.special, keys)
    return {kind: pa.table(columns) for kind, columns in tables.items()} | {
        Kind.STOREFRONTS: rows.storefronts,
        Kind.EVENTS: rows.events,
        Kind.CORRECTIONS: rows.corrections,
    }


def _ids(stores: StoreIndex) -> dict[str, IntArray | pa.Array]:
    return {"store_key": stores.store_keys, "store_id": stores.store_ids}


def _of_closures(closures: Closures, keys: IntArray) -> dict[str, IntArray | BoolArray]:
    is_for_all = closures.store == EVERY_STORE
    store_key = np.full(len(is_for_all), EVERY_STORE, np.int64)
    store_key[~is_for_all] = keys[closures.store[~is_for_all]]
    return {
        "store_key": store_key,
        "start_local_us": closures.start_local_us,
        "end_local_us": closures.end_local_us,
        "is_utc": closures.is_utc,
    }


def _of_special_hours(special: SpecialHours, keys: IntArray) -> dict[Kind, dict[str, IntArray]]:
    weekly = special.weekly
    return {
        Kind.SPECIAL_DAYS: {
            "store_key": keys[special.store],
            "day": special.day,
            "valid_from_us": special.valid_from_us,
            "intervals": special.intervals,
        },
        Kind.SPECIAL_INTERVALS: {"start_us": special.start_us, "end_us": special.end_us},
        Kind.SPECIAL_WEEKS: {
            "store_key": keys[weekly.store],
            "valid_from_us": weekly.valid_from_us,
            "day_of_week": weekly.day_of_week,
            "start_us": weekly.start_us,
            "end_us": weekly.end_us,
        },
    }
