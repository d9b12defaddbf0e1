"""Figures, bounds and likely ranges against the truth: real outages, or made-up ones by many laws.

Polls are drawn from outages that are known, and go through the whole engine: status runs, business
time, figures by both policies, the fitted model and its ranges. Outages and polls are made in
`outage_laws`; here they are read from files, and what the engine says is scored.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from outage_laws import HISTORY_HOURS, LAWS, PLANS, Outages, PollPlan, draw_outages, made_up_hours
from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import (
    DEFAULT_MAX_GAP_US,
    LOOKBACK_US,
    MINUTE_US,
    WINDOW_US,
    BoolArray,
    IntArray,
    Policy,
    Window,
)
from storemon_pipeline.likelihood.doubts import Doubt, doubts_of_totals
from storemon_pipeline.likelihood.fit import fit_model
from storemon_pipeline.likelihood.likely_figures import flags_of
from storemon_pipeline.likelihood.model import StatusModel, StoreParameters
from storemon_pipeline.likelihood.ranges import LikelyRanges, likely_ranges, total_ranges
from storemon_pipeline.uptime.estimates import counted_status_runs
from storemon_pipeline.uptime.figures import Figures, compute_figures
from storemon_pipeline.uptime.status_runs import StatusRuns, compress

STORES: Final = 1_200
GROUP_STORES: Final = 40
"""Stores of each group whose total is held against its range."""

LEAST_INSIDE: Final = 0.85
MOST_INSIDE: Final = 0.95
"""A range that is meant to hold nine of ten truths is right within these shares."""

_MOSTLY: Final = 0.8
_AS_OF_US: Final = 1_674_670_402_479_220  # 2023-01-25 18:13:22 UTC
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Fleet:
    """Polls of a fleet with its truth, as the engine sees it at the end of the history."""

    outages: Outages
    calendar: Calendar
    status_runs: StatusRuns
    figures: Figures
    previous: Figures
    model: StatusModel
    parameters: StoreParameters
    ranges: LikelyRanges
    truth_us: IntArray
    """True uptime, `(stores with a poll, windows)`."""
    is_busy: BoolArray
    """Whether a change was seen in business time of the window; of the same shape."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one set fared in one window. Minutes are means; shares are between 0 and 1."""

    name: str
    window: Window
    busy: int
    previous_error: float
    nearest_error: float
    nearest_bias_ppm: float
    bounds_inside: tuple[float, float]
    bounds_minutes: tuple[float, float]
    likely_inside: tuple[float, float]
    """Of all stores with business time, and of busy ones."""
    likely_minutes: tuple[float, float]
    doubted: float
    """Busy stores whose range is marked as not to be trusted."""
    doubt: str
    """The most common reason."""
    trusted_inside: float
    """Truth inside of the range, of busy stores that are not."""
    groups_inside: float
    groups_doubted: float
    """Groups whose total's range is marked as not to be trusted."""
    fleet_deviations: float
    """The error of the fleet's total, in deviations of its range."""


def report(truth: Path | None, stores: int = STORES) -> Iterator[str]:
    """The lines of a Markdown table of all sets: real ones of a folder, or the made-up ones."""
    yield (
        "| outages, polls | window | busy | previous, nearest: error min | bias ppm "
        "| bounds: inside all, busy % | width min | likely: inside all, busy % | width min "
        "| doubted busy % | likely, not doubted busy % | groups: inside, doubted % "
        "| fleet z | cause of a miss |"
    )
    yield "| --- | --- |" + " ---: |" * 11 + " --- |"
    for name, outages, calendar in sets(truth, stores):
        for number, (plan_name, plan) in enumerate(PLANS.items()):
            rng = np.random.default_rng([_SEED, number])
            fleet = watch(outages, calendar, plan, rng)
            yield from (line(score) for score in scores(f"{name}, {plan_name}", fleet))


def write(truth: Path | None) -> None:
    """Write the table, each line as soon as it is known."""
    for row in report(truth):
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()


def line(score: Score) -> str:
    """One row of the table."""

    def percent(*shares: float) -> str:
        return ", ".join("-" if np.isnan(share) else f"{share * 100:.1f}" for share in shares)

    return (
        f"| {score.name} | {score.window} | {score.busy} "
        f"| {score.previous_error:.2f}, {score.nearest_error:.2f} | {score.nearest_bias_ppm:+.0f} "
        f"| {percent(*score.bounds_inside)} "
        f"| {score.bounds_minutes[0]:.0f}, {score.bounds_minutes[1]:.0f} "
        f"| {percent(*score.likely_inside)} "
        f"| {score.likely_minutes[0]:.0f}, {score.likely_minutes[1]:.0f} "
        f"| {percent(score.doubted)} | {percent(score.trusted_inside)} "
        f"| {percent(score.groups_inside, score.groups_doubted)} | {score.fleet_deviations:+.1f} "
        f"| {cause(score)} |"
    )


