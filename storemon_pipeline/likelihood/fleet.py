"""Which chains fit a fleet, and each of its stores, by what the polls of status runs say.

Empirical Bayes: a grid of chains, weighed over the fleet by expectation maximisation. What the
weights say of gaps stands in `tables`.
"""

from functools import cache
from typing import Final

import numpy as np

from storemon_pipeline.domain.windows import HOUR_US, IntArray
from storemon_pipeline.likelihood.bridges import LONG, SHORT, UP, Chains, FloatArray
from storemon_pipeline.likelihood.gaps import first_status_runs
from storemon_pipeline.uptime.status_runs import StatusRuns

_RATES: Final = tuple((10 ** np.linspace(-4.5, 0.5, 14)).tolist())
"""Outages per hour up."""

_LONG_ONLY: Final = (0.04, 0.1, 0.25, 0.6, 1.5, 4.0, 10.0, 30.0, 300.0)
_WITH_SHORT: Final = (
    *((0.06, 0.6), (0.06, 1.5), (0.06, 4.0), (0.06, 10.0)),
    *((0.2, 1.5), (0.2, 4.0), (0.2, 12.0)),
)
"""Mean hours of short and of long outages, of chains in which both kinds occur."""

_SHORT_SHARE: Final = 0.85
"""Of the outages of chains in which both kinds occur."""

_NONE: Final = 1e-6
"""Stands for a share of zero, which has no logarithm."""

_TIMES: Final = np.geomspace(0.02, 200.0, 64)
"""Hours at which chances are tabulated."""

_KERNEL: Final = ((0.0, 0.1, 0.1), (0.1, 0.4, 0.1), (0.1, 0.1, 0.0))
"""How weights spread to neighbours in rate (down) and length (across); neighbours are alike far."""

_ROUNDS: Final = 100
_LARGEST_GAP_FACTOR: Final = 1.5


@cache
def grid() -> Chains:
    """Every chain that a store may follow."""
    shapes = [(_NONE, _WITH_SHORT[0][0], long) for long in _LONG_ONLY]
    shapes += [(_SHORT_SHARE, short, long) for short, long in _WITH_SHORT]
    rows = np.array(
        [
            (rate * share, rate * (1 - share), short, long)
            for rate in _RATES
            for share, short, long in shapes
        ]
    )
    return Chains.of(*rows.T)


def gap_factor(status_runs: StatusRuns) -> float:
    """How much longer the gap is in which an instant lies than the mean gap inside status runs.

    A change of status falls into long gaps more often, as an instant does: so the gaps with a
    change tell. Between 1, for even gaps, and a half more.
    """
    inside = status_runs.polls > 1
    gaps = int((status_runs.polls[inside] - 1).sum())
    is_change = (status_runs.store[1:] == status_runs.store[:-1]) & (
        status_runs.is_active[1:] != status_runs.is_active[:-1]
    )
    if gaps == 0 or not is_change.any():
        return 1.0
    mean = (
        float((status_runs.last_poll_us[inside] - status_runs.first_poll_us[inside]).sum()) / gaps
    )
    length = (status_runs.first_poll_us[1:] - status_runs.last_poll_us[:-1])[is_change]
    near = length[length <= 3 * mean]
    if len(near) == 0 or mean == 0:
        return 1.0
    return float(np.clip(near.mean() / mean, 1.0, _LARGEST_GAP_FACTOR))


def log_likelihood(status_runs: StatusRuns, chains: Chains, *, factor: float) -> FloatArray:
    """How well each chain fits each store that has status runs, `(stores, chains)`, as logarithms.

    A store is up at an up poll, whatever came before: so the polls between two up polls count
    apart from all others. Down polls leave open which kind of outage it is.
    """
    first = first_status_runs(status_runs)
    row = np.repeat(np.arange(len(first)), np.diff(first, append=len(status_runs)))
    table = _Chances.of(chains)
    up_times = _up_times(status_runs, row, len(first), factor) @ table.stay_up.T
    starts_up = status_runs.is_active[first]
    up_times[starts_up] += np.log(chains.share[:, 0])
    return up_times + _down_status_runs(status_runs, row, len(first), chains, table, factor)


class _Chances:
    """Chances from state to state after each of `_TIMES`: `step[a][b]` has shape `(n, times)`."""

    def __init__(self, step: list[list[FloatArray]]) -> None:
        self.step = step
        self.stay_up = np.log(step[0][0])
        (a, b), (c, d) = (step[1][1], step[1][2]), (step[2][1], step[2][2])
        half, root = (a + d) / 2, np.sqrt(np.maximum(((a - d) / 2) ** 2 + b * c, 1e-300))
        self.larger, self.smaller = half + root, np.maximum(half - root, 1e-300)

    @classmethod
    def of(cls, chains: Chains) -> "_Chances":
        states = (UP, SHORT, LONG)
        return cls([[chains.chance(a, b, _TIMES) for b in states] for a in states])


def _near(hours: FloatArray) -> IntArray:
    """The place in `_TIMES` of the time that is nearest, as a ratio."""
    step = np.log(_TIMES[1] / _TIMES[0])
    at = np.log(np.maximum(hours, _TIMES[0]) / _TIMES[0]) / step
    place: IntArray = np.minimum(np.rint(at).astype(np.int64), len(_TIMES) - 1)
    return place


