"""The registry of sources: the files, parsing, writing, undoing and asset of each, in one place.

A new snapshot is a member of `Source`, its table, its parser and writer, and an entry here. Polls
are read and written differently (ingest_files.py): the registry has only the names of their files.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pandas as pd

from storemon_pipeline.channels import channels_file
from storemon_pipeline.channels.channel_table import undo_channels, write_channels
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.demand import demand_file, orders_file
from storemon_pipeline.demand.demand_table import DEMAND
from storemon_pipeline.demand.hourly_orders import undo_orders, write_orders
from storemon_pipeline.domain.rejections import Reason
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.events import events_file
from storemon_pipeline.events.event_table import undo_events, write_events
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import ParseRows, SnapshotRead
from storemon_pipeline.loads.load_log import Load, RowCounts
from storemon_pipeline.loads.snapshot_rows import undo_cancellable_rows
from storemon_pipeline.objectives import objectives_file
from storemon_pipeline.objectives.objective_table import write_objectives
from storemon_pipeline.polls import poll_rows
from storemon_pipeline.schedules import (
    closures_file,
    hours_file,
    special_hours_file,
    zones_file,
)
from storemon_pipeline.schedules.closures import write_closures
from storemon_pipeline.schedules.special_hours import undo_special_hours, write_special_hours
from storemon_pipeline.schedules.versions import (
    BUSINESS_HOURS,
    STORE_TIMEZONES,
    undo_versions,
    write_versions,
)
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.schedules.write_hours import write_hours
from storemon_pipeline.stores import details_file
from storemon_pipeline.stores.store_details import write_store_details

POLL_FILES: Final = ("store_status",)


@dataclass(frozen=True, slots=True)
class AssetCheckText:
    """The asset check that warns of rejected rows; with a `reason` only of those."""

    name: str
    description: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A source whose files are one snapshot: the union of their rows is what it says now.

    `file_names` are tried in this order; each stands for a folder, and for files with one of the
    known endings. Files with other names are recognised by `columns`. An optional source may have
    no file at all. `read` reads a file, `parse` the
    text columns of pushed rows. `write` writes the frames of several loads as one snapshot, and
    counts the rows of each load. `undo` takes out what one load wrote, and returns the keys of its
    stores; None: a load cannot be undone. `after_change` brings derived tables up to date where no
    refresh follows, which is after a push and an undo. The asset has the source's name.
    """

    file_names: tuple[str, ...]
    columns: tuple[Column, ...]
    read: Callable[[OpenFile], SnapshotRead]
    parse: ParseRows
    write: Callable[[Bulk, Sequence[Load], Sequence[pd.DataFrame]], list[RowCounts]]
    undo: Callable[[Bulk, int], IntArray] | None
    description: str
    check: AssetCheckText
    is_optional: bool = False
    after_change: Callable[[Bulk], object] | None = None


