"""Accounts as values: people who sign in, and their roles. No database, no HTTP."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from storemon_pipeline.access.keys import Scope

_EMAIL: Final = re.compile(r"[^@\s<>\"',;\x00-\x1f\x7f]+@[^@\s<>\"',;\x00-\x1f\x7f]+")
_LONGEST_EMAIL: Final = 254
_LONGEST_NAME: Final = 100


class Role(StrEnum):
    """What an account is for."""

    OWNER = "owner"
    """Sees some stores, and enters their closures and opening hours."""
    OPERATOR = "operator"
    """Sees every store, and changes everything but keys and accounts."""
    ADMIN = "admin"
    """May do everything."""


ROLE_SCOPES: Final = {
    Role.OWNER: frozenset({Scope.READ, Scope.TRIGGER, Scope.EDIT}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.TRIGGER, Scope.INGEST}),
    Role.ADMIN: frozenset({Scope.ADMIN}),
}


class AccountValueError(ValueError):
    """An email address, a name or a choice of stores that no account can have; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRights:
    """A role, and for an owner the stores: some by their ids, others by their groups."""

    role: Role
    store_ids: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raise AccountValueError unless an owner has stores, and nobody else does."""
        has_stores = bool(self.store_ids or self.groups)
        if self.role is Role.OWNER and not has_stores:
            raise AccountValueError("An owner needs a store or a group.")
        if self.role is not Role.OWNER and has_stores:
            raise AccountValueError(f"The role {self.role} sees every store: name no store.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A stored account."""

    account_id: int
    email: str
    name: str
    rights: AccountRights
    password_hash: str | None = field(repr=False)
    issuer: str | None
    subject: str | None
    created_at: datetime
    disabled_at: datetime | None
    last_sign_in_at: datetime | None

    @property
    def is_enabled(self) -> bool:
        """Whether the person may sign in."""
        return self.disabled_at is None

    @property
    def can_administer(self) -> bool:
        """Whether keys and accounts can be managed with it."""
        return self.is_enabled and self.rights.role is Role.ADMIN


def normal_email(text: str) -> str:
    """Return the address in the form in which it is stored. Raises AccountValueError."""
    email = text.strip().lower()
    if len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise AccountValueError("This is not an email address.")
    return email


def normal_name(text: str) -> str:
    """Return the name without spaces around it. Raises AccountValueError."""
    name = text.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise AccountValueError(f"A name is a line of 1 to {_LONGEST_NAME} characters.")
    return name
