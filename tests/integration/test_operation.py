"""Tools for operators: backups, the doctor, and logs as JSON."""

import io
import json
import logging
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from structlog.contextvars import bound_contextvars
from typer.testing import CliRunner

from api_server import complete_report, serve
from dagster_stand_in import dagster_stand_in
from storemon_api.http.json_logs import json_formatter
from storemon_pipeline.commands.backups import back_up, restore
from storemon_pipeline.commands.cli import app
from storemon_pipeline.commands.doctor import Verdict, collect, examine_database, examine_machine
from storemon_pipeline.database.connections import create_engine, ensure_database, sqlalchemy_url
from storemon_pipeline.database.schema_version import is_current
from storemon_pipeline.database.tables import report_runs
from storemon_pipeline.host.errors import ServiceError
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.reports.report_runs import record_launch, waiting_request_ids
from storemon_pipeline.service.status_display import ComponentState, JsonDisplay
from storemon_pipeline.settings import Settings

CSV = b"store_id\n" + b"".join(b"%d\n" % store for store in range(1000))


def sibling(url: str, suffix: str) -> str:
    """Return the URL of another database beside this one, which does not exist yet."""
    parsed = sqlalchemy_url(url)
    other = parsed.set(database=f"{parsed.database}_{suffix}")
    return other.render_as_string(hide_password=False)


