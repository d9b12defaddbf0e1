"""Waits until something is true, with a deadline and no longer than it takes."""

import time
from collections.abc import Callable
from typing import Final

DEADLINE_SECONDS: Final = 180.0
"""Longer than anything takes on a busy machine; a wait that succeeds does not last until then."""


def eventually(is_true: Callable[[], bool], *, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until it is true; fail when it is not by the deadline."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {seconds} s")
        time.sleep(0.01)
