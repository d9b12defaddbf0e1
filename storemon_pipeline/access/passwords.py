"""Passwords: what is accepted as one, hashing and verifying. No database.

argon2-cffi's defaults are those of RFC 9106 for little memory: 64 MiB and three passes. A hash
takes about a tenth of a second, so callers limit how many are computed at the same time.
"""

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 12
LONGEST: Final = 200
"""Longer ones would only take time."""


class WeakPasswordError(ValueError):
    """A password that is not accepted; says why."""


def hash_password(password: str) -> str:
    """Return the hash to store. Raises WeakPasswordError."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPasswordError(f"Choose a password of {SHORTEST} to {LONGEST} characters.")
    if len(set(password)) < SHORTEST // 3:
        raise WeakPasswordError("Choose a password with more different characters.")
    return str(_hasher().hash(password))


def is_password(stored: str | None, password: str) -> bool:
    """Whether this is the password of the hash; no hash costs the same time as a wrong one."""
    from argon2.exceptions import VerificationError  # noqa: PLC0415 - as in `_hasher`

    if len(password) > LONGEST:
        return False
    try:
        _hasher().verify(_hash_of_nobody() if stored is None else stored, password)
    except VerificationError:
        return False
    return stored is not None


@cache
def _hasher() -> "PasswordHasher":
    # Most processes of the service never see a password.
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher()


@cache
def _hash_of_nobody() -> str:
    return str(_hasher().hash("a password that no account has"))