def cause(score: Score) -> str:
    """Why the range of busy stores does not hold the truth in 85 to 95 % of the windows, if so."""
    inside = score.likely_inside[1]
    if np.isnan(inside) or LEAST_INSIDE <= inside <= MOST_INSIDE:
        return ""
    if score.doubted > _MOSTLY:
        return f"flagged: {score.doubt}"
    limit = LEAST_INSIDE if inside < LEAST_INSIDE else MOST_INSIDE
    if abs(inside - limit) <= 2 * (limit * (1 - limit) / score.busy) ** 0.5:
        return "chance: within two standard errors"
    return "too wide" if inside > MOST_INSIDE else "too narrow"


def watch(outages: Outages, calendar: Calendar, plan: PollPlan, rng: np.random.Generator) -> Fleet:
    """Poll the stores, fit the model and compute everything at the end of the calendar."""
    end_us = calendar.end_us
    status_runs = draw_status_runs(outages, calendar, plan, rng)
    nearest, previous = (
        compute_figures(
            status_runs, calendar, as_of_us=end_us, policy=policy, max_gap_us=DEFAULT_MAX_GAP_US
        )
        for policy in (Policy.NEAREST, Policy.PREVIOUS)
    )
    model, parameters = fit_model(status_runs, calendar)
    starts = [end_us - length for length in WINDOW_US.values()]
    every = np.arange(calendar.stores)
    return Fleet(
        outages,
        calendar,
        status_runs,
        nearest,
        previous,
        model,
        parameters,
        likely_ranges(status_runs, calendar, nearest, model, parameters, as_of_us=end_us),
        np.stack(
            [outages.uptime_us(calendar, np.full(len(every), start), end_us) for start in starts],
            axis=1,
        )[nearest.store],
        np.stack([_sees_change(status_runs, calendar, start) for start in starts], axis=1)[
            nearest.store
        ],
    )


def draw_status_runs(
    outages: Outages, calendar: Calendar, plan: PollPlan, rng: np.random.Generator
) -> StatusRuns:
    """The status runs of polls drawn over the calendar."""
    polls = plan.draw(outages, calendar.start_us, calendar.end_us, rng)
    status_runs = compress(
        polls.store, polls.polled_at_us, polls.is_active, max_gap_us=DEFAULT_MAX_GAP_US
    )
    return counted_status_runs(status_runs, as_of_us=calendar.end_us)


