"""The table of API keys: creating, listing and revoking keys, and recording their last use."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storemon_pipeline.access.keys import ApiKey, NewToken, Scope
from storemon_pipeline.database.tables import api_keys, stores


class KeyNameTakenError(Exception):
    """A key of this name exists and is not revoked."""


def insert_key(
    connection: sa.Connection,
    token: NewToken,
    *,
    name: str,
    scopes: frozenset[Scope],
    store_ids: frozenset[str] | None,
    expires_at: datetime | None,
) -> None:
    """The key exists; only the hash of its secret is kept. Raises KeyNameTakenError."""
    is_taken = connection.scalar(
        sa.select(sa.literal(1)).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
    )
    if is_taken:
        raise KeyNameTakenError(name)
    connection.execute(
        sa.insert(api_keys).values(
            key_id=token.key_id,
            name=name,
            secret_sha256=token.secret_sha256,
            scopes=sorted(scopes),
            store_ids=None if store_ids is None else sorted(store_ids),
            expires_at=expires_at,
        )
    )


def read_keys(connection: sa.Connection) -> list[ApiKey]:
    """All keys, revoked ones included, oldest first."""
    rows = connection.execute(sa.select(api_keys).order_by(api_keys.c.created_at))
    return [_key(row._asdict()) for row in rows]


def read_unknown_stores(connection: sa.Connection, store_ids: AbstractSet[str]) -> list[str]:
    """Those of these store ids that no source has named, in order."""
    known = connection.scalars(
        sa.select(stores.c.store_id).where(
            stores.c.store_id == sa.any_(sa.literal(sorted(store_ids), postgresql.ARRAY(sa.Text)))
        )
    )
    return sorted(store_ids - set(known))


def mark_revoked(connection: sa.Connection, name_or_id: str) -> ApiKey | None:
    """The key of this id, or of this name and not revoked yet, is revoked; None without one."""
    row = connection.execute(
        sa.update(api_keys)
        .where(
            sa.or_(api_keys.c.key_id == name_or_id, api_keys.c.name == name_or_id),
            api_keys.c.revoked_at.is_(None),
        )
        .values(revoked_at=sa.func.now())
        .returning(*api_keys.c)
    ).one_or_none()
    return None if row is None else _key(row._asdict())


def record_use(connection: sa.Connection, last_used: Mapping[str, datetime]) -> None:
    """Record the last use of each key, unless a later use is known."""
    for key_id, used_at in last_used.items():
        connection.execute(
            sa.update(api_keys)
            .where(api_keys.c.key_id == key_id)
            .values(last_used_at=sa.func.greatest(api_keys.c.last_used_at, used_at))
        )


def _key(row: Mapping[str, Any]) -> ApiKey:
    values = dict(row)
    values["scopes"] = frozenset(Scope(scope) for scope in values["scopes"])
    if values["store_ids"] is not None:
        values["store_ids"] = frozenset(values["store_ids"])
    return ApiKey(**values)
