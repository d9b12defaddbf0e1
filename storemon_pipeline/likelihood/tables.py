"""What chains say of gaps, tabulated by kind and length for classes of stores that are alike.

How likely each chain is for a store comes from `fleet`.
"""

from functools import cache
from typing import Final

import numpy as np

from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.likelihood.bridges import ANY, LONG, SHORT, UP, FloatArray
from storemon_pipeline.likelihood.fleet import grid
from storemon_pipeline.likelihood.gaps import Kind

NODES: Final = (
    *(0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0),
    *(9.0, 13.0, 24.0, 48.0, 96.0, 200.0),
)
"""Hours at which tables have a row; what lies between is interpolated."""

FACTORS: Final = 3
"""What is common to the gaps of a store: outages not seen, short changes, comebacks not seen."""

COLUMNS: Final = 2 + FACTORS
"""Mean uptime as a share of the gap, its variance as one of the gap squared, the factors' parts."""

_CLASS_ROUNDS: Final = 12
_NOTHING: Final = 1e-9
"""Factors of less than a microsecond a quarter of an hour are rounding."""


def tabulate(weights: FloatArray) -> FloatArray:
    """Tables of classes, `(classes, kinds, nodes, COLUMNS)`, whose chains have these weights.

    `weights` is `(classes, chains)`, of the chains of the grid. The variance is that of a gap on
    its own. The error that all gaps of a store have in common is the square of the sum of their
    factors' parts.
    """
    mean, variance = _of_chains()
    expected = np.einsum("ck,kij->cij", weights, mean)
    within = np.einsum("ck,kij->cij", weights, variance)
    between = np.einsum("ck,kij->cij", weights, mean**2) - expected**2
    hour = NODES.index(1.0)
    scores = np.stack(
        [
            mean[:, Kind.UP_STATUS_RUN, hour],
            mean[:, Kind.CHANGE_SINGLE, hour],
            mean[:, Kind.DOWN_STATUS_RUN, hour],
        ],
        axis=1,
    )
    parts = []
    common = np.zeros_like(between)
    done: list[FloatArray] = []
    for factor in range(FACTORS):
        score = scores[:, factor] - (weights @ scores[:, factor])[:, np.newaxis]
        for other in done:
            score = score - (weights * score * other).sum(axis=1, keepdims=True) * other
        size = np.sqrt((weights * score**2).sum(axis=1, keepdims=True))
        score = np.where(size > _NOTHING, score / np.maximum(size, _NOTHING), 0.0)
        done.append(score)
        part = np.einsum("ck,kij->cij", weights * score, mean)
        common += part**2
        parts.append(part)
    own = within + np.maximum(between - common, 0.0)
    return np.stack([expected, own, *parts], axis=-1)


@cache
def _of_chains() -> tuple[FloatArray, FloatArray]:
    """Mean and variance, as shares, of every chain's whole gaps: each `(chains, kinds, nodes)`."""
    chains = grid()
    hours = np.array(NODES)
    none = np.zeros_like(hours)

    def gap(start: tuple[int, ...], end: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
        mean, variance = chains.uptime(start, end, hours, none, hours)
        return mean / hours, variance / hours**2

    short, long = gap(UP, SHORT), gap(UP, LONG)
    stays, leaves = (chains.chance(UP, state, hours) ** 2 for state in (SHORT, LONG))
    single = _either(short, long, stays / (stays + leaves))
    share = chains.share[:, 1, np.newaxis] * chains.chance(SHORT, UP, hours)
    share = share / (share + chains.share[:, 2, np.newaxis] * chains.chance(LONG, UP, hours))
    kinds = {
        # Both gaps beside a single poll are of the same outage: twice the variance of its kind.
        Kind.CHANGE_SINGLE: single,
        Kind.CHANGE: long,
        Kind.UP_UP: gap(UP, UP),
        Kind.DOWN_DOWN: gap(LONG, LONG),
        Kind.UP_OPEN: gap(UP, ANY),
        Kind.DOWN_OPEN_SINGLE: _either(gap(SHORT, ANY), gap(LONG, ANY), share, times=1.0),
        Kind.DOWN_OPEN: gap(LONG, ANY),
        Kind.UP_STATUS_RUN: gap(UP, UP),
        Kind.DOWN_STATUS_RUN: gap(LONG, LONG),
    }
    means, variances = zip(*(kinds[kind] for kind in Kind), strict=True)
    return np.stack(means, axis=1), np.stack(variances, axis=1)


def _either(
    one: tuple[FloatArray, FloatArray],
    other: tuple[FloatArray, FloatArray],
    share: FloatArray,
    *,
    times: float = 2.0,
) -> tuple[FloatArray, FloatArray]:
    mean = share * one[0] + (1 - share) * other[0]
    apart = share * (1 - share) * (one[0] - other[0]) ** 2
    return mean, share * one[1] + (1 - share) * other[1] + times * apart


def group_alike(
    weights: FloatArray, features: FloatArray, classes: int
) -> tuple[IntArray, FloatArray]:
    """The class of each store, `(stores,)`, and the chains' weights of each class.

    `weights` is `(stores, chains)`, `features` distinguishes the chains, `(chains, n)`.
    Stores are alike whose features have the same mean and spread. The result depends on the
    arguments alone.
    """
    mean = weights @ features
    spread = np.sqrt(np.maximum(weights @ features**2 - mean**2, 0.0))
    points = np.concatenate([mean, spread], axis=1)
    order = np.lexsort(points.T)
    distinct = points[order][np.append(True, np.any(np.diff(points[order], axis=0) != 0, axis=1))]
    count = min(classes, len(distinct))
    centres = distinct[np.linspace(0, len(distinct) - 1, count).astype(np.int64)]
    nearest = np.zeros(len(points), np.int64)
    for _ in range(_CLASS_ROUNDS):
        nearest = np.argmin((centres**2).sum(axis=1) - 2 * points @ centres.T, axis=1)
        size = np.bincount(nearest, minlength=count)
        sums = np.stack([np.bincount(nearest, column, count) for column in points.T], axis=1)
        centres = np.where(
            size[:, np.newaxis] > 0, sums / np.maximum(size, 1)[:, np.newaxis], centres
        )
    size = np.bincount(nearest, minlength=count)
    of_class = np.zeros((count, weights.shape[1]))
    np.add.at(of_class, nearest, weights)
    used = np.flatnonzero(size)
    number = np.cumsum(size > 0) - 1
    return number[nearest], of_class[used] / size[used, np.newaxis]


def features() -> FloatArray:
    """Features that distinguish chains: how often and how long down, and what stays hidden."""
    mean, variance = _of_chains()
    hour = NODES.index(1.0)
    return np.stack(
        [
            np.log10(1e-6 + 1 - mean[:, Kind.UP_STATUS_RUN, hour]),
            0.5 * np.log10(1e-6 + variance[:, Kind.UP_STATUS_RUN, hour]),
            4 * mean[:, Kind.CHANGE_SINGLE, hour],
            4 * mean[:, Kind.CHANGE, hour],
            np.log10(1e-3 + mean[:, Kind.DOWN_STATUS_RUN, hour]),
            np.log10(1e-3 + 1 - mean[:, Kind.UP_OPEN, hour]),
        ],
        axis=1,
    )
