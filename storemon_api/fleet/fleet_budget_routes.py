"""The route about the error budgets of all stores."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

import numpy as np
from fastapi import Depends, Query, Response

from storemon_api.downloads.table_file import Column, hours, table_file
from storemon_api.downloads.table_format import ListingDep, listing_responses, page_response
from storemon_api.fleet.fleet_budget_schemas import FleetBudgetRow, FleetBudgets
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import DATABASE_UNAVAILABLE, INVALID_REQUEST
from storemon_api.http.routing import Router
from storemon_api.live.fleet_cache import FleetCacheDep
from storemon_api.stores.store_filters import (
    Direction,
    NeverOnline,
    StoreFilterDep,
    never_online_ids,
)
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.domain.windows import DEFAULT_ZONE, IntArray
from storemon_pipeline.likelihood.bridges import FloatArray
from storemon_pipeline.likelihood.verdict import Verdict
from storemon_pipeline.objectives.budgets import NEVER
from storemon_pipeline.views.budgets_view import FleetBudgets as Found

router = Router(tag="fleet")


class BudgetOrder(StrEnum):
    """Sort key of a list of budgets."""

    STORE_ID = "store_id"
    VERDICT = "verdict"
    OBJECTIVE = "objective"
    UPTIME = "uptime"
    SPENT_SHARE = "spent_share"
    LEFT = "left"
    BURN_DAY = "burn_day"
    BURN_THREE_DAYS = "burn_three_days"
    RUNS_OUT = "runs_out"


_COLUMNS: Final[Sequence[Column[FleetBudgetRow]]] = (
    Column("store_id", lambda row: row.store_id),
    Column("name", lambda row: row.name),
    Column("group", lambda row: row.group),
    Column("region", lambda row: row.region),
    Column("timezone", lambda row: row.timezone),
    Column("objective_percent", lambda row: row.objective),
    Column("by", lambda row: row.by),
    Column("start_utc", lambda row: row.start),
    Column("end_utc", lambda row: row.end),
    Column("verdict", lambda row: row.verdict.value),
    Column("uptime_percent", lambda row: row.uptime_percent),
    Column("open_hours", lambda row: hours(row.opening_us)),
    Column("unknown_hours", lambda row: hours(row.unknown_us)),
    Column("budget_hours", lambda row: hours(row.budget_us)),
    Column("spent_hours", lambda row: hours(row.spent_us)),
    Column("left_hours", lambda row: hours(row.left_us)),
    Column("burn_day", lambda row: row.burns[0].rate),
    Column("burn_three_days", lambda row: row.burns[1].rate),
    Column("runs_out_utc", lambda row: row.runs_out_at),
)

_WORST_FIRST = (Verdict.MISSED, Verdict.CANNOT_BE_TOLD, Verdict.MET)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which budgets to list; None means any."""

    verdicts: list[Verdict] | None
    is_spent: bool | None
    never_online: bool | None


async def _wanted(
    verdict: Annotated[list[Verdict] | None, Query()] = None,
    is_spent: Annotated[
        bool | None, Query(alias="spent", description="Whether more was spent than there was.")
    ] = None,
    never_online: NeverOnline = None,
) -> _Wanted:
    return _Wanted(verdict, is_spent, never_online)


