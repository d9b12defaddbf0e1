"""A database on an embedded server with a data folder loaded into it, for what needs no service."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
import psycopg

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import ensure_database, libpq_url, sqlalchemy_url
from storemon_pipeline.database.migrate import migrate
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.host.embedded_postgres import embedded_postgres
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

ENDING_SECONDS: Final = 0.5
"""Within it a server's process has ended after its client is gone."""


@contextmanager
def server(home: Path) -> Iterator[str]:
    """The URL of an embedded PostgreSQL, as `storemon up` runs it."""
    home.mkdir(parents=True, exist_ok=True)
    with embedded_postgres(home) as running:
        yield running.url


def database_cpu_seconds() -> float:
    """The processor time of this process's PostgreSQL in processes that have ended."""
    (postmaster,) = (
        child for child in psutil.Process(os.getpid()).children() if child.name() == "postgres"
    )
    times = postmaster.cpu_times()
    return float(times.children_user + times.children_system)


def make_database(server_url: str, name: str) -> str:
    """The URL of a new database with all tables and no rows."""
    url = sqlalchemy_url(server_url).set(database=name).render_as_string(hide_password=False)
    ensure_database(url)
    migrate(url)
    return url


def load(url: str, data: Path, source: Source) -> int:
    """Load the files of a source; return how many rows they had."""
    return ingest_source(url, data, source, now=datetime.now(UTC), run_id=None).row_counts.read


def load_all(url: str, data: Path) -> None:
    """Load everything that a report needs."""
    for source in (Source.STORE_STATUS, Source.BUSINESS_HOURS, Source.STORE_TIMEZONES):
        load(url, data, source)
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)


def vacuum(url: str) -> None:
    """Do what autovacuum does in the course of an hour."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
