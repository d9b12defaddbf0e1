"""The table of sessions: statements only."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.access.sessions import Session
from storemon_pipeline.database.tables import account_sessions


def insert_session(connection: sa.Connection, session: Session) -> None:
    """The session exists. Sessions that have expired are deleted."""
    connection.execute(
        sa.delete(account_sessions).where(account_sessions.c.expires_at <= sa.func.now())
    )
    connection.execute(
        sa.insert(account_sessions).values(
            token_sha256=session.token_sha256,
            account_id=session.account_id,
            last_used_at=session.last_used_at,
            expires_at=session.expires_at,
        )
    )


def read_sessions(connection: sa.Connection) -> list[Session]:
    """All sessions that have not expired."""
    rows = connection.execute(
        sa.select(
            account_sessions.c.token_sha256,
            account_sessions.c.account_id,
            account_sessions.c.last_used_at,
            account_sessions.c.expires_at,
        ).where(account_sessions.c.expires_at > sa.func.now())
    )
    return [Session(*row) for row in rows]


def delete_session(connection: sa.Connection, token_sha256: bytes) -> int | None:
    """The session has ended; return its account, None when there was no such session."""
    return connection.scalar(
        sa.delete(account_sessions)
        .where(account_sessions.c.token_sha256 == token_sha256)
        .returning(account_sessions.c.account_id)
    )


def delete_sessions_of(connection: sa.Connection, account_id: int) -> None:
    """No session of the account remains."""
    connection.execute(
        sa.delete(account_sessions).where(account_sessions.c.account_id == account_id)
    )


def record_session_use(connection: sa.Connection, last_used: Mapping[bytes, datetime]) -> None:
    """Record the last use of each session, unless a later use is known."""
    for token_sha256, used_at in last_used.items():
        connection.execute(
            sa.update(account_sessions)
            .where(account_sessions.c.token_sha256 == token_sha256)
            .values(last_used_at=sa.func.greatest(account_sessions.c.last_used_at, used_at))
        )