@router.get(
    "/fleet/budgets",
    summary="The error budgets of all stores with an objective",
    responses={
        **listing_responses(FleetBudgets),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_fleet_budgets(
    fleet_cache: FleetCacheDep,
    listing: ListingDep,
    store_filter: StoreFilterDep,
    wanted: Annotated[_Wanted, Depends(_wanted)],
    by: Literal["week", "month"] = "month",
    sort: BudgetOrder = BudgetOrder.BURN_THREE_DAYS,
    order: Direction = Direction.DESCENDING,
) -> Response:
    """Return the budgets of the stores that match, in the week or month of the newest poll.

    By verdict, ascending, missed objectives come first, then those that cannot be told. The share
    that is spent of a budget of nothing is unknown. Stores whose sort value is unknown come last.
    """
    found = fleet_cache.budgets(Period(by))
    paging = listing.paging
    if found is None and listing.is_file:
        return table_file(listing.format, "budgets", _COLUMNS, [], total=0)
    if found is None:
        empty = FleetBudgets(
            as_of=None,
            by=by,
            verdicts=dict.fromkeys(Verdict, 0),
            spent=0,
            total=0,
            offset=paging.offset,
            limit=paging.limit,
            next=None,
            budgets=[],
        )
        return page_response(empty)
    kept = store_filter.matches(found.store_ids, found.details)
    verdicts = np.array(found.verdicts, np.str_)
    is_over = found.budgets.left_us < 0
    counts = {one: int((kept & (verdicts == one)).sum()) for one in Verdict}
    spent = int((kept & is_over).sum())
    if wanted.verdicts:
        kept &= np.isin(verdicts, wanted.verdicts)
    if wanted.is_spent is not None:
        kept &= is_over == wanted.is_spent
    if wanted.never_online is not None:
        never = never_online_ids(fleet_cache.fleet(store_filter.only))
        kept &= np.array([one in never for one in found.store_ids], np.bool_) == wanted.never_online
    rows = _ordered(found, np.flatnonzero(kept), sort, order)
    if listing.is_file:
        budgets = (_row(found, row, by) for row in rows.tolist())
        return table_file(
            listing.format, "budgets", _COLUMNS, budgets, total=len(rows), as_of=found.as_of
        )
    return page_response(
        FleetBudgets(
            as_of=found.as_of,
            by=by,
            verdicts=counts,
            spent=spent,
            total=len(rows),
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(len(rows)),
            budgets=[_row(found, row, by) for row in rows[paging.rows].tolist()],
        )
    )


def _row(found: Found, row: int, by: Literal["week", "month"]) -> FleetBudgetRow:
    details = found.details
    return FleetBudgetRow.of(
        found.budgets.row(row),
        found.verdicts[row],
        store_id=found.store_ids[row],
        timezone=details.timezones[row] or DEFAULT_ZONE,
        by=by,
        is_stored=True,
        name=details.names[row],
        group=details.groups[row],
        region=details.regions[row],
    )


def _ordered(found: Found, rows: IntArray, sort: BudgetOrder, order: Direction) -> IntArray:
    """Return the rows sorted by `sort`, ties by id, stores without a value last."""
    value = _values(found, sort)[rows]
    sign = -1 if order is Direction.DESCENDING else 1
    return rows[np.lexsort((rows, sign * value, np.isnan(value)))]


def _values(found: Found, sort: BudgetOrder) -> FloatArray:
    """Return the sort values of all rows; NaN where they are unknown."""
    budgets = found.budgets
    values: dict[BudgetOrder, IntArray | FloatArray] = {
        BudgetOrder.STORE_ID: np.arange(len(found.store_ids)),
        BudgetOrder.VERDICT: np.array([_WORST_FIRST.index(one) for one in found.verdicts]),
        BudgetOrder.OBJECTIVE: budgets.objective_ppm,
        BudgetOrder.UPTIME: _share(budgets.uptime_us, budgets.uptime_us + budgets.spent_us),
        BudgetOrder.SPENT_SHARE: _share(budgets.spent_us, budgets.budget_us),
        BudgetOrder.LEFT: budgets.left_us,
        BudgetOrder.BURN_DAY: budgets.rates[0],
        BudgetOrder.BURN_THREE_DAYS: budgets.rates[1],
        BudgetOrder.RUNS_OUT: np.where(budgets.runs_out_us == NEVER, np.nan, budgets.runs_out_us),
    }
    return values[sort].astype(np.float64)


def _share(part: IntArray, of: IntArray) -> FloatArray:
    shares: FloatArray = np.divide(part, of, out=np.full(part.shape, np.nan), where=of > 0)
    return shares
