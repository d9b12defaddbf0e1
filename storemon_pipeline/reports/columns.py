"""A complete report's rows with everything that is kept of them, in bulk."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.figures.figure_rows import FIGURE_TYPE

FIGURES: Final = tuple(
    f"{kind}_last_{window}"
    for kind in ("uptime", "downtime")
    for window in ("hour_minutes", "day_hours", "week_hours")
)
"""The rounded figures, in the order of the CSV."""

EXACT: Final = tuple(
    f"{amount}_last_{window}_us"
    for amount in ("business", "uptime", "downtime", "lowest_uptime", "highest_uptime", "observed")
    for window in Window
)


def read_report_table(bulk: Bulk, result_id: int) -> pa.Table:
    """The rows in the report's order: store_id, the figures (decimals), exact microseconds."""
    figures = ", ".join(f"u.{name}::text AS {name}" for name in FIGURES)
    exact = ", ".join(f"u.{name}" for name in EXACT)
    rows = bulk.fetch(
        f"""
        SELECT s.store_id, {figures}, {exact}
        FROM uptime_report u JOIN stores s USING (store_key)
        WHERE u.result_id = $1
        """,  # noqa: S608  (names of columns are constants of this module)
        (result_id,),
    )
    # Arrow compares strings by their bytes, as the contract orders a report.
    rows = rows.take(pc.sort_indices(rows["store_id"]))
    for name in FIGURES:
        column = rows[name].cast(FIGURE_TYPE)
        rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows
