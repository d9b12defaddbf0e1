"""Creating, listing and revoking API keys; each change is recorded in the audit log."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.access.administrators import check_administrator, check_stores
from storemon_pipeline.access.audit_log import AuditEvent, record_event
from storemon_pipeline.access.key_table import (
    insert_key,
    mark_revoked,
    read_keys,
    record_use,
)
from storemon_pipeline.access.keys import ApiKey, NewToken, Scope, make_token
from storemon_pipeline.database.connections import create_engine


class NoKeyError(Exception):
    """No usable key has this name or id."""


def create_key(
    url: str,
    *,
    name: str,
    scopes: frozenset[Scope],
    store_ids: frozenset[str] | None,
    expires_at: datetime | None,
    by: str,
    is_forced: bool = False,
) -> NewToken:
    """A new key; its token is returned and stored nowhere.

    From the first key or account on, every request needs one. So the first must be able to
    administer, and every store must be known, unless `is_forced`. Raises KeyNameTakenError,
    NoAdministratorError and UnknownStoresError.
    """
    token = make_token()
    with _transaction(url) as connection:
        insert_key(
            connection,
            token,
            name=name,
            scopes=scopes,
            store_ids=store_ids,
            expires_at=expires_at,
        )
        if not is_forced:
            check_stores(connection, store_ids or frozenset())
            check_administrator(connection)
        record_event(connection, AuditEvent(action="key.create", client=by, subject=token.key_id))
    return token


def list_keys(url: str) -> list[ApiKey]:
    """All keys, oldest first."""
    with _transaction(url) as connection:
        return read_keys(connection)


def revoke_key(url: str, name_or_id: str, *, by: str) -> ApiKey:
    """The key is refused from now on. Raises NoKeyError."""
    with _transaction(url) as connection:
        key = mark_revoked(connection, name_or_id)
        if key is None:
            raise NoKeyError(name_or_id)
        record_event(connection, AuditEvent(action="key.revoke", client=by, subject=key.key_id))
    return key


def record_uses(engine: sa.Engine, last_used: Mapping[str, datetime]) -> None:
    """Record the last use of each key, by id, unless a later use is known."""
    with engine.begin() as connection:
        record_use(connection, last_used)


def has_usable_key(url: str, *, now: datetime) -> bool:
    """Whether at least one key is neither revoked nor expired."""
    return any(key.is_usable(now) for key in list_keys(url))


@contextmanager
def _transaction(url: str) -> Iterator[sa.Connection]:
    engine = create_engine(url, application_name="storemon keys", pool_size=1)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
