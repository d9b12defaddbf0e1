"""A month delivered hour by hour gives the report of one load of the final data."""

import statistics
import time
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from simulated_month import Month, make_month
from storemon_pipeline.checks.table_checks import compare_status_runs
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import (
    compare_all_days,
    compare_daily,
    refresh_daily,
)
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.reports.rows import read_csv_chunk
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

_SOURCES = (
    Source.STORE_STATUS,
    Source.BUSINESS_HOURS,
    Source.STORE_TIMEZONES,
    Source.CLOSURES,
)


def refresh(url: str, data: Path, now: datetime) -> None:
    """What the refresh job does, at an instant of the simulated clock."""
    for source in _SOURCES:
        load = ingest_source(url, str(data), source, now=now, run_id=None)
        assert load.refused == ()
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    refresh_uptime(url, refreshed_at=now)
    refresh_daily(url)
    assert compare_daily(url, seed=now.toordinal() * 24 + now.hour).different == 0


def newest_csv(url: str) -> bytes:
    """The CSV of a report at the newest poll, made now."""
    made = make_waiting_reports(url, run_id="by hand", is_manual=True).made
    engine = create_engine(url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        chunks = connection.execute(
            sa.text("SELECT csv_chunks FROM report_results WHERE result_id = :result_id"),
            {"result_id": made[-1].result.result_id},
        ).scalar_one()
        csv = b"".join(
            read_csv_chunk(connection, made[-1].result.result_id, chunk) for chunk in range(chunks)
        )
    engine.dispose()
    return csv


def deliver(month: Month, url: str, data: Path) -> list[float]:
    """The seconds that each hour's refresh took."""
    month.write_snapshots(data)
    seconds = []
    for hour in range(month.hours):
        month.write_hour(data, hour)
        started = time.perf_counter()
        refresh(url, data, month.end_of(hour))
        seconds.append(time.perf_counter() - started)
    return seconds


@pytest.mark.parametrize(
    ("stores", "days"),
    [
        pytest.param(40, 1, id="40-stores-1-day"),
        pytest.param(40, 2, id="40-stores-2-days", marks=pytest.mark.slow),
        pytest.param(40, 4, id="40-stores-4-days", marks=pytest.mark.slow),
        pytest.param(14_092, 30, id="14092-stores", marks=pytest.mark.slow),
    ],
)
def test_hourly_deliveries_end_with_the_report_of_one_load(
    tmp_path: Path, database_url: str, other_database_url: str, stores: int, days: int
) -> None:
    month = make_month(tmp_path / "made", stores=stores, days=days, seed=11)
    seconds = deliver(month, database_url, tmp_path / "hourly")
    hourly = newest_csv(database_url)
    with bulk_transaction(database_url) as bulk:
        runs = compare_status_runs(bulk, since=month.start, max_gap_us=read_max_gap_us(bulk))
    assert runs.compared > stores
    assert runs.different == 0
    history = compare_all_days(database_url)
    assert history.compared > stores
    assert history.different == 0

    final = tmp_path / "final"
    month.write_final(final)
    refresh(other_database_url, final, month.end_of(month.hours - 1))
    assert hourly == newest_csv(other_database_url)
    assert hourly.count(b"\n") > stores * 0.9
    print(  # noqa: T201  (what a run with -s is for)
        f"{len(seconds)} refreshes in {sum(seconds):.0f} s, median {statistics.median(seconds):.2f}"
    )
