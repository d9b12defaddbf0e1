"""Waits until something is true, with a deadline and no longer than it takes."""

import time
from collections.abc import Callable


def eventually(is_true: Callable[[], bool], *, seconds: float = 15.0) -> None:
    """Wait until it is true; fail when it is not by the deadline."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {seconds} s")
        time.sleep(0.01)
