"""The storage of Dagster's events: connections are kept in the process of a run, and only there."""

from contextlib import closing

import psycopg
import pytest
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy.engine import make_url

from databases import Databases
from storemon_pipeline.database.connections import libpq_url
from storemon_pipeline.launching.run_launcher import LocalRunStorage
from storemon_pipeline.launching.run_requests import KEPT_CONNECTIONS_VARIABLE
from waiting import eventually


def _storage(url: str) -> DagsterPostgresStorage:
    """Make a storage that has its tables, and has been used once."""
    own = make_url(url).set(drivername="postgresql+psycopg2")
    storage = LocalRunStorage.from_config_value(
        None, {"postgres_url": own.render_as_string(hide_password=False)}
    )
    _use(storage)
    return storage


def _use(storage: DagsterPostgresStorage) -> None:
    assert storage.run_storage.get_runs(limit=1) == []
    assert storage.event_log_storage.get_logs_for_run("no such run") == []
    assert storage.schedule_storage.all_instigator_state() == []


def _others(url: str, columns: str) -> list[int]:
    """Ask about the connections to the database other than those of this function."""
    own = libpq_url(url)
    with closing(psycopg.connect(own, application_name="the test")) as connection:
        query = (
            f"SELECT {columns} FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND application_name <> 'the test'"
        )
        return [row[0] for row in connection.execute(query.encode())]


def test_a_run_keeps_one_connection_and_replaces_one_that_the_server_has_closed(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEPT_CONNECTIONS_VARIABLE, "1")
    with databases.empty() as url:
        storage = _storage(url)
        eventually(lambda: len(_others(url, "pid")) == 1)  # those of its making close
        (first,) = _others(url, "pid")
        _use(storage)
        assert _others(url, "pid") == [first]
        assert _others(url, "pg_terminate_backend(pid, 5000)") == [True]
        _use(storage)
        (second,) = _others(url, "pid")
        assert second != first


def test_other_processes_keep_no_connection(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEPT_CONNECTIONS_VARIABLE, raising=False)
    with databases.empty() as url:
        storage = _storage(url)
        _use(storage)
        eventually(lambda: not _others(url, "pid"))
