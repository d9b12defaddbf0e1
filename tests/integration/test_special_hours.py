"""Special hours: loading, versions, withdrawing and undoing them, and their days."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from stored import at, fetch, load_hours, load_zones
from stored import load as load_polls
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.loads.load_log import RowCounts
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.stores.store_index import read_stores

HEADER = "store_id,date,start_time_local,end_time_local\n"
BEFORE = datetime(2022, 12, 1, 9, tzinfo=UTC)
LATER = datetime(2022, 12, 2, 9, tzinfo=UTC)
AFTERWARDS = datetime(2022, 12, 26, 9, tzinfo=UTC)

EVE_AND_CHRISTMAS = (
    "A,2022-12-24,09:00,14:00\n",
    "A,2022-12-25,,\n",
)


@pytest.fixture
def url(database_url: str) -> str:
    """A database with the store A, open from 9 to 17 UTC on all days."""
    load_hours(database_url, *(f"A,{day},09:00,17:00" for day in range(7)))
    load_zones(database_url, "A,UTC")
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    return database_url


def load(url: str, folder: Path, *rows: str, now: datetime = BEFORE) -> RowCounts:
    (folder / "special_hours.csv").write_text(HEADER + "".join(rows))
    return ingest_source(url, folder, Source.SPECIAL_HOURS, now=now, run_id=None).row_counts


def hours_open(url: str, *days: str) -> list[float]:
    """The hours that the store A is open on each of the days of December 2022."""
    midnights = [datetime.fromisoformat(f"2022-12-{day}").replace(tzinfo=UTC) for day in days]
    start_us = np.array([microseconds(midnight) for midnight in midnights])
    with bulk_transaction(url) as bulk:
        calendar = read_calendar(
            bulk,
            read_stores(bulk),
            start_us=int(start_us.min()),
            end_us=int(start_us.max()) + 86_400_000_000,
        )
    store = np.zeros(len(days), np.int64)
    until, since = (calendar.business_us(store, start_us + day) for day in (86_400_000_000, 0))
    return [float(length) for length in (until - since) / 3_600_000_000]


def test_the_dates_of_a_file_have_its_hours(url: str, tmp_path: Path) -> None:
    assert load(url, tmp_path, *EVE_AND_CHRISTMAS) == RowCounts(2, 0, 0, 0)
    assert hours_open(url, "23", "24", "25", "26") == [8, 5, 0, 8]


def test_an_unchanged_row_makes_no_new_version(url: str, tmp_path: Path) -> None:
    load(url, tmp_path, *EVE_AND_CHRISTMAS)
    again = load(url, tmp_path, *EVE_AND_CHRISTMAS, "A,2022-12-31,09:00,12:00\n", now=LATER)
    assert again == RowCounts(1, 0, 2, 0)
    assert hours_open(url, "24", "25", "31") == [5, 0, 3]


def test_a_changed_date_ahead_has_its_new_hours(url: str, tmp_path: Path) -> None:
    load(url, tmp_path, *EVE_AND_CHRISTMAS)
    changed = load(url, tmp_path, EVE_AND_CHRISTMAS[0], "A,2022-12-25,10:00,12:00\n", now=LATER)
    assert changed == RowCounts(0, 1, 1, 0)
    assert hours_open(url, "24", "25") == [5, 2]


def test_a_date_that_was_taken_out_of_the_file_has_weekly_hours_while_it_is_ahead(
    url: str, tmp_path: Path
) -> None:
    load(url, tmp_path, *EVE_AND_CHRISTMAS, "A,2022-12-31,09:00,12:00\n")
    load(url, tmp_path, EVE_AND_CHRISTMAS[0], "A,2022-12-31,09:00,12:00\n", now=LATER)
    assert hours_open(url, "24", "25", "31") == [5, 8, 3]
    # The past stays as it was.
    load(url, tmp_path, "A,2023-01-01,,\n", now=AFTERWARDS)
    assert hours_open(url, "24", "25", "31") == [5, 8, 8]


def test_a_correction_of_the_past_needs_always(url: str, tmp_path: Path) -> None:
    load(url, tmp_path, *EVE_AND_CHRISTMAS)
    load(url, tmp_path, "A,2022-12-25,10:00,12:00\n", now=AFTERWARDS)
    assert hours_open(url, "24", "25") == [5, 0]
    (tmp_path / "special_hours.csv").write_text(
        "store_id,date,start_time_local,end_time_local,valid_from\n"
        "A,2022-12-25,10:00,12:00,always\n"
    )
    ingest_source(url, tmp_path, Source.SPECIAL_HOURS, now=AFTERWARDS, run_id=None)
    assert hours_open(url, "24", "25") == [5, 2]


def test_an_undone_load_takes_its_hours_back(url: str, tmp_path: Path) -> None:
    load(url, tmp_path, *EVE_AND_CHRISTMAS)
    load(url, tmp_path, EVE_AND_CHRISTMAS[0], "A,2022-12-25,10:00,12:00\n", now=LATER)
    first, second = [row["load_id"] for row in fetch(url, _LOADS)]
    undo_load(url, first, now=AFTERWARDS)
    assert hours_open(url, "24", "25") == [8, 2]
    undo_load(url, second, now=AFTERWARDS)
    assert hours_open(url, "24", "25") == [8, 8]


_LOADS = "SELECT load_id FROM loads WHERE source = 'special_hours' ORDER BY load_id"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A,25.12.2022,09:00,14:00\n", "date is not written as 2026-12-24"),
        ("A,2022-02-30,09:00,14:00\n", "date is not written as 2026-12-24"),
        ("A,2022-12-25,09:00,\n", "time cannot be read"),
        ("A,2022-12-25,closed,closed\n", "time cannot be read"),
        ("A,2022-12-25,25:00,26:00\n", "start is not before 24:00, or end is after 48:00"),
        (",2022-12-25,09:00,14:00\n", "no store id"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason_and_the_others_are_loaded(
    url: str, tmp_path: Path, row: str, reason: str
) -> None:
    assert load(url, tmp_path, row, "A,2022-12-24,09:00,14:00\n") == RowCounts(1, 0, 0, 1)
    assert [found["reason"] for found in fetch(url, "SELECT reason FROM rejected_rows")] == [reason]
    assert hours_open(url, "24", "25") == [5, 8]


def test_days_are_computed_again_when_special_hours_come_afterwards(
    url: str, tmp_path: Path
) -> None:
    load_polls(url, "A 09:00 up", "A 33:00 up", "A 81:00 up")
    refresh_daily(url)
    first_day = date.fromisoformat(at("09:00").date().isoformat())
    assert business_hours_by_date(url)[first_day] == 8
    load(url, tmp_path, f"A,{first_day},09:00,10:30\n", now=AFTERWARDS)
    refresh_daily(url)
    assert business_hours_by_date(url)[first_day] == 1.5


def business_hours_by_date(url: str) -> dict[date, float]:
    rows = fetch(url, "SELECT local_date, business_us FROM store_uptime_daily")
    return {row["local_date"]: row["business_us"] / 3_600_000_000 for row in rows}
