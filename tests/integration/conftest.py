"""What integration tests share: a running API."""

from collections.abc import Iterator

import httpx
import pytest

from api_server import serve


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    """Give a client of a running API on the test's database."""
    with serve(database_url) as client:
        yield client
