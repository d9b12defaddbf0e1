"""Error budgets with their verdicts: of one store, or of all that have an objective."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.domain.windows import DAY_US, IntArray
from storemon_pipeline.events.evidence_queries import read_first_evidence, with_events_since
from storemon_pipeline.figures.status_models import read_status_model
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.likelihood.ranges import OpenTime
from storemon_pipeline.likelihood.verdict import Verdict, judge
from storemon_pipeline.objectives.budgets import (
    NO_BUDGETS,
    Budgets,
    compute_budgets,
    joined,
    local_periods,
    spent_so_far,
)
from storemon_pipeline.objectives.objective_table import read_versions
from storemon_pipeline.objectives.precedence import (
    NO_OBJECTIVE,
    Version,
    objectives_of,
    percentage,
)
from storemon_pipeline.polls.status_run_queries import read_status_runs_since
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_details import StoreDetails, read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.history import History, build_history

MONTH_REACH_US: Final = 36 * DAY_US
"""From three days before a month to its end, from any instant in it."""

_STORES_PER_CHUNK: Final = 20_000
"""Two months of their opening hours take about 300 MB of memory."""

ObjectivesOf = Callable[[IntArray], IntArray]
"""Takes when the period of each store ends, and gives its objective as `objectives_of` does."""


@dataclass(frozen=True, slots=True)
class FleetBudgets:
    """The budgets of the stores with an objective; lists, arrays and budgets are by row."""

    as_of: datetime
    store_ids: list[str]
    details: StoreDetails
    budgets: Budgets
    verdicts: list[Verdict]


def read_fleet_budgets(url: str, period: Period) -> FleetBudgets | None:
    """The budgets of all stores for the week or month of the newest poll; None without polls."""
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        stores = read_stores(bulk)
        details = read_details(bulk, stores, as_of=as_of)
        rows, budgets, verdicts = read_budgets_of_fleet(bulk, stores, details, as_of, period)
    store_ids = stores.store_ids.take(pa.array(rows)).to_pylist()
    return FleetBudgets(as_of, store_ids, details.take(rows), budgets, verdicts)


def read_budgets_of_fleet(
    bulk: Bulk,
    stores: StoreIndex,
    details: StoreDetails,
    as_of: datetime,
    period: Period,
) -> tuple[IntArray, Budgets, list[Verdict]]:
    """As `read_budgets`, of all stores with a stored objective, at the newest poll.

    While no objective is stored for this period nothing is computed.
    """
    versions = [one for one in read_versions(bulk, stores) if one.period is period]
    found, parts, verdicts = [np.empty(0, np.int64)], [NO_BUDGETS], []
    chunks = stores.chunks(_STORES_PER_CHUNK) if versions else ()
    for number, chunk in enumerate(chunks):
        first = number * _STORES_PER_CHUNK
        own = details.take(np.arange(first, first + len(chunk)))
        which, budgets, judged = read_budgets(
            bulk,
            chunk,
            at_us=microseconds(as_of),
            as_of_us=microseconds(as_of),
            period=period,
            objectives=stored_objectives(versions, chunk, own, period),
        )
        found.append(first + which)
        parts.append(budgets)
        verdicts += judged
    return np.concatenate(found), joined(parts), verdicts


def stored_objectives(
    versions: Sequence[Version], stores: StoreIndex, details: StoreDetails, period: Period
) -> ObjectivesOf:
    """The stored objectives of these stores, for `read_budgets`."""

    def at_end(end_us: IntArray) -> IntArray:
        return objectives_of(
            versions,
            period=period,
            store_keys=stores.store_keys,
            groups=details.groups,
            regions=details.regions,
            end_us=end_us,
        )

    return at_end


def read_budgets(
    bulk: Bulk,
    stores: StoreIndex,
    *,
    at_us: int,
    as_of_us: int,
    period: Period,
    objectives: ObjectivesOf,
) -> tuple[IntArray, Budgets, list[Verdict]]:
    """The stores with an objective by position, their budgets, and whether they were kept.

    The budgets are of the local week or month of `at_us`. A verdict is on the period so far, up to
    the newest poll, `as_of_us`, and from the store's first poll on.
    """
    calendar = _calendar_around(bulk, stores, at_us)
    periods = local_periods(calendar.local_spans(), at_us, period, stores=len(stores))
    objective_ppm = objectives(periods[1])
    which = np.flatnonzero(objective_ppm != NO_OBJECTIVE)
    if len(which) == 0:
        return which, NO_BUDGETS, []
    measured = _measure(bulk, stores, calendar, which, periods, as_of_us=as_of_us)
    budgets = compute_budgets(
        measured.history,
        which,
        start_us=measured.start_us,
        end_us=measured.end_us,
        as_of_us=as_of_us,
        objective_ppm=objective_ppm[which],
    )
    return which, budgets, measured.verdicts(budgets.objective_ppm)


@dataclass(frozen=True, slots=True)
class Judged:
    """What objectives make of the same week or month; arrays are `(n,)`.

    `objective_ppm` may be NO_OBJECTIVE; what is `left_us` and the verdict then say nothing.
    """

    objective_ppm: IntArray
    left_us: IntArray
    verdicts: list[Verdict]


def judge_choices(
    bulk: Bulk,
    stores: StoreIndex,
    details: StoreDetails,
    as_of: datetime,
    period: Period,
    choices: Sequence[Sequence[Version]],
) -> Iterator[list[Judged]]:
    """For each chunk of the stores, what every choice of versions makes of the newest period.

    Stores that no choice gives an objective are left out. All else is computed once.
    """
    at_us = microseconds(as_of)
    for number, chunk in enumerate(stores.chunks(_STORES_PER_CHUNK)):
        first = number * _STORES_PER_CHUNK
        own = details.take(np.arange(first, first + len(chunk)))
        calendar = _calendar_around(bulk, chunk, at_us)
        periods = local_periods(calendar.local_spans(), at_us, period, stores=len(chunk))
        found = np.stack(
            [stored_objectives(one, chunk, own, period)(periods[1]) for one in choices]
        )
        which = np.flatnonzero((found != NO_OBJECTIVE).any(axis=0))
        if len(which) == 0:
            continue
        measured = _measure(bulk, chunk, calendar, which, periods, as_of_us=at_us)
        spent = spent_so_far(
            measured.history,
            which,
            start_us=measured.start_us,
            end_us=measured.end_us,
            as_of_us=at_us,
        )
        yield [Judged(ppm, spent.left_us(ppm), measured.verdicts(ppm)) for ppm in found[:, which]]


def _calendar_around(bulk: Bulk, stores: StoreIndex, at_us: int) -> Calendar:
    return read_calendar(
        bulk, stores, start_us=at_us - MONTH_REACH_US, end_us=at_us + MONTH_REACH_US
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """Weeks or months of some stores so far, whatever their objectives; arrays are `(n,)`.

    `known_us` is the opening time from the first poll on. Likely ranges may be UNKNOWN.
    """

    history: History
    start_us: IntArray
    end_us: IntArray
    known_us: IntArray
    lowest_us: IntArray
    highest_us: IntArray

    def verdicts(self, objective_ppm: IntArray) -> list[Verdict]:
        """Whether objectives were met so far."""
        return [
            judge(lowest, highest, business, objective_percent=percentage(ppm))
            for lowest, highest, business, ppm in zip(
                self.lowest_us.tolist(),
                self.highest_us.tolist(),
                self.known_us.tolist(),
                objective_ppm.tolist(),
                strict=True,
            )
        ]


def _measure(
    bulk: Bulk,
    stores: StoreIndex,
    calendar: Calendar,
    which: IntArray,
    periods: tuple[IntArray, IntArray],
    *,
    as_of_us: int,
) -> _Measured:
    """Measure the periods of the stores at these positions, up to the newest poll."""
    start_us, end_us = periods[0][which], periods[1][which]
    until_us = np.minimum(as_of_us, end_us)
    since, until = instant(calendar.start_us), instant(as_of_us)
    status_runs = with_events_since(
        bulk,
        stores,
        read_status_runs_since(bulk, stores, since=since, until=until),
        since=since,
        until=until,
    )
    history = build_history(status_runs, calendar)
    first_us = read_first_evidence(bulk, stores)[which]
    known_from_us = np.minimum(np.maximum(start_us, first_us), until_us)
    known = history.amounts(which, known_from_us, until_us)
    lowest_us, highest_us = np.full((2, len(which)), UNKNOWN)
    rows = np.flatnonzero(np.isin(which, status_runs.store) & (known.unknown_us == 0))
    model = read_status_model(bulk)
    if model is not None and len(rows):
        # Up to the newest poll: a poll after the period tells of the time before it.
        until_now = read_calendar(bulk, stores, start_us=calendar.start_us, end_us=as_of_us)
        ranges = OpenTime.of(
            status_runs.take(status_runs.first_poll_us < as_of_us),
            until_now,
            model.model,
            model.parameters_of(stores),
        ).ranges(
            which[rows],
            known_from_us[rows],
            until_us[rows],
            uptime_us=known.uptime_us[rows],
            lowest_us=known.lowest_uptime_us[rows],
            highest_us=known.highest_uptime_us[rows],
            known_us=known.business_us[rows],
        )
        lowest_us[rows], highest_us[rows] = ranges.lowest_us, ranges.highest_us
    return _Measured(history, start_us, end_us, known.business_us, lowest_us, highest_us)
