"""Opening hours that end after midnight as 26:00 does, by every way that they come in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api_server import serve
from stored import execute, fetch
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.replay_rejected import replay_rejected
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks

NOW = datetime(2024, 6, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000
HOURS = [(day, "17:00", "23:00" if day < 4 else "26:00") for day in range(6)]
# Monday to Thursday six hours, Friday and Saturday nine; the week ends with Sunday.
OPEN_HOURS = 4 * 6 + 2 * 9


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = [f"i,{day},{start},{end}\n" for day, start, end in HOURS]
    files = {
        "store_status.csv": "store_id,timestamp_utc,status\ni,2024-05-20 00:00:00 UTC,active\n",
        "timezones.csv": "store_id,timezone_str\ni,UTC\n",
        "business_hours.csv": "store_id,dayOfWeek,start_time_local,end_time_local\n"
        + "".join(lines),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def refresh(url: str, data: Path, *sources: Source) -> None:
    for source in sources:
        ingest_source(url, data, source, now=NOW, run_id=None)


def uptime_last_week(url: str) -> float:
    refresh_weeks(url)
    refresh_uptime(url, refreshed_at=NOW)
    (row,) = fetch(url, "SELECT uptime_last_week_us FROM store_uptime")
    return float(row["uptime_last_week_us"] / HOUR_US)


def test_a_file_may_say_26_o_clock(database_url: str, data: Path) -> None:
    refresh(database_url, data, Source.STORE_STATUS, Source.STORE_TIMEZONES, Source.BUSINESS_HOURS)
    assert uptime_last_week(database_url) == OPEN_HOURS


def test_a_request_may_say_26_o_clock(database_url: str, data: Path) -> None:
    refresh(database_url, data, Source.STORE_STATUS, Source.STORE_TIMEZONES)
    hours = [
        {"day_of_week": day, "start_time_local": start, "end_time_local": end}
        for day, start, end in HOURS
    ]
    with serve(database_url) as client:
        response = client.put("/stores/i/hours", json={"hours": hours})
    assert response.status_code == 200, response.text
    assert uptime_last_week(database_url) == OPEN_HOURS


def test_rows_that_an_earlier_version_rejected_are_read_after_a_replay(
    database_url: str, data: Path
) -> None:
    refresh(database_url, data, Source.STORE_STATUS, Source.STORE_TIMEZONES, Source.BUSINESS_HOURS)
    execute(
        database_url,
        "DELETE FROM business_hours",
        "INSERT INTO rejected_rows (load_id, line, row_text, reason) SELECT load_id, 6,"
        " 'i,4,17:00,26:00', 'time is after the end of the day' FROM loads"
        " WHERE source = 'business_hours'",
    )
    (replayed,) = replay_rejected(database_url, load_id=None, now=NOW)
    assert replayed.is_file_forgotten
    refresh(database_url, data, Source.BUSINESS_HOURS)
    assert uptime_last_week(database_url) == OPEN_HOURS
    pending = fetch(database_url, "SELECT * FROM rejected_rows WHERE replayed_by_load_id IS NULL")
    assert pending == []
