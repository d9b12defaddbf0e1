"""Error budgets: how much downtime an objective allows in a calendar week or month."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import LocalSpans
from storemon_pipeline.business_time.local_periods import Period, divide
from storemon_pipeline.domain.windows import DAY_US
from storemon_pipeline.uptime.history import Amounts, History

BURN_WINDOWS_US: Final = (DAY_US, 3 * DAY_US)
"""Burn is measured over a day and over three: hourly polls tell nothing of five minutes."""


@dataclass(frozen=True, slots=True)
class Burn:
    """Downtime and opening time of the last day, or of the last three, with known status."""

    length_us: int
    opening_us: int
    downtime_us: int

    def rate(self, objective_percent: Decimal) -> Decimal | None:
        """How many times faster the budget is spent than the objective allows.

        None without opening time, and for an objective of 100 %.

        >>> Burn(DAY_US, opening_us=1000, downtime_us=30).rate(Decimal("98.5"))
        Decimal('2')
        """
        allowed = (100 - objective_percent) * self.opening_us
        return Decimal(100 * self.downtime_us) / allowed if allowed else None


@dataclass(frozen=True, slots=True)
class Budget:
    """The budget of one store in the local week or month `[start_us, end_us)`, up to `until_us`.

    `opening_us` is the opening time of the whole period without unknown time. `budget_us` of it may
    be downtime, rounded down. `left_us` is negative when more was spent. `runs_out_us` is when the
    budget was spent or, by the burn of three days, will be; None if that is after the period.
    """

    start_us: int
    end_us: int
    until_us: int
    opening_us: int
    unknown_us: int
    budget_us: int
    spent_us: int
    burns: tuple[Burn, ...]
    runs_out_us: int | None
    so_far: Amounts

    @property
    def left_us(self) -> int:
        """The downtime that is still allowed."""
        return self.budget_us - self.spent_us

    @property
    def is_spent(self) -> bool:
        """Whether more was spent than the budget has."""
        return self.left_us < 0


def local_period(spans: LocalSpans, at_us: int, period: Period) -> tuple[int, int]:
    """The local week or month of an instant, in UTC; `spans` are of one store and reach around it.

    >>> from storemon_pipeline.domain.windows import HOUR_US
    >>> spans = LocalSpans(
    ...     *(np.array([value]) for value in (0, -40 * DAY_US, 40 * DAY_US, -6 * HOUR_US))
    ... )
    >>> tuple(at_us // HOUR_US for at_us in local_period(spans, 0, Period.MONTH))
    (-738, 6)
    """
    pieces = divide(spans, period)
    holds = (pieces.start_us <= at_us) & (at_us < pieces.end_us)
    is_same = pieces.begin_local_us == pieces.begin_local_us[holds][0]
    return int(pieces.start_us[is_same].min()), int(pieces.end_us[is_same].max())


def compute_budget(
    history: History,
    *,
    start_us: int,
    end_us: int,
    as_of_us: int,
    objective_percent: Decimal,
) -> Budget:
    """The budget of the only store of a history in `[start_us, end_us)`.

    The history's calendar begins at least three days before the period and ends with it or later.
    Status is used up to the newest poll, `as_of_us`, which is at least `start_us`.
    """
    until_us = min(as_of_us, end_us)
    so_far = _amounts(history, start_us, until_us)
    unknown_us, spent_us = int(so_far.unknown_us[0]), int(so_far.downtime_us[0])
    opening_us = int(_amounts(history, start_us, end_us).business_us[0]) - unknown_us
    allowed = (100 - objective_percent) * opening_us / 100
    budget_us = int(allowed.to_integral_value(ROUND_FLOOR))
    burns = tuple(_burn(history, until_us, length_us) for length_us in BURN_WINDOWS_US)

    def spent_at(at_us: int) -> int:
        return int(_amounts(history, start_us, at_us).downtime_us[0])

    def opening_at(at_us: int) -> int:
        return int(_amounts(history, until_us, at_us).business_us[0])

    runs_out_us = None
    longest = burns[-1]
    if spent_us > budget_us:
        runs_out_us = _first_instant(spent_at, budget_us + 1, start_us, until_us)
    elif longest.downtime_us:
        # The next microsecond of downtime after the budget is spent.
        needed_us = -(-(budget_us - spent_us + 1) * longest.opening_us // longest.downtime_us)
        if opening_at(end_us) >= needed_us:
            runs_out_us = _first_instant(opening_at, needed_us, until_us, end_us)
    return Budget(
        start_us,
        end_us,
        until_us,
        opening_us,
        unknown_us,
        budget_us,
        spent_us,
        burns,
        runs_out_us,
        so_far,
    )


def _burn(history: History, until_us: int, length_us: int) -> Burn:
    amounts = _amounts(history, until_us - length_us, until_us)
    known_us = int(amounts.business_us[0] - amounts.unknown_us[0])
    return Burn(length_us, known_us, int(amounts.downtime_us[0]))


def _amounts(history: History, start_us: int, end_us: int) -> Amounts:
    return history.amounts(np.array([0]), np.array([start_us]), np.array([end_us]))


def _first_instant(amount_at: Callable[[int], int], amount: int, low: int, high: int) -> int:
    """The first instant in `[low, high]` at which a growing amount is reached; it is at `high`."""
    while low < high:
        middle = (low + high) // 2
        if amount_at(middle) >= amount:
            high = middle
        else:
            low = middle + 1
    return low
