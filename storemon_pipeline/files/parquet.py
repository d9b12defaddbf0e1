"""Reading Parquet files into the same blocks of text columns as CSV.

Rows are numbered as in a CSV file with the same rows below a header line. The meaning of a field
belongs to the reader of each source.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storemon_pipeline.domain.rejections import (
    Reason,
    RejectedRow,
    UnusableFileError,
    Verdict,
)
from storemon_pipeline.files.csv_text import (
    MAX_COLUMNS,
    Column,
    TextBlock,
    TextFile,
    find_columns,
)
from storemon_pipeline.files.expansion_limit import ExpansionLimit

_BATCH_ROWS: Final = 100_000
_FIRST_LINE: Final = 2

_WHOLE_DECIMAL: Final = r"^(-?\d+)\.0+$|^(0)E-\d+$"
"""A decimal without a fraction, in Arrow's text: `12.000`; zero is `0E-9`."""

_UNFIT = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError)


def read_parquet(
    name: Path | str, stream: BinaryIO, columns: Sequence[Column], *, bytes_total: int
) -> TextFile:
    """Read the wanted columns of a Parquet file; the header line names only these.

    Raises UnusableFileError, immediately or while the blocks are read.
    """
    file = _open(name, stream)
    names = file.schema_arrow.names
    if len(names) > MAX_COLUMNS:
        raise UnusableFileError(name, f"it has {len(names):,} columns; at most {MAX_COLUMNS:,}")
    positions = find_columns(name, names, columns)
    wanted = {column: names[position] for column, position in positions.items()}
    for column, field in wanted.items():
        _check_type(name, column, file.schema_arrow.field(field).type)
    header = _csv_line(list(wanted.values()))
    blocks = _read_blocks(name, file, wanted, ExpansionLimit(name, bytes_total), bytes_total)
    return TextFile(header, bytes_total, blocks)


def read_parquet_names(name: Path | str, stream: BinaryIO) -> tuple[str, ...]:
    """The names of the columns. Raises UnusableFileError."""
    return tuple(_open(name, stream).schema_arrow.names)


def _open(name: Path | str, stream: BinaryIO) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(stream)
    except (pa.ArrowException, OSError) as error:
        raise UnusableFileError(name, f"it cannot be read as Parquet: {error}") from error


def _check_type(name: Path | str, column: str, kind: pa.DataType) -> None:
    """Raise UnusableFileError for nested values, or for ids stored as floating-point numbers."""
    if pa.types.is_nested(kind):
        raise UnusableFileError(
            name, f"column {column} has type {kind}, which is not a plain value"
        )
    if column == "store_id" and pa.types.is_floating(kind):
        raise UnusableFileError(
            name, f"column store_id has type {kind}, in which long ids have lost digits"
        )


def _read_blocks(
    name: Path | str,
    file: pq.ParquetFile,
    wanted: dict[str, str],
    expansion: ExpansionLimit,
    bytes_total: int,
) -> Iterator[TextBlock]:
    first_line = _FIRST_LINE
    rows_total = max(file.metadata.num_rows, 1)
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(wanted.values())):
            columns = {column: _text(batch.column(field)) for column, field in wanted.items()}
            id_field = wanted.get("store_id")
            has_decimal_ids = id_field is not None and pa.types.is_decimal(
                batch.column(id_field).type
            )
            expansion.add(sum(text.nbytes for text in columns.values()))
            next_line = first_line + len(batch)
            done = bytes_total * (next_line - _FIRST_LINE) // rows_total
            yield _block(columns, first_line, bytes_done=done, has_decimal_ids=has_decimal_ids)
            first_line = next_line
    except (pa.ArrowException, OSError) as error:
        raise UnusableFileError(name, f"it cannot be read as Parquet: {error}") from error


def _block(
    columns: dict[str, pa.Array], first_line: int, *, bytes_done: int, has_decimal_ids: bool
) -> TextBlock:
    """Make a block of the rows.

    As in CSV, a row with a NUL character is rejected, and so is a decimal id with a fraction.
    """
    rows = _Rows(columns, first_line)
    line = np.arange(first_line, first_line + len(next(iter(columns.values()))), dtype=np.int64)
    verdict = Verdict(len(line))
    for text in columns.values():
        verdict.reject(_matches(text, "\0"), Reason.NUL_BYTE)
    if has_decimal_ids:
        ids = columns["store_id"]
        verdict.reject(_matches(ids, ".") | _matches(ids, "E"), Reason.FRACTIONAL_STORE_ID)
    rejected = tuple(
        RejectedRow.of(int(line[index]), rows.text(int(line[index])), reason)
        for index, reason in verdict.findings()
    )
    is_good = verdict.is_good
    if rejected:
        columns = {name: text.filter(pa.array(is_good)) for name, text in columns.items()}
    return TextBlock(
        columns=columns,
        line=line[is_good],
        rejected=rejected,
        rows_read=len(line),
        bytes_done=bytes_done,
        next_line=first_line + len(line),
        lines=rows,
    )


def _matches(text: pa.Array, part: str) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.match_substring(text, part).to_numpy(zero_copy_only=False)
    return found


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a batch as lines of CSV."""

    columns: dict[str, pa.Array]
    first_line: int

    def text(self, line: int) -> bytes:
        index = line - self.first_line
        return _csv_line([column[index].as_py() for column in self.columns.values()]).encode()


def _csv_line(fields: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _text(column: pa.Array) -> pa.Array:
    """Return the column as text; null becomes empty text.

    Timestamps with a zone are written in UTC. Whole numbers stored as decimals, or as
    floating-point numbers, as pandas does in columns with nulls, are written as whole numbers.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _text(column.dictionary_decode())
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        kind = pa.timestamp(kind.unit, "UTC")
        column = column.cast(kind)
    elif pa.types.is_floating(kind):
        with suppress(*_UNFIT):
            column = column.cast(pa.int64())
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        # Microseconds are counted; the digits below are cut off.
        whole = pc.floor_temporal(column, unit="microsecond")
        column = whole.cast(pa.timestamp("us", kind.tz))
    text = pc.fill_null(column.cast(pa.string()), "")
    if pa.types.is_decimal(kind):
        text = pc.replace_substring_regex(text, _WHOLE_DECIMAL, r"\1\2")
    text.validate(full=True)  # checks for UTF-8
    return text
