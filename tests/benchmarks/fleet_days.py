"""Likely ranges of groups of stores by local day, and of a week made of days, against the truth.

Outages, polls and the model are those of `truth`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.truth import GROUP_STORES, STORES, draw_status_runs, sets
from outage_laws import PLANS, Outages
from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.likelihood.doubts import doubts_of_totals
from storemon_pipeline.likelihood.fit import fit_model
from storemon_pipeline.likelihood.spreads import Spreads, compute_spreads, ranges_of_spreads
from storemon_pipeline.uptime.daily import Days, compute_days
from storemon_pipeline.uptime.status_runs import StatusRuns

_SEED: Final = 7
_WHOLE_DAYS: Final = slice(1, -1)
"""The history begins and ends within a day."""


@dataclass(frozen=True, slots=True)
class Score:
    """How the ranges of groups fared: shares between 0 and 1."""

    inside: float
    width: float
    """Of the business time, the mean over groups."""
    doubted: float


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of all whole days, and of all of them together."""

    days: Score
    week: Score


def write(truth: Path | None, stores: int = STORES) -> None:
    """Write a Markdown table of all sets, each line as soon as it is known."""
    sys.stdout.write(
        "| outages, polls | days: inside % | width % | week: inside % | width % | flagged % |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: |\n"
    )
    for name, outages, calendar in sets(truth, stores):
        for number, (plan_name, plan) in enumerate(PLANS.items()):
            rng = np.random.default_rng([_SEED, number])
            found = scores(outages, calendar, draw_status_runs(outages, calendar, plan, rng))
            cells = (found.days.inside, found.days.width, found.week.inside, found.week.width)
            shares = " | ".join(f"{100 * share:.1f}" for share in (*cells, found.week.doubted))
            sys.stdout.write(f"| {name}, {plan_name} | {shares} |\n")
            sys.stdout.flush()


def scores(outages: Outages, calendar: Calendar, status_runs: StatusRuns) -> Scores:
    """Fit a model, compute the days with their spreads, and hold groups of stores to the truth."""
    model, parameters = fit_model(status_runs, calendar)
    since_us = np.full(calendar.stores, calendar.start_us)
    days = compute_days(status_runs, calendar, since_us=since_us)[0]
    whole = np.unique(days.begin_local_us)[_WHOLE_DAYS]
    days = days.take(np.isin(days.begin_local_us, whole) & (days.amounts.unknown_us == 0))
    spreads = compute_spreads(
        status_runs,
        calendar,
        model,
        parameters,
        store=days.store,
        start_us=days.start_us,
        end_us=days.end_us,
        amounts=days.amounts,
    )
    truth_us = _true_uptimes(outages, calendar, days)
    of_day = np.searchsorted(whole, days.begin_local_us)
    return Scores(
        _score(days, spreads, truth_us, of_day), _score(days, spreads, truth_us, 0 * of_day)
    )


def _true_uptimes(outages: Outages, calendar: Calendar, days: Days) -> IntArray:
    """The true uptime of each day, `(n,)`."""
    truth_us = np.zeros(len(days.store), np.int64)
    for begin_local_us in np.unique(days.begin_local_us):
        rows = np.flatnonzero(days.begin_local_us == begin_local_us)
        edges = np.full((2, calendar.stores), calendar.start_us)
        edges[:, days.store[rows]] = days.start_us[rows], days.end_us[rows]
        start, end = (outages.uptime_us(calendar, edge, calendar.end_us) for edge in edges)
        truth_us[rows] = (start - end)[days.store[rows]]
    return truth_us


def _score(days: Days, spreads: Spreads, truth_us: IntArray, period: IntArray) -> Score:
    """The score of groups of stores in each of the numbered periods."""
    groups = max(1, (int(days.store.max()) + 1) // GROUP_STORES)
    # First the days of each store, then the stores of each group.
    key, of_store = np.unique(days.store * (period.max() + 1) + period, return_inverse=True)
    store, period = np.divmod(key, period.max() + 1)
    group = np.minimum(store // GROUP_STORES, groups - 1)
    _, of_group = np.unique(group * (period.max() + 1) + period, return_inverse=True)

    def by_store(amount: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.bincount(of_store, amount)

    def by_group(amount: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.bincount(of_group, amount)

    apart = by_store(spreads.apart_s)
    squares = apart**2 + by_store(spreads.own_deviation_s.astype(np.float64) ** 2)
    squares += by_store(spreads.shared_deviation_s) ** 2
    business = by_group(by_store(days.amounts.business_us))
    lowest, highest = ranges_of_spreads(
        by_group(squares),
        by_group(apart),
        by_group(by_store(spreads.reach_minutes)),
        uptime_us=by_group(by_store(days.amounts.uptime_us)).astype(np.int64),
        known_us=business.astype(np.int64),
    )
    truth = by_group(by_store(truth_us))
    doubt = np.zeros(len(key), np.int64)
    np.bitwise_or.at(doubt, of_store, spreads.doubt)
    return Score(
        float(np.mean((lowest <= truth) & (truth <= highest))),
        float(np.mean((highest - lowest) / business)),
        float(np.mean(doubts_of_totals(doubt, of_group, len(truth)) > 0)),
    )
