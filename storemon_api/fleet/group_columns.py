"""Totals of groups, regions and time zones as the rows of a file. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum, unique

from storemon_api.downloads.table_file import Cell, Column, hours
from storemon_api.fleet.fleet_schemas import GroupTotals, ShareOfWindow
from storemon_api.fleet.period_sales_responses import columns_by_currency
from storemon_api.sales.sales_schemas import Sales
from storemon_api.stores.store_responses import window_columns
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.uptime.store_state import StoreState


@unique
class FleetTable(StrEnum):
    """The tables of all stores' totals; the value is the field."""

    GROUPS = "groups"
    REGIONS = "regions"
    TIMEZONES = "timezones"


def worst_first(totals: Sequence[GroupTotals]) -> list[GroupTotals]:
    """Return those of the lowest uptime in the week first, then without a figure or a name."""

    def rank(one: GroupTotals) -> tuple[bool, bool, float]:
        percent = one.windows[Window.WEEK].uptime_percent
        return one.name is None, percent is None, percent or 0

    return sorted(totals, key=rank)


def group_columns(
    table: FleetTable, rows: Sequence[GroupTotals], *, has_verdict: bool = False
) -> list[Column[GroupTotals]]:
    """Return the columns of a file of these rows, with those of the currencies that they have."""

    def stores(state: StoreState) -> Callable[[GroupTotals], Cell]:
        return lambda one: one.standing[state]

    def previous(window: Window) -> Callable[[GroupTotals], Cell]:
        return lambda one: one.windows[window].previous_percent

    def sales(window: Window) -> Callable[[GroupTotals], Sequence[Sales]]:
        return lambda one: one.windows[window].sales

    def figures(one: GroupTotals) -> Mapping[Window, ShareOfWindow]:
        return one.windows

    return [
        Column(table.removesuffix("s"), lambda one: one.name),
        Column("stores", lambda one: one.stores),
        *(Column(f"stores_{state}", stores(state)) for state in StoreState),
        Column("open_outages", lambda one: one.open_incidents),
        Column("open_hours_lost", lambda one: hours(one.lost_us)),
        *window_columns(figures, has_verdict=has_verdict),
        *(Column(f"previous_percent_last_{window}", previous(window)) for window in Window),
        *(
            Column(f"{column.name}_last_{window}", column.cell)
            for window in Window
            for column in columns_by_currency(rows, sales(window))
        ),
    ]
