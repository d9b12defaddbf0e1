"""The commands that list loads, undo them and replay rejected rows, against a given database."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from stored import load, stored_polls
from storemon_pipeline.commands.cli import app
from storemon_pipeline.database.connections import libpq_url

Run = Callable[..., str]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; give what it printed, an error's line included."""
    monkeypatch.setenv("STOREMON_DATABASE_URL", libpq_url(database_url))

    def run_command(*arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == status, result.output
        return result.output

    return run_command


def test_a_load_is_listed_and_undone_once(run: Run, database_url: str) -> None:
    load(database_url, "A 09:00 up", "A 10:00 up", file_path="right.csv")
    load(database_url, "A 10:00 down", "A 11:00 down", file_path="wrong.csv")
    newest = run("loads", "--limit", "1")
    assert newest.split()[0] == "2"
    assert "1 loaded, 1 replaced, 0 unchanged, 0 rejected  wrong.csv" in newest
    assert "undone by load 3: 1 poll removed" in run("undo-load", "2")
    assert stored_polls(database_url) == ["A 09:00 up", "A 10:00 up"]
    assert "was undone already" in run("undo-load", "2", status=1)
    listed = run("loads").splitlines()
    assert "undoes load 2" in listed[0]
    assert ", undone " in listed[1]


def test_rejected_rows_are_listed_and_replayed(run: Run) -> None:
    assert run("rejected", "list") == "There are no rejected rows.\n"
    assert run("rejected", "replay", "--load", "7") == "There are no rejected rows.\n"
