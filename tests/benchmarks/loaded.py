"""A database on an embedded server with a data folder loaded into it, for what needs no service."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import ensure_database, sqlalchemy_url
from storemon_pipeline.database.migrate import migrate
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.host.embedded_postgres import embedded_postgres
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals


@contextmanager
def server(home: Path) -> Iterator[str]:
    """The URL of an embedded PostgreSQL, as `storemon up` runs it."""
    home.mkdir(parents=True, exist_ok=True)
    with embedded_postgres(home) as running:
        yield running.url


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
