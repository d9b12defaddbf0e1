"""The rows of complete reports, of all stores or of some, and the CSV made from them."""

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storemon_pipeline.database.tables import report_columns, report_csv, stores
from storemon_pipeline.domain.amounts import ROUNDED_COLUMNS
from storemon_pipeline.reports.columns import (
    STORE_ID,
    Part,
    decode_figures,
    decode_rows,
    no_rows,
)
from storemon_pipeline.reports.csv_file import header_line, report_lines
from storemon_pipeline.stores.store_keys import all_stores


def read_report_table(
    connection: sa.Connection, result_id: int, store_ids: AbstractSet[str] | None = None
) -> pa.Table:
    """The rows in the report's order: store_id, rounded figures (decimals), microseconds.

    With `store_ids` only of those of these stores that the result has.
    """
    parts = (
        only(decode_rows(part), store_ids) for part in read_parts(connection, result_id, store_ids)
    )
    return pa.concat_tables([no_rows(), *parts], promote_options="default").combine_chunks()


def read_parts(
    connection: sa.Connection, result_id: int, store_ids: AbstractSet[str] | None = None
) -> Iterator[Part]:
    """The parts of a result in order.

    With `store_ids` only the parts that may have one of them.
    """
    part = report_columns.c
    query = sa.select(part.part).where(part.result_id == result_id).order_by(part.part)
    if store_ids is not None:
        ids = sa.func.unnest(sa.literal(sorted(store_ids), postgresql.ARRAY(sa.Text)))
        known = sa.select(ids.label("store_id")).subquery()
        query = query.where(
            sa.exists().where(
                known.c.store_id >= part.first_store_id, known.c.store_id <= part.last_store_id
            )
        )
    for number in connection.scalars(query).all():
        yield read_part(connection, result_id, number)


def read_first_ids(connection: sa.Connection, result_id: int) -> list[str]:
    """The first store id of each part of a result, ascending."""
    part = report_columns.c
    return list(
        connection.scalars(
            sa.select(part.first_store_id).where(part.result_id == result_id).order_by(part.part)
        )
    )


def read_part(connection: sa.Connection, result_id: int, number: int) -> Part:
    """One part of a result. Raises sqlalchemy.exc.NoResultFound when there is none."""
    part = report_columns.c
    content, first, last = connection.execute(
        sa.select(part.content, part.first_store_id, part.last_store_id).where(
            part.result_id == result_id, part.part == number
        )
    ).one()
    # In one row, because that is faster than thousands of small ones.
    keys, ids = connection.execute(
        sa.select(
            sa.func.array_agg(all_stores.c.store_key), sa.func.array_agg(all_stores.c.store_id)
        ).where(all_stores.c.store_id >= first, all_stores.c.store_id <= last)
    ).one()
    return Part.of(
        bytes(content), pa.array(keys or [], pa.int32()), pa.array(ids or [], pa.string())
    )


def only(rows: pa.Table, store_ids: AbstractSet[str] | None) -> pa.Table:
    """The rows of these stores; None means all."""
    if store_ids is None:
        return rows
    return rows.filter(pc.is_in(rows[STORE_ID], pa.array(sorted(store_ids), pa.string())))


def read_csv_chunk(connection: sa.Connection, result_id: int, chunk: int) -> bytes:
    """One chunk of a result's CSV, from 0 to `csv_chunks - 1`.

    Raises sqlalchemy.exc.NoResultFound when there is none.
    """
    stored = connection.execute(
        sa.select(report_csv.c.content).where(
            report_csv.c.result_id == result_id, report_csv.c.chunk == chunk
        )
    ).scalar_one_or_none()
    if stored is not None:
        return bytes(stored)
    lines = part_lines(read_part(connection, result_id, chunk))
    return header_line() + lines if chunk == 0 else lines


def read_report_csv(
    connection: sa.Connection, result_id: int, store_ids: AbstractSet[str]
) -> bytes:
    """The CSV with the rows of those of these stores that the result has."""
    parts = read_parts(connection, result_id, store_ids)
    lines = [table_lines(only(decode_figures(part), store_ids)) for part in parts]
    return b"".join([header_line(), *lines])


def part_lines(part: Part) -> bytes:
    """The lines of the CSV about the stores of a part."""
    return table_lines(decode_figures(part))


def table_lines(rows: pa.Table) -> bytes:
    """The lines of the CSV about these rows."""
    rows = rows.combine_chunks()
    if rows.num_rows == 0:
        return b""
    return report_lines(
        rows[STORE_ID].chunk(0), {name: rows[name].chunk(0) for name in ROUNDED_COLUMNS}
    )


def count_stores(
    connection: sa.Connection, result_ids: Collection[int], store_ids: AbstractSet[str]
) -> dict[int, tuple[int, int]]:
    """How many of these stores have a row in each result, and how many known ones have none."""
    ids = sa.literal(sorted(store_ids), postgresql.ARRAY(sa.Text))
    known = connection.scalars(
        sa.select(stores.c.store_id).where(stores.c.store_id == sa.any_(ids))
    ).all()
    return {
        result_id: _count_stores(connection, result_id, store_ids, known)
        for result_id in result_ids
    }


def _count_stores(
    connection: sa.Connection,
    result_id: int,
    store_ids: AbstractSet[str],
    known: Collection[str],
) -> tuple[int, int]:
    asked, named = pa.array(sorted(store_ids), pa.string()), pa.array(known, pa.string())
    rows = rows_of_known = 0
    for part in read_parts(connection, result_id, store_ids):
        rows += pc.sum(pc.is_in(part.store_ids, asked)).as_py() or 0
        rows_of_known += pc.sum(pc.is_in(part.store_ids, named)).as_py() or 0
    return rows, len(known) - rows_of_known
