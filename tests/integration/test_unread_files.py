"""Files that are refused or passed over are named, with the reason, wherever people look."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api_server import serve
from dagster_stand_in import dagster_stand_in
from stored import fetch
from storemon_pipeline.commands.cli import app
from storemon_pipeline.commands.doctor import Finding, Verdict, examine_database
from storemon_pipeline.database.connections import libpq_url
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.watch_files import list_files, record_passed_over
from storemon_pipeline.settings import Settings

NOW = datetime(2023, 2, 1, tzinfo=UTC)
LATER = datetime(2023, 2, 2, tzinfo=UTC)
SEMICOLONS = (
    "its fields are separated by semicolons (;): save it as CSV with commas (,), "
    'or add the line delimiter = ";" to sources.toml'
)
ENDING = (
    "its name does not end in .csv, .csv.gz, .csv.zst, .jsonl, .ndjson, .parquet, .ics or .json"
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One good file of polls, an empty one, one with semicolons, one with another ending."""
    folder = tmp_path / "store_status"
    folder.mkdir()
    (folder / "empty.csv").touch()
    (folder / "good.csv").write_text(
        "store_id,timestamp_utc,status\nv,2023-01-24 09:06:42 UTC,active\n"
    )
    (folder / "semicolon.csv").write_text(
        "store_id;timestamp_utc;status\ns;2023-01-24 09:06:42 UTC;active\n"
    )
    (folder / "january.txt").write_text("store_id,timestamp_utc,status\n")
    return tmp_path


def refresh(url: str, data: Path, now: datetime) -> None:
    record_passed_over(url, list_files(data, now=now), now=now)
    ingest_source(url, data, Source.STORE_STATUS, now=now, run_id=None)


def finding(url: str) -> Finding:
    found = {one.name: one for one in examine_database(Settings(database_url=url), url)}
    return found["files"]


def test_a_refused_file_is_named_everywhere_until_it_is_corrected(
    database_url: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOREMON_DATABASE_URL", libpq_url(database_url))
    refresh(database_url, data, NOW)
    refresh(database_url, data, LATER)
    with dagster_stand_in() as dagster, serve(database_url, dagster.url) as client:
        before = client.get("/readyz")
        assert before.status_code == 503
        warnings = before.json()["warnings"]
        assert warnings == {"refused_files": f"store_status/semicolon.csv: {SEMICOLONS}"}
    refresh_uptime(database_url, refreshed_at=NOW)
    assert CliRunner().invoke(app, ["loads"]).output.splitlines()[1:] == [
        f"refused since 2023-02-01 00:00:00Z  store_status/semicolon.csv: {SEMICOLONS}",
        f"ignored since 2023-02-01 00:00:00Z  store_status/january.txt: {ENDING}",
    ]
    assert (finding(database_url).verdict, finding(database_url).what) == (
        Verdict.WARNING,
        (
            f"1 refused, 1 ignored; store_status/semicolon.csv: {SEMICOLONS}; "
            f"store_status/january.txt: {ENDING}"
        ),
    )
    with dagster_stand_in() as dagster, serve(database_url, dagster.url) as client:
        warnings = client.get("/readyz").json()["warnings"]
        assert warnings["refused_files"] == f"store_status/semicolon.csv: {SEMICOLONS}"
        metrics = client.get("/metrics").text
        assert 'storemon_unread_files{state="refused"} 1.0' in metrics
        assert 'storemon_unread_files{state="ignored"} 1.0' in metrics
        escaped = SEMICOLONS.replace('"', '\\"')
        labels = f'file="store_status/semicolon.csv",reason="{escaped}",state="refused"'
        (line,) = [line for line in metrics.splitlines() if labels in line]
        assert float(line.split()[-1]) == NOW.timestamp()
        (refused, ignored) = client.get("/data-health").json()["unread_files"]
        assert (refused["file"], refused["reason"]) == ("store_status/semicolon.csv", SEMICOLONS)
        assert (ignored["file"], ignored["is_refused"]) == ("store_status/january.txt", False)
        (data / "store_status" / "semicolon.csv").write_text(
            "store_id,timestamp_utc,status\ns,2023-01-24 09:06:42 UTC,active\n"
        )
        (data / "store_status" / "january.txt").unlink()
        refresh(database_url, data, LATER)
        assert "refused_files" not in client.get("/readyz").json()["warnings"]
    assert (finding(database_url).verdict, finding(database_url).what) == (
        Verdict.GOOD,
        "0 refused, 0 ignored",
    )


def test_a_file_whose_name_is_no_utf8_text_is_refused_and_named_printably(
    database_url: str, data: Path
) -> None:
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    (data / "store_status" / name).write_text("store_id,timestamp_utc,status\n")
    (data / "store_status" / f"{name}.txt").touch()
    refresh(database_url, data, NOW)
    named = fetch(database_url, "SELECT file_path, reason FROM unread_files ORDER BY file_path")
    assert [tuple(row.values()) for row in named] == [
        ("store_status/caf\\xe9.csv", "its name is not UTF-8 text"),
        ("store_status/caf\\xe9.csv.txt", ENDING),
        ("store_status/january.txt", ENDING),
        ("store_status/semicolon.csv", SEMICOLONS),
    ]
