"""Sales rates learned from orders: gamma-Poisson rates of each hour of the week, and their ranges.

The orders of a store in the open hours of one hour of the week are taken as a compound Poisson
process. Divided by the typical size of an order, which is the sum of the squares of its orders'
amounts over the sum of the amounts, their amount has a variance equal to its mean: it is counted
like a number of orders. The rate has a gamma distribution around the store's mean level times the
profile of the other stores.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from storemon_pipeline.domain.windows import IntArray

FloatArray = npt.NDArray[np.float64]

_ITERATIONS: Final = 5
"""Levels and profile depend on each other; they settle after a few turns."""

_HALF: Final = 0.5
"""What a profile begins with: half an order, as in the prior of Jeffreys."""

_Z: Final = 1.6448536269514722
"""The standard normal distribution is within plus and minus this with 90 %."""


@dataclass(frozen=True, slots=True)
class LearnedRates:
    """Mean and 90 % range of rates, in the unit of the amounts per hour; shape `(stores, 168)`."""

    rate: FloatArray
    lowest: FloatArray
    highest: FloatArray


def learn_rates(
    amount: FloatArray, hours: FloatArray, typical: FloatArray, group: IntArray
) -> LearnedRates:
    """Learn the rates of stores which all have sales.

    `amount` and `hours` have shape `(stores, 168)`: what was sold in the hours that count, and how
    many these were. `typical` is the typical size of an order of each store, `group` the number of
    its group. A store without others in its group is compared with all stores.
    """
    count = amount / typical[:, None]
    sold = count.sum(axis=1)
    profile = np.ones_like(hours)
    for _ in range(_ITERATIONS):
        level = sold / (profile * hours).sum(axis=1)
        expected = level[:, None] * hours
        profile = (_of_group(count, group) + _HALF) / (_of_group(expected, group) + _HALF)
    others, expected_of_others = _of_others(count, group), _of_others(expected, group)
    profile = (others + _HALF) / (expected_of_others + _HALF)
    level = sold / (profile * hours).sum(axis=1)
    mean = level[:, None] * profile
    # The relative variance of a mean: what the profile and the level are learned from is finite.
    doubt = 1 / (others + _HALF) + 1 / sold[:, None]
    weight = np.maximum(1 / (_own_variance(count, mean * hours, doubt) + doubt), _HALF)
    shape, time = weight + count, weight / mean + hours
    unit = typical[:, None] / time
    return LearnedRates(unit * shape, unit * _quantile(shape, -_Z), unit * _quantile(shape, _Z))


def _own_variance(count: FloatArray, expected: FloatArray, doubt: FloatArray) -> float:
    """How far stores differ from their expected rates: a relative variance, from moments.

    The variance of a count is its mean, plus the square of its mean times this and the doubt.
    """
    squares = expected**2
    excess = ((count - expected) ** 2 - expected - squares * doubt).sum()
    return max(float(excess / squares.sum()), 0.0)


def _of_group(values: FloatArray, group: IntArray) -> FloatArray:
    """The sum over the group of each store; over all stores for one without others."""
    sums = np.zeros((int(group.max()) + 1, values.shape[1]))
    np.add.at(sums, group, values)
    is_alone = np.bincount(group)[group] == 1
    of_group: FloatArray = np.where(is_alone[:, None], values.sum(axis=0), sums[group])
    return of_group


def _of_others(values: FloatArray, group: IntArray) -> FloatArray:
    """As `_of_group`, without the store itself."""
    others: FloatArray = np.maximum(_of_group(values, group) - values, 0)
    return others


def _quantile(shape: FloatArray, z: float) -> FloatArray:
    """A quantile of the gamma distribution with scale 1, after Wilson and Hilferty (1931)."""
    cube_root = 1 - 1 / (9 * shape) + z / (3 * np.sqrt(shape))
    quantile: FloatArray = shape * np.maximum(cube_root, 0) ** 3
    return quantile
