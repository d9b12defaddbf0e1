"""Made-up stores of a large chain, written straight into a lake, without a database.

The stores are those of the sample data, many times over under other ids. Each copy's polls are up
to a minute later than the sample's, at random, so that no copy is compressed as a repetition.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from storemon_pipeline.business_time.calendar import ALWAYS, HoursVersions, ZoneVersions
from storemon_pipeline.business_time.special_hours import ranges
from storemon_pipeline.business_time.weeks import WeekIntervals, normalise_weeks
from storemon_pipeline.domain.windows import HOUR_US, MINUTE_US, BoolArray, IntArray
from storemon_pipeline.lake.write_bucket import (
    StoreRows,
    write_store_rows,
)
from storemon_pipeline.lake_files.append_polls import append_polls
from storemon_pipeline.lake_files.data_files import NO_POLLS, PollRows, make_bucket, write_polls
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Bucket, DataFile, Manifest, commit
from storemon_pipeline.lake_files.status_run_files import write_all_status_runs
from storemon_pipeline.sample_data import write_sample_data
from storemon_pipeline.schedules.calendars import CalendarRows
from storemon_pipeline.schedules.hours_file import read_hours_file
from storemon_pipeline.schedules.zones_file import read_zones_file
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.status_runs import compress

_SAMPLE_STORES: Final = 14_100
_SEED: Final = 1
_WEEK_OF_LOADS: Final = 170
_MAX_GAP_US: Final = 3 * HOUR_US
_NONE: Final = pa.table({})


@dataclass(frozen=True, slots=True)
class Sample:
    """The sample's stores by position in order of ids, and their polls by store and time."""

    store_ids: list[str]
    store: IntArray
    at_us: IntArray
    is_active: BoolArray
    hours: HoursVersions
    weeks: WeekIntervals
    zones: ZoneVersions

    @property
    def newest_us(self) -> int:
        """The newest poll of all copies."""
        return int(self.at_us.max()) + MINUTE_US


def read_sample(folder: Path, *, stores: int, days: float) -> Sample:
    """Make sample data in a folder, which is deleted afterwards, and read them."""
    write_sample_data(folder, stores=min(stores, _SAMPLE_STORES), days=days, seed=_SEED)
    text = pa.string()
    polls = pa_csv.read_csv(
        folder / "store_status.csv",
        convert_options=pa_csv.ConvertOptions(
            column_types={"store_id": text, "status": text, "timestamp_utc": text},
            strings_can_be_null=False,
        ),
    )
    seconds = pc.utf8_slice_codeunits(polls["timestamp_utc"], 0, 19)
    at = pc.strptime(seconds, "%Y-%m-%d %H:%M:%S", "us", error_is_null=True)
    is_good = pc.and_(pc.is_valid(at), pc.not_equal(polls["store_id"], ""))
    polls, at = polls.filter(is_good), at.filter(is_good)
    ids = pc.unique(polls["store_id"])
    ids = ids.take(pc.sort_indices(ids))
    store = pc.index_in(polls["store_id"], ids).to_numpy().astype(np.int64)
    at_us = at.cast(pa.int64()).to_numpy()
    is_active = pc.equal(pc.utf8_lower(polls["status"]), "active").to_numpy()
    order = np.lexsort((at_us, store))
    is_new = np.append(True, (np.diff(store[order]) > 0) | (np.diff(at_us[order]) > 2 * MINUTE_US))
    order = order[is_new]
    position = {store_id: number for number, store_id in enumerate(ids.to_pylist())}
    hours, weeks = _hours(folder, position)
    zones = _zones(folder, position)
    shutil.rmtree(folder)
    return Sample(
        ids.to_pylist(), store[order], at_us[order], is_active[order], hours, weeks, zones
    )


def _hours(folder: Path, position: dict[str, int]) -> tuple[HoursVersions, WeekIntervals]:
    frame = read_hours_file(folder / "business_hours.csv").frame
    frame = frame[frame["store_id"].isin(list(position))]
    store = np.array([position[one] for one in frame["store_id"]])
    own, week = np.unique(store, return_inverse=True)
    weeks = normalise_weeks(
        week,
        frame["day_of_week"].to_numpy(np.int64),
        frame["start_us"].to_numpy(np.int64),
        frame["end_us"].to_numpy(np.int64),
    )
    return HoursVersions(own, np.full(len(own), ALWAYS), np.arange(len(own))), weeks


def _zones(folder: Path, position: dict[str, int]) -> ZoneVersions:
    frame = read_zones_file(folder / "timezones.csv").frame
    frame = frame[frame["store_id"].isin(list(position))].drop_duplicates("store_id")
    names, zone = np.unique(frame["timezone"].to_numpy(str), return_inverse=True)
    store = np.array([position[one] for one in frame["store_id"]])
    order = np.argsort(store)
    always = np.full(len(store), ALWAYS)
    return ZoneVersions(store[order], always, zone[order], tuple(names.tolist()))


