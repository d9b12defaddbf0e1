"""Enforce retention: drop raw polls, reports, closed alerts and versions of the status model."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from storemon_pipeline.alerts.alert_table import drop_old_alerts
from storemon_pipeline.checks.table_checks import StatusRunComparison, compare_all_status_runs
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.figures.status_models import drop_unnamed_status_models
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.polls.retention import drop_old_polls, read_polls_kept_from
from storemon_pipeline.retention.expired_reports import expire_old_reports


@dataclass(frozen=True, slots=True)
class DroppedData:
    """Numbers of dropped rows. Polls before `polls_kept_from` are rejected; None without polls."""

    poll_partitions: int
    superseded_polls: int
    reports: int
    alerts: int
    status_models: int
    polls_kept_from: datetime | None


def drop_old_data(
    url: str, *, keep_polls: timedelta, keep_reports: timedelta, now: datetime
) -> DroppedData:
    """Drop raw polls and reports that are older than this before the newest poll.

    Closed alerts are kept as long as reports. Versions of the status model that no report needs are
    dropped as well; their age counts up to `now`.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        newest = read_newest_poll(bulk)
        if newest is None:
            return DroppedData(0, 0, 0, 0, 0, None)
        dropped = drop_old_polls(bulk, newest=newest, keep=keep_polls)
        kept_from = read_polls_kept_from(bulk)
    with bulk_transaction(url) as bulk:
        reports = expire_old_reports(bulk, newest=newest, keep=keep_reports)
        alerts = drop_old_alerts(bulk, newest=newest, keep=keep_reports)
        status_models = drop_unnamed_status_models(bulk, now=now)
    return DroppedData(
        dropped.partitions, dropped.superseded_polls, reports, alerts, status_models, kept_from
    )


def check_all_status_runs(url: str) -> StatusRunComparison:
    """Compute all status runs again from the stored polls, and compare them."""
    with bulk_transaction(url) as bulk:
        return compare_all_status_runs(bulk, max_gap_us=read_max_gap_us(bulk))
