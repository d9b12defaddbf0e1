"""Hours of schema.org, Google and OpenStreetMap in the database: weeks, versions and dates."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from stored import fetch, load_zones
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.loads.load_log import RowCounts
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.stores.store_index import read_stores

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 2, 9, tzinfo=UTC)
HOUR_US = 3_600_000_000


@pytest.fixture
def url(database_url: str) -> str:
    """A database with the store A in Berlin."""
    load_zones(database_url, "A,Europe/Berlin")
    return database_url


def load(url: str, folder: Path, *, now: datetime = NOW) -> tuple[RowCounts, RowCounts]:
    """Load the folder's weekly and special hours."""
    weekly, special = (
        ingest_source(url, folder, source, now=now, run_id=None).row_counts
        for source in (Source.BUSINESS_HOURS, Source.SPECIAL_HOURS)
    )
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    return weekly, special


def hours_open(url: str, *days: str) -> list[float]:
    """The hours that the store A is open from 0:00 to 24:00 UTC on each day."""
    midnights = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in days]
    start_us = np.array([microseconds(midnight) for midnight in midnights])
    with bulk_transaction(url) as bulk:
        calendar = read_calendar(
            bulk,
            read_stores(bulk),
            start_us=int(start_us.min()),
            end_us=int(start_us.max()) + 24 * HOUR_US,
        )
    store = np.zeros(len(days), np.int64)
    until, since = (calendar.business_us(store, start_us + day) for day in (24 * HOUR_US, 0))
    return [float(length) for length in (until - since) / HOUR_US]


def test_hours_of_schema_org_are_weeks_versions_and_dates(url: str, tmp_path: Path) -> None:
    entries = [
        {"dayOfWeek": ["Monday", "Tuesday"], "opens": "09:00", "closes": "17:00"},
        {"opens": "10:00", "closes": "12:00", "validFrom": "2026-12-01"},
        {
            "opens": "00:00",
            "closes": "00:00",
            "validFrom": "2026-12-25",
            "validThrough": "2026-12-26",
        },
        {"dayOfWeek": "Someday", "opens": "10:00", "closes": "12:00"},
    ]
    document = [{"branchCode": "A", "openingHoursSpecification": entries}]
    (tmp_path / "site.json").write_text(json.dumps(document))
    # Two rows of the week, seven of the version, and two dates.
    assert load(url, tmp_path) == (RowCounts(9, 0, 0, 1), RowCounts(2, 0, 0, 0))
    # Mondays and Tuesdays of November, and all days from Tuesday, 1 December, on.
    assert hours_open(url, "2026-11-23", "2026-11-24", "2026-11-25") == [8, 8, 0]
    assert hours_open(url, "2026-12-01", "2026-12-24", "2026-12-25", "2026-12-27") == [2, 2, 0, 2]
    starts = fetch(url, "SELECT DISTINCT valid_from FROM business_hours ORDER BY 1 DESC LIMIT 1")
    # Midnight in Berlin.
    assert starts == [{"valid_from": datetime(2026, 11, 30, 23, tzinfo=UTC)}]
    assert load(url, tmp_path, now=LATER) == (RowCounts(0, 0, 0, 0), RowCounts(0, 0, 0, 0))


def test_a_date_that_leaves_the_file_of_hours_has_weekly_hours_again(
    url: str, tmp_path: Path
) -> None:
    path = tmp_path / "business_hours.csv"
    path.write_text('store_id,opening_hours\nA,"09:00-17:00; Dec 25 off; Dec 24 09:00-13:00"\n')
    load(url, tmp_path)
    assert hours_open(url, "2026-12-24", "2026-12-25", "2026-12-26") == [4, 0, 8]
    path.write_text('store_id,opening_hours\nA,"09:00-17:00; Dec 25 off"\n')
    load(url, tmp_path, now=LATER)
    assert hours_open(url, "2026-12-24", "2026-12-25", "2026-12-26") == [8, 0, 8]


def test_special_hours_of_google_and_of_a_file_are_one_union(url: str, tmp_path: Path) -> None:
    period = {
        "openDay": "FRIDAY",
        "openTime": {"hours": 9},
        "closeDay": "FRIDAY",
        "closeTime": {"hours": 17},
    }
    closed = {"startDate": {"year": 2026, "month": 12, "day": 25}, "closed": True}
    location = {
        "storeCode": "A",
        "regularHours": {"periods": [period]},
        "specialHours": {"specialHourPeriods": [closed]},
    }
    (tmp_path / "profile.json").write_text(json.dumps({"locations": [location]}))
    (tmp_path / "special_hours.csv").write_text(
        "store_id,date,start_time_local,end_time_local\nA,2026-12-18,09:00,11:00\n"
    )
    assert load(url, tmp_path) == (RowCounts(1, 0, 0, 0), RowCounts(2, 0, 0, 0))
    assert hours_open(url, "2026-12-11", "2026-12-18", "2026-12-25") == [8, 2, 0]