def scores(name: str, fleet: Fleet) -> Iterator[Score]:
    """The scores of each window."""
    figures, ranges = fleet.figures, fleet.ranges
    groups = max(1, len(figures.store) // GROUP_STORES)
    of_group = np.arange(len(figures.store)) * groups // max(len(figures.store), 1)
    lowest, highest = _totals(fleet, of_group, groups)
    fleet_lowest, fleet_highest = _totals(fleet, np.zeros_like(of_group), 1)
    doubt = fleet.parameters.doubt[figures.store]
    doubted = doubt > 0
    for column, window in enumerate(Window):
        truth = fleet.truth_us[:, column]
        is_open = figures.business_us[:, column] > 0
        busy = fleet.is_busy[:, column]
        error = figures.uptime_us[:, column] - truth
        of_groups = np.bincount(of_group, truth, groups)
        width = max(int(fleet_highest[0, column] - fleet_lowest[0, column]), 1)
        bounds = _scored(
            truth, figures.lowest_uptime_us, figures.highest_uptime_us, column, is_open, busy
        )
        likely = _scored(truth, ranges.lowest_us, ranges.highest_us, column, is_open, busy)
        trusted = _scored(
            truth, ranges.lowest_us, ranges.highest_us, column, is_open, busy & ~doubted
        )
        yield Score(
            name=name,
            window=window,
            busy=int(busy.sum()),
            previous_error=_mean(
                np.abs(fleet.previous.uptime_us[:, column] - truth)[is_open] / MINUTE_US
            ),
            nearest_error=_mean(np.abs(error)[is_open] / MINUTE_US),
            nearest_bias_ppm=float(error.sum() / figures.business_us[:, column].sum() * 1e6),
            bounds_inside=bounds[0],
            bounds_minutes=bounds[1],
            likely_inside=likely[0],
            likely_minutes=likely[1],
            doubted=_mean(doubted[busy]),
            doubt=_flags(doubt[busy]),
            trusted_inside=trusted[0][1],
            groups_inside=_mean(
                (lowest[:, column] <= of_groups) & (of_groups <= highest[:, column])
            ),
            groups_doubted=_mean(doubts_of_totals(doubt, of_group, groups) > 0),
            fleet_deviations=float(-error.sum() / width * 2 * 1.645),
        )


def _flags(doubt: IntArray) -> str:
    """The flag of the most common doubt."""
    common = max(Doubt, key=lambda one: int((doubt & one > 0).sum()))
    return ", ".join(flags_of(common))


def read_outages(path: Path, stores: int, begin_us: int, rng: np.random.Generator) -> Outages:
    """A fleet of stretches of a file's units, each picked and begun at random.

    The file has columns `unit`, `down_from_utc` and `down_to_utc`, empty for a unit never down; it
    was watched from its first instant to its last.
    """
    units: dict[str, list[tuple[float, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            of_unit = units.setdefault(row["unit"], [])
            if row["down_from_utc"]:
                of_unit.append((_hours(row["down_from_utc"]), _hours(row["down_to_utc"])))
    instants = [at for of_unit in units.values() for stretch in of_unit for at in stretch]
    watched_from, watched_until = min(instants), max(instants)
    names = sorted(units)
    picked = rng.integers(len(names), size=stores)
    since = rng.uniform(watched_from, watched_until - HISTORY_HOURS, stores)
    return Outages.of(
        [
            [(start - begin, end - begin) for start, end in units[names[unit]]]
            for unit, begin in zip(picked.tolist(), since.tolist(), strict=True)
        ],
        begin_us,
    )


def sets(truth: Path | None, stores: int) -> Iterator[tuple[str, Outages, Calendar]]:
    """Name, outages and business time of each set: of a folder's files, or of every law."""
    begin_us = _AS_OF_US - LOOKBACK_US
    files = [] if truth is None else sorted(truth.glob("*.csv"))
    if truth is not None and not files:
        raise ValueError(f"{truth} has no CSV files of outages")
    for path in files:
        rng = np.random.default_rng(_SEED)
        calendar = made_up_hours(stores, begin_us, _AS_OF_US, rng)
        yield path.stem, read_outages(path, stores, begin_us, rng), calendar
    for name in LAWS if truth is None else ():
        yield name, *made_up(name, stores)


def made_up(
    law: str, stores: int, *, begin_us: int = _AS_OF_US - LOOKBACK_US
) -> tuple[Outages, Calendar]:
    """Outages by a law, and the business time of their stores from `begin_us` on."""
    rng = np.random.default_rng(_SEED)
    calendar = made_up_hours(stores, begin_us, _AS_OF_US, rng)
    return draw_outages(LAWS[law], calendar, rng), calendar


def _hours(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp() / 3600


def _sees_change(status_runs: StatusRuns, calendar: Calendar, start_us: int) -> BoolArray:
    """Whether each store's status changes between two polls around business time."""
    change = np.flatnonzero(
        (status_runs.store[1:] == status_runs.store[:-1])
        & (status_runs.is_active[1:] != status_runs.is_active[:-1])
    )
    at = np.stack([status_runs.last_poll_us[change], status_runs.first_poll_us[change + 1]])
    store = status_runs.store[change]
    begin, end = calendar.position_us(store, np.maximum(at, start_us))
    sees = np.zeros(calendar.stores, np.bool_)
    sees[store[end > begin]] = True
    return sees


def _totals(fleet: Fleet, of_group: IntArray, groups: int) -> tuple[IntArray, IntArray]:
    return total_ranges(
        fleet.ranges,
        of_group,
        groups,
        uptime_us=fleet.figures.uptime_us,
        known_us=fleet.figures.business_us,
    )


def _scored(
    truth: IntArray,
    lowest: IntArray,
    highest: IntArray,
    column: int,
    is_open: BoolArray,
    busy: BoolArray,
) -> tuple[tuple[float, float], tuple[float, float]]:
    low, high = lowest[:, column], highest[:, column]
    inside = (low <= truth) & (truth <= high)
    width = (high - low) / MINUTE_US
    return (
        (_mean(inside[is_open]), _mean(inside[busy])),
        (_mean(width[is_open]), _mean(width[busy])),
    )


def _mean(values: BoolArray | npt.NDArray[np.float64]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
