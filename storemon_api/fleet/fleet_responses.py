"""Serialise totals of stores to response bodies."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import compress

import numpy as np

from storemon_api.fleet.fleet_schemas import GroupTotals, ShareOfWindow, Totals
from storemon_api.fleet.group_sales import GroupSales, sales_of_groups
from storemon_api.fleet.group_sums import GroupSums
from storemon_api.stores.store_responses import known
from storemon_pipeline.domain.amounts import (
    AMOUNTS,
    BUSINESS,
    LIKELY_HIGHEST,
    LIKELY_LOWEST,
    UPTIME,
)
from storemon_pipeline.domain.windows import BoolArray, IntArray, Window
from storemon_pipeline.likelihood.doubts import doubts_of_totals
from storemon_pipeline.likelihood.likely_figures import flags_of, ranges_of_totals
from storemon_pipeline.likelihood.verdict import judge
from storemon_pipeline.uptime.percentages import share_percent
from storemon_pipeline.uptime.store_state import STORE_STATES
from storemon_pipeline.views.fleet_view import Fleet


def totals_of(fleet: Fleet, kept: BoolArray, objective: Decimal | None) -> Totals:
    """Return totals of the kept stores."""
    code = np.where(kept, 0, -1)
    return _totals(fleet, code, 1, objective)[0]


def group_totals(
    fleet: Fleet, names: Sequence[str | None], kept: BoolArray, objective: Decimal | None
) -> list[GroupTotals]:
    """Return totals of the kept stores by name, those without a name last.

    `names` is indexed by store position.
    """
    order = sorted(set(compress(names, kept)), key=lambda name: (name is None, name or ""))
    number = {name: code for code, name in enumerate(order)}
    code = np.array([number.get(name, -1) for name in names], np.int64)
    totals = _totals(fleet, np.where(kept, code, -1), len(order), objective)
    return [
        GroupTotals(name=name, **dict(total)) for name, total in zip(order, totals, strict=True)
    ]


def _totals(fleet: Fleet, code: IntArray, groups: int, objective: Decimal | None) -> list[Totals]:
    """Return totals of each group; `code` is the group number of each store, or -1."""
    sums = GroupSums(code, groups)
    standing = np.stack([sums.of(fleet.state == n) for n in range(len(STORE_STATES))], axis=1)
    down = fleet.incident_row >= 0
    lost = np.zeros(len(code), np.int64)
    lost[down] = fleet.incidents.lost_us[fleet.incident_row[down]]
    counts, incidents, lost_us = sums.of(np.ones(len(code), np.bool_)), sums.of(down), sums.of(lost)
    likely_us = _likely_ranges(fleet, code, groups)
    doubts = _doubts(fleet, code, groups)
    of_currencies = sales_of_groups(fleet, code, groups)
    windows = [
        _window_shares(fleet, code, sums, column, likely_us, objective, of_currencies)
        for column in range(len(Window))
    ]
    return [
        Totals(
            stores=int(counts[group]),
            standing={one: int(standing[group, number]) for number, one in enumerate(STORE_STATES)},
            open_incidents=int(incidents[group]),
            lost_us=int(lost_us[group]),
            sales_lost=of_currencies.open_incidents[group],
            windows={window: shares[group] for window, shares in zip(Window, windows, strict=True)},
            likely_flags=list(flags_of(int(doubts[group]))),
        )
        for group in range(groups)
    ]


def _likely_ranges(fleet: Fleet, code: IntArray, groups: int) -> tuple[IntArray, IntArray]:
    """Return the likely ranges of the groups' totals, `(groups, 3)`."""
    group = code[fleet.figures.store]
    rows = np.flatnonzero(group >= 0)
    return ranges_of_totals(fleet.figures.take(rows), group[rows], groups)


def _doubts(fleet: Fleet, code: IntArray, groups: int) -> IntArray:
    """Return the doubts about the groups' totals, `(groups,)`."""
    group = code[fleet.figures.store]
    rows = np.flatnonzero(group >= 0)
    return doubts_of_totals(fleet.figures.doubt[rows], group[rows], groups)


def _window_shares(
    fleet: Fleet,
    code: IntArray,
    sums: "GroupSums",
    column: int,
    likely_us: tuple[IntArray, IntArray],
    objective: Decimal | None,
    of_currencies: GroupSales,
) -> list[ShareOfWindow]:
    """Return the figures of each group in one window, and the uptime of the window before."""
    figures = fleet.figures
    of_figures = GroupSums(code[figures.store], sums.groups)
    counts = of_figures.of(np.ones(len(figures.store), np.bool_))
    summed = {
        amount.field: of_figures.of(getattr(figures, amount.field)[:, column]).tolist()
        for amount in AMOUNTS
        if amount.is_additive
    }
    for amount, limits in zip((LIKELY_LOWEST, LIKELY_HIGHEST), likely_us, strict=True):
        summed[amount.field] = [known(limit) for limit in limits[:, column].tolist()]
    before = fleet.previous[column]
    up_before = None if before is None else sums.of(before.uptime_us)
    down_before = None if before is None else sums.of(before.downtime_us)
    return [
        ShareOfWindow(
            stores=int(counts[group]),
            **{field: sums_of_field[group] for field, sums_of_field in summed.items()},
            uptime_percent=share_percent(
                summed[UPTIME.field][group], summed[BUSINESS.field][group]
            ),
            previous_percent=None
            if up_before is None or down_before is None
            else share_percent(
                int(up_before[group]), int(up_before[group]) + int(down_before[group])
            ),
            verdict=None
            if objective is None
            else judge(
                summed[LIKELY_LOWEST.field][group],
                summed[LIKELY_HIGHEST.field][group],
                summed[BUSINESS.field][group],
                objective_percent=objective,
            ),
            sales=of_currencies.windows[group][column],
        )
        for group in range(sums.groups)
    ]
