"""The rule that somebody can always administer the service, and that stores are known."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import sqlalchemy as sa

from storemon_pipeline.access.account_table import read_accounts
from storemon_pipeline.access.key_table import read_keys, read_unknown_stores
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.database.connections import read_clock


class NoAdministratorError(Exception):
    """Nobody could administer the service afterwards: no admin key, and no account of an admin."""


class UnknownStoresError(Exception):
    """Stores that no file and no push has named, so there would be nothing to see."""

    def __init__(self, store_ids: Sequence[str]) -> None:
        super().__init__(", ".join(store_ids))
        self.store_ids = tuple(store_ids)


def check_stores(connection: sa.Connection, store_ids: AbstractSet[str]) -> None:
    """Raise UnknownStoresError unless every store is known."""
    if unknown := read_unknown_stores(connection, store_ids):
        raise UnknownStoresError(unknown)


def check_administrator(connection: sa.Connection) -> None:
    """Raise NoAdministratorError unless a usable key or account can administer the service."""
    now = read_clock(connection)
    if any(account.can_administer for account in read_accounts(connection)):
        return
    if not any(
        key.is_usable(now) and key.allows(Scope.ADMIN) and key.store_ids is None
        for key in read_keys(connection)
    ):
        raise NoAdministratorError
