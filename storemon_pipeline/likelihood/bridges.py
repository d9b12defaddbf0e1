"""Closed forms of a Markov chain between two polls: chance of the ends, moments of the uptime.

A store is up, or down for a short or a long time. Which chains fit a fleet is `model`'s question.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

UP: Final = (0,)
SHORT: Final = (1,)
LONG: Final = (2,)
DOWN: Final = (1, 2)
ANY: Final = (0, 1, 2)
"""Sets of states that a chain may be in at a poll; `ANY` is an instant without a poll."""

_CLOSE: Final = 1e-2
"""Rates times length that differ by less are treated as nearly equal: exact to 1e-8 or better."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Three-state chains; `decay` has shape `(n, 3)`, `weight` `(n, 3, 3)`, `share` `(n, 3)`.

    The chance to get from state a to b in t hours is the sum over j of
    `weight[a, j] * weight[b, j] * exp(-decay[j] * t) * sqrt(share[b] / share[a])`. `share` is how
    much of the time a chain spends in each state in the long run.
    """

    decay: FloatArray
    weight: FloatArray
    share: FloatArray

    @classmethod
    def of(
        cls,
        short_rate: FloatArray,
        long_rate: FloatArray,
        short_hours: FloatArray,
        long_hours: FloatArray,
    ) -> Self:
        """Chains with these rates of short and long outages per hour up, and mean lengths.

        The four arrays have shape `(n,)` and are greater than 0. From either kind of outage a
        store comes back up. Such a chain is reversible, so that a symmetric matrix describes it.
        """
        share = np.stack(
            [np.ones_like(short_rate), short_rate * short_hours, long_rate * long_hours], axis=1
        )
        share /= share.sum(axis=1, keepdims=True)
        symmetric = np.zeros((len(short_rate), 3, 3))
        symmetric[:, 0, 0] = -(short_rate + long_rate)
        for state, rate, hours in ((1, short_rate, short_hours), (2, long_rate, long_hours)):
            symmetric[:, state, state] = -1 / hours
            symmetric[:, 0, state] = symmetric[:, state, 0] = np.sqrt(rate / hours)
        eigenvalues, weight = np.linalg.eigh(symmetric)
        return cls(np.maximum(-eigenvalues, 0.0), weight, share)

    def take(self, which: npt.NDArray[np.intp]) -> Self:
        """The chains at these positions."""
        return type(self)(self.decay[which], self.weight[which], self.share[which])

    def starts(self, states: tuple[int, ...]) -> FloatArray:
        """Coefficients, `(n, 3)`, of a start in one of the states, weighed by their shares."""
        share = self.share[:, states]
        weights = np.sqrt(share)[:, :, np.newaxis] * self.weight[:, states]
        amount: FloatArray = weights.sum(axis=1) / share.sum(axis=1)[:, np.newaxis]
        return amount

    def ends(self, states: tuple[int, ...]) -> FloatArray:
        """Coefficients, `(n, 3)`, of an end in any of the states."""
        share = np.sqrt(self.share[:, states])
        amount: FloatArray = (share[:, :, np.newaxis] * self.weight[:, states]).sum(axis=1)
        return amount

    def chance(self, start: tuple[int, ...], end: tuple[int, ...], hours: FloatArray) -> FloatArray:
        """The chance of each chain to end in `end` after each time; `(n,)` by `(m,)`: `(n, m)`.

        >>> chain = Chains.of(*np.array([[1e-9], [0.5], [1.0], [2.0]]))
        >>> bool(np.isclose(chain.chance(UP, UP, np.array([3.0]))[0, 0], (1 + np.exp(-3)) / 2))
        True
        """
        coefficients = self.starts(start) * self.ends(end)
        decayed = np.exp(-self.decay[:, :, np.newaxis] * hours)
        chance: FloatArray = np.einsum("nj,njm->nm", coefficients, decayed)
        return np.maximum(chance, 1e-300)

    def uptime(
        self,
        start: tuple[int, ...],
        end: tuple[int, ...],
        hours: FloatArray,
        begin: FloatArray,
        until: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the uptime in `[begin, until]` of gaps of `hours`; each `(n, m)`.

        A gap begins in one of the states `start` and ends in one of `end`; the arrays have shape
        `(m,)` and `0 <= begin <= until <= hours`.

        Of a chain with one kind of outage, down at one end and up at the other end of a gap much
        shorter than outages and the times between them, the change is as likely in any instant.

        >>> chain = Chains.of(*np.array([[1e-9], [1e-5], [1.0], [1e5]]))
        >>> one, none = np.array([1.0]), np.array([0.0])
        >>> mean, variance = chain.uptime(UP, LONG, one, none, one)
        >>> round(float(mean[0, 0]), 4), round(float(variance[0, 0]), 4)
        (0.5, 0.0833)
        """
        length = until - begin
        first = self.starts(start)[:, :, np.newaxis] * np.exp(-self.decay[:, :, np.newaxis] * begin)
        last = self.ends(end)[:, :, np.newaxis] * np.exp(
            -self.decay[:, :, np.newaxis] * (hours - until)
        )
        up_end, up_start, stay = self.ends(UP), self.starts(UP), self.starts(UP) * self.ends(UP)
        first = first * up_end[:, :, np.newaxis]
        last = last * up_start[:, :, np.newaxis]
        rate = self.decay[:, :, np.newaxis]
        mean = np.zeros((len(self.decay), len(hours)))
        square = np.zeros_like(mean)
        for i in range(3):
            for k in range(3):
                both = first[:, i] * last[:, k]
                mean += both * _two(rate[:, i], rate[:, k], length)
                for j in range(3):
                    inner = _three(rate[:, i], rate[:, j], rate[:, k], length)
                    square += 2 * both * stay[:, j, np.newaxis] * inner
        chance = self.chance(start, end, hours)
        mean = np.clip(mean / chance, 0.0, length)
        variance = np.clip(square / chance - mean * mean, 0.0, length * length / 4)
        return mean, variance


def _two(one: FloatArray, other: FloatArray, length: FloatArray) -> FloatArray:
    """The integral over w from 0 to length of `exp(-one * w - other * (length - w))`."""
    apart = np.abs(one - other) * length
    share = np.where(apart > 0, -np.expm1(-apart) / np.where(apart > 0, apart, 1.0), 1.0)
    amount: FloatArray = length * np.exp(-np.minimum(one, other) * length) * share
    return amount


def _three(one: FloatArray, two: FloatArray, three: FloatArray, length: FloatArray) -> FloatArray:
    """The integral over all u, v, w >= 0 that add up to length of `exp(-one u - two v - three w)`.

    It is a divided difference; where the rates hardly differ, its first terms.
    """
    low = np.minimum(np.minimum(one, two), three)
    high = np.maximum(np.maximum(one, two), three)
    mid = one + two + three - low - high
    middle = (one + two + three) / 3
    spread = (low - middle) ** 2 + (mid - middle) ** 2 + (high - middle) ** 2
    near = length**2 / 2 * np.exp(-middle * length) * (1 + spread * length**2 / 24)
    is_close = (high - low) * length < _CLOSE
    apart = np.where(is_close, 1.0, high - low)
    far = (_two(low, mid, length) - _two(mid, high, length)) / apart
    amount: FloatArray = np.where(is_close, near, far)
    return amount