@dataclass(frozen=True, slots=True)
class Copies:
    """The stores of a lake: this number of copies of each of the sample's, side by side."""

    sample: Sample
    copies: int
    sample_stores_per_bucket: int

    def buckets(self) -> list[range]:
        """The sample's stores of each bucket."""
        stores, each = len(self.sample.store_ids), self.sample_stores_per_bucket
        return [range(first, min(first + each, stores)) for first in range(0, stores, each)]

    def index(self, of: range) -> StoreIndex:
        """All copies of some of the sample's stores."""
        ids = [
            f"{self.sample.store_ids[store]}{copy:04}"
            for store in of
            for copy in range(self.copies)
        ]
        first = of.start * self.copies + 1
        return StoreIndex(pa.array(ids), np.arange(first, first + len(ids)), is_range=True)

    def polls(self, of: range) -> PollRows:
        """Their polls."""
        edges = np.searchsorted(self.sample.store, np.arange(of.start, of.stop + 1))
        first = np.repeat(edges[:-1], self.copies)
        count = np.repeat(np.diff(edges), self.copies)
        row = ranges(first, count)
        random = np.random.default_rng(of.start)
        return PollRows(
            np.repeat(self.index(of).store_keys, count),
            self.sample.at_us[row] + random.integers(0, MINUTE_US, len(row)),
            self.sample.is_active[row],
            1 + (self.sample.at_us[row] - self.sample.at_us.min()) // HOUR_US,
        )

    def next_polls(self, of: range, hours: int) -> PollRows:
        """One more poll of each, this number of hours after the newest."""
        last = np.searchsorted(self.sample.store, np.arange(of.start, of.stop), side="right") - 1
        keys = self.index(of).store_keys
        random = np.random.default_rng([of.start, hours])
        at_us = self.sample.newest_us + hours * HOUR_US + random.integers(1, HOUR_US, len(keys))
        is_other = random.integers(0, 20, len(keys)) == 0
        is_active = np.repeat(self.sample.is_active[last], self.copies) ^ is_other
        return PollRows(keys, at_us, is_active, np.full(len(keys), _WEEK_OF_LOADS + hours))

    def rows(self, of: range) -> StoreRows:
        """Everything about them but their polls."""
        hours, zones = self.sample.hours, self.sample.zones
        own_hours = (hours.store >= of.start) & (hours.store < of.stop)
        own_zones = (zones.store >= of.start) & (zones.store < of.stop)
        own_weeks = np.isin(self.sample.weeks.week, hours.week[own_hours])
        weeks = self.sample.weeks
        calendar = CalendarRows(
            WeekIntervals(
                weeks.week[own_weeks], weeks.start_us[own_weeks], weeks.end_us[own_weeks]
            ),
            HoursVersions(
                self._spread(hours.store[own_hours] - of.start),
                np.full(int(own_hours.sum()) * self.copies, ALWAYS),
                np.repeat(hours.week[own_hours], self.copies),
            ),
            ZoneVersions(
                self._spread(zones.store[own_zones] - of.start),
                np.full(int(own_zones.sum()) * self.copies, ALWAYS),
                np.repeat(zones.zone[own_zones], self.copies),
                zones.names,
            ),
            None,
            None,
        )
        stores = self.index(of)
        return StoreRows(stores, stores.take(NO_POLLS.store_key), _NONE, calendar, _NONE, _NONE)

    def _spread(self, store: IntArray) -> IntArray:
        """The positions of all copies of these stores."""
        spread: IntArray = (store[:, np.newaxis] * self.copies + np.arange(self.copies)).ravel()
        return spread


def write_bucket(lake: LakeFolder, copies: Copies, of: range) -> Bucket:
    """Write a bucket with all copies of some of the sample's stores."""
    polls = copies.polls(of)
    status_runs = compress(polls.store_key, polls.at_us, polls.is_active, max_gap_us=_MAX_GAP_US)
    files = [
        *write_store_rows(lake, copies.rows(of)),
        *write_all_status_runs(lake, status_runs),
        write_polls(lake, polls, level=2),
    ]
    first_id = "" if of.start == 0 else copies.sample.store_ids[of.start]
    return make_bucket(lake, first_id, files, newest_poll_us=int(polls.at_us.max()))


def append_hour(lake: LakeFolder, bucket: Bucket, files: list[DataFile], polls: PollRows) -> Bucket:
    """The bucket, which has these files, with these later polls."""
    files = append_polls(lake, files, polls, max_gap_us=_MAX_GAP_US)
    return make_bucket(
        lake, bucket.first_store_id, files, newest_poll_us=int(polls.at_us.max(initial=0))
    )


def write_lake(lake: LakeFolder, copies: Copies, told: Callable[[int], None]) -> Manifest:
    """Write all buckets, and the first version of the lake."""
    buckets = []
    for number, of in enumerate(copies.buckets()):
        buckets.append(write_bucket(lake, copies, of))
        told(number)
    return commit(lake, Manifest(0, _MAX_GAP_US, 0, "made up", tuple(buckets)))
