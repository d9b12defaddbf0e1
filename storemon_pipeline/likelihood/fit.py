"""Fitting the status model to a fleet's status runs, and calibrating it by its own polls.

The fleet is fitted twice: with all of its polls, and with every second one left out. What is then
estimated of the same days can be compared: it must differ by as much as the model expects.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import DAY_US, DEFAULT_MAX_GAP_US, HOUR_US, WEEK_US, IntArray
from storemon_pipeline.likelihood.bridges import FloatArray
from storemon_pipeline.likelihood.doubts import Doubt, find_doubts
from storemon_pipeline.likelihood.fleet import gap_factor, grid, log_likelihood, posterior, weigh
from storemon_pipeline.likelihood.gaps import Kind, first_runs
from storemon_pipeline.likelihood.model import StatusModel, StoreParameters
from storemon_pipeline.likelihood.ranges import DEVIATIONS, LikelyRanges, OpenTime
from storemon_pipeline.likelihood.tables import features_of, group_alike, tabulate
from storemon_pipeline.uptime.estimates import counted_runs
from storemon_pipeline.uptime.figures import Figures, compute_figures
from storemon_pipeline.uptime.status_runs import Runs, compress

_MOST_CLASSES: Final = 255
_DIGITS: Final = 6
"""Tables keep so many decimals: less than a second of a gap of a day."""

_MOST_STORES: Final = 2_500
"""So many stores, evenly picked, are enough to calibrate a model."""

_LEAST_WINDOWS: Final = 100
"""With fewer windows in which something happened a fleet says too little of its own errors."""

_WIDEST: Final = 1.6
_SHARE: Final = 0.9


def fit_model(
    runs: Runs, calendar: Calendar, *, max_gap_us: int = DEFAULT_MAX_GAP_US
) -> tuple[StatusModel, StoreParameters]:
    """Fit the model to runs, sorted by store and time, of stores of the calendar.

    No run goes on after the calendar's end. Its period, a week at least, is that in which openings
    and closings are held against changes.
    """
    chains = grid()
    if len(runs) == 0:
        weights = np.full(len(chains.decay), 1 / len(chains.decay))
        tables = tabulate(chains, weights[np.newaxis]).round(_DIGITS)
        return StatusModel(tables, weights, 1.0, 1.0, 1.0), StoreParameters.unknown(calendar.stores)
    factor = gap_factor(runs)
    likelihood = log_likelihood(runs, chains, factor=factor)
    weights = weigh(likelihood)
    model, parameters = _with_classes(runs, calendar.stores, likelihood, weights, factor)
    parameters = replace(parameters, doubt=find_doubts(runs, calendar))
    return _calibrated(model, parameters, runs, calendar, max_gap_us), parameters


def _with_classes(
    runs: Runs, stores: int, likelihood: FloatArray, weights: FloatArray, factor: float
) -> tuple[StatusModel, StoreParameters]:
    chains = grid()
    of_class, class_weights = group_alike(
        posterior(likelihood, weights), features_of(chains), _MOST_CLASSES
    )
    tables = tabulate(chains, np.concatenate([weights[np.newaxis], class_weights]))
    parameters = StoreParameters.unknown(stores)
    parameters.of_class[runs.store[first_runs(runs)]] = of_class + 1
    return StatusModel(tables.round(_DIGITS), weights, factor, 1.0, 1.0), parameters


def _calibrated(
    model: StatusModel,
    parameters: StoreParameters,
    runs: Runs,
    calendar: Calendar,
    max_gap_us: int,
) -> StatusModel:
    """The model with deviations as wide as its errors are where every second poll is left out."""
    present = runs.store[first_runs(runs)]
    trusted = present[parameters.doubt[present] & Doubt.SWITCHED_OFF == 0]
    picked = trusted[:: max(1, len(trusted) // _MOST_STORES)]
    is_picked = np.zeros(calendar.stores, np.bool_)
    is_picked[picked] = True
    runs = runs.take(is_picked[runs.store])
    if len(runs) == 0:
        return model
    errors = []
    for parity in (0, 1):
        half = _every_second_poll(runs, parity, max_gap_us=max_gap_us)
        factor = gap_factor(half)
        likelihood = log_likelihood(half, grid(), factor=factor)
        errors += _errors(
            _Fit(runs, model, parameters),
            _Fit(
                half,
                *_with_classes(half, calendar.stores, likelihood, model.weights, factor),
            ),
            calendar,
            max_gap_us,
        )
    error = np.concatenate(errors)
    if len(error) < _LEAST_WINDOWS:
        return model
    widening = float(np.quantile(error, _SHARE)) / DEVIATIONS
    return replace(model, widening=round(float(np.clip(widening, 1.0, _WIDEST)), 4))


@dataclass(frozen=True, slots=True)
class _Fit:
    """Runs, and what was fitted to them."""

    runs: Runs
    model: StatusModel
    parameters: StoreParameters

    def between(
        self, calendar: Calendar, start_us: int, end_us: int, max_gap_us: int
    ) -> LikelyRanges:
        """The ranges of all stores of the calendar in a stretch of it."""
        open_time = OpenTime.of(self.runs, calendar, self.model, self.parameters)
        every = np.arange(calendar.stores)
        start, end = np.full(calendar.stores, start_us), np.full(calendar.stores, end_us)
        sides = []
        for is_active in (True, False):
            own = self.runs.take(self.runs.is_active == is_active)
            first, last = (
                np.clip(at, start_us, end_us) for at in (own.first_poll_us, own.last_poll_us)
            )
            place = calendar.position_us(own.store, np.stack([first, last]))
            sides.append(np.bincount(own.store, place[1] - place[0], calendar.stores))
        up, down = (side.astype(np.int64) for side in sides)
        known = calendar.business_us(every, end) - calendar.business_us(every, start)
        return open_time.ranges(
            every, start, end,
            uptime_us=up, lowest_us=up, highest_us=known - down, known_us=known,
        )


def _errors(full: _Fit, half: _Fit, calendar: Calendar, max_gap_us: int) -> list[FloatArray]:
    """How far apart the two estimates are, in deviations expected, where a change was seen."""
    end = calendar.end_us
    windows = [(end - (day + 1) * DAY_US, end - day * DAY_US) for day in range(7)]
    windows.append((end - WEEK_US, end))
    errors = []
    for start_us, end_us in windows:
        of_full = full.between(calendar, start_us, end_us, max_gap_us)
        of_half = half.between(calendar, start_us, end_us, max_gap_us)
        is_busy = _has_change(half.runs, calendar, start_us, end_us)
        # What the polls left out explain is what the variance falls by.
        fallen = np.maximum(of_half.variance - of_full.variance, 0.2 * of_half.variance)
        apart = np.abs(of_half.mean_hours - of_full.mean_hours)
        is_busy &= fallen > 0
        errors.append(apart[is_busy] / np.sqrt(fallen[is_busy]))
    return errors


def _has_change(runs: Runs, calendar: Calendar, start_us: int, end_us: int) -> IntArray:
    is_change = (runs.store[1:] == runs.store[:-1]) & (runs.is_active[1:] != runs.is_active[:-1])
    low, high = runs.last_poll_us[:-1][is_change], runs.first_poll_us[1:][is_change]
    store = runs.store[1:][is_change]
    place = calendar.position_us(
        store, np.stack([np.clip(low, start_us, end_us), np.clip(high, start_us, end_us)])
    )
    count = np.bincount(store, place[1] > place[0], calendar.stores)
    return count > 0


def _every_second_poll(runs: Runs, parity: int, *, max_gap_us: int) -> Runs:
    """The runs of every second poll of each store, polls taken to lie evenly inside a run."""
    row = np.repeat(np.arange(len(runs)), runs.polls)
    number = np.arange(len(row)) - (np.cumsum(runs.polls) - runs.polls)[row]
    length = (runs.last_poll_us - runs.first_poll_us)[row]
    at = runs.first_poll_us[row] + length * number // np.maximum(runs.polls[row] - 1, 1)
    store = runs.store[row]
    first = np.flatnonzero(np.append(True, store[1:] != store[:-1]))
    of_store = np.arange(len(store)) - np.repeat(first, np.diff(first, append=len(store)))
    kept = of_store % 2 == parity
    return compress(store[kept], at[kept], runs.is_active[row][kept], max_gap_us=max_gap_us)
