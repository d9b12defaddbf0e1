"""The table of the benchmarks."""

from benchmarks.goals import Measured, table
from benchmarks.reference import Reference


def test_times_are_also_multiples_of_the_reference_work_whatever_their_unit() -> None:
    fork = Reference("fork", 0.004)
    rows = [
        Measured("a", 20, 10, "ms", "note", fork),
        Measured("b", 4, 2, "s", reference=fork),
        Measured("c", 2, 3, "times"),
    ]
    assert table(rows).splitlines()[2:] == [
        "| a | 20 ms | 10 ms | 0.50 | 2.5 x fork (4 ms) | note |",
        "| b | 4 s | 2 s | 0.50 | 500 x fork (4 ms) |  |",
        "| c | 2 times | 3 times | 1.50 |  |  |",
    ]
