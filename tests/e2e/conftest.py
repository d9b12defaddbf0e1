"""What the tests of pages share: one browser for each module."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from browser import browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as launched:
        yield launched
