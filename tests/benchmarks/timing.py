"""Timing of a piece of work that is done several times."""

import statistics
import time
from collections.abc import Callable, Iterable


def seconds_of(work: Callable[[], object], *, times: int) -> list[float]:
    """How long each of several calls took."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return taken


def median_ms(seconds: Iterable[float]) -> float:
    """The median in milliseconds."""
    return statistics.median(seconds) * 1_000


def percentile_ms(seconds: Iterable[float], share: float) -> float:
    """The smallest value, in milliseconds, that this share of the values does not exceed."""
    in_order = sorted(seconds)
    return in_order[min(int(len(in_order) * share), len(in_order) - 1)] * 1_000