SNAPSHOTS: Final[dict[Source, Snapshot]] = {
    Source.BUSINESS_HOURS: Snapshot(
        file_names=("business_hours", "menu_hours"),
        columns=hours_file.COLUMNS,
        read=hours_file.read_hours_file,
        parse=hours_file.parse_hours,
        write=write_hours,
        undo=partial(undo_versions, table=BUSINESS_HOURS),
        after_change=refresh_intervals,
        description="Weekly opening hours, with all earlier versions.",
        check=AssetCheckText(
            "hours_readable",
            "No row of the hours' file was rejected: each would change a store's week.",
        ),
    ),
    Source.STORE_TIMEZONES: Snapshot(
        file_names=("timezones", "store_timezones"),
        columns=zones_file.COLUMNS,
        read=zones_file.read_zones_file,
        parse=zones_file.parse_zones,
        write=partial(write_versions, table=STORE_TIMEZONES),
        undo=partial(undo_versions, table=STORE_TIMEZONES),
        description="The stores' IANA time zones, with all earlier versions.",
        check=AssetCheckText(
            "zones_known",
            "Every time zone is in the IANA data; lists those that are not.",
            Reason.UNKNOWN_ZONE,
        ),
    ),
    Source.CLOSURES: Snapshot(
        file_names=("closures",),
        columns=closures_file.COLUMNS,
        read=closures_file.read_closures_file,
        parse=closures_file.parse_closures,
        write=write_closures,
        undo=partial(undo_cancellable_rows, source=Source.CLOSURES),
        is_optional=True,
        description="Planned closures from files and pushes. The file is optional.",
        check=AssetCheckText("closures_readable", "No row of the closures' file was rejected."),
    ),
    Source.STORE_DETAILS: Snapshot(
        file_names=("stores",),
        columns=details_file.COLUMNS,
        read=details_file.read_store_details_file,
        parse=details_file.parse_store_details,
        write=write_store_details,
        undo=None,
        is_optional=True,
        description="Names, groups and regions of stores. The file is optional.",
        check=AssetCheckText("details_readable", "No row of the stores' file was rejected."),
    ),
    Source.OBJECTIVES: Snapshot(
        file_names=("objectives",),
        columns=objectives_file.COLUMNS,
        read=objectives_file.read_objectives_file,
        parse=objectives_file.parse_objectives,
        write=write_objectives,
        undo=partial(undo_cancellable_rows, source=Source.OBJECTIVES),
        is_optional=True,
        description="Objectives for uptime, with all earlier versions. The file is optional.",
        check=AssetCheckText("objectives_readable", "No row of the objectives' file was rejected."),
    ),
    Source.SPECIAL_HOURS: Snapshot(
        file_names=("special_hours",),
        columns=special_hours_file.COLUMNS,
        read=special_hours_file.read_special_hours_file,
        parse=special_hours_file.parse_special_hours,
        write=write_special_hours,
        undo=undo_special_hours,
        is_optional=True,
        description="Hours of single dates, with all earlier versions. The file is optional.",
        check=AssetCheckText(
            "special_hours_readable",
            "No row of the special hours' file was rejected: the weekly hours hold on such a date.",
        ),
    ),
    Source.DEMAND: Snapshot(
        file_names=("demand",),
        columns=demand_file.COLUMNS,
        read=demand_file.read_demand_file,
        parse=demand_file.parse_demand,
        write=partial(write_versions, table=DEMAND),
        undo=partial(undo_versions, table=DEMAND),
        is_optional=True,
        description="Expected sales of each hour of the week, with all earlier versions. Optional.",
        check=AssetCheckText("demand_readable", "No row of the demand file was rejected."),
    ),
    Source.STORE_EVENTS: Snapshot(
        file_names=("store_events",),
        columns=events_file.COLUMNS,
        read=events_file.read_events_file,
        parse=events_file.parse_events,
        write=write_events,
        undo=undo_events,
        is_optional=True,
        description="What sources know of the status of stores beside polls. The file is optional.",
        check=AssetCheckText("events_readable", "No row of the events' file was rejected."),
    ),
    Source.HOURLY_ORDERS: Snapshot(
        file_names=("orders",),
        columns=orders_file.COLUMNS,
        read=orders_file.read_orders_file,
        parse=orders_file.parse_orders,
        write=write_orders,
        undo=undo_orders,
        is_optional=True,
        description="Orders by store and hour, from which demand is learned. The file is optional.",
        check=AssetCheckText("orders_readable", "No row of the orders' file was rejected."),
    ),
    Source.CHANNELS: Snapshot(
        file_names=("channels",),
        columns=channels_file.COLUMNS,
        read=channels_file.read_channels_file,
        parse=channels_file.parse_channels,
        write=write_channels,
        undo=undo_channels,
        is_optional=True,
        after_change=refresh_intervals,
        description="The storefronts of stores, by channel. The file is optional.",
        check=AssetCheckText("channels_readable", "No row of the channels' file was rejected."),
    ),
}


def file_names(source: Source) -> tuple[str, ...]:
    """The names of a source's files and folders, without endings, in the order of search."""
    return SNAPSHOTS[source].file_names if source.is_snapshot else POLL_FILES


def columns_of(source: Source) -> tuple[Column, ...]:
    """The columns of a source's files."""
    return SNAPSHOTS[source].columns if source.is_snapshot else poll_rows.COLUMNS
