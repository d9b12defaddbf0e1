"""Conditions of alerts about error budgets: spent too fast, or all spent. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from storemon_pipeline.alerts.conditions import Condition, Key, Kind, StoreStates
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.objectives.budgets import Budget, Budgets

FAST_BURN: Final = 3.0
"""A burn alert starts at this rate over the last day: a tenth of a month's budget in a day."""

LASTING_BURN: Final = 1.0
"""It needs this rate over three days as well, and fires as long as that is reached."""


@dataclass(frozen=True, slots=True)
class StoreBudgets:
    """The budgets for one period; `store` has the position of each row's store."""

    period: Period
    store: IntArray
    budgets: Budgets


@dataclass(frozen=True, slots=True)
class BudgetConditions:
    """The conditions that hold, and the budget that each is about."""

    conditions: Sequence[Condition]
    budgets: Mapping[Key, tuple[Budget, Period]]


def budget_conditions(states: StoreStates, found: Sequence[StoreBudgets]) -> BudgetConditions:
    """Stores that have spent a budget, or are spending one fast.

    Alerts start for a store in business time, and a budget that is spent starts no burn alert.
    Where a store has two budgets, an alert that may start comes first, then the order of `found`.
    """
    holding: dict[Key, tuple[Condition, Budget, Period]] = {}
    for one in found:
        is_burning = np.nan_to_num(one.budgets.rates[1]) >= LASTING_BURN
        for row in np.flatnonzero(is_burning | (one.budgets.left_us < 0)).tolist():
            budget, store = one.budgets.row(row), int(one.store[row])
            for condition in _conditions(states, store, budget):
                known = holding.get(condition.key)
                if known is None or (condition.may_open and not known[0].may_open):
                    holding[condition.key] = (condition, budget, one.period)
    return BudgetConditions(
        [condition for condition, _, _ in holding.values()],
        {key: (budget, period) for key, (_, budget, period) in holding.items()},
    )


def _conditions(states: StoreStates, store: int, budget: Budget) -> Iterator[Condition]:
    """The conditions of one budget."""
    is_open, store_id = bool(states.is_open[store]), states.store_ids[store]
    day, three_days = (burn.rate or 0 for burn in budget.burns)
    if budget.is_spent and budget.runs_out_us is not None:
        key = Key(Kind.EXHAUSTED, store_id)
        yield Condition(key, is_open, budget.runs_out_us, budget.spent_us, store)
    if three_days >= LASTING_BURN:
        may_open = is_open and day >= FAST_BURN and not budget.is_spent
        key = Key(Kind.BURN, store_id)
        yield Condition(key, may_open, states.as_of_us, budget.spent_us, store)
