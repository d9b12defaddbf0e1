"""A slow reference for uptime between two polls: a chain's chances step by step, and their sums.

Nothing of the product is imported and no closed form is used: chances come from a power series of
the chain's matrix, and integrals are sums over small steps.
"""

from collections.abc import Sequence

Matrix = list[list[float]]

STEPS = 600


def chances(
    short_rate: float, long_rate: float, short_hours: float, long_hours: float, step: float
) -> Matrix:
    """The chances from each state (up, short, long) to each after a small step of time."""
    rates = [
        [-(short_rate + long_rate), short_rate, long_rate],
        [1 / short_hours, -1 / short_hours, 0.0],
        [1 / long_hours, 0.0, -1 / long_hours],
    ]
    total = [[float(row == column) for column in range(3)] for row in range(3)]
    term = total
    for number in range(1, 60):
        term = [[value * step / number for value in row] for row in _times(term, rates)]
        total = [
            [old + new for old, new in zip(*rows, strict=True)]
            for rows in zip(total, term, strict=True)
        ]
    return total


def uptime(
    chain: tuple[float, float, float, float],
    start: int,
    end: int,
    hours: float,
    begin: float,
    until: float,
) -> tuple[float, float]:
    """Mean and variance of the uptime in `[begin, until]`, which are whole steps of the gap."""
    step = hours / STEPS
    one = chances(*chain, step)
    after = [[[float(row == column) for column in range(3)] for row in range(3)]]
    for _ in range(STEPS):
        after.append(_times(after[-1], one))
    first, last = round(begin / step), round(until / step)
    places = range(first, last + 1)
    to_up = [after[place][start][0] for place in places]
    from_up = [after[STEPS - place][0][end] for place in places]
    chance = after[STEPS][start][end]
    mean = _sum([a * b for a, b in zip(to_up, from_up, strict=True)]) * step / chance
    inner = [
        _sum([after[later][0][0] * from_up[place + later] for later in range(len(places) - place)])
        for place in range(len(places))
    ]
    square = 2 * _sum([a * b for a, b in zip(to_up, inner, strict=True)]) * step**2 / chance
    return mean, square - mean**2


def _sum(values: Sequence[float]) -> float:
    """The integral of values a step of 1 apart, by trapezes."""
    return sum(values) - (values[0] + values[-1]) / 2


def _times(one: Matrix, other: Matrix) -> Matrix:
    return [
        [sum(one[row][k] * other[k][column] for k in range(3)) for column in range(3)]
        for row in range(3)
    ]
