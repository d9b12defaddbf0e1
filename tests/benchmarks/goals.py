"""What is measured against which goal, and the table of it."""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure beside its goal, both in `unit`; smaller is better."""

    what: str
    goal: float
    figure: float
    unit: str
    note: str = ""

    @property
    def ratio(self) -> float:
        """The figure as a share of the goal: 1 or less has reached it."""
        return self.figure / self.goal


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


def table(rows: Iterable[Measured]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| what | goal | figure | ratio | note |",
        "| --- | ---: | ---: | ---: | --- |",
        *(
            f"| {row.what} | {row.goal:g} {row.unit} | {row.figure:.3g} {row.unit} "
            f"| {row.ratio:.2f} | {row.note} |"
            for row in rows
        ),
    ]
    return "\n".join(lines)
