"""Spreads: what the stretches of a store add to the likely ranges of totals.

How the moments behind them are computed is in `ranges`.
"""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import (
    HOUR_US,
    LOOKBACK_US,
    MINUTE_US,
    SECOND_US,
    BoolArray,
    IntArray,
)
from storemon_pipeline.likelihood.doubts import doubts_of_totals
from storemon_pipeline.likelihood.model import StatusModel, StoreParameters
from storemon_pipeline.likelihood.ranges import STORES_AT_A_TIME, OpenTime, limits_of_totals
from storemon_pipeline.uptime.history import Amounts
from storemon_pipeline.uptime.status_runs import StatusRuns

_SECONDS: Final = HOUR_US // SECOND_US
_MINUTES: Final = HOUR_US // MINUTE_US


@dataclass(frozen=True, slots=True)
class Spreads:
    """Spreads of stretches, in whole seconds and minutes; every array has the same shape.

    `apart_s` is by how much the estimated mean lies above the uptime. `own_deviation_s` is the
    standard deviation of what is independent of the store's other stretches, `shared_deviation_s`
    that of what they have in common. `reach_minutes` is what a store that is switched off may lose
    or gain beside it, and `doubt` why its range is not to be trusted.

    The apart, the shared deviations and the reaches of a store's stretches add up as they are, and
    the squares of the own deviations.
    """

    apart_s: npt.NDArray[np.int32]
    own_deviation_s: npt.NDArray[np.int32]
    shared_deviation_s: npt.NDArray[np.int32]
    reach_minutes: npt.NDArray[np.int16]
    doubt: npt.NDArray[np.int16]

    def take(self, which: IntArray | BoolArray) -> Self:
        """The spreads at these positions, or of this mask."""
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))

    def at_rows(self, rows: IntArray, length: int) -> Self:
        """These spreads at the rows of arrays of this length, and zeros elsewhere."""

        def placed(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
            whole = np.zeros(length, part.dtype)
            whole[rows] = part
            return whole

        return type(self)(*(placed(getattr(self, field.name)) for field in fields(self)))

    def squares_s2(self) -> IntArray:
        """What each adds to the variance of a total of stores, in seconds squared."""
        parts = (self.apart_s, self.own_deviation_s, self.shared_deviation_s)
        squares: IntArray = sum(
            (part.astype(np.int64) ** 2 for part in parts), np.zeros(self.apart_s.shape, np.int64)
        )
        return squares


def compute_spreads(
    status_runs: StatusRuns,
    calendar: Calendar,
    model: StatusModel,
    parameters: StoreParameters,
    *,
    store: IntArray,
    start_us: IntArray,
    end_us: IntArray,
    amounts: Amounts,
) -> Spreads:
    """The spread of each `[start_us, end_us)`, as far as its status is known.

    The arrays have shape `(n,)`, sorted by store, and `amounts` are those of the stretches. Each
    store has a status run, none of which begins after the calendar. Unknown time between two parts
    of a stretch that are known counts as known.
    """
    start_us, end_us = _known_parts(status_runs, calendar, store, start_us, end_us, amounts)
    known_us = amounts.business_us - amounts.unknown_us
    moments = np.zeros((4, len(store)))
    counts = np.arange(0, calendar.stores + STORES_AT_A_TIME, STORES_AT_A_TIME)
    of_status_runs = np.searchsorted(status_runs.store, counts).tolist()
    of_rows = np.searchsorted(store, counts).tolist()
    shares = model.shares()
    for first, own_status_runs, own_rows in zip(
        counts.tolist(), pairwise(of_status_runs), pairwise(of_rows), strict=False
    ):
        if own_rows[0] == own_rows[1]:
            continue
        rows = slice(*own_rows)
        open_time = OpenTime.of(
            status_runs.take(slice(*own_status_runs)),
            calendar.slice_stores(first, min(first + STORES_AT_A_TIME, calendar.stores)),
            model,
            parameters,
            shares=shares,
        )
        moments[:, rows] = open_time.mean_and_deviations(
            store[rows],
            start_us[rows],
            end_us[rows],
            lowest_us=amounts.lowest_uptime_us[rows],
            highest_us=amounts.highest_uptime_us[rows],
            known_us=known_us[rows],
        )
    mean, own, shared, reach = moments
    return Spreads(
        _whole((mean - amounts.uptime_us / HOUR_US) * _SECONDS, np.int32),
        _whole(own * _SECONDS, np.int32),
        _whole(shared * _SECONDS, np.int32),
        _whole(reach * _MINUTES, np.int16),
        parameters.doubt[store].astype(np.int16),
    )


def ranges_of_spreads(
    squares_s2: npt.NDArray[Any],
    apart_s: IntArray,
    reach_minutes: IntArray,
    *,
    uptime_us: IntArray,
    known_us: IntArray,
) -> tuple[IntArray, IntArray]:
    """Lowest and highest likely uptime of totals, from sums over the spreads of their stores.

    `known_us` is the business time whose status is not unknown.
    """
    return limits_of_totals(
        squares_s2 / _SECONDS**2,
        apart_s / _SECONDS,
        reach_minutes / _MINUTES,
        uptime_us=uptime_us,
        known_us=known_us,
    )


def range_of_total(
    spreads: Spreads, rows: IntArray, amounts: Amounts
) -> tuple[tuple[int, int], int]:
    """The likely range of the total of some rows, one of each store, and the doubts about it."""
    chosen, of_rows = spreads.take(rows), amounts.take(rows)
    uptime_us, business_us, unknown_us = (
        np.array(amount.sum())
        for amount in (of_rows.uptime_us, of_rows.business_us, of_rows.unknown_us)
    )
    lowest, highest = ranges_of_spreads(
        np.array(chosen.squares_s2().sum()),
        np.array(chosen.apart_s.sum(dtype=np.int64)),
        np.array(chosen.reach_minutes.sum(dtype=np.int64)),
        uptime_us=uptime_us,
        known_us=business_us - unknown_us,
    )
    doubt = doubts_of_totals(chosen.doubt.astype(np.int64), np.zeros(len(rows), np.int64), 1)
    return (int(lowest), int(highest)), int(doubt[0])


def _known_parts(
    status_runs: StatusRuns,
    calendar: Calendar,
    store: IntArray,
    start_us: IntArray,
    end_us: IntArray,
    amounts: Amounts,
) -> tuple[IntArray, IntArray]:
    """The stretches, cut to where the status is known: from the first such instant to the last.

    Those of which nothing is known are empty.
    """
    if not amounts.unknown_us.any():
        return start_us, end_us
    partly = np.flatnonzero((amounts.unknown_us > 0) & (amounts.unknown_us < amounts.business_us))
    is_first = np.ones(len(status_runs), np.bool_)
    is_first[1:] = status_runs.store[1:] != status_runs.store[:-1]
    # The first poll of a store decides no time before it.
    known_from = status_runs.first_poll_us - np.where(is_first, 0, LOOKBACK_US)
    known_until = status_runs.last_poll_us + LOOKBACK_US
    width = calendar.end_us - calendar.start_us + 1

    def key(of_store: IntArray, at_us: IntArray) -> IntArray:
        inside = np.clip(at_us, calendar.start_us, calendar.end_us)
        return of_store * width + (inside - calendar.start_us)

    start, end, of_store = start_us[partly], end_us[partly], store[partly]
    first = np.searchsorted(key(status_runs.store, known_until), key(of_store, start), side="right")
    last = np.searchsorted(key(status_runs.store, known_from), key(of_store, end), side="left") - 1
    start_us, end_us = start_us.copy(), np.where(amounts.unknown_us > 0, start_us, end_us)
    start_us[partly] = np.maximum(start, known_from[first])
    end_us[partly] = np.minimum(end, known_until[last])
    return start_us, end_us


def _whole(amount: npt.NDArray[np.float64], dtype: type[np.signedinteger[Any]]) -> Any:  # noqa: ANN401 - an array of that type
    return np.rint(amount).astype(dtype)
