"""The figures of stores in a local week or month. Pure computation."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.local_periods import LocalPieces, divide
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.domain.windows import DAY_US, LOOKBACK_US, IntArray
from storemon_pipeline.statements.statement_period import StatementPeriod
from storemon_pipeline.uptime.history import Amounts, build_history
from storemon_pipeline.uptime.incidents import Incidents, find_incidents
from storemon_pipeline.uptime.status_runs import StatusRuns

_REACH_US: Final = 2 * DAY_US
"""No local midnight is further from UTC midnight of the same date."""


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """Figures by position of the store.

    `[start_us, end_us)` is the whole period, `until_us` its end or the newest poll. `lost_us` is
    what each incident cost in it, at least a microsecond.
    """

    start_us: IntArray
    end_us: IntArray
    until_us: IntArray
    amounts: Amounts
    incidents: Incidents
    lost_us: IntArray


def reach_of(period: StatementPeriod, as_of_us: int) -> tuple[int, int, int]:
    """Instants before and after the period in every zone, and up to where polls can tell of it."""
    since_us = _local_us(period.begin) - _REACH_US
    after_us = _local_us(period.end) + _REACH_US
    # Polls later than this tell nothing about the period; up to the newest one there may be years.
    return since_us, after_us, max(after_us, min(as_of_us, after_us + 2 * LOOKBACK_US))


def period_figures(
    status_runs: StatusRuns,
    whole: Calendar,
    calendar: Calendar,
    period: StatementPeriod,
    *,
    as_of_us: int,
) -> PeriodFigures:
    """The figures of the stores; `calendar` ends at the newest poll, even if `whole` does not.

    Both begin at the first instant of `reach_of`.
    """
    since_us, after_us, _ = reach_of(period, as_of_us)
    pieces = _of_period(divide(whole.local_spans(), period.by), _local_us(period.begin))
    start_us = np.full(whole.stores, after_us)
    end_us = np.full(whole.stores, since_us)
    np.minimum.at(start_us, pieces.store, pieces.start_us)
    np.maximum.at(end_us, pieces.store, pieces.end_us)
    until_us = np.minimum(end_us, as_of_us)
    start_us = np.minimum(start_us, until_us)
    every = np.arange(whole.stores)
    amounts = build_history(status_runs, calendar).amounts(every, start_us, until_us)
    incidents = find_incidents(status_runs, calendar, as_of_us=as_of_us)
    store = incidents.store
    lost_us = calendar.business_us(
        store, np.minimum(incidents.end_us, until_us[store])
    ) - calendar.business_us(store, np.maximum(incidents.start_us, start_us[store]))
    return PeriodFigures(
        start_us,
        end_us,
        until_us,
        amounts,
        incidents.take(lost_us > 0),
        lost_us[lost_us > 0],
    )


def _local_us(day: date) -> int:
    return microseconds(datetime.combine(day, time(), UTC))


def _of_period(pieces: LocalPieces, begin_local_us: int) -> LocalPieces:
    """The pieces of the period that begins at a local time."""
    kept = pieces.begin_local_us == begin_local_us
    return LocalPieces(
        pieces.store[kept],
        pieces.begin_local_us[kept],
        pieces.start_us[kept],
        pieces.end_us[kept],
    )
