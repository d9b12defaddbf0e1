"""Error budgets: how much downtime an objective allows in a calendar week or month."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import LocalSpans
from storemon_pipeline.business_time.local_periods import Period, divide
from storemon_pipeline.domain.windows import DAY_US, BoolArray, IntArray
from storemon_pipeline.likelihood.bridges import FloatArray
from storemon_pipeline.uptime.history import Amounts, History

BURN_WINDOWS_US: Final = (DAY_US, 3 * DAY_US)
"""Burn is measured over a day and over three: hourly polls tell nothing of five minutes."""

NEVER: Final = -1
"""Stands for the instant at which a budget runs out where that is not before the period ends."""

_MILLION: Final = 1_000_000
_UNREACHED: Final = 2**62


@dataclass(frozen=True, slots=True)
class Burn:
    """Downtime and opening time of the last day, or of the last three, with known status.

    `rate` is how many times faster the budget was spent than the objective allows; None without
    opening time, and for an objective of 100 %.
    """

    length_us: int
    opening_us: int
    downtime_us: int
    rate: float | None


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
    objective_ppm: int
    opening_us: int
    unknown_us: int
    budget_us: int
    spent_us: int
    burns: tuple[Burn, ...]
    runs_out_us: int | None
    uptime_us: int

    @property
    def left_us(self) -> int:
        """The downtime that is still allowed."""
        return self.budget_us - self.spent_us

    @property
    def is_spent(self) -> bool:
        """Whether more was spent than the budget has."""
        return self.left_us < 0


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of several stores, one row each; see `Budget`. Arrays have shape `(n,)`.

    `burn_opening_us` and `burn_downtime_us` have shape `(windows, n)`, by `BURN_WINDOWS_US`.
    `runs_out_us` may be NEVER.
    """

    start_us: IntArray
    end_us: IntArray
    until_us: IntArray
    objective_ppm: IntArray
    opening_us: IntArray
    unknown_us: IntArray
    budget_us: IntArray
    spent_us: IntArray
    burn_opening_us: IntArray
    burn_downtime_us: IntArray
    runs_out_us: IntArray
    uptime_us: IntArray

    @property
    def left_us(self) -> IntArray:
        """The downtime that is still allowed; negative when more was spent."""
        return self.budget_us - self.spent_us

    @property
    def rates(self) -> FloatArray:
        """The rates of burn, `(windows, n)`; NaN where there is none."""
        allowed = (_MILLION - self.objective_ppm) * self.burn_opening_us.astype(np.float64)
        spent = _MILLION * self.burn_downtime_us.astype(np.float64)
        rates: FloatArray = np.divide(
            spent, allowed, out=np.full(allowed.shape, np.nan), where=allowed > 0
        )
        return rates

    def row(self, row: int) -> Budget:
        """The budget of one row."""
        runs_out_us, objective_ppm = int(self.runs_out_us[row]), int(self.objective_ppm[row])
        burns = []
        for length_us, opening_us, downtime_us in zip(
            BURN_WINDOWS_US,
            self.burn_opening_us[:, row].tolist(),
            self.burn_downtime_us[:, row].tolist(),
            strict=True,
        ):
            allowed = (_MILLION - objective_ppm) * opening_us
            rate = _MILLION * downtime_us / allowed if allowed else None
            burns.append(Burn(length_us, opening_us, downtime_us, rate))
        return Budget(
            int(self.start_us[row]),
            int(self.end_us[row]),
            int(self.until_us[row]),
            objective_ppm,
            int(self.opening_us[row]),
            int(self.unknown_us[row]),
            int(self.budget_us[row]),
            int(self.spent_us[row]),
            tuple(burns),
            None if runs_out_us == NEVER else runs_out_us,
            int(self.uptime_us[row]),
        )


def joined(parts: Sequence[Budgets]) -> Budgets:
    """The rows of all parts, in their order."""
    return Budgets(
        *(
            np.concatenate([getattr(part, field.name) for part in parts], axis=-1)
            for field in fields(Budgets)
        )
    )


_NONE: Final = np.empty(0, np.int64)
_NO_BURNS: Final = np.empty((len(BURN_WINDOWS_US), 0), np.int64)

NO_BUDGETS: Final = Budgets(
    *(_NONE, _NONE, _NONE, _NONE),
    *(_NONE, _NONE, _NONE, _NONE),
    *(_NO_BURNS, _NO_BURNS),
    *(_NONE, _NONE),
)
"""No row."""


def local_periods(
    spans: LocalSpans, at_us: int, period: Period, *, stores: int
) -> tuple[IntArray, IntArray]:
    """The local week or month of an instant for each store, in UTC; `(stores,)` each.

    `spans` reach around it, for every store.

    >>> from storemon_pipeline.domain.windows import HOUR_US
    >>> spans = LocalSpans(
    ...     *(np.array([value]) for value in (0, -40 * DAY_US, 40 * DAY_US, -6 * HOUR_US))
    ... )
    >>> tuple(at_us // HOUR_US for at_us in local_periods(spans, 0, Period.MONTH, stores=1))
    (array([-738]), array([6]))
    """
    pieces = divide(spans, period)
    holds = (pieces.start_us <= at_us) & (at_us < pieces.end_us)
    begin_local_us = np.empty(stores, np.int64)
    begin_local_us[pieces.store[holds]] = pieces.begin_local_us[holds]
    is_same = pieces.begin_local_us == begin_local_us[pieces.store]
    start_us, end_us = np.full(stores, _UNREACHED), np.full(stores, -_UNREACHED)
    np.minimum.at(start_us, pieces.store[is_same], pieces.start_us[is_same])
    np.maximum.at(end_us, pieces.store[is_same], pieces.end_us[is_same])
    return start_us, end_us


