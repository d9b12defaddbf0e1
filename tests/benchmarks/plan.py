"""The poll plan against hourly polling round the clock, with the same budget and known outages.

Each hour is planned from the polls up to then, as a poller does that asks for the plan hourly.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.truth import sets
from outage_laws import Outages, Polls
from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import (
    DEFAULT_MAX_GAP_US,
    HOUR_US,
    MINUTE_US,
    WEEK_US,
    Policy,
)
from storemon_pipeline.poll_plan.plan import LastPolls, Stretches
from storemon_pipeline.uptime.figures import compute_figures
from storemon_pipeline.uptime.status_runs import StatusRuns, compress, extend

STORES: Final = 600
DRAWS: Final = 3
"""Phases of hourly polls, and of plans, whose errors are averaged."""

_WEEK: Final = 2
"""The column of the week in figures."""


@dataclass(frozen=True, slots=True)
class Watched:
    """How exact a week's uptime by the nearest poll is."""

    polls: int
    error_minutes: float
    bias_ppm: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Polling by plan and hourly polling, with one poll an hour for each store as the budget."""

    name: str
    planned: Watched
    hourly: Watched

    @property
    def gain(self) -> float:
        """By which share the mean error is smaller."""
        return 1 - self.planned.error_minutes / self.hourly.error_minutes


def write(truth: Path | None, stores: int = STORES) -> None:
    """Write a Markdown table of all sets, each line as soon as it is known."""
    sys.stdout.write(
        "| outages | polls of the plan, of hourly polling | error of nearest, min: plan, hourly "
        "| smaller by % | bias ppm: plan, hourly |\n| --- | ---: | ---: | ---: | ---: |\n"
    )
    for comparison in compare_all(truth, stores):
        planned, hourly = comparison.planned, comparison.hourly
        sys.stdout.write(
            f"| {comparison.name} | {planned.polls:,}, {hourly.polls:,} "
            f"| {planned.error_minutes:.2f}, {hourly.error_minutes:.2f} "
            f"| {100 * comparison.gain:.0f} "
            f"| {planned.bias_ppm:+.0f}, {hourly.bias_ppm:+.0f} |\n"
        )
        sys.stdout.flush()


def compare_all(truth: Path | None, stores: int) -> Iterator[Comparison]:
    """Compare both on every set."""
    for name, outages, calendar in sets(truth, stores):
        yield compare(name, outages, calendar, draws=DRAWS)


def compare(name: str, outages: Outages, calendar: Calendar, *, draws: int) -> Comparison:
    """Compare both on one set, averaged over several draws of phases."""
    drawn = [
        (
            _watched(poll_by_plan(outages, calendar, rng), outages, calendar),
            _watched(_hourly(outages, calendar, rng), outages, calendar),
        )
        for rng in map(np.random.default_rng, range(draws))
    ]
    planned, hourly = zip(*drawn, strict=True)
    return Comparison(name, _mean(planned), _mean(hourly))


def poll_by_plan(outages: Outages, calendar: Calendar, rng: np.random.Generator) -> StatusRuns:
    """The status runs of polls by plan; the budget is one poll an hour for each store."""
    phase = rng.random(outages.stores)
    none = np.empty(0, np.int64)
    status_runs = StatusRuns(none, none, none, none.astype(np.bool_), none)
    for start_us in range(calendar.start_us, calendar.end_us, HOUR_US):
        end_us = min(start_us + HOUR_US, calendar.end_us)
        last_polls = LastPolls.of(status_runs, phase, start_us=start_us)
        stretches = Stretches.of(calendar, last_polls, start_us=start_us, end_us=end_us)
        plan = stretches.plan(outages.stores * (end_us - start_us) // HOUR_US)
        order = np.lexsort((plan.poll_at_us, plan.store))
        store, poll_at_us = plan.store[order], plan.poll_at_us[order]
        is_active = ~outages.is_down(store, poll_at_us)
        # All status runs are anchors: those before a store's last one stay as they are.
        status_runs = extend(
            status_runs, store, poll_at_us, is_active, max_gap_us=DEFAULT_MAX_GAP_US
        )
    return status_runs


def _hourly(outages: Outages, calendar: Calendar, rng: np.random.Generator) -> StatusRuns:
    count = (calendar.end_us - calendar.start_us) // HOUR_US
    phase = rng.integers(HOUR_US, size=(outages.stores, 1))
    at_us = (calendar.start_us + phase + np.arange(count) * HOUR_US).ravel()
    store = np.repeat(np.arange(outages.stores), count)
    polls = Polls(store, at_us, ~outages.is_down(store, at_us))
    return compress(polls.store, polls.polled_at_us, polls.is_active, max_gap_us=DEFAULT_MAX_GAP_US)


def _watched(status_runs: StatusRuns, outages: Outages, calendar: Calendar) -> Watched:
    figures = compute_figures(
        status_runs,
        calendar,
        as_of_us=calendar.end_us,
        policy=Policy.NEAREST,
        max_gap_us=DEFAULT_MAX_GAP_US,
    )
    begin = np.full(outages.stores, calendar.end_us - WEEK_US)
    truth = outages.uptime_us(calendar, begin, calendar.end_us)[figures.store]
    business = figures.business_us[:, _WEEK]
    error = figures.uptime_us[:, _WEEK] - truth
    return Watched(
        int(status_runs.polls.sum()),
        float(np.abs(error[business > 0]).mean() / MINUTE_US),
        float(error.sum() / business.sum() * 1e6),
    )


def _mean(watched: tuple[Watched, ...]) -> Watched:
    return Watched(
        sum(one.polls for one in watched) // len(watched),
        sum(one.error_minutes for one in watched) / len(watched),
        sum(one.bias_ppm for one in watched) / len(watched),
    )
