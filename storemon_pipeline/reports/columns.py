"""All rows of a complete report with all amounts, in bulk."""

import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.amounts import EXACT_COLUMNS, ROUNDED_COLUMNS
from storemon_pipeline.figures.figure_rows import FIGURE_TYPE
from storemon_pipeline.stores.store_keys import ALL_STORES_SQL


def read_report_table(bulk: Bulk, result_id: int) -> pa.Table:
    """The rows in the report's order: store_id, rounded figures (decimals), microseconds."""
    figures = ", ".join(f"u.{name}::text AS {name}" for name in ROUNDED_COLUMNS)
    exact = ", ".join(f"u.{name}" for name in EXACT_COLUMNS)
    rows = bulk.fetch(
        f"""
        SELECT s.store_id, {figures}, {exact}
        FROM uptime_report u JOIN ({ALL_STORES_SQL}) s USING (store_key)
        WHERE u.result_id = $1
        """,  # noqa: S608  (names of columns are constants)
        (result_id,),
    )
    # Arrow compares strings by their bytes, which is the order of a report.
    rows = rows.take(pc.sort_indices(rows["store_id"]))
    for name in ROUNDED_COLUMNS:
        column = rows[name].cast(FIGURE_TYPE)
        rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows
