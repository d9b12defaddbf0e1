"""Identities: the sender of a request, whether it has an API key or an account."""

from collections.abc import Mapping
from dataclasses import dataclass

from storemon_pipeline.access.accounts import ROLE_SCOPES, Account, Role
from storemon_pipeline.access.keys import ApiKey, Scope, includes


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Scopes, and the stores for which they hold; `store_ids` None means every store."""

    name: str
    scopes: frozenset[Scope]
    store_ids: frozenset[str] | None
    key_id: str | None = None
    account_id: int | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether one of the scopes is this one or includes it."""
        return includes(self.scopes, scope)

    @property
    def sender(self) -> str:
        """A name that no other identity has, for rate limits."""
        return f"account {self.account_id}" if self.key_id is None else self.key_id


def key_identity(key: ApiKey) -> Identity:
    """Return the identity of requests with this key."""
    return Identity(name=key.name, scopes=key.scopes, store_ids=key.store_ids, key_id=key.key_id)


def account_identity(account: Account, stores_of_groups: Mapping[str, frozenset[str]]) -> Identity:
    """Return the identity of requests of this account; an unknown group has no store."""
    rights = account.rights
    stores = rights.store_ids.union(*(stores_of_groups.get(name, ()) for name in rights.groups))
    return Identity(
        name=account.name,
        scopes=ROLE_SCOPES[rights.role],
        store_ids=stores if rights.role is Role.OWNER else None,
        account_id=account.account_id,
    )
