"""The API while its database or Dagster is away, and when they are back."""

import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from api_server import complete_report, serve, waiting_report
from dagster_stand_in import dagster_stand_in
from storemon_pipeline.commands.doctor import Verdict, examine_database, examine_schedules
from storemon_pipeline.database.connections import ensure_database
from storemon_pipeline.database.migrate import migrate
from storemon_pipeline.database.tables import report_csv, reports
from storemon_pipeline.host.embedded_postgres import embedded_postgres
from storemon_pipeline.settings import Settings
from waiting import eventually

CSV = b"store_id\n" + b"".join(b"%d\n" % store for store in range(1000))
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_a_database_that_breaks_off_before_the_first_byte_is_503(
    client: httpx.Client, engine: sa.Engine
) -> None:
    report_id = complete_report(engine, CSV)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE report_csv RENAME TO report_csv_away"))
    response = client.get(f"/reports/{report_id}.csv")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"


def test_a_csv_that_breaks_off_in_the_middle_is_no_complete_response(
    client: httpx.Client, engine: sa.Engine
) -> None:
    report_id = complete_report(engine, CSV)
    with engine.begin() as connection:
        connection.execute(sa.delete(report_csv).where(report_csv.c.chunk == 1))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"/reports/{report_id}.csv")


def test_connections_that_were_cut_are_replaced_unseen(
    client: httpx.Client, engine: sa.Engine
) -> None:
    report_id = waiting_report(engine)
    for _ in range(3):
        assert client.get(f"/get_report/{report_id}").status_code == 200
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )


def test_a_database_that_goes_away_and_comes_back_is_503_in_between(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with embedded_postgres(tmp_path) as server:
            ensure_database(server.url)
            migrate(server.url)
            client = stack.enter_context(serve(server.url))
            report_id = client.post("/trigger_report").json()["report_id"]
        assert client.get(f"/get_report/{report_id}").status_code == 503
        assert client.post("/trigger_report").status_code == 503
        assert client.get("/healthz").status_code == 200
        with embedded_postgres(tmp_path):
            assert client.get(f"/get_report/{report_id}").json()["status"] == "Running"
            eventually(lambda: "storemon_dispatching 1.0" in client.get("/metrics").text)


def test_readiness_waits_for_the_first_refresh(database_url: str, engine: sa.Engine) -> None:
    with dagster_stand_in() as dagster, serve(database_url, dagster.url) as client:
        response = client.get("/readyz")
        assert response.status_code == 503
        assert response.json()["checks"] == {
            "database": "ok",
            "schema": "ok",
            "first_refresh": "not done yet",
            "dagster": "ok",
        }
        refresh(engine)
        response = client.get("/readyz")
        assert response.status_code == 200
        assert set(response.json()["checks"].values()) == {"ok"}


@pytest.mark.parametrize(
    ("seconds_ago", "is_alive"), [(None, False), (20, True), (100, True), (150, False)]
)
def test_schedules_that_do_not_run_are_a_warning_and_the_api_stays_ready(
    database_url: str, engine: sa.Engine, seconds_ago: float | None, *, is_alive: bool
) -> None:
    refresh(engine)
    with dagster_stand_in() as dagster, serve(database_url, dagster.url) as client:
        dagster.heartbeat_at = None if seconds_ago is None else time.time() - seconds_ago
        response = client.get("/readyz")
        assert response.status_code == 200
        assert response.json()["warnings"].get("schedules") == (
            None if is_alive else "not running: Dagster's daemon is not alive"
        )
        figure = "storemon_schedules_running 1.0" if is_alive else "storemon_schedules_running 0.0"
        assert figure in client.get("/metrics").text
        finding = examine_schedules(Settings(dagster_port=int(dagster.url.rpartition(":")[2])))
        assert finding.verdict is (Verdict.GOOD if is_alive else Verdict.BAD)


@pytest.mark.parametrize(("seconds", "is_late"), [(30, False), (90, True)])
def test_a_report_that_waits_for_long_is_a_warning(
    database_url: str, engine: sa.Engine, seconds: int, *, is_late: bool
) -> None:
    refresh(engine)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO reports (report_id, state, policy, requested_at) "
                "VALUES (gen_random_uuid(), 'waiting', 'nearest', "
                "now() - make_interval(secs => :seconds))"
            ),
            {"seconds": seconds},
        )
    findings = {
        finding.name: finding
        for finding in examine_database(Settings(database_url=database_url), database_url)
    }
    assert findings["reports"].verdict is (Verdict.BAD if is_late else Verdict.GOOD)
    with dagster_stand_in() as dagster, serve(database_url, dagster.url) as client:
        warnings = client.get("/readyz").json()["warnings"]
    assert ("the oldest request has waited for" in warnings.get("reports", "")) is is_late


