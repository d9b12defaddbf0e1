"""Reading JSON lines, one object in each, into the same blocks of text columns as CSV.

Lines are numbered as in the file. The meaning of a field belongs to the reader of each source.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storemon_pipeline.domain.rejections import (
    EmptyFileError,
    Reason,
    RejectedRow,
    UnusableFileError,
)
from storemon_pipeline.files.csv_text import (
    ByteStream,
    Column,
    LineBlock,
    TextBlock,
    TextFile,
    find_columns,
    read_line_blocks,
    reject_cut,
)

_NAMES_BYTES: Final = 1 << 16
"""Bytes at the beginning of a file whose objects give the names of its columns."""


def read_json_names(name: Path | str, stream: ByteStream) -> tuple[str, ...]:
    """The names in the first objects. Raises UnusableFileError."""
    text = stream.read(_NAMES_BYTES)
    lines = text.splitlines() if len(text) < _NAMES_BYTES else text.splitlines()[:-1]
    names = {key.strip().lower(): key for line in lines if (row := _object(line)) for key in row}
    if names:
        return tuple(names.values())
    if not text.strip():
        raise EmptyFileError(name)
    raise UnusableFileError(name, "no line is a JSON object")


def read_json_lines(
    name: Path | str,
    stream: ByteStream,
    columns: Sequence[Column],
    *,
    names: Sequence[str],
    first_line: int,
    bytes_total: int,
    block_bytes: int,
) -> TextFile:
    """Read JSON lines from line `first_line` on; `names` are those of the file's columns.

    The header is that of a CSV file with the wanted columns: rejected rows are kept as its rows,
    so that they can be replayed. Raises UnusableFileError.
    """
    positions = find_columns(name, names, columns)
    keys = {column: names[position].strip().lower() for column, position in positions.items()}
    blocks = _blocks(read_line_blocks(stream, block_bytes, first_line=first_line), keys)
    return TextFile(",".join(keys), bytes_total, blocks)


def field_text(value: object) -> str:
    """A field as text. Integers are accepted, for ids; any other type counts as empty.

    A number with a fraction or an exponent may be a rounded id, so that it is written as one.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.16e}"
    return ""


def is_encodable(text: str) -> bool:
    """Whether the text has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a block as lines of CSV. `line` (n,) are their numbers, ascending."""

    columns: dict[str, pa.Array]
    line: npt.NDArray[np.int64]

    def text(self, line: int) -> bytes:
        index = int(np.searchsorted(self.line, line))
        row = io.StringIO()
        fields = [column[index].as_py() for column in self.columns.values()]
        csv.writer(row, lineterminator="").writerow(fields)
        return row.getvalue().encode()


def _blocks(raw_blocks: Iterator[LineBlock], keys: Mapping[str, str]) -> Iterator[TextBlock]:
    for raw in raw_blocks:
        yield reject_cut(raw, list(keys)) if raw.is_cut else _block(raw, keys)


def _block(raw: LineBlock, keys: Mapping[str, str]) -> TextBlock:
    lines = raw.text.split(b"\n")
    numbers: list[int] = []
    rows: list[list[str]] = []
    rejected: list[RejectedRow] = []
    for number, line in enumerate(lines, start=raw.first_line):
        if not line.strip():
            continue
        row = _object(line)
        if row is None:
            rejected.append(RejectedRow.of(number, line, Reason.NOT_JSON))
            continue
        values = {key.strip().lower(): value for key, value in row.items()}
        fields = [_text(column, values.get(key)) for column, key in keys.items()]
        joined = "".join(fields)
        if "\0" in joined:
            rejected.append(RejectedRow.of(number, line, Reason.NUL_BYTE))
        elif not joined.isascii() and not is_encodable(joined):
            rejected.append(RejectedRow.of(number, line, Reason.NOT_UTF8))
        else:
            numbers.append(number)
            rows.append(fields)
    columns = {
        column: pa.array([fields[at] for fields in rows], pa.string())
        for at, column in enumerate(keys)
    }
    line_numbers = np.array(numbers, np.int64)
    return TextBlock(
        columns=columns,
        line=line_numbers,
        rejected=tuple(rejected),
        rows_read=len(rows) + len(rejected),
        bytes_done=raw.bytes_done,
        next_line=raw.first_line + raw.text.count(b"\n"),
        lines=_Rows(columns, line_numbers),
    )


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line)
        return _flat(value) if isinstance(value, dict) else None
    except (ValueError, RecursionError):
        return None


def _flat(row: dict[str, object]) -> dict[str, object]:
    """The fields of an object, those of objects within it by paths such as `store.id`."""
    if not any(isinstance(value, dict) for value in row.values()):
        return row
    fields: dict[str, object] = {}
    for key, value in row.items():
        inner = _flat(value) if isinstance(value, dict) else {}
        fields |= {f"{key.strip()}.{name.strip()}": each for name, each in inner.items()}
        if not isinstance(value, dict):
            fields[key] = value
    return fields


def _text(column: str, value: object) -> str:
    if column != "store_id":
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float) and math.isfinite(value):
            return repr(value)
    return field_text(value)
