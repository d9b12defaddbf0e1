"""`storemon keys`, and the keys that `storemon up` needs before it listens to other machines."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from storemon_pipeline.access.key_management import list_keys
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.commands.cli import app
from storemon_pipeline.database.tables import stores
from storemon_pipeline.host.errors import StartError
from storemon_pipeline.service.preconditions import check_keys, is_loopback
from storemon_pipeline.settings import Settings


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments, "--database-url", url])


def add_store(engine: sa.Engine, store_id: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(stores).values(store_id=store_id))


def test_a_key_is_made_listed_and_revoked(database_url: str) -> None:
    made = run(
        database_url,
        *("create", "--name", "till", "--store", "7", "--store", "8"),
        *("--scope", "ingest", "--scope", "read", "--expires", "30d", "--force"),
    )
    assert made.exit_code == 0
    token = made.stdout.strip()
    (key,) = list_keys(database_url)
    assert token.startswith(f"sm_{key.key_id}_")
    assert key.scopes == {Scope.INGEST, Scope.READ}
    assert key.store_ids == frozenset({"7", "8"})
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - datetime.now(UTC) <= timedelta(days=30)
    listed = run(database_url, "list").stdout
    assert "till  ingest+read  2 stores" in listed
    assert token not in listed
    assert run(database_url, "revoke", "till").exit_code == 0
    assert "revoked" in run(database_url, "list").stdout
    assert run(database_url, "revoke", "till").exit_code == 1
    admin = ("--all-stores", "--scope", "admin")
    assert run(database_url, "create", "--name", "till", *admin).exit_code == 0
    assert run(database_url, "create", "--name", "till", *admin).exit_code == 1


def test_an_empty_list_of_keys_says_so(database_url: str) -> None:
    assert run(database_url, "list").stdout == "There are no keys yet.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--all-stores"], id="may only read"),
        pytest.param(["--store", "A", "--scope", "admin"], id="administers one store"),
    ],
)
def test_the_first_key_must_be_able_to_administer(
    database_url: str, engine: sa.Engine, arguments: list[str]
) -> None:
    add_store(engine, "A")
    refused = run(database_url, "create", "--name", "first", *arguments)
    assert refused.exit_code == 1
    assert "storemon keys create --name admin --all-stores --scope admin" in refused.stderr
    assert list_keys(database_url) == []
    assert run(database_url, "create", "--name", "first", *arguments, "--force").exit_code == 0


def test_a_key_of_a_store_that_no_data_names_is_refused(
    database_url: str, engine: sa.Engine
) -> None:
    add_store(engine, "A")
    run(database_url, "create", "--name", "admin", "--all-stores", "--scope", "admin")
    for store_id in ("*", "B"):
        refused = run(database_url, "create", "--name", "x", "--store", "A", "--store", store_id)
        assert refused.exit_code == 1
        assert f"No data names the store '{store_id}'" in refused.stderr
    assert run(database_url, "create", "--name", "x", "--store", "A").exit_code == 0
    forced = run(database_url, "create", "--name", "y", "--store", "B", "--force")
    assert forced.exit_code == 0


def test_a_revoked_admin_key_does_not_count(database_url: str) -> None:
    run(database_url, "create", "--name", "admin", "--all-stores", "--scope", "admin")
    run(database_url, "revoke", "admin")
    assert run(database_url, "create", "--name", "x", "--all-stores").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--name", "n"],
        ["--name", "n", "--store", "1", "--all-stores"],
        ["--name", "", "--all-stores"],
        ["--name", "n", "--all-stores", "--scope", "everything"],
        ["--name", "n", "--all-stores", "--expires", "soon"],
    ],
)
def test_options_that_cannot_be_used_are_one_line_and_make_no_key(
    database_url: str, arguments: list[str]
) -> None:
    refused = run(database_url, "create", *arguments)
    assert refused.exit_code == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert list_keys(database_url) == []


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - compared, not bound
        ("::", False),
        ("", False),
        ("192.168.0.7", False),
        ("shop.example", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host: str, expected: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is expected


def test_the_api_opens_to_others_only_when_a_key_can_be_used(
    database_url: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, host="0.0.0.0")  # noqa: S104 - checked, not bound
    with pytest.raises(StartError, match="storemon keys create --name NAME"):
        check_keys(settings, database_url)
    run(
        database_url,
        "create",
        "--name",
        "old",
        "--all-stores",
        "--expires",
        "2020-01-01",
        "--force",
    )
    with pytest.raises(StartError):
        check_keys(settings, database_url)
    run(database_url, "create", "--name", "new", "--all-stores", "--scope", "admin")
    check_keys(settings, database_url)
    run(database_url, "revoke", "new")
    with pytest.raises(StartError):
        check_keys(settings, database_url)


def test_up_refuses_to_open_to_others_without_keys(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    refused = CliRunner().invoke(
        app,
        [
            *("up", "--host", "0.0.0.0", "--port", "18733", "--dagster-port", "18734"),  # noqa: S104
            *("--home", str(tmp_path / "home"), "--data", str(tmp_path / "data")),
            *("--database-url", database_url),
        ],
    )
    assert refused.exit_code == 2
    assert "storemon keys create" in refused.stderr
    assert "Traceback" not in refused.output
