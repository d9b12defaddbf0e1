"""Reading a bucket for the figures of an instant: stores, evidence and business time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.business_time.calendar import (
    EVERY_STORE,
    Calendar,
    Closures,
    HoursVersions,
    ZoneVersions,
)
from storemon_pipeline.business_time.special_hours import DailyRows, SpecialHours
from storemon_pipeline.business_time.weeks import WeekIntervals
from storemon_pipeline.channels.storefront_index import Storefronts, build_storefronts
from storemon_pipeline.corrections.correction_table import corrected_stretches
from storemon_pipeline.database.instants import INSTANT, microseconds
from storemon_pipeline.domain.windows import DAY_US, LOOKBACK_US, WEEK_US, IntArray, Policy
from storemon_pipeline.events.evidence_queries import (
    event_stretches,
    join_of_report,
    storefronts_of_report,
)
from storemon_pipeline.lake_files.data_files import (
    of_kind,
    of_stores,
    read_kind,
    read_status_runs,
)
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import (
    Bucket,
    DataFile,
    Kind,
    Manifest,
    read_contents,
)
from storemon_pipeline.lake_files.status_runs_of_stores import read_touching
from storemon_pipeline.schedules.calendars import CalendarRows
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.event_stretches import EventStretches, with_corrections
from storemon_pipeline.uptime.evidence import add_events_of_report
from storemon_pipeline.uptime.status_runs import StatusRuns, ascending

_NEAR_US: Final = 4 * DAY_US
"""As in `schedules.calendars`: hours of dates further from a calendar do not reach it."""


@dataclass(frozen=True, slots=True)
class OpenBucket:
    """A bucket of a version of the lake, and its stores in the report's order."""

    lake: LakeFolder
    manifest: Manifest
    files: list[DataFile]
    stores: StoreIndex

    @classmethod
    def of(cls, lake: LakeFolder, manifest: Manifest, files: list[DataFile]) -> Self:
        """Read the stores of the bucket with these files."""
        return cls(lake, manifest, files, read_stores(lake, files))

    def evidence(self, as_of: datetime, policy: Policy) -> "BucketEvidence":
        """The status runs that count for a report, with the events that do, by position."""
        as_of_us = microseconds(as_of)
        status_runs = self._status_runs(as_of_us)
        began = pa.scalar(as_of, INSTANT)
        events, corrections = (
            rows.filter(pc.less_equal(rows["from_at"], began))
            for rows in map(self._rows, (Kind.EVENTS, Kind.CORRECTIONS))
        )
        stretches = _stretches(events, corrections, self.stores)
        fronts = self._storefronts()
        if fronts is None:
            joined = add_events_of_report(status_runs, stretches, as_of_us=as_of_us, policy=policy)
            return BucketEvidence(joined, stretches, None, None)
        own = _stretches(events, corrections, fronts.index)
        of_fronts = storefronts_of_report(
            read_touching(
                self.lake,
                self.manifest,
                fronts.index,
                since_us=as_of_us - LOOKBACK_US,
                until_us=as_of_us,
            ),
            own.take(~fronts.is_own[own.store]),
            as_of_us=as_of_us,
            policy=policy,
        )
        joined = join_of_report(
            status_runs, of_fronts, fronts, stretches, as_of_us=as_of_us, policy=policy
        )
        return BucketEvidence(joined, stretches, fronts, of_fronts)

    def _status_runs(self, as_of_us: int) -> StatusRuns:
        """Those of the stores' own ids that count for a report."""
        since_us = as_of_us - LOOKBACK_US
        read = read_status_runs(self.lake, sorted(_counting(self.files, as_of_us), key=_age))
        counts = (read.first_poll_us <= as_of_us) & (read.last_poll_us > since_us)
        if of_kind(self.files, Kind.STOREFRONT_IDS):
            counts &= np.isin(read.store, self.stores.store_keys)
        counted = np.flatnonzero(counts)
        store = self.stores.positions(read.store[counted])
        # Older files come first, so this sorts them by store and time.
        order = ascending(store)
        counted = counted[order]
        return StatusRuns(
            store[order],
            read.first_poll_us[counted],
            read.last_poll_us[counted],
            read.is_active[counted],
            read.polls[counted],
        ).in_order()

    def _storefronts(self) -> Storefronts | None:
        """The storefronts of the stores, whose status runs may be in other buckets."""
        rows = self._rows(Kind.STOREFRONTS)
        if len(rows) == 0:
            return None
        # Every store with polls has a last status run.
        last = read_kind(self.lake, self.files, Kind.LAST_STATUS_RUNS)
        polled = np.intersect1d(last["store_key"].to_numpy(), self.stores.store_keys)
        return build_storefronts(self.stores, rows, polled, self.manifest.channel_rule)

    def calendar(self, as_of_us: int) -> Calendar:
        """The business time of the stores in a report's longest window."""
        start_us = as_of_us - WEEK_US
        rows = CalendarRows(
            self._patterns(),
            self._weeks(),
            self._zones(),
            self._special_hours(start_us - _NEAR_US, as_of_us + _NEAR_US),
            self._closures(),
        )
        return rows.build(len(self.stores), start_us=start_us, end_us=as_of_us)

    def _rows(self, kind: Kind) -> pa.Table:
        return read_kind(self.lake, self.files, kind)

    def _positions(self, rows: pa.Table) -> IntArray:
        return self.stores.positions(rows["store_key"].to_numpy())

    def _patterns(self) -> WeekIntervals:
        rows = self._rows(Kind.WEEK_PATTERNS)
        return WeekIntervals(*(rows[name].to_numpy() for name in ("week", "start_us", "end_us")))

    def _weeks(self) -> HoursVersions:
        rows = self._rows(Kind.WEEKS)
        return HoursVersions(
            self._positions(rows), rows["valid_from_us"].to_numpy(), rows["week"].to_numpy()
        )

    def _zones(self) -> ZoneVersions:
        rows = self._rows(Kind.ZONES)
        zones = rows["timezone"].combine_chunks().dictionary_encode()
        return ZoneVersions(
            self._positions(rows),
            rows["valid_from_us"].to_numpy(),
            zones.indices.to_numpy().astype(np.int64),
            tuple(zones.dictionary.to_pylist()),
        )

    def _special_hours(self, first_us: int, last_us: int) -> SpecialHours | None:
        """The special hours of dates between two instants; None without any."""
        rows, opened, weekly = map(
            self._rows, (Kind.SPECIAL_DAYS, Kind.SPECIAL_INTERVALS, Kind.SPECIAL_WEEKS)
        )
        day, intervals = rows["day"].to_numpy(), rows["intervals"].to_numpy()
        is_near = (day >= first_us // DAY_US) & (day <= last_us // DAY_US)
        if not is_near.any():
            return None
        is_open_near = np.repeat(is_near, np.maximum(intervals, 0))
        store = self._positions(rows)
        of_weekly = self._positions(weekly)
        is_wanted = np.isin(of_weekly, store[is_near])
        return SpecialHours(
            store=store[is_near],
            day=day[is_near],
            valid_from_us=rows["valid_from_us"].to_numpy()[is_near],
            intervals=intervals[is_near],
            start_us=opened["start_us"].to_numpy()[is_open_near],
            end_us=opened["end_us"].to_numpy()[is_open_near],
            weekly=DailyRows(
                of_weekly[is_wanted],
                *(
                    weekly[name].to_numpy()[is_wanted]
                    for name in ("valid_from_us", "day_of_week", "start_us", "end_us")
                ),
            ),
        )

    def _closures(self) -> Closures:
        rows = self._rows(Kind.CLOSURES)
        key = rows["store_key"].to_numpy()
        is_for_all = key == EVERY_STORE
        store = np.full(len(key), EVERY_STORE, np.int64)
        store[~is_for_all] = self.stores.positions(key[~is_for_all])
        return Closures(
            store,
            rows["start_local_us"].to_numpy(),
            rows["end_local_us"].to_numpy(),
            rows["is_utc"].to_numpy(),
        )


@dataclass(frozen=True, slots=True)
class BucketEvidence:
    """What polls and events say of the stores of a bucket, by position.

    `of_fronts` are the status runs of its storefronts, which `status_runs` are joined of; None
    without any. `stretches` are the stores' events.
    """

    status_runs: StatusRuns
    stretches: EventStretches
    fronts: Storefronts | None
    of_fronts: StatusRuns | None


def _stretches(events: pa.Table, corrections: pa.Table, stores: StoreIndex) -> EventStretches:
    """The events and corrections of these stores; there may be rows of others."""
    events, corrections = (
        rows.filter(pa.array(np.isin(rows["store_key"].to_numpy(), stores.store_keys)))
        for rows in (events, corrections)
    )
    return with_corrections(
        event_stretches(events, stores), corrected_stretches(corrections, stores)
    )


def begin_reading(lake: LakeFolder, bucket: Bucket, as_of: datetime) -> list[DataFile]:
    """The files of a bucket; those that figures of an instant need are read ahead."""
    files = read_contents(lake, bucket)
    needed = [*of_stores(files), *_counting(files, microseconds(as_of))]
    lake.begin_reading(file.name for file in needed)
    return files


def _counting(files: list[DataFile], as_of_us: int) -> list[DataFile]:
    """The files whose status runs may count for a report."""
    return [
        file
        for file in files
        if file.kind in (Kind.STATUS_RUNS, Kind.LAST_STATUS_RUNS)
        and file.last_us > as_of_us - LOOKBACK_US
        and file.first_us <= as_of_us
    ]


def _age(file: DataFile) -> tuple[bool, int]:
    """A sort key: what was merged more often is older, and last status runs are the newest."""
    return file.kind is Kind.LAST_STATUS_RUNS, -file.level


def read_stores(lake: LakeFolder, files: list[DataFile]) -> StoreIndex:
    """The stores of a bucket, in the report's order."""
    return index_of(read_kind(lake, files, Kind.STORES))


def index_of(rows: pa.Table) -> StoreIndex:
    """The stores of rows of ids."""
    return StoreIndex(
        rows["store_id"].combine_chunks(),
        rows["store_key"].to_numpy().astype(np.int64),
        is_range=True,
    )
