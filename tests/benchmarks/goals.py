"""What is measured against which goal, and the table of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from benchmarks.reference import Reference

_SECONDS: Final = {"s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure beside its goal, both in `unit`; smaller is better.

    `reference` is fixed work of about the same kind and size, done in the same run.
    """

    what: str
    goal: float
    figure: float
    unit: str
    note: str = ""
    reference: Reference | None = None

    @property
    def ratio(self) -> float:
        """The figure as a share of the goal: 1 or less has reached it."""
        return self.figure / self.goal

    @property
    def multiple(self) -> str:
        """The time as a multiple of that of the reference work."""
        if self.reference is None:
            return ""
        times = self.figure * _SECONDS[self.unit] / self.reference.seconds
        return f"{times:.3g} x {self.reference.what} ({self.reference.seconds * 1_000:.3g} ms)"


def table(rows: Iterable[Measured]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| what | goal | figure | ratio | as a multiple of reference work | note |",
        "| --- | ---: | ---: | ---: | --- | --- |",
        *(
            f"| {row.what} | {row.goal:g} {row.unit} | {row.figure:.3g} {row.unit} "
            f"| {row.ratio:.2f} | {row.multiple} | {row.note} |"
            for row in rows
        ),
    ]
    return "\n".join(lines)
