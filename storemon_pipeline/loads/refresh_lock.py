"""A lock, so that only one process at a time refreshes a source."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from storemon_pipeline.database.connections import CONNECT_TIMEOUT_SECONDS, sqlalchemy_url
from storemon_pipeline.database.locks import AdvisoryLock
from storemon_pipeline.domain.sources import Source


@contextmanager
def refresh_lock(url: str, source: Source) -> Iterator[None]:
    """Hold the lock of a source during the block; other processes wait.

    The lock is on its own connection, outside of any transaction. So it does not hold back VACUUM,
    and is released when the process dies.
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
