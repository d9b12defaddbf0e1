"""Keep the rows of reports in compressed columns, a tenth of the size, and make the CSV from them.

The rows of all reports are converted here, report by report. The CSV of a report is dropped where
the columns give the same bytes.
"""

import hashlib
import io
import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_LOG = logging.getLogger(__name__)
_ROWS_PER_PART = 20_000
_REPORTS_PER_LOG_LINE = 100


def upgrade() -> None:
    """Make the table, fill it from the old one, and drop that. Reports in the making begin anew."""
    op.create_table(
        "report_columns",
        sa.Column("result_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stores", sa.Integer(), nullable=False),
        sa.Column("first_store_id", sa.Text(collation="C"), nullable=False),
        sa.Column("last_store_id", sa.Text(collation="C"), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="Parquet file, compressed"),
        sa.PrimaryKeyConstraint("result_id", "part", name=op.f("pk_report_columns")),
        comment="Rows of each result in columns, in parts of some stores each; never changed.",
    )
    # The content is compressed already.
    op.execute("ALTER TABLE report_columns ALTER COLUMN content SET STORAGE EXTERNAL")
    op.create_table_comment(
        "report_csv",
        "CSV of older results, where it does not follow from their columns.",
        existing_comment="CSV file of each result, in chunks of bytes.",
    )
    connection = op.get_bind()
    _convert_all(connection)
    op.execute(
        "DELETE FROM report_csv WHERE result_id NOT IN (SELECT result_id FROM report_results)"
    )
    op.execute("DELETE FROM result_shards WHERE is_report")
    op.alter_column("result_shards", "csv_chunks", new_column_name="parts")
    op.drop_table("uptime_report")


def _convert_all(connection: sa.Connection) -> None:
    results = connection.execute(
        sa.text(
            """
            SELECT result_id, csv_sha256 FROM report_results r
            WHERE EXISTS (SELECT FROM reports q WHERE q.result_id = r.result_id)
            ORDER BY result_id
            """
        )
    ).all()
    for number, (result_id, csv_sha256) in enumerate(results, 1):
        digest = hashlib.sha256(_HEADER)
        parts = 0
        for part, rows in enumerate(_parts(connection, result_id)):
            connection.execute(_INSERT, _part(rows) | {"result_id": result_id, "part": part})
            digest.update(_csv_lines(rows))
            parts += 1
        if digest.hexdigest() == csv_sha256:
            values = {"result_id": result_id, "parts": parts}
            connection.execute(
                sa.text("DELETE FROM report_csv WHERE result_id = :result_id"), values
            )
            connection.execute(
                sa.text(
                    "UPDATE report_results SET csv_chunks = :parts WHERE result_id = :result_id"
                ),
                values,
            )
        else:
            _LOG.warning("result %d: its CSV stays, because its rows give another one", result_id)
        # A warning is shown even where nothing configures logging, as before the service starts.
        if number % _REPORTS_PER_LOG_LINE == 0 or number == len(results):
            _LOG.warning("converted the rows of %d of %d reports", number, len(results))


_INSERT = sa.text(
    """
    INSERT INTO report_columns (result_id, part, stores, first_store_id, last_store_id, content)
    VALUES (:result_id, :part, :stores, :first_store_id, :last_store_id, :content)
    """
)

_WINDOWS = ("hour", "day", "week")
_AMOUNTS = ("business", "uptime", "downtime", "lowest_uptime", "highest_uptime", "observed")
_COLUMNS = [f"{amount}_last_{window}_us" for amount in _AMOUNTS for window in _WINDOWS]
_LEFT_OF = {
    "uptime": "business",
    "lowest_uptime": "uptime",
    "highest_uptime": "business",
    "observed": "business",
}


