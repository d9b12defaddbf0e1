"""The cache of keys and accounts: when it reads them again."""

import time

import sqlalchemy as sa

from api_keys import new_key
from storemon_api.security.identity_cache import Credential, IdentityCache, Proof
from storemon_pipeline.access.keys import Scope


def test_a_request_that_came_after_the_last_read_began_has_the_keys_read_again(
    database_url: str, engine: sa.Engine
) -> None:
    cache = IdentityCache(engine)
    cache.load()
    token = new_key(database_url, "new", Scope.ADMIN)
    key = Credential(Proof.KEY, token, is_ambient=False)
    asked = time.monotonic()
    cache.load(since=asked)
    assert cache.knows(key)
    cache._known = None
    cache.load(since=asked)
    assert not cache.is_loaded, "a read that began after the request is new enough"
