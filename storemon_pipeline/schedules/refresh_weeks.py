"""Updating the normalised weeks of all stores after their opening hours changed."""

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.schedules.weekly_intervals import IntervalCounts, refresh_intervals


def refresh_weeks(url: str) -> IntervalCounts:
    """Normalise the weeks of new stores and of stores whose hours changed."""
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        return refresh_intervals(bulk)
