"""Bringing the normalised weeks of all stores up to date with their opening hours."""

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.schedules.weekly_intervals import IntervalCounts, refresh_intervals


def refresh_weeks(url: str) -> IntervalCounts:
    """The weeks of stores whose hours changed, and of new stores, are normalised again."""
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        return refresh_intervals(bulk)