def test_without_dagster_it_is_unknown_whether_schedules_run(client: httpx.Client) -> None:
    assert "storemon_schedules_running 0.0" in client.get("/metrics").text
    finding = examine_schedules(Settings(dagster_port=1))
    assert finding.verdict is Verdict.WARNING
    assert "http://127.0.0.1:1" in finding.what


def test_readiness_sees_an_older_schema(client: httpx.Client, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM alembic_version"))
    assert client.get("/readyz").json()["checks"]["schema"] == "not the newest version"


def test_a_trigger_is_launched_at_once(database_url: str) -> None:
    with dagster_stand_in() as dagster, serve(database_url, dagster.url) as client:
        eventually(lambda: "storemon_dispatching 1.0" in client.get("/metrics").text)
        client.post("/trigger_report")
        eventually(lambda: dagster.jobs == ["report_job"], seconds=2.0)


def test_a_report_that_waited_when_the_api_died_is_launched_by_the_next(
    database_url: str, engine: sa.Engine
) -> None:
    with serve(database_url) as client:
        report_id = client.post("/trigger_report").json()["report_id"]
    with dagster_stand_in() as dagster, serve(database_url, dagster.url) as client:
        eventually(lambda: dagster.jobs == ["report_job"])
        assert client.get(f"/get_report/{report_id}").json()["status"] == "Running"
        with engine.begin() as connection:
            connection.execute(sa.update(reports).values(state="failed", error="by the test"))
        assert client.get(f"/get_report/{report_id}").json()["status"] == "Failed"


def test_metrics_speak_of_the_data(client: httpx.Client, engine: sa.Engine) -> None:
    complete_report(engine, CSV)
    waiting_report(engine)
    refresh(engine)
    client.get(f"/get_report/{UNKNOWN}")
    lines = client.get("/metrics").text.splitlines()
    assert {
        'storemon_reports{state="waiting"} 1.0',
        'storemon_reports{state="complete"} 1.0',
        'storemon_reports{state="failed"} 0.0',
        'storemon_reports{state="expired"} 0.0',
        "storemon_waiting_reports 1.0",
        "storemon_database_up 1.0",
        "storemon_stores 7.0",
        "storemon_silent_stores 2.0",
    } <= set(lines)
    values = {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }
    assert 0 <= values["storemon_last_refresh_age_seconds"] < 60
    assert 3600 <= values["storemon_newest_poll_age_seconds"] < 3660
    labels = 'method="GET",route="/get_report/{report_id}",status="404"'
    assert values[f"storemon_http_requests_total{{{labels}}}"] == 1


def refresh(engine: sa.Engine) -> None:
    """Seven stores with polls, the newest an hour ago, two without."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO store_uptime_state (as_of, refreshed_at, stores, silent_stores) "
                "VALUES (now(), now(), 7, 2)"
            )
        )
        connection.execute(
            sa.text(
                "INSERT INTO status_runs (store_key, first_poll_at, last_poll_at, is_active, polls)"
                " VALUES (1, now() - interval '2 hours', now() - interval '1 hour', true, 2)"
            )
        )
