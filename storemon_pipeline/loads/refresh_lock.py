"""One refresh of a source at a time, whoever has started it."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from storemon_pipeline.database.connections import CONNECT_TIMEOUT_SECONDS, sqlalchemy_url
from storemon_pipeline.database.locks import AdvisoryLock
from storemon_pipeline.domain.sources import Source


@contextmanager
def refresh_lock(url: str, source: Source) -> Iterator[None]:
    """No other process holds this while the block runs: a second one waits, and then starts.

    The lock belongs to a connection of its own, outside of any transaction, so that it holds back
    no cleaning of tables, and goes with its process.
    """
    engine = sa.create_engine(
        sqlalchemy_url(url),
        poolclass=sa.pool.NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "storemon refresh",
        },
    )
    with engine.connect() as connection:
        connection.execute(
            sa.select(
                sa.func.pg_advisory_lock(
                    int(AdvisoryLock.REFRESH_SOURCE), list(Source).index(source)
                )
            )
        )
        yield
