"""Enforce retention: archive and drop raw polls; drop reports, alerts, models, ids of messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storemon_pipeline.alerts.alert_table import drop_old_alerts
from storemon_pipeline.checks.table_checks import StatusRunComparison, compare_all_status_runs
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.figures.status_models import drop_unnamed_status_models
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.lake.follow_database import bring_into_lake
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.polls.poll_weeks import (
    PollWeek,
    drop_weeks,
    list_weeks,
    read_times_of_loads,
    read_week,
)
from storemon_pipeline.polls.retention import (
    move_start_of_retention,
    read_drop_border,
    read_polls_kept_from,
    set_lake_of_dropped_polls,
)
from storemon_pipeline.retention.expired_reports import expire_old_reports
from storemon_pipeline.retention.poll_archive import ArchivedWeek, PollArchive
from storemon_pipeline.webhooks.message_table import drop_old_messages


@dataclass(frozen=True, slots=True)
class DroppedData:
    """Numbers of dropped rows. Polls before `polls_kept_from` are rejected; None without polls."""

    poll_partitions: int
    superseded_polls: int
    reports: int
    alerts: int
    status_models: int
    polls_kept_from: datetime | None
    messages: int = 0
    archived: tuple[ArchivedWeek, ...] = ()


def drop_old_data(
    url: str,
    *,
    keep_polls: timedelta,
    keep_reports: timedelta,
    now: datetime,
    archive: PollArchive | None = None,
    lake: LakeFolder | None = None,
) -> DroppedData:
    """Drop raw polls and reports that are older than this before the newest poll.

    With an archive, a week of polls is dropped only when its file is complete. With a lake, it is
    dropped only when the lake has its polls, which are read from there afterwards. Raises
    UnreachableError when a file cannot be written; the next call goes on from there. A lake that
    has all polls in place of the database drops none.

    Closed alerts are kept as long as reports, ids of messages of webhooks as long as polls.
    Versions of the status model that no report needs are dropped as well; their age counts up to
    `now`.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        newest = read_newest_poll(bulk)
        if newest is None:
            return DroppedData(0, 0, 0, 0, 0, None)
        has_polls = read_lake_of_polls(bulk) is None
        if has_polls:
            move_start_of_retention(bulk, newest=newest, keep=keep_polls)
        messages = drop_old_messages(bulk)
        weeks = _weeks_due(bulk)
    with bulk_transaction(url) as bulk:
        reports = expire_old_reports(bulk, newest=newest, keep=keep_reports)
        alerts = drop_old_alerts(bulk, newest=newest, keep=keep_reports)
        status_models = drop_unnamed_status_models(bulk, now=now)
    # These weeks change no more: their polls are rejected, and their loads cannot be undone.
    archived = [] if archive is None else _archive(url, archive, weeks)
    if lake is not None and weeks:
        bring_into_lake(url, lake, weeks)
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        # Meanwhile an archived week may have been loaded back, and then it stays.
        left = [week for week in _weeks_due(bulk) if week in weeks]
        superseded = drop_weeks(bulk, left)
        if lake is not None and left:
            set_lake_of_dropped_polls(bulk, str(lake))
        kept_from = read_polls_kept_from(bulk)
    return DroppedData(
        *(len(left), superseded, reports, alerts, status_models, kept_from),
        messages=messages,
        archived=tuple(archived),
    )


def _weeks_due(bulk: Bulk) -> list[PollWeek]:
    """The weeks of polls that can be dropped; none if none ever were."""
    border = read_drop_border(bulk)
    return [] if border is None else list_weeks(bulk, until=border)


def _archive(url: str, archive: PollArchive, weeks: Sequence[PollWeek]) -> list[ArchivedWeek]:
    """The archive has a file with all polls of each week that has any."""
    archived = []
    for week in weeks:
        with bulk_transaction(url) as bulk, archive.writing(week) as file:
            for part in read_week(bulk, week):
                file.add(part)
            if file.polls:
                archived.append(file.finish(read_times_of_loads(bulk, file.load_ids)))
    return archived


def check_all_status_runs(url: str) -> StatusRunComparison:
    """Compute all status runs again from the stored polls, and compare them."""
    with bulk_transaction(url) as bulk:
        return compare_all_status_runs(bulk, max_gap_us=read_max_gap_us(bulk))
