"""Secrets of sessions and links, and sessions as values. No database, no HTTP.

A secret has 256 random bits, so its SHA-256 is enough to store: nobody can guess it.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Secret:
    """A new secret, given away once, and what is stored of it."""

    token: str
    token_sha256: bytes


@dataclass(frozen=True, slots=True)
class Session:
    """A stored session."""

    token_sha256: bytes
    account_id: int
    last_used_at: datetime
    expires_at: datetime

    def is_usable(self, now: datetime, *, idle_limit: timedelta) -> bool:
        """Whether it has neither expired nor been unused for too long at `now`."""
        return now < self.expires_at and now - self.last_used_at < idle_limit


def make_secret() -> Secret:
    """Return a new random secret."""
    token = secrets.token_urlsafe(_SECRET_BYTES)
    return Secret(token, secret_digest(token))


def secret_digest(token: str) -> bytes:
    """Return what is stored of a secret."""
    return hashlib.sha256(token.encode()).digest()