def migrate_to(url: str, revision: str) -> None:
    """Make the schema that this release had."""
    config = Config()
    folder = files("storemon_pipeline.database") / "migrations"
    config.set_main_option("script_location", str(folder))
    engine = create_engine(url, application_name="test")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def drop(url: str, other: str) -> None:
    server = sa.create_engine(sqlalchemy_url(url), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        for name in (sqlalchemy_url(other).database, f"{sqlalchemy_url(other).database}_dagster"):
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    server.dispose()


def test_a_restored_backup_serves_the_same_reports(
    database_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    report_id = complete_report(engine, CSV)
    file, other = tmp_path / "backup", sibling(database_url, "restored")
    assert back_up(database_url, file) == file.stat().st_size > 0
    assert file.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [file]
    try:
        restore(other, file)
        with serve(other) as client:
            assert client.get(f"/reports/{report_id}.csv").content == CSV
        make_waiting_reports(other, run_id="run", is_manual=True)
    finally:
        drop(database_url, other)


def test_a_backup_of_the_first_release_is_restored_to_the_newest_schema(
    database_url: str, tmp_path: Path
) -> None:
    old, new = sibling(database_url, "old"), sibling(database_url, "new")
    try:
        ensure_database(old)
        migrate_to(old, "0001")
        back_up(old, tmp_path / "backup")
        restore(new, tmp_path / "backup")
        engine = create_engine(new, application_name="test")
        with engine.connect() as connection:
            assert is_current(connection)
        engine.dispose()
    finally:
        drop(database_url, old)
        drop(database_url, new)


def test_nothing_is_restored_over_data(database_url: str, tmp_path: Path) -> None:
    back_up(database_url, tmp_path / "backup")
    with pytest.raises(ServiceError, match="not empty"):
        restore(database_url, tmp_path / "backup")


def test_a_file_that_is_no_backup_restores_nothing(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("store_id\n1\n")
    other = sibling(database_url, "broken")
    try:
        with pytest.raises(ServiceError, match="pg_restore"):
            restore(other, tmp_path / "backup")
        with pytest.raises(ServiceError, match="no file"):
            restore(other, tmp_path / "nothing")
    finally:
        drop(database_url, other)


def test_a_backup_that_cannot_be_written_leaves_no_half(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("an earlier one")
    unreachable = sqlalchemy_url(database_url).set(database="not_there")
    with pytest.raises(ServiceError, match="pg_dump"):
        back_up(unreachable.render_as_string(hide_password=False), tmp_path / "backup")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["an earlier one"]
    with pytest.raises(ServiceError, match="cannot be written"):
        back_up(database_url, tmp_path / "no folder" / "backup")


def test_the_doctor_finds_a_new_database_in_order(database_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, data=tmp_path)
    findings = {finding.name: finding for finding in examine_machine(settings)}
    findings |= {finding.name: finding for finding in examine_database(settings, database_url)}
    bad = {name for name, finding in findings.items() if finding.verdict is Verdict.BAD}
    assert bad <= {"disk"}
    assert findings["last refresh"].verdict is Verdict.WARNING
    assert {"disk", "zone data", "database", "schema", "clock", "reports", "report runs"} <= set(
        findings
    )


def test_the_doctor_finds_stuck_runs_and_missing_keys(
    database_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        record_launch(connection, "a run")
        connection.execute(
            sa.update(report_runs).values(launched_at=datetime.now(UTC) - timedelta(hours=1))
        )
    settings = Settings(home=tmp_path, data=tmp_path, host="0.0.0.0")  # noqa: S104 - not bound
    findings = {finding.name: finding for finding in examine_database(settings, database_url)}
    assert findings["report runs"].verdict is Verdict.BAD
    assert "a run" in findings["report runs"].what
    assert findings["keys"].verdict is Verdict.BAD
    assert "storemon keys create" in findings["keys"].remedy


def test_the_doctor_says_that_the_schema_is_old(database_url: str, tmp_path: Path) -> None:
    old = sibling(database_url, "old")
    try:
        ensure_database(old)
        findings = list(examine_database(Settings(home=tmp_path, data=tmp_path), old))
    finally:
        drop(database_url, old)
    assert [finding.verdict for finding in findings] == [Verdict.GOOD, Verdict.BAD]


def test_the_doctor_says_that_no_database_answers(tmp_path: Path) -> None:
    url = "postgresql://nobody:secret-word@127.0.0.1:1/nothing"
    settings = Settings(home=tmp_path, data=tmp_path)
    (finding,) = collect(lambda: examine_database(settings, url))
    assert finding.verdict is Verdict.BAD
    assert finding.what.startswith("connection failed")
    assert "secret-word" not in finding.what
    said = CliRunner().invoke(
        app, ["doctor", f"--home={tmp_path}", f"--data={tmp_path}", "--database-url", url]
    )
    assert said.exit_code == 1
    assert "bad      database" in said.stdout
    assert "secret-word" not in said.output


def test_the_doctor_makes_no_database_by_looking(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["doctor", f"--home={tmp_path / 'h'}", f"--data={tmp_path}"])
    assert said.exit_code == 1
    assert "`storemon up` makes it" in said.stdout
    assert not (tmp_path / "h").exists()


def test_an_event_is_one_line_of_json_with_its_request() -> None:
    record = logging.makeLogRecord(
        {"name": "api", "levelname": "WARNING", "msg": "two\nlines of %s", "args": ("x",)}
    )
    record.route = "/polls"
    record.created = 1_674_670_402.4792
    record.color_message = "in red"
    with bound_contextvars(request_id="an-id"):
        line = json_formatter().format(record)
    assert "\n" not in line
    said = json.loads(line)
    assert said == {
        "at": "2023-01-25T18:13:22.479+00:00",
        "level": "warning",
        "logger": "api",
        "event": "two\nlines of x",
        "request_id": "an-id",
        "route": "/polls",
    }


def test_an_exception_is_part_of_its_line() -> None:
    try:
        raise ValueError("two\nlines")  # noqa: TRY301 - to have a traceback
    except ValueError:
        record = logging.makeLogRecord({"name": "api", "levelname": "ERROR", "msg": "it failed"})
        record.exc_info = sys.exc_info()
    line = json_formatter().format(record)
    assert "\n" not in line
    said = json.loads(line)
    assert said["traceback"].startswith("Traceback (most recent call last)")
    assert said["traceback"].endswith("ValueError: two\nlines")
    assert "exc_info" not in said


def test_the_service_says_its_states_as_lines_of_json() -> None:
    out = io.StringIO()
    with redirect_stdout(out), JsonDisplay(clock=lambda: 0.0) as display:
        display.component("database", ComponentState.STARTING)
        display.component("database", ComponentState.STARTING, "still")
        display.component("database", ComponentState.READY, "here")
        display.line("storemon is ready.")
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in said] == ["component", "component", "storemon is ready."]
    assert said[1]["state"] == "ready"
    assert said[0]["at"] == "1970-01-01T00:00:00.000+00:00"


def test_runs_carry_the_requests_that_wait_for_them(database_url: str, engine: sa.Engine) -> None:
    with dagster_stand_in() as dagster, serve(database_url, dagster.url) as client:
        client.post("/trigger_report", headers={"X-Request-ID": "first"})
    with engine.connect() as connection:
        assert waiting_request_ids(connection, limit=5) == ["first"]


def test_no_key_stands_in_a_log(
    database_url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "sm_aaaaaaaaaaaa_" + "s" * 43
    with caplog.at_level(logging.DEBUG), serve(database_url) as client:
        client.get("/metrics", headers={"Authorization": f"Bearer {secret}"})
        client.get("/nowhere", headers={"X-API-Key": secret})
    printed = capfd.readouterr()
    own = [record.getMessage() for record in caplog.records if "httpcore" not in record.name]
    assert not [text for text in (*own, printed.out, printed.err) if secret in text]
