"""Fitting the status model to a fleet's status runs, and calibrating it by its own polls.

The fleet is fitted twice: with all of its polls, and with every second one left out. What is then
estimated of the same days can be compared: it must differ by as much as the model expects.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import (
    DAY_US,
    DEFAULT_MAX_GAP_US,
    WEEK_US,
    BoolArray,
    IntArray,
)
from storemon_pipeline.likelihood.bridges import FloatArray
from storemon_pipeline.likelihood.doubts import Doubt, find_doubts
from storemon_pipeline.likelihood.fleet import gap_factor, grid, log_likelihood, posterior, weigh
from storemon_pipeline.likelihood.gaps import first_status_runs
from storemon_pipeline.likelihood.model import MILLION, StatusModel, StoreParameters
from storemon_pipeline.likelihood.ranges import DEVIATIONS, LikelyRanges, OpenTime
from storemon_pipeline.likelihood.tables import features, group_alike, tabulate
from storemon_pipeline.uptime.status_runs import StatusRuns, compress

_MOST_CLASSES: Final = 255

_MOST_STORES: Final = 2_500
"""So many stores, evenly picked, are enough to calibrate a model."""

_LEAST_WINDOWS: Final = 100
"""With fewer windows in which something happened a fleet says too little of its own errors."""

_WIDEST: Final = 1.6
_SHARE: Final = 0.9


def fit_model(
    status_runs: StatusRuns, calendar: Calendar, *, max_gap_us: int = DEFAULT_MAX_GAP_US
) -> tuple[StatusModel, StoreParameters]:
    """Fit the model to status runs, sorted by store and time, of stores of the calendar.

    No status run goes on after the calendar's end. Its period, a week at least, is that in which
    openings and closings are held against changes.
    """
    if len(status_runs) == 0:
        weights = np.full(len(grid().decay), 1 / len(grid().decay))
        tables = _millionths(tabulate(weights[np.newaxis]))
        return StatusModel(tables, weights, 1.0, 1.0), StoreParameters.unknown(calendar.stores)
    factor = gap_factor(status_runs)
    likelihood = log_likelihood(status_runs, grid(), factor=factor)
    weights = weigh(likelihood)
    model, parameters = _with_classes(status_runs, calendar.stores, likelihood, weights, factor)
    parameters = replace(parameters, doubt=find_doubts(status_runs, calendar))
    return _calibrated(model, parameters, status_runs, calendar, max_gap_us), parameters


def _with_classes(
    status_runs: StatusRuns, stores: int, likelihood: FloatArray, weights: FloatArray, factor: float
) -> tuple[StatusModel, StoreParameters]:
    of_class, class_weights = group_alike(posterior(likelihood, weights), features(), _MOST_CLASSES)
    tables = tabulate(np.concatenate([weights[np.newaxis], class_weights]))
    parameters = StoreParameters.unknown(stores)
    parameters.of_class[status_runs.store[first_status_runs(status_runs)]] = of_class + 1
    return StatusModel(_millionths(tables), weights, factor, 1.0), parameters


def _millionths(tables: FloatArray) -> IntArray:
    return np.rint(tables * MILLION).astype(np.int64)


def _calibrated(
    model: StatusModel,
    parameters: StoreParameters,
    status_runs: StatusRuns,
    calendar: Calendar,
    max_gap_us: int,
) -> StatusModel:
    """The model with deviations as wide as its errors are where every second poll is left out."""
    present = status_runs.store[first_status_runs(status_runs)]
    trusted = present[parameters.doubt[present] & Doubt.SWITCHED_OFF == 0]
    is_picked = np.zeros(calendar.stores, np.bool_)
    is_picked[trusted[:: max(1, len(trusted) // _MOST_STORES)]] = True
    status_runs = status_runs.take(is_picked[status_runs.store])
    errors = []
    for parity in (0, 1):
        half = _every_second_poll(status_runs, parity, max_gap_us=max_gap_us)
        if len(half) == 0:
            return model
        factor = gap_factor(half)
        likelihood = log_likelihood(half, grid(), factor=factor)
        of_half = _with_classes(half, calendar.stores, likelihood, model.weights, factor)
        errors += _errors(
            status_runs,
            OpenTime.of(status_runs, calendar, model, parameters),
            half,
            OpenTime.of(half, calendar, *of_half),
        )
    error = np.concatenate(errors)
    if len(error) < _LEAST_WINDOWS:
        return model
    widening = float(np.quantile(error, _SHARE)) / DEVIATIONS
    return replace(model, widening=round(float(np.clip(widening, 1.0, _WIDEST)), 4))


def _errors(
    status_runs: StatusRuns, full: OpenTime, half_status_runs: StatusRuns, half: OpenTime
) -> list[FloatArray]:
    """How far apart the two estimates are, in deviations expected, where a change was seen."""
    calendar = full.calendar
    end = calendar.end_us
    windows = [(end - (day + 1) * DAY_US, end - day * DAY_US) for day in range(7)]
    windows.append((end - WEEK_US, end))
    store = half_status_runs.store[first_status_runs(half_status_runs)]
    errors = []
    for start_us, end_us in windows:
        of_full = _between(status_runs, full, store, start_us, end_us)
        of_half = _between(half_status_runs, half, store, start_us, end_us)
        # What the polls left out tell is what the variance falls by.
        fallen = np.maximum(of_half.variance - of_full.variance, 0.2 * of_half.variance)
        apart = np.abs(of_half.mean_hours - of_full.mean_hours)
        is_busy = _has_change(half_status_runs, calendar, start_us, end_us)[store] & (fallen > 0)
        errors.append(apart[is_busy] / np.sqrt(fallen[is_busy]))
    return errors


def _between(
    status_runs: StatusRuns, open_time: OpenTime, store: IntArray, start_us: int, end_us: int
) -> LikelyRanges:
    """The ranges of stores in a stretch, around the time that is certainly up."""
    calendar = open_time.calendar
    certain = []
    for is_active in (True, False):
        own = status_runs.take(status_runs.is_active == is_active)
        at = np.clip(np.stack([own.first_poll_us, own.last_poll_us]), start_us, end_us)
        low, high = calendar.position_us(own.store, at)
        inside = np.bincount(own.store, high - low, calendar.stores)
        certain.append(inside.astype(np.int64)[store])
    up, down = certain
    start, end = np.full(len(store), start_us), np.full(len(store), end_us)
    known = calendar.business_us(store, end) - calendar.business_us(store, start)
    return open_time.ranges(
        store,
        start,
        end,
        uptime_us=up,
        lowest_us=up,
        highest_us=known - down,
        known_us=known,
    )


def _has_change(
    status_runs: StatusRuns, calendar: Calendar, start_us: int, end_us: int
) -> BoolArray:
    """Whether each store's status is seen to change in business time of the stretch."""
    is_change = (status_runs.store[1:] == status_runs.store[:-1]) & (
        status_runs.is_active[1:] != status_runs.is_active[:-1]
    )
    low, high = status_runs.last_poll_us[:-1][is_change], status_runs.first_poll_us[1:][is_change]
    store = status_runs.store[1:][is_change]
    place = calendar.position_us(
        store, np.stack([np.clip(low, start_us, end_us), np.clip(high, start_us, end_us)])
    )
    count = np.bincount(store, place[1] > place[0], calendar.stores)
    return count > 0


def _every_second_poll(status_runs: StatusRuns, parity: int, *, max_gap_us: int) -> StatusRuns:
    """The status runs of every second poll of a store, polls taken to lie evenly in each one."""
    row = np.repeat(np.arange(len(status_runs)), status_runs.polls)
    number = np.arange(len(row)) - (np.cumsum(status_runs.polls) - status_runs.polls)[row]
    length = (status_runs.last_poll_us - status_runs.first_poll_us)[row]
    at = status_runs.first_poll_us[row] + length * number // np.maximum(
        status_runs.polls[row] - 1, 1
    )
    store = status_runs.store[row]
    first = np.flatnonzero(np.append(True, store[1:] != store[:-1]))
    of_store = np.arange(len(store)) - np.repeat(first, np.diff(first, append=len(store)))
    kept = of_store % 2 == parity
    return compress(store[kept], at[kept], status_runs.is_active[row][kept], max_gap_us=max_gap_us)
