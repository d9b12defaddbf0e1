"""Pooled connections that the server closed are replaced; a snapshot is shared between two."""

import os
import select
import socket
from collections.abc import Iterator
from typing import cast

import psycopg
import pytest
import sqlalchemy as sa

from stored import load
from storemon_pipeline.database.bulk import bulk_transaction, writer_and_reader
from storemon_pipeline.database.connections import create_engine
from waiting import eventually


@pytest.fixture
def one_connection(database_url: str) -> Iterator[sa.Engine]:
    """An engine that keeps a single connection."""
    engine = create_engine(database_url, application_name="test", pool_size=1, max_overflow=0)
    yield engine
    engine.dispose()


def server_process(engine: sa.Engine) -> int:
    """Which process of the server answers."""
    with engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())


def test_a_connection_that_the_server_cut_is_replaced_unseen(
    one_connection: sa.Engine, engine: sa.Engine
) -> None:
    before = server_process(one_connection)
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_terminate_backend(before, 5_000)))
    assert server_process(one_connection) != before


def test_a_connection_that_was_closed_here_is_replaced_unseen(one_connection: sa.Engine) -> None:
    with one_connection.connect() as connection:
        kept = cast("psycopg.Connection", connection.connection.driver_connection)
    before = server_process(one_connection)
    kept.close()
    assert server_process(one_connection) != before


def test_a_connection_that_a_network_forgot_while_it_was_idle_is_replaced_unseen(
    one_connection: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one_connection.connect() as connection:
        kept = cast("psycopg.Connection", connection.connection.driver_connection)
    before = server_process(one_connection)
    # The next packet finds nobody; until then nothing comes.
    with socket.socket(fileno=os.dup(kept.fileno())) as forgotten:
        forgotten.shutdown(socket.SHUT_WR)
        monkeypatch.setattr("storemon_pipeline.database.connections._is_readable", lambda _: False)
        monkeypatch.setattr("storemon_pipeline.database.connections._IDLE_SECONDS", -1.0)
        assert server_process(one_connection) != before


def test_a_live_connection_is_taken_again(one_connection: sa.Engine) -> None:
    assert server_process(one_connection) == server_process(one_connection)


def test_a_live_connection_with_something_to_read_is_taken_again(
    one_connection: sa.Engine, engine: sa.Engine
) -> None:
    with one_connection.begin() as connection:
        connection.execute(sa.text("LISTEN something"))
        kept = cast("psycopg.Connection", connection.connection.driver_connection)
    before = server_process(one_connection)
    with engine.begin() as connection:
        connection.execute(sa.text("NOTIFY something"))
    eventually(lambda: bool(select.select([kept.fileno()], [], [], 0)[0]))
    assert server_process(one_connection) == before
    assert not select.select([kept.fileno()], [], [], 0)[0]


def test_a_second_transaction_reads_what_the_first_saw(database_url: str) -> None:
    count = "SELECT count(*) AS stores FROM stores"
    load(database_url, "A 09:00 up")
    with writer_and_reader(database_url) as (writer, reader):
        load(database_url, "B 09:00 up")
        writer.execute("INSERT INTO stores (store_id) VALUES ('C')")
        assert (writer.scalar(count), reader.scalar(count)) == (2, 1)
        reader.execute("INSERT INTO stores (store_id) VALUES ('D')")
    with bulk_transaction(database_url) as bulk:
        assert bulk.scalar(count) == 3
