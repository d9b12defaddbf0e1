"""Columns of sales in files."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from storemon_api.downloads.table_file import Column
from storemon_api.sales.sales_schemas import Sales, SalesLost

Row = TypeVar("Row")


def lost_columns(
    of_row: Callable[[Row], SalesLost | None], suffix: str = ""
) -> Sequence[Column[Row]]:
    """The columns of the sales lost with their range; empty for rows without demand."""

    def column(name: str, cell: Callable[[SalesLost], str | float | None]) -> Column[Row]:
        def value(row: Row) -> str | float | None:
            sales = of_row(row)
            return None if sales is None else cell(sales)

        return Column(f"{name}{suffix}", value)

    return (
        column("sales_lost", lambda sales: sales.lost),
        column("sales_lost_lowest", lambda sales: sales.lowest),
        column("sales_lost_highest", lambda sales: sales.highest),
        column("currency", lambda sales: sales.currency),
    )


def sales_columns(of_row: Callable[[Row], Sales | None], suffix: str = "") -> Sequence[Column[Row]]:
    """As `lost_columns`, with the expected sales and the uptime weighted by demand."""

    def expected(row: Row) -> float | None:
        sales = of_row(row)
        return None if sales is None else sales.expected

    def percent(row: Row) -> float | None:
        sales = of_row(row)
        return None if sales is None else sales.uptime_percent

    return (
        *lost_columns(of_row, suffix),
        Column(f"sales_expected{suffix}", expected),
        Column(f"uptime_percent_by_demand{suffix}", percent),
    )
