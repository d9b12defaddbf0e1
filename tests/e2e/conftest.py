"""What the tests of pages share: one browser for all modules that a process tests in a row."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from browser import browser, forget_visits
from waiting import DEADLINE_SECONDS

_END: Final = ExitStack()

expect.set_options(timeout=1000 * DEADLINE_SECONDS)


@cache
def _shared_browser() -> Browser:
    return _END.enter_context(browser())


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Give the browser, in which earlier modules have left nothing."""
    yield _shared_browser()
    forget_visits()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None]:
    """End the browser before other tests: its event loop would be in the way of theirs."""
    try:
        return (yield)
    finally:
        if nextitem is None or not nextitem.path.is_relative_to(Path(__file__).parent):
            _shared_browser.cache_clear()
            _END.close()
