"""Creating, listing and revoking API keys; each change is recorded in the audit log."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.access.audit_log import AuditEvent, record_event
from storemon_pipeline.access.key_table import (
    insert_key,
    mark_revoked,
    read_keys,
    read_unknown_stores,
    record_use,
)
from storemon_pipeline.access.keys import ApiKey, NewToken, Scope, make_token
from storemon_pipeline.database.connections import create_engine, read_clock


class NoKeyError(Exception):
    """No usable key has this name or id."""


class NoAdminKeyError(Exception):
    """The key would be the first one, and nobody could administer the service with it."""


class UnknownStoresError(Exception):
    """Stores that no file and no push has named, so the key would show nothing."""

    def __init__(self, store_ids: Sequence[str]) -> None:
        super().__init__(", ".join(store_ids))
        self.store_ids = tuple(store_ids)


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

    From the first key on, every request needs one. So the first key must be able to administer,
    and every store must be known, unless `is_forced`. Raises KeyNameTakenError, NoAdminKeyError
    and UnknownStoresError.
    """
    token = make_token()
    with _transaction(url) as connection:
        if not is_forced:
            _check_access(connection, scopes, store_ids)
        insert_key(
            connection,
            token,
            name=name,
            scopes=scopes,
            store_ids=store_ids,
            expires_at=expires_at,
        )
        record_event(connection, AuditEvent(action="key.create", client=by, subject=token.key_id))
    return token


def _check_access(
    connection: sa.Connection,
    scopes: frozenset[Scope],
    store_ids: frozenset[str] | None,
) -> None:
    """Raise unless the stores are known and a key that can administer remains usable."""
    unknown = [] if store_ids is None else read_unknown_stores(connection, store_ids)
    if unknown:
        raise UnknownStoresError(unknown)
    now = read_clock(connection)
    is_admin = Scope.ADMIN in scopes and store_ids is None
    if not is_admin and not any(
        key.is_usable(now) and key.allows(Scope.ADMIN) and key.store_ids is None
        for key in read_keys(connection)
    ):
        raise NoAdminKeyError


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
