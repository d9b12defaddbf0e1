"""Keys, tokens and rate limits as values: who gets access, and who does not."""

from datetime import UTC, datetime, timedelta

import pytest

from storemon_api.security.rate_limits import RateLimits
from storemon_pipeline.access.keys import (
    ApiKey,
    NewToken,
    Scope,
    has_secret,
    make_token,
    split_token,
)

NOW = datetime(2023, 1, 25, 12, tzinfo=UTC)


def stored(token: NewToken, *scopes: Scope, expires_at: datetime | None = None) -> ApiKey:
    return ApiKey(
        key_id=token.key_id,
        name="name",
        secret_sha256=token.secret_sha256,
        scopes=frozenset(scopes),
        store_ids=None,
        created_at=NOW,
        expires_at=expires_at,
        revoked_at=None,
        last_used_at=None,
    )


def test_a_token_is_recognised_and_no_other_is() -> None:
    token, other = make_token(), make_token()
    parts, other_parts = split_token(token.token), split_token(other.token)
    assert parts is not None
    assert other_parts is not None
    key = stored(token, Scope.READ)
    assert parts[0] == token.key_id
    assert has_secret(key, parts[1])
    assert not has_secret(key, other_parts[1])
    assert not has_secret(None, parts[1])


def test_the_stored_key_does_not_contain_the_secret() -> None:
    token = make_token()
    parts = split_token(token.token)
    assert parts is not None
    assert len(token.secret_sha256) == 32
    assert parts[1] not in repr(stored(token, Scope.READ))


@pytest.mark.parametrize("text", ["", "sm_", "sm_abc_def", "x" * 5_000, "sm_é", "\0"])
def test_text_that_is_no_token_is_not_parsed(text: str) -> None:
    assert split_token(text) is None


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (Scope.READ, {Scope.READ}),
        (Scope.TRIGGER, {Scope.TRIGGER, Scope.READ}),
        (Scope.EDIT, {Scope.EDIT}),
        (Scope.INGEST, {Scope.INGEST, Scope.EDIT}),
        (Scope.ADMIN, set(Scope)),
    ],
)
def test_a_scope_allows_what_it_holds(scope: Scope, allowed: set[Scope]) -> None:
    key = stored(make_token(), scope)
    assert {wanted for wanted in Scope if key.allows(wanted)} == allowed


def test_a_key_ends_at_its_instant() -> None:
    key = stored(make_token(), Scope.READ, expires_at=NOW)
    assert key.is_usable(NOW - timedelta(microseconds=1))
    assert not key.is_usable(NOW)


def test_a_burst_is_answered_then_the_rate() -> None:
    limits = RateLimits(per_second=2, burst=3)
    assert [limits.seconds_to_wait("a", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert limits.seconds_to_wait("a", 0.5) == 0
    assert limits.seconds_to_wait("a", 0.5) > 0
    assert limits.seconds_to_wait("b", 0.5) == 0


def test_buckets_of_clients_that_stay_away_are_forgotten() -> None:
    limits = RateLimits(per_second=1, burst=1)
    for number in range(20_001):
        limits.seconds_to_wait(str(number), 0.0)
    assert limits.seconds_to_wait("20000", 0.0) > 0
    assert limits.seconds_to_wait("0", 0.0) == 0