@dataclass(frozen=True, slots=True)
class SpentSoFar:
    """What stores spent of their weeks or months, whatever the objective; arrays are `(n,)`.

    `opening_us` is the opening time of the whole period without unknown time.
    """

    so_far: Amounts
    opening_us: IntArray

    def budget_us(self, objective_ppm: IntArray) -> IntArray:
        """The downtime that objectives allow, rounded down."""
        allowed: IntArray = (_MILLION - objective_ppm) * self.opening_us // _MILLION
        return allowed

    def left_us(self, objective_ppm: IntArray) -> IntArray:
        """See `Budgets.left_us`."""
        return self.budget_us(objective_ppm) - self.so_far.downtime_us


def spent_so_far(
    history: History, store: IntArray, *, start_us: IntArray, end_us: IntArray, as_of_us: int
) -> SpentSoFar:
    """What these stores spent up to the newest poll; see `compute_budgets`."""
    so_far = history.amounts(store, start_us, np.minimum(as_of_us, end_us))
    whole = history.amounts(store, start_us, end_us)
    return SpentSoFar(so_far, whole.business_us - so_far.unknown_us)


def compute_budgets(
    history: History,
    store: IntArray,
    *,
    start_us: IntArray,
    end_us: IntArray,
    as_of_us: int,
    objective_ppm: IntArray,
) -> Budgets:
    """The budgets of these stores of a history, each in `[start_us, end_us)`; all `(n,)`.

    The history's calendar begins at least three days before the periods and ends with them or
    later. Status is used up to the newest poll, `as_of_us`, which is at no start or later.
    """
    until_us = np.minimum(as_of_us, end_us)
    spent = spent_so_far(history, store, start_us=start_us, end_us=end_us, as_of_us=as_of_us)
    so_far, opening_us = spent.so_far, spent.opening_us
    budget_us = spent.budget_us(objective_ppm)
    burns = [
        history.amounts(store, until_us - length_us, until_us) for length_us in BURN_WINDOWS_US
    ]
    burn_opening_us = np.stack([burn.business_us - burn.unknown_us for burn in burns])
    burn_downtime_us = np.stack([burn.downtime_us for burn in burns])
    return Budgets(
        start_us,
        end_us,
        until_us,
        objective_ppm,
        opening_us,
        so_far.unknown_us,
        budget_us,
        so_far.downtime_us,
        burn_opening_us,
        burn_downtime_us,
        _runs_out(
            history,
            store,
            (start_us, until_us, end_us),
            left_us=budget_us - so_far.downtime_us,
            budget_us=budget_us,
            opening_us=burn_opening_us[-1],
            downtime_us=burn_downtime_us[-1],
        ),
        so_far.uptime_us,
    )


def _runs_out(
    history: History,
    store: IntArray,
    bounds_us: tuple[IntArray, IntArray, IntArray],
    *,
    left_us: IntArray,
    budget_us: IntArray,
    opening_us: IntArray,
    downtime_us: IntArray,
) -> IntArray:
    """When each budget was spent, or will be by this opening time and downtime; or NEVER."""
    start_us, until_us, end_us = bounds_us
    runs_out_us = np.full(store.shape, NEVER)

    def amounts(which: IntArray, start_us: IntArray, end_us: IntArray) -> Amounts:
        return history.amounts(store[which], start_us[which], end_us)

    spent = np.flatnonzero(left_us < 0)
    runs_out_us[spent] = _first_instants(
        lambda at_us: amounts(spent, start_us, at_us).downtime_us >= budget_us[spent] + 1,
        start_us[spent],
        until_us[spent],
    )
    some = np.flatnonzero((left_us >= 0) & (downtime_us > 0))
    # The next microsecond of downtime after the budget is spent. The product needs 80 bits.
    needed_us = np.array(
        [
            min(-(-(left + 1) * opening // downtime), _UNREACHED)
            for left, opening, downtime in zip(
                left_us[some].tolist(),
                opening_us[some].tolist(),
                downtime_us[some].tolist(),
                strict=True,
            )
        ],
        np.int64,
    )
    is_reached = amounts(some, until_us, end_us[some]).business_us >= needed_us
    some, needed_us = some[is_reached], needed_us[is_reached]
    runs_out_us[some] = _first_instants(
        lambda at_us: amounts(some, until_us, at_us).business_us >= needed_us,
        until_us[some],
        end_us[some],
    )
    return runs_out_us


def _first_instants(
    is_reached: Callable[[IntArray], BoolArray], low: IntArray, high: IntArray
) -> IntArray:
    """The first instant in each `[low, high]` at which something is reached; it is at `high`."""
    while (low < high).any():
        middle = (low + high) // 2
        is_there = is_reached(middle)
        high = np.where(is_there, middle, high)
        low = np.where(is_there, low, np.minimum(middle + 1, high))
    return high
