"""Figures follow the pinned rules of zones, reports name them, and days follow their change."""

import io
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import openpyxl
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from stored import HOUR, MIDNIGHT, execute, fetch, load, load_hours, load_zones
from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.fit_status_model import fit_status_model
from storemon_pipeline.figures.refresh_daily import compare_all_days, refresh_daily
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.reports.requests import request_report
from storemon_pipeline.retention.enforce import drop_old_data
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks

EVERY_DAY = "SELECT * FROM store_uptime_daily ORDER BY store_key, local_date"


def clock(text: str) -> str:
    """Write an instant as a clock of `stored`."""
    minutes = (datetime.fromisoformat(text) - MIDNIGHT) // timedelta(minutes=1)
    return f"{minutes // 60}:{minutes % 60:02}"


def report(url: str, engine: sa.Engine, as_of: str) -> str:
    report_id = str(uuid.uuid4())
    with engine.begin() as connection:
        request_report(
            connection,
            report_id=report_id,
            as_of=datetime.fromisoformat(as_of),
            policy=Policy.NEAREST,
        )
    make_waiting_reports(url, run_id="run", is_manual=False)
    return report_id


@pytest.mark.parametrize(
    ("zone", "as_of", "hours"),
    [
        # Fridays 09:00 to 17:00. Rules of before 2026 give one hour less, Casablanca's one more.
        pytest.param("America/Vancouver", "2026-11-27T20:00Z", 4, id="at-utc-7-since-2026"),
        pytest.param("America/Edmonton", "2026-11-27T20:00Z", 5, id="at-utc-6-since-2026"),
        pytest.param("America/Winnipeg", "2026-11-27T20:00Z", 6, id="at-utc-5-since-2026"),
        pytest.param("Africa/Casablanca", "2026-11-27T13:00Z", 4, id="at-utc-since-2026"),
    ],
)
def test_a_report_follows_the_pinned_rules(
    client: httpx.Client, database_url: str, engine: sa.Engine, zone: str, as_of: str, hours: int
) -> None:
    load(database_url, f"A {clock(as_of)} up")
    load_hours(database_url, "A,4,09:00,17:00")
    load_zones(database_url, f"A,{zone}")
    refresh_weeks(database_url)
    rows = client.get(f"/reports/{report(database_url, engine, as_of)}.json").json()["rows"]
    assert rows[0]["uptime_last_day_hours"] == hours


@pytest.fixture
def vancouver_url(database_url: str) -> str:
    """A store that is open on Fridays from 09:00 to 17:00, and was down at 09:30."""
    down = clock("2026-11-20T16:30Z")
    day = [clock(f"2026-11-{day}T{hour:02}:30Z") for day in range(18, 23) for hour in range(24)]
    polls = [f"A {at} {'down' if at == down else 'up'}" for at in day]
    load(database_url, "A 00:00 up", *polls)
    load_hours(database_url, "A,4,09:00,17:00")
    load_zones(database_url, "A,America/Vancouver")
    refresh_weeks(database_url)
    refresh_daily(database_url)
    return database_url


def as_older_rules_made_them(url: str) -> None:
    """At UTC-8 the store would have been open from 17:00 UTC on, after it was down."""
    execute(
        url,
        f"UPDATE store_uptime_daily SET downtime_us = 0, uptime_us = {8 * HOUR}, incidents = 0"
        " WHERE local_date = '2026-11-20'",
        # An older day, before the start of poll retention.
        f"UPDATE store_uptime_daily SET business_us = {9 * HOUR}, uptime_us = {9 * HOUR}"
        " WHERE local_date = '2023-01-27'",
        "UPDATE store_uptime_daily_state SET zone_rules = '2025b'",
    )


def test_days_of_other_rules_are_made_again(client: httpx.Client, vancouver_url: str) -> None:
    right = fetch(vancouver_url, EVERY_DAY)
    keep = timedelta(days=30)
    drop_old_data(vancouver_url, keep_polls=keep, keep_reports=keep, now=datetime.now(UTC))
    as_older_rules_made_them(vancouver_url)
    # The check of the days leaves them to the refresh.
    assert compare_all_days(vancouver_url).compared == 0
    refresh_daily(vancouver_url)
    assert fetch(vancouver_url, EVERY_DAY) == right
    assert compare_all_days(vancouver_url).compared > 0
    period = "?by=day&from=2026-11-20&to=2026-11-21"
    for address in ("/stores/A/uptime", "/fleet/uptime"):
        (day,) = client.get(address + period).json()["periods"]
        assert (day["downtime_us"], day["uptime_us"]) == (HOUR, 7 * HOUR)
    assert refresh_daily(vancouver_url).days_written == 1


def test_a_refresh_that_fails_leaves_all_days_to_the_next_one(vancouver_url: str) -> None:
    right = fetch(vancouver_url, EVERY_DAY)
    as_older_rules_made_them(vancouver_url)
    before = fetch(vancouver_url, EVERY_DAY)
    execute(
        vancouver_url,
        "ALTER TABLE store_uptime_daily ADD CONSTRAINT too_late CHECK (local_date < '2026-11-22')"
        " NOT VALID",
    )
    with pytest.raises(Exception, match="too_late"):
        refresh_daily(vancouver_url)
    assert fetch(vancouver_url, EVERY_DAY) == before
    execute(vancouver_url, "ALTER TABLE store_uptime_daily DROP CONSTRAINT too_late")
    refresh_daily(vancouver_url)
    assert fetch(vancouver_url, EVERY_DAY) == right


def test_a_report_names_the_release_of_its_rules(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 09:00 up")
    before, after = (report(database_url, engine, "2023-01-23T09:00Z") for _ in range(2))
    execute(database_url, "UPDATE report_results SET zone_rules = '2025b' WHERE result_id = 1")
    assert client.get(f"/get_report/{before}").json()["zone_rules"] == "2025b"
    assert client.get(f"/get_report/{after}").json()["zone_rules"] == RULES_RELEASE
    diff = client.get(f"/reports/{after}/diff?against={before}").json()
    assert (diff["against_zone_rules"], diff["zone_rules"]) == ("2025b", RULES_RELEASE)
    assert client.get(f"/reports/{after}.json").json()["zone_rules"] == RULES_RELEASE
    parquet = io.BytesIO(client.get(f"/reports/{after}.parquet").content)
    named = pq.read_schema(parquet).metadata[b"storemon.zone_rules"]
    assert named.decode() == RULES_RELEASE
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"/reports/{after}.xlsx").content))
    assert ("zone_rules", RULES_RELEASE) in list(book["about"].iter_rows(values_only=True))


def test_a_status_model_names_the_release_of_its_rules(vancouver_url: str) -> None:
    fit_status_model(vancouver_url, fitted_at=datetime.fromisoformat("2026-11-28T00:00Z"))
    models = fetch(vancouver_url, "SELECT zone_rules FROM status_models")
    assert models == [{"zone_rules": RULES_RELEASE}]