def _parts(connection: sa.Connection, result_id: int) -> Iterator[pa.Table]:
    """The rows of a result in order of their ids, some at a time; at least one table."""
    after, count = "", _ROWS_PER_PART
    driver: Any = connection.connection.driver_connection
    types = {"store_id": pa.string()} | dict.fromkeys(_COLUMNS, pa.int64())
    while count == _ROWS_PER_PART:
        text = io.BytesIO()
        with driver.cursor() as cursor, cursor.copy(_ROWS, (result_id, after)) as copy:
            for block in copy:
                text.write(block)
        rows = pa_csv.read_csv(
            pa.py_buffer(text.getvalue()),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, strings_can_be_null=False, null_values=[]
            ),
        ).combine_chunks()
        count = rows.num_rows
        if count or not after:
            yield rows
        if count:
            after = rows["store_id"][-1].as_py()


_ROWS = f"""
    COPY (
        SELECT s.store_id, {", ".join(_COLUMNS)} FROM uptime_report u
        JOIN (
            SELECT store_key, store_id FROM stores
            UNION ALL SELECT store_key, store_id FROM former_stores
        ) s USING (store_key)
        WHERE u.result_id = %s AND s.store_id > %s
        ORDER BY s.store_id LIMIT {_ROWS_PER_PART}
    ) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE (store_id))
"""  # noqa: S608  (names of columns)


def _part(rows: pa.Table) -> dict[str, object]:
    """The values of a row of `report_columns`."""
    kept = {"store_id": rows["store_id"]}
    for amount in _AMOUNTS:
        for window in _WINDOWS:
            name, whole = f"{amount}_last_{window}_us", _LEFT_OF.get(amount)
            if whole:
                left = pc.subtract(rows[f"{whole}_last_{window}_us"], rows[name])
                kept[f"{whole}_minus_{name}"] = left
            elif amount != "downtime":
                kept[name] = rows[name]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(kept),
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
        column_encoding={name: _encoding(column) for name, column in kept.items()},
    )
    ids = rows["store_id"].to_pylist() or [""]
    return {
        "stores": rows.num_rows,
        "first_store_id": ids[0],
        "last_store_id": ids[-1],
        "content": sink.getvalue().to_pybytes(),
    }


def _encoding(column: pa.ChunkedArray) -> str:
    if pa.types.is_string(column.type):
        return "DELTA_BYTE_ARRAY"
    is_distinct = pc.count_distinct(column).as_py() > len(column) / 2
    return "BYTE_STREAM_SPLIT" if is_distinct else "PLAIN"


_ROUNDED = [
    (f"{amount}_last_{window}_us", 6_000 if window == "hour" else 360_000)
    for amount in ("uptime", "downtime")
    for window in _WINDOWS
]
"""The columns of the CSV, and the microseconds in a ten-thousandth of a minute or an hour."""

_HEADER = (
    b"store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),uptime_last_week(in hours),"
    b"downtime_last_hour(in minutes),downtime_last_day(in hours),downtime_last_week(in hours)\n"
)


def _csv_lines(rows: pa.Table) -> bytes:
    """The lines of the CSV, made from the amounts that are kept."""
    ids = rows["store_id"]
    is_runnable = pc.and_not(
        pc.match_substring_regex(ids, r"^[=+\-@\t\r]"),
        pc.match_substring_regex(ids, r"^[+-]?[0-9]+$"),
    )
    ids = pc.if_else(is_runnable, pc.binary_join_element_wise("'", ids, ""), ids)
    quoted = pc.binary_join_element_wise(
        '"', pc.replace_substring(ids, pattern='"', replacement='""'), '"', ""
    )
    ids = pc.if_else(pc.match_substring_regex(ids, r'[",\r\n]'), quoted, ids)
    texts = [ids]
    for name, step in _ROUNDED:
        us = rows[name].to_numpy()
        if name.startswith("downtime"):
            of = name.removeprefix("downtime")
            us = rows[f"business{of}"].to_numpy() - rows[f"uptime{of}"].to_numpy()
        whole, twice = us // step, 2 * (us % step)
        whole = whole + ((twice > step) | ((twice == step) & (whole % 2 == 1)))
        fraction = pc.utf8_lpad(pa.array(whole % 10_000).cast(pa.string()), 4, padding="0")
        texts.append(
            pc.binary_join_element_wise(pa.array(whole // 10_000).cast(pa.string()), fraction, ".")
        )
    lines = pc.binary_join_element_wise(*texts, ",")
    return "".join(f"{line}\n" for line in lines.to_pylist()).encode()