def _step_hours(status_runs: StatusRuns) -> FloatArray:
    hours: FloatArray = (status_runs.last_poll_us - status_runs.first_poll_us) / HOUR_US
    return hours / np.maximum(status_runs.polls - 1, 1)


def _up_times(status_runs: StatusRuns, row: IntArray, stores: int, factor: float) -> FloatArray:
    """How many gaps with up polls at both ends each store has, by length: `(stores, times)`."""
    inside = np.flatnonzero(status_runs.is_active & (status_runs.polls > 1))
    both = (
        (status_runs.store[1:] == status_runs.store[:-1])
        & status_runs.is_active[1:]
        & status_runs.is_active[:-1]
    )
    between = np.flatnonzero(both)
    length = (status_runs.first_poll_us[between + 1] - status_runs.last_poll_us[between]) / HOUR_US
    place = np.concatenate([_near(_step_hours(status_runs)[inside] * factor), _near(length)])
    of_row = np.concatenate([row[inside], row[between]])
    count = np.concatenate([(status_runs.polls[inside] - 1) / factor, np.ones(len(between))])
    size = stores * len(_TIMES)
    counts: FloatArray = np.bincount(of_row * len(_TIMES) + place, count, size).astype(np.float64)
    return counts.reshape(stores, len(_TIMES))


def _down_status_runs(
    status_runs: StatusRuns,
    row: IntArray,
    stores: int,
    chains: Chains,
    table: _Chances,
    factor: float,
) -> FloatArray:
    """The logarithm of the chance of each store's down status runs, `(stores, chains)`."""
    down = np.flatnonzero(~status_runs.is_active)
    total = np.zeros((stores, len(chains.decay)))
    if len(down) == 0:
        return total
    follows = np.zeros(len(status_runs) + 1, np.bool_)
    follows[1:-1] = status_runs.store[1:] == status_runs.store[:-1]
    has_before, has_after = follows[down], follows[down + 1]
    is_up_before = has_before & status_runs.is_active[down - 1]
    is_up_after = has_after & status_runs.is_active[(down + 1) % len(status_runs)]
    length = np.append(0, status_runs.first_poll_us[1:] - status_runs.last_poll_us[:-1]) / HOUR_US
    entry = _near(np.maximum(length[down], 0))
    leave = _near(np.maximum(np.append(length[1:], 0)[down], 0))
    step = _near(_step_hours(status_runs)[down] * factor)
    times = (status_runs.polls[down] - 1) / factor
    from_state = np.where(is_up_before, 0, 2)
    is_head = ~has_before
    of_row = row[down]
    for k in range(len(chains.decay)):
        chance = [[column[k] for column in line] for line in table.step]
        enter = [
            np.where(from_state == 0, chance[0][b][entry], chance[2][b][entry]) for b in (1, 2)
        ]
        enter = [
            np.where(is_head, chains.share[k, b], value)
            for b, value in zip((1, 2), enter, strict=True)
        ]
        end = [np.where(is_up_after, chance[b][0][leave], 1.0) for b in (1, 2)]
        direct = enter[0] * end[0] + enter[1] * end[1]
        once = sum(enter[a - 1] * chance[a][b][step] * end[b - 1] for a in (1, 2) for b in (1, 2))
        larger, smaller = table.larger[k][step], table.smaller[k][step]
        main = (once - smaller * direct) / (larger - smaller)
        value = larger**times * main + smaller**times * (direct - main)
        total[:, k] = np.bincount(of_row, np.log(np.maximum(value, 1e-300)), stores)
    return total


def weigh(likelihood: FloatArray) -> FloatArray:
    """The weights of the chains under which the stores' polls are likeliest, `(chains,)`."""
    relative = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    weights: FloatArray = np.full(relative.shape[1], 1 / relative.shape[1])
    for _ in range(_ROUNDS):
        # The expectation and the maximisation in one line.
        weights = weights * ((1 / (relative @ weights)) @ relative) / len(relative)
    return _smooth(weights)


def _smooth(weights: FloatArray) -> FloatArray:
    """The weights spread to neighbours, so that a fleet of few stores does not pass for certain.

    Half of what is spread keeps the share of time down: fewer, but longer outages, or the reverse.
    """
    of_grid = weights.reshape(len(_RATES), -1).copy()
    alone = np.pad(of_grid[:, : len(_LONG_ONLY)], 1, mode="edge")
    rows, columns = len(_RATES), len(_LONG_ONLY)
    of_grid[:, :columns] = sum(
        weight * alone[row : row + rows, column : column + columns]
        for row, line in enumerate(_KERNEL)
        for column, weight in enumerate(line)
    )
    of_grid = np.maximum(of_grid, 1e-9)
    smooth: FloatArray = (of_grid / of_grid.sum()).ravel()
    return smooth


def posterior(likelihood: FloatArray, weights: FloatArray) -> FloatArray:
    """How likely each chain is for each store, given its polls and the fleet's weights."""
    joint = np.exp(likelihood - likelihood.max(axis=1, keepdims=True)) * weights
    of_store: FloatArray = joint / joint.sum(axis=1, keepdims=True)
    return of_store
