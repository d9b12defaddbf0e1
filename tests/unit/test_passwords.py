"""Passwords: what is accepted, and that no account costs the same work as a wrong password."""

from typing import Any

import pytest

from storemon_pipeline.access import passwords
from storemon_pipeline.access.passwords import WeakPasswordError, hash_password, is_password

PASSWORD = "correct horse battery staple"  # noqa: S105 - of a test


@pytest.fixture(scope="module", autouse=True)
def quick_password_hashes() -> None:
    """Let the hashes be those of the product."""


def test_a_password_is_recognised_and_no_other_is() -> None:
    stored = hash_password(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert is_password(stored, PASSWORD)
    assert not is_password(stored, PASSWORD[:-1])
    assert not is_password(None, PASSWORD)
    assert not is_password(stored, "x" * 201)


@pytest.mark.parametrize("password", ["", "elevenchars", "a" * 50, "x" * 201])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(WeakPasswordError):
        hash_password(password)


def test_no_account_costs_the_work_of_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = passwords._hasher()
    stored = hash_password(PASSWORD)
    is_password(None, PASSWORD)  # The hash of nobody is made once.
    verified: list[str] = []
    real = type(hasher).verify

    def verify(self: Any, stored_hash: str, password: str) -> object:  # noqa: ANN401 - ships no types
        verified.append(stored_hash.rpartition("$")[0].rpartition("$")[0])
        return real(self, stored_hash, password)

    monkeypatch.setattr(type(hasher), "verify", verify)
    is_password(stored, "a wrong password")
    is_password(None, "a wrong password")
    # Both were verified once, with the same parameters of Argon2.
    assert len(verified) == 2
    assert verified[0] == verified[1]
