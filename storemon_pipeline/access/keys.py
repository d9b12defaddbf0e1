"""API keys as values: scopes, tokens and their verification. No database, no HTTP.

A token is `sm_` + the key's id + `_` + a secret. The id only finds the key; the secret is 256
random bits. So much chance needs no slow hash: nobody can try 2^255 secrets, and one SHA-256
leaves an API that answers thousands of requests a second free to check each of them.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

_TOKEN: Final = re.compile(r"sm_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_ID_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH: Final = 12
_SECRET_BYTES: Final = 32
_NO_DIGEST: Final = bytes(_SECRET_BYTES)


class Scope(StrEnum):
    """What a key or an account allows."""

    READ = "read"
    TRIGGER = "trigger"
    EDIT = "edit"
    INGEST = "ingest"
    ADMIN = "admin"


_IMPLIED: Final = {
    Scope.READ: frozenset({Scope.READ}),
    # A client that triggers a report must also be able to download it.
    Scope.TRIGGER: frozenset({Scope.TRIGGER, Scope.READ}),
    Scope.EDIT: frozenset({Scope.EDIT}),
    Scope.INGEST: frozenset({Scope.INGEST, Scope.EDIT}),
    Scope.ADMIN: frozenset(Scope),
}


def includes(scopes: AbstractSet[Scope], scope: Scope) -> bool:
    """Whether one of the scopes is this one or includes it."""
    return any(scope in _IMPLIED[own] for own in scopes)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new token, shown once, and the parts of it that are stored."""

    token: str
    key_id: str
    secret_sha256: bytes


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key; `store_ids` None means every store."""

    key_id: str
    name: str
    secret_sha256: bytes
    scopes: frozenset[Scope]
    store_ids: frozenset[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def allows(self, scope: Scope) -> bool:
        """Whether one of the key's scopes is this one or includes it."""
        return includes(self.scopes, scope)

    def is_usable(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def make_token() -> NewToken:
    """Return a new random token."""
    key_id = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return NewToken(f"sm_{key_id}_{secret}", key_id, _digest(secret))


def split_token(token: str) -> tuple[str, str] | None:
    """The id and the secret of what looks like a token; None for anything else."""
    found = _TOKEN.fullmatch(token)
    return None if found is None else (found[1], found[2])


def has_secret(key: ApiKey | None, secret: str) -> bool:
    """Whether the secret is the key's; no key costs the same time as a wrong secret."""
    expected = _NO_DIGEST if key is None else key.secret_sha256
    return hmac.compare_digest(_digest(secret), expected) and key is not None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
