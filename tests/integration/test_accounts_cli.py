"""`storemon accounts`: what it creates, and what it refuses with the line to run first."""

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from storemon_pipeline.commands.cli import app
from storemon_pipeline.database.tables import stores
from storemon_pipeline.service.preconditions import check_keys
from storemon_pipeline.settings import Settings


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["accounts", *arguments, "--database-url", url])


def test_an_account_is_invited_listed_changed_and_disabled(
    database_url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOREMON_PUBLIC_URL", "https://storemon.example/")
    with engine.begin() as connection:
        connection.execute(sa.insert(stores).values(store_id="7"))
    assert run(database_url, "list").stdout == "There are no accounts yet.\n"
    made = run(database_url, "invite", "Ada@Example.com", "--role", "admin", "--name", "Ada L")
    assert made.exit_code == 0
    assert made.stdout.startswith("https://storemon.example/password?token=")
    assert run(database_url, "invite", "bob@example.com", "--role", "operator").exit_code == 0
    again = run(database_url, "invite", "ADA@example.com", "--role", "admin")
    assert (again.exit_code, "exists" in again.stderr) == (1, True)
    changed = run(database_url, "change", "bob@example.com", "--role", "owner", "--store", "7")
    assert changed.stdout == "bob@example.com  bob  owner  1 store  invited\n"
    assert run(database_url, "disable", "bob@example.com").exit_code == 0
    listed = run(database_url, "list").stdout.splitlines()
    assert listed[0] == "ada@example.com  Ada L  admin  all stores  invited"
    assert listed[1].startswith("bob@example.com  bob  owner  1 store  disabled ")
    assert run(database_url, "link", "bob@example.com").exit_code == 1
    assert run(database_url, "enable", "bob@example.com").exit_code == 0
    assert run(database_url, "link", "bob@example.com").stdout.startswith("https://")
    assert run(database_url, "disable", "nobody@example.com").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--role", "operator"], id="operator"),
        pytest.param(["--role", "owner", "--store", "7"], id="owner"),
    ],
)
def test_the_first_account_must_be_able_to_administer(
    database_url: str, engine: sa.Engine, arguments: list[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(stores).values(store_id="7"))
    refused = run(database_url, "invite", "bob@example.com", *arguments)
    assert refused.exit_code == 1
    assert "first run `storemon accounts invite EMAIL --role admin`" in refused.stderr
    assert run(database_url, "list").stdout == "There are no accounts yet.\n"
    assert run(database_url, "invite", "bob@example.com", *arguments, "--force").exit_code == 0


def test_the_last_admin_stays_one(database_url: str) -> None:
    run(database_url, "invite", "ada@example.com", "--role", "admin")
    for arguments in (
        ["disable", "ada@example.com"],
        ["change", "ada@example.com", "--role", "operator"],
    ):
        refused = run(database_url, *arguments)
        assert refused.exit_code == 1
        assert "accounts invite EMAIL --role admin" in refused.stderr
    assert "admin  all stores  invited" in run(database_url, "list").stdout
    run(database_url, "invite", "bob@example.com", "--role", "admin")
    assert run(database_url, "disable", "ada@example.com").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--role", "owner", "--store", "unknown"], "No data names the store 'unknown'"),
        (["--role", "owner", "--group", "unknown"], "No store is in the group 'unknown'"),
        (["--role", "owner"], "An owner needs a store or a group"),
        (["--role", "admin", "--store", "7"], "name no store"),
        (["--role", "boss"], "--role is one of owner, operator, admin"),
    ],
)
def test_rights_that_show_nothing_or_make_no_sense_are_refused(
    database_url: str, arguments: list[str], reason: str
) -> None:
    run(database_url, "invite", "ada@example.com", "--role", "admin")
    refused = run(database_url, "invite", "bob@example.com", *arguments)
    assert refused.exit_code != 0
    assert reason in refused.stderr


def test_an_account_lets_the_service_listen_to_other_machines(database_url: str) -> None:
    run(database_url, "invite", "ada@example.com", "--role", "admin")
    check_keys(Settings(host="192.0.2.7"), database_url)
