"""Keys for tests of what they may do."""

from collections.abc import Set as AbstractSet

from storemon_pipeline.access.key_management import create_key
from storemon_pipeline.access.keys import Scope


def new_key(url: str, name: str, *scopes: Scope, stores: AbstractSet[str] | None = None) -> str:
    """Return the token of a new key for these stores, or for all."""
    return create_key(
        url,
        name=name,
        scopes=frozenset(scopes),
        store_ids=None if stores is None else frozenset(stores),
        expires_at=None,
        by="test",
        is_forced=True,
    ).token
