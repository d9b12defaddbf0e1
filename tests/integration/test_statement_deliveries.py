"""Statements by mail: the Monday statement, failures, a killed process, and who may see what."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import dagster as dg
import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from api_keys import new_key
from api_server import serve
from mail_server import MailServer, files_of, mail_server, text_of
from stored import fetch, load, load_rows, load_zones
from storemon_pipeline.access.keys import Scope as KeyScope
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.commands.cli import app
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.defs.resources import Database
from storemon_pipeline.defs.resources import MailServer as MailResource
from storemon_pipeline.defs.statements.statement_job import statement_job, statements
from storemon_pipeline.sent_statements.deliver_statements import (
    Delivered,
    Mailing,
    deliver_statements,
    is_statement_due,
)
from storemon_pipeline.sent_statements.delivery_table import FileFormat, NewSchedule
from storemon_pipeline.sent_statements.manage_schedules import add_schedule
from storemon_pipeline.sent_statements.request import StatementRequest
from storemon_pipeline.sent_statements.schedule import Every, Timetable
from storemon_pipeline.statements.statement import Scope
from storemon_pipeline.statements.statement_period import StatementPeriod

FRIDAY: Final = datetime(2023, 1, 27, tzinfo=UTC)
MONDAY: Final = datetime(2023, 1, 30, 14, tzinfo=UTC)
"""08:00 in Chicago."""
ADDRESS: Final = "owner@example.com"


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """Two stores with polls over the week that begins at MIDNIGHT, and after it."""
    hours = (*range(8, 40), 182)
    load(database_url, *(f"{store} {hour:02}:00 up" for store in "AB" for hour in hours))
    engine = create_engine(database_url, application_name="test")
    yield engine
    engine.dispose()


def schedule(
    engine: sa.Engine,
    *,
    store_id: str | None = None,
    now: datetime = FRIDAY,
    file_format: FileFormat = FileFormat.PDF,
    addresses: tuple[str, ...] = (ADDRESS,),
) -> None:
    timetable = Timetable(Every.MONDAY, time(8), "America/Chicago")
    request = StatementRequest(Scope(store_id), "")
    add_schedule(engine, NewSchedule(request, timetable, addresses, file_format), now=now)


def deliver(url: str, mails: MailServer, now: datetime) -> Delivered:
    return deliver_statements(url, Mailing(mails.url, "https://storemon.example"), now=now)


def deliveries(url: str) -> list[dict[str, Any]]:
    return fetch(
        url,
        "SELECT period, state, tries::int, is_repeated, error FROM statement_deliveries"
        " ORDER BY delivery_id",
    )


def test_the_monday_statement_is_sent_once_with_its_file(
    database_url: str, engine: sa.Engine, mails: MailServer
) -> None:
    schedule(engine)
    assert not is_statement_due(database_url, now=MONDAY - timedelta(seconds=1))
    assert is_statement_due(database_url, now=MONDAY)
    assert deliver(database_url, mails, MONDAY) == Delivered(1, 0, 0)
    assert not is_statement_due(database_url, now=MONDAY + timedelta(days=6))
    assert deliver(database_url, mails, MONDAY + timedelta(hours=1)) == Delivered(0, 0, 0)
    (mail,) = mails.taken
    assert mail["Subject"] == "Statement of All stores: Week 4 of 2023, 23 to 29 January 2023"
    assert ADDRESS in mail["To"]
    text = text_of(mail)
    assert "Uptime: 100.00 %" in text
    assert "https://storemon.example/pages/statements/1" in text
    ((name, content),) = files_of(mail).items()
    assert name == "statement-all-2023-W04.pdf"
    with serve(database_url) as client:
        assert client.get("/statements/1.pdf").content == content
        page = client.get("/pages/statements").text
        (listed,) = client.get("/statement-deliveries").json()["deliveries"]
    assert ADDRESS in page
    assert (listed["state"], listed["tries"], listed["statement_id"]) == ("sent", 1, 1)


@pytest.mark.parametrize("file_format", [FileFormat.XLSX, FileFormat.CSV])
def test_the_file_is_of_the_chosen_format(
    database_url: str, engine: sa.Engine, mails: MailServer, file_format: FileFormat
) -> None:
    schedule(engine, store_id="A", file_format=file_format)
    assert deliver(database_url, mails, MONDAY).sent == 1
    assert list(files_of(mails.taken[0])) == [f"statement-A-2023-W04.{file_format}"]


def test_each_address_gets_the_same_statement_and_is_tried_again_for_itself(
    database_url: str, engine: sa.Engine, mails: MailServer
) -> None:
    schedule(engine, addresses=(ADDRESS, "full@example.com", "office@example.com"))
    mails.refused = "full@example.com"
    assert deliver(database_url, mails, MONDAY) == Delivered(2, 1, 0)
    # Late polls do not make another statement of what the others already have.
    load(database_url, "A 41:00 down")
    mails.refused = None
    assert deliver(database_url, mails, MONDAY + timedelta(minutes=2)) == Delivered(1, 0, 0)
    assert deliver(database_url, mails, MONDAY + timedelta(days=1)) == Delivered(0, 0, 0)
    assert [mail["To"] for mail in mails.taken] == [
        "owner@example.com",
        "office@example.com",
        "full@example.com",
    ]
    assert len({files_of(mail)["statement-all-2023-W04.pdf"] for mail in mails.taken}) == 1
    rows = fetch(
        database_url,
        "SELECT address, state, tries::int, statement_id::int FROM statement_deliveries"
        " ORDER BY delivery_id",
    )
    assert [tuple(row.values()) for row in rows] == [
        *(("owner@example.com", "sent", 1, 1), ("full@example.com", "sent", 2, 1)),
        ("office@example.com", "sent", 1, 1),
    ]


def test_statements_that_were_missed_are_caught_up_once(
    database_url: str, engine: sa.Engine, mails: MailServer
) -> None:
    schedule(engine)
    load(database_url, "A 520:00 up", "B 520:00 up")
    late = MONDAY + timedelta(days=14, hours=5)
    assert deliver(database_url, mails, late).sent == 3
    assert [row["period"] for row in deliveries(database_url)] == [
        "2023-W04",
        "2023-W05",
        "2023-W06",
    ]
    assert deliver(database_url, mails, late + timedelta(hours=1)).sent == 0
    assert len(mails.taken) == 3


def test_a_failure_is_tried_again_with_growing_pauses(
    database_url: str, engine: sa.Engine, mails: MailServer
) -> None:
    schedule(engine)
    mails.answer = "451 try later"
    assert deliver(database_url, mails, MONDAY) == Delivered(0, 1, 0)
    assert deliver(database_url, mails, MONDAY + timedelta(seconds=59)) == Delivered(0, 0, 0)
    assert deliver(database_url, mails, MONDAY + timedelta(seconds=60)) == Delivered(0, 1, 0)
    second = MONDAY + timedelta(seconds=60)
    assert not is_statement_due(database_url, now=second + timedelta(seconds=119))
    (row,) = deliveries(database_url)
    assert (row["state"], row["tries"]) == ("waiting", 2)
    assert row["error"]
    mails.answer = "250 OK"
    assert deliver(database_url, mails, second + timedelta(seconds=120)).sent == 1
    (row,) = deliveries(database_url)
    assert (row["state"], row["tries"], row["error"]) == ("sent", 3, None)
    assert len(mails.taken) == 1


def test_without_a_mail_server_it_waits_and_says_so(database_url: str, engine: sa.Engine) -> None:
    schedule(engine)
    assert deliver_statements(database_url, Mailing(None), now=MONDAY).failed == 1
    (row,) = deliveries(database_url)
    assert "STOREMON_MAIL_URL" in row["error"]


def test_a_statement_waits_a_day_for_the_polls_of_its_last_hours(
    database_url: str, mails: MailServer
) -> None:
    load(database_url, *(f"A {hour:02}:00 up" for hour in range(8, 40)))
    engine = create_engine(database_url, application_name="test")
    schedule(engine)
    engine.dispose()
    assert deliver(database_url, mails, MONDAY) == Delivered(0, 0, 1)
    (row,) = deliveries(database_url)
    assert (row["state"], row["tries"]) == ("waiting", 0)
    assert deliver(database_url, mails, MONDAY + timedelta(hours=24)).sent == 1
    assert "The period has not ended" in text_of(mails.taken[0])


def test_a_process_killed_while_it_sends_does_not_send_twice_silently(
    database_url: str, engine: sa.Engine, mails: MailServer
) -> None:
    schedule(engine)
    code = (
        "from datetime import datetime\n"
        "from storemon_pipeline.sent_statements.deliver_statements import *\n"
        "input()\n"
        f"deliver_statements({database_url!r}, Mailing({mails.url!r}),"
        f" now=datetime.fromisoformat({MONDAY.isoformat()!r}))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        mails.kill = process.pid
        process.communicate(b"\n", timeout=180)
    mails.kill = None
    assert process.returncode == -9
    assert len(mails.taken) == 1
    # Whether it arrived is not known until the attempt counts as interrupted.
    assert deliver(database_url, mails, MONDAY + timedelta(minutes=9)) == Delivered(0, 0, 0)
    assert deliver(database_url, mails, MONDAY + timedelta(minutes=11)).sent == 1
    first, again = mails.taken
    assert "may have reached you before" not in text_of(first)
    assert "may have reached you before" in text_of(again)
    assert files_of(first) == files_of(again)
    (row,) = deliveries(database_url)
    assert (row["state"], row["tries"], row["is_repeated"]) == ("sent", 2, True)
    assert len(fetch(database_url, "SELECT 1 FROM sent_statements")) == 1


def test_dagster_sends_what_is_due(
    database_url: str, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        rows = [("A", microseconds(now - timedelta(hours=hour)), True) for hour in range(15 * 24)]
        load_rows(bulk, rows, file_path=None)
    load_zones(database_url, "A,UTC")
    engine = create_engine(database_url, application_name="test")
    today = list(Every)[now.weekday()]
    new = NewSchedule(
        StatementRequest(Scope(), ""),
        Timetable(today, time(0), "UTC"),
        (ADDRESS,),
        FileFormat.CSV,
    )
    add_schedule(engine, new, now=now - timedelta(days=6))
    engine.dispose()
    monkeypatch.setenv("STOREMON_MAIL_URL", mails.url)
    resources = {
        "database": Database(url=database_url),
        "mail_server": MailResource(url=dg.EnvVar("STOREMON_MAIL_URL")),
    }
    with dg.DagsterInstance.ephemeral() as instance:

        def tick() -> bool:
            context = dg.build_sensor_context(instance=instance, resources=resources)
            return bool(statements.evaluate_tick(context).run_requests)

        assert tick()
        assert statement_job.execute_in_process(instance=instance, resources=resources).success
        assert not tick()
    (mail,) = mails.taken
    assert StatementPeriod.before(now.date(), Period.WEEK).title in mail["Subject"]


def test_a_statement_is_sent_to_an_address_on_request(
    database_url: str, engine: sa.Engine, mails: MailServer
) -> None:
    assert engine
    with serve(database_url) as client:
        body = {"period": "2023-W04", "store_id": "A", "to": ADDRESS, "format": "csv"}
        assert client.post("/statements", json=body).json()["revision"] == 1
        bad = client.post("/statements", json=body | {"to": "a@b.example,c@d.example"})
        assert bad.status_code == 422
    assert deliver(database_url, mails, datetime.now(UTC)).sent == 1
    assert list(files_of(mails.taken[0])) == ["statement-A-2023-W04.csv"]


def test_schedules_are_entered_listed_and_ended_over_http(
    database_url: str, engine: sa.Engine
) -> None:
    assert engine
    with serve(database_url) as client:
        body = {"every": "monday", "at": "07:30", "timezone": "Europe/Berlin", "to": ADDRESS}
        created = client.post("/statement-schedules", json=body).json()
        assert created["next_due_at"] > datetime.now(UTC).isoformat()
        assert client.get("/statement-schedules").json()["schedules"] == [created]
        page = client.get("/pages/statements").text
        assert "Monday 07:30, Europe/Berlin" in page
        for field, value in (
            *(("every", "noday"), ("at", "24:00"), ("timezone", "Mars/Base"), ("to", "nobody")),
            *(("to", "a@b.example c@d.example"), ("format", "doc"), ("to", [])),
            *(("to", [ADDRESS, "nobody"]), ("to", [f"{n}@b.example" for n in range(21)])),
        ):
            answer = client.post("/statement-schedules", json=body | {field: value})
            assert answer.status_code == 422, (field, value)
            assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert created["to"] == [ADDRESS]
        several = [ADDRESS, "office@example.com", ADDRESS]
        later = body | {"to": several, "at": "07:31"}
        both = client.post("/statement-schedules", json=later).json()
        assert both["to"] == several[:2]
        assert "owner@example.com, office@example.com" in client.get("/pages/statements").text
        client.delete(f"/statement-schedules/{both['schedule_id']}").raise_for_status()
        path = f"/statement-schedules/{created['schedule_id']}"
        assert client.delete(path).status_code == 204
        assert client.delete(path).status_code == 404
        assert client.get("/statement-schedules").json()["schedules"] == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({}, 409, id="the same"),
        pytest.param({"to": ["new@example.com", "Owner@example.com"]}, 409, id="one address"),
        pytest.param({"to": "new@example.com"}, 200, id="another address"),
        pytest.param({"store_id": "B"}, 200, id="another store"),
        pytest.param({"at": "07:31"}, 200, id="another time"),
        pytest.param({"every": "month"}, 200, id="another period"),
        pytest.param({"timezone": "Europe/Paris"}, 200, id="another zone"),
        pytest.param({"format": "csv"}, 200, id="another file"),
        pytest.param({"objective": 99}, 200, id="another objective"),
    ],
)
def test_a_schedule_is_not_entered_twice(
    database_url: str, engine: sa.Engine, change: dict[str, Any], status: int
) -> None:
    assert engine
    body: dict[str, Any] = {"every": "monday", "at": "07:30", "timezone": "Europe/Berlin"}
    body |= {"to": ADDRESS, "store_id": "A"}
    with serve(database_url) as client:
        first = client.post("/statement-schedules", json=body).raise_for_status().json()
        again = client.post("/statement-schedules", json=body | change)
        assert again.status_code == status
        assert len(ids(client)) == (1 if status == 409 else 2)
        if status == 409:
            number = first["schedule_id"]
            assert again.json()["detail"].startswith(f"Schedule {number} sends this statement to ")
        client.delete(f"/statement-schedules/{first['schedule_id']}").raise_for_status()
        if status == 409:
            client.post("/statement-schedules", json=body | change).raise_for_status()


def test_a_key_of_some_stores_schedules_and_sees_these_alone(
    database_url: str, engine: sa.Engine, mails: MailServer
) -> None:
    schedule(engine)
    schedule(engine, store_id="B")
    schedule(engine, store_id="A")
    token = new_key(database_url, "owner", KeyScope.READ, KeyScope.INGEST, stores={"A"})
    with serve(database_url) as client:
        client.headers["X-API-Key"] = token
        assert ids(client) == [3]
        body = {"every": "month", "to": ADDRESS}
        created = client.post("/statement-schedules", json=body).json()
        assert created["created_by"] == "owner"
        assert ids(client) == [3, created["schedule_id"]]
        assert client.delete("/statement-schedules/1").status_code == 404
        assert client.delete("/statement-schedules/2").status_code == 404
        deliver(database_url, mails, MONDAY)
        listed = client.get("/statement-deliveries").json()["deliveries"]
        assert [one["schedule_id"] for one in listed] == [3]
        assert client.delete("/statement-schedules/3").status_code == 204


def ids(client: httpx.Client) -> list[int]:
    schedules = client.get("/statement-schedules").json()["schedules"]
    return [one["schedule_id"] for one in schedules]


def test_the_commands_schedule_list_and_cancel(database_url: str) -> None:
    def run(*arguments: str, status: int = 0) -> str:
        line = ["statements", *arguments, "--database-url", database_url]
        result = CliRunner().invoke(app, line)
        assert result.exit_code == status, result.output
        return result.output

    made = run("schedule", "--every", "monday", "--to", ADDRESS, "--group", "West")
    assert made == f"Schedule 1 sends group West to {ADDRESS}.\n"
    listed = run("schedules")
    assert f"1  group West  monday 08:00 America/Chicago  pdf to {ADDRESS}  next " in listed
    run("schedule", "--every", "month", "--to", ADDRESS, "--to", "office@example.com")
    assert f"to {ADDRESS}, office@example.com  next " in run("schedules")
    run("cancel", "2")
    same = run("schedule", "--every", "monday", "--to", ADDRESS, "--group", "West", status=1)
    assert f"Schedule 1 sends this statement to {ADDRESS} at this time already." in same
    run("schedule", "--every", "noday", "--to", ADDRESS, status=1)
    run("schedule", "--every", "monday", "--to", "nobody", status=1)
    assert run("deliveries") == "There are no mails.\n"
    run("cancel", "1")
    run("cancel", "1", status=1)
    assert run("schedules") == "There are no schedules.\n"
