"""Parsing CSV into blocks of text columns, with all quirks of CSV.

The meaning of a field (a status, a timestamp, a zone) belongs to the reader of each source, which
gets the fields unquoted and otherwise unchanged.

A block is parsed without quoting, so that a stray quote cannot swallow the lines after it: each
line is one row. Fields that are quoted as a whole are unquoted afterwards; lines with other quotes
are parsed again one by one. Only a line that ends within quotes is joined with those after it, if
that makes a row of RFC 4180.
"""

import csv
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from storemon_pipeline.domain.rejections import (
    TEXT_LIMIT,
    EmptyFileError,
    Reason,
    RejectedRow,
    UnusableFileError,
    Verdict,
    printable,
    shortened,
)

BLOCK_BYTES: Final = 8 << 20
"""Bytes of a block, and the limit for one line. Larger blocks are no faster."""

MAX_COLUMNS: Final = 1_000

MAX_LINES_OF_ROW: Final = 50
"""Most lines of a row with quoted line breaks, so that a stray quote is noticed."""


class ByteStream(Protocol):
    """A stream of bytes, read once from start to end."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none only at the end."""


Progress = Callable[[int, int, int], None]
"""Called after each block with the bytes read, the total bytes, and the rows read so far."""

_BOM: Final = b"\xef\xbb\xbf"
UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS: Final = {
    ",": "commas (,)",
    ";": "semicolons (;)",
    "\t": "tabs",
    "|": "vertical bars (|)",
}
_SEEK_BYTES: Final = 1 << 16
_HEADER_BYTES: Final = 1 << 18
_FOUND_LIMIT: Final = 300  # characters of the header that an error shows
_SEPARATOR_LINE: Final = re.compile(rb'"?sep=."?', re.IGNORECASE)
_WRAPPED: Final = r'^"(?:[^"]|"")*"$'


@dataclass(frozen=True, slots=True)
class Column:
    """A required or optional column of a source, with its names in lower case."""

    name: str
    aliases: tuple[str, ...] = ()
    is_needed: bool = True
    is_renamed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it may have in a file. If `is_renamed` these are the `aliases` alone."""
        return self.aliases if self.is_renamed else (self.name, *self.aliases)


class LineTexts(Protocol):
    """The original rows of a block."""

    def text(self, line: int) -> bytes:
        """Return the row that begins at this line, without its line end."""


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Consecutive lines of a file, as rows.

    `columns` holds a string array (n,) for each wanted column of the file, `line` (n,) the
    ascending numbers of their first lines, and `rejected` the lines that could not be parsed;
    `rows_read` counts both. `bytes_done` is the number of bytes read up to the end of this block,
    and `next_line` the number of the following line.
    """

    columns: dict[str, pa.Array]
    line: npt.NDArray[np.int64]
    rejected: tuple[RejectedRow, ...]
    rows_read: int
    bytes_done: int
    next_line: int
    lines: LineTexts

    def collect_rejected(self, verdict: Verdict) -> list[RejectedRow]:
        """Return the lines rejected here and the rows that `verdict` (n,) rejects, by line."""
        rejected = list(self.rejected)
        for index, reason in verdict.findings():
            number = int(self.line[index])
            rejected.append(RejectedRow.of(number, self.lines.text(number), reason))
        return sorted(rejected, key=lambda row: row.line)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file whose header was read: the original header line, and the blocks of rows."""

    header: str
    bytes_total: int
    blocks: Iterator[TextBlock]


@contextmanager
def open_text_file(
    path: Path, columns: Sequence[Column], *, block_bytes: int = BLOCK_BYTES
) -> Iterator[TextFile]:
    """Open a CSV file in UTF-8 and read the given columns.

    Raises UnusableFileError when it is empty, is not text, or lacks a required column.
    """
    try:
        stream = path.open("rb")
    except (PermissionError, IsADirectoryError) as error:
        raise UnusableFileError(path, f"{error.strerror}") from error
    with stream:
        bytes_total = path.stat().st_size
        yield read_text(path, stream, columns, bytes_total=bytes_total, block_bytes=block_bytes)


def read_text(
    name: Path | str,
    stream: ByteStream,
    columns: Sequence[Column],
    *,
    bytes_total: int,
    delimiter: str = ",",
    block_bytes: int = BLOCK_BYTES,
) -> TextFile:
    """Read CSV in UTF-8 from the start; `name` is the file's name in errors.

    Raises UnusableFileError, immediately or while the blocks are read.
    """
    header, blocks = _read_rows(name, read_line_blocks(stream, block_bytes), columns, delimiter)
    return TextFile(header, bytes_total, blocks)


def read_csv_names(
    name: Path | str, stream: ByteStream, columns: Sequence[Column], *, delimiter: str = ","
) -> tuple[str, ...]:
    """The names in the header of a CSV file. `columns` are those that it may have.

    Raises UnusableFileError.
    """
    for raw in read_line_blocks(stream, _HEADER_BYTES):
        if raw.is_cut:
            break
        start = 0
        while start < len(raw.text):
            end = _end_of_header(raw.text, start)
            if _is_header(raw.text[start:end]):
                return tuple(_split_header(name, raw.text[start:end], columns, delimiter)[1])
            start = end + 1
    else:
        raise EmptyFileError(name)
    raise UnusableFileError(name, "the first line is too long for a CSV file")


def read_more_text(
    name: Path | str,
    stream: ByteStream,
    columns: Sequence[Column],
    *,
    header: str,
    first_line: int,
    bytes_total: int,
    delimiter: str = ",",
    block_bytes: int = BLOCK_BYTES,
) -> TextFile:
    """Read CSV from line `first_line` on, with a header that was read before."""
    _, layout = _read_header(name, header.encode(), columns, delimiter)
    raw_blocks = read_line_blocks(stream, block_bytes, first_line=first_line)
    return TextFile(header, bytes_total, _read_blocks(raw_blocks, layout))


def end_of_last_line(stream: BinaryIO, size: int) -> int:
    """How many of the first `size` bytes are complete lines.

    A CR as the very last byte does not count: an LF may follow it.
    """
    end = size
    while end > 0:
        start = max(0, end - _SEEK_BYTES)
        stream.seek(start)
        text = stream.read(end - start)
        if end == size and text.endswith(b"\r"):
            text = text[:-1]
        if cut := max(text.rfind(b"\n"), text.rfind(b"\r")) + 1:
            return start + cut
        end = start
    return 0


def end_of_last_row(stream: BinaryIO, size: int, *, delimiter: str = ",") -> int:
    """How many of the first `size` bytes are complete lines, without one that ends within quotes.

    Such a line and those after it may be the beginning of a row with quoted line breaks.
    """
    end = end_of_last_line(stream, size)
    start = max(0, end - _SEEK_BYTES)
    stream.seek(start)
    lines = stream.read(end - start).splitlines(keepends=True)
    # Bytes count, and Latin-1 has one character for each.
    texts = [line.decode("latin-1") for line in lines[-MAX_LINES_OF_ROW:]]
    at = 0
    while at < len(texts):
        rows = csv.reader(texts[at:], delimiter=delimiter, strict=True, skipinitialspace=True)
        try:
            next(rows)
        except csv.Error:
            if rows.line_num == len(texts) - at and not isinstance(
                _split(texts[at], delimiter), list
            ):
                return end - sum(map(len, texts[at:]))
            at += 1
        else:
            at += rows.line_num
    return end


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Complete lines, each with a line feed, except perhaps the file's last line.

    With `is_cut` the text is only the beginning of a line that is longer than a block.
    """

    text: bytes
    first_line: int
    bytes_done: int
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Start and end of each line of a raw block, shape `(k,)`, without the line feed.

    `spans` are the numbers of lines of the rows that have several, by the index of their first one.
    """

    block: bytes
    first_line: int
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    spans: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: LineBlock) -> "Lines":
        """Find the lines of a block."""
        end = np.flatnonzero(np.frombuffer(raw.text, np.uint8) == ord("\n"))
        if not raw.text.endswith(b"\n"):
            end = np.append(end, len(raw.text))
        start = np.concatenate([[0], end[:-1] + 1])
        return cls(raw.text, raw.first_line, start, end)

    @property
    def line_feeds(self) -> int:
        """The number of lines that end with a line feed."""
        return len(self.end) - (not self.block.endswith(b"\n"))

    def text(self, line: int) -> bytes:
        """See LineTexts."""
        index = line - self.first_line
        last = index + self.spans.get(index, 1) - 1
        return self.block[self.start[index] : self.end[last]]

    def holding(self, position: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the indices of the lines that contain any of these ascending byte positions."""
        return np.unique(np.searchsorted(self.start, position, side="right") - 1)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The layout of rows: the number of fields, and the index of each wanted column by name.

    `named` is the number of fields up to the last one with a name in the header. Programs that end
    each line with a comma do so with or without one in the header, so a row may have fewer fields
    than the header after the named ones, or more fields if the further ones are empty.
    """

    fields: int
    named: int
    wanted: dict[str, int]
    delimiter: str

    def fit(self, fields: list[str]) -> bool:
        """Whether this is a row, but for commas at its end."""
        return self.named <= len(fields) and not any(map(str.strip, fields[self.fields :]))


def read_line_blocks(
    stream: ByteStream, block_bytes: int, *, first_line: int = 1
) -> Iterator[LineBlock]:
    """Split a stream into blocks at line ends; LF, CR LF and a lone CR each end a line."""
    pending = stream.read(len(_BOM))
    bytes_done = len(pending)
    line = first_line
    if pending == _BOM and first_line == 1:
        pending = b""
    while True:
        data = stream.read(block_bytes - len(pending))
        bytes_done += len(data)
        text = pending + data
        if not data:
            if text:
                yield LineBlock(_with_line_feeds(text), line, bytes_done)
            return
        cut = max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
        if not cut and text.endswith(b"\r") and len(text) == block_bytes:
            following = stream.read(1)
            bytes_done += len(following)
            cut = len(text) + (following == b"\n")
            text += following
        if cut:
            whole = _with_line_feeds(text[:cut])
            yield LineBlock(whole, line, bytes_done - (len(text) - cut))
            line += int(np.count_nonzero(np.frombuffer(whole, np.uint8) == ord("\n")))
            pending = text[cut:]
        elif len(text) < block_bytes:
            pending = text
        else:
            pending, skipped = _skip_line(stream, block_bytes // 2)
            bytes_done += skipped
            yield LineBlock(text, line, bytes_done - len(pending), is_cut=True)
            line += 1


def _with_line_feeds(text: bytes) -> bytes:
    if b"\r" not in text:
        return text
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _skip_line(stream: ByteStream, chunk_bytes: int) -> tuple[bytes, int]:
    """Skip the rest of a line. Return the bytes read beyond its end, and how many were read."""
    bytes_read = 0
    while data := stream.read(chunk_bytes):
        bytes_read += len(data)
        ends = [end for end in (data.find(b"\n"), data.find(b"\r")) if end >= 0]
        if not ends:
            continue
        end = min(ends)
        if data[end:] == b"\r":
            following = stream.read(1)
            bytes_read += len(following)
            data += following
        beyond = data[end:]
        return beyond[2:] if beyond.startswith(b"\r\n") else beyond[1:], bytes_read
    return b"", bytes_read


def _read_rows(
    path: Path | str, raw_blocks: Iterator[LineBlock], columns: Sequence[Column], delimiter: str
) -> tuple[str, Iterator[TextBlock]]:
    """Read the header, which is the first non-blank line, and return it with the rows after it."""
    for raw in raw_blocks:
        if raw.is_cut:
            raise UnusableFileError(path, "the first line is too long for a CSV file")
        start, line = 0, raw.first_line
        while start < len(raw.text):
            end = _end_of_header(raw.text, start)
            text = raw.text[start:end]
            start, line = end + 1, line + 1 + text.count(b"\n")
            if _is_header(text):
                header, layout = _read_header(path, text, columns, delimiter)
                rest = LineBlock(raw.text[start:], line, raw.bytes_done)
                return header, _read_blocks(chain([rest], raw_blocks), layout)
    raise EmptyFileError(path)


def _is_header(line: bytes) -> bool:
    """Whether a first line has names: it is not blank, nor a spreadsheet's `sep=;`."""
    return bool(line.strip()) and not _SEPARATOR_LINE.fullmatch(line.strip())


def _end_of_header(text: bytes, start: int) -> int:
    """Where the line ends that begins here, or the row if it has quoted line breaks."""
    ends: list[int] = []
    while len(ends) < MAX_LINES_OF_ROW and (not ends or ends[-1] < len(text)):
        end = text.find(b"\n", ends[-1] + 1 if ends else start)
        ends.append(len(text) if end < 0 else end)
        if text.count(b'"', start, ends[-1]) % 2 == 0:
            return ends[-1]
    return ends[0]


def _read_header(
    path: Path | str, line: bytes, columns: Sequence[Column], delimiter: str
) -> tuple[str, _Layout]:
    text, fields = _split_header(path, line, columns, delimiter)
    named = max((at for at, name in enumerate(fields, start=1) if name.strip()), default=0)
    return text, _Layout(len(fields), named, find_columns(path, fields, columns), delimiter)


def _split_header(
    path: Path | str, line: bytes, columns: Sequence[Column], delimiter: str
) -> tuple[str, list[str]]:
    """The header as text and as fields."""
    if line.startswith(UTF16_BOMS):
        reason = "it is in UTF-16: save it as CSV in UTF-8"
        raise UnusableFileError(path, reason, setting='encoding = "utf-16"')
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnusableFileError(
            path,
            "the first line is not UTF-8 text: save it as CSV in UTF-8",
            setting='encoding = "cp1252"',
        ) from error
    if "\0" in text:
        raise UnusableFileError(
            path,
            "the first line contains NUL bytes: save the file as CSV in UTF-8",
            setting=next(
                (
                    f'encoding = "{name}"'
                    for name, zeros in (("utf-16-le", line[1::2]), ("utf-16-be", line[::2]))
                    if not zeros.strip(b"\0")
                ),
                None,
            ),
        )
    fields = _split(text, delimiter)
    _check_delimiter(path, text, fields, columns, delimiter)
    if isinstance(fields, Reason):
        raise UnusableFileError(path, f"the first line cannot be read as CSV: {fields}")
    if len(fields) > MAX_COLUMNS:
        raise UnusableFileError(path, f"it has {len(fields):,} columns; at most {MAX_COLUMNS:,}")
    return text, fields


def _check_delimiter(
    path: Path | str,
    header: str,
    fields: Sequence[str] | Reason,
    columns: Sequence[Column],
    expected: str,
) -> None:
    """Raise UnusableFileError when the fields have another delimiter."""
    names = {name for column in columns for name in column.names}

    def has_column(found: Sequence[str]) -> bool:
        return any(field.strip(' "').lower() in names for field in found)

    if not isinstance(fields, Reason) and has_column(fields):
        return
    for delimiter, word in _DELIMITERS.items():
        if delimiter == expected or not has_column(header.split(delimiter)):
            continue
        if expected != ",":
            instead = _DELIMITERS.get(expected, expected)
            raise UnusableFileError(path, f"its fields are separated by {word}, not by {instead}")
        raise UnusableFileError(
            path,
            f"its fields are separated by {word}: save it as CSV with commas (,)",
            setting=f"delimiter = {json.dumps(delimiter)}",
        )


def find_columns(
    path: Path | str, fields: Sequence[str], columns: Sequence[Column]
) -> dict[str, int]:
    """Return the index in the header of each wanted column that is present.

    Raises UnusableFileError when a required column is missing or a column occurs twice.
    """
    names = [field.strip().lower() for field in fields]
    found = shown_names(fields)
    wanted: dict[str, int] = {}
    missing: list[str] = []
    for column in columns:
        accepted = column.names
        positions = [position for position, name in enumerate(names) if name in accepted]
        if len(positions) > 1:
            shown = " and ".join(dict.fromkeys(names[position] for position in positions))
            raise UnusableFileError(path, f"more than one column {shown}; found: {found}")
        if positions:
            wanted[column.name] = positions[0]
        elif column.is_needed:
            missing.append(" or ".join(accepted))
    if missing:
        pairs = ", ".join(f'{name.partition(" or ")[0]} = "…"' for name in missing)
        raise UnusableFileError(
            path,
            f"no column {', no column '.join(missing)} (found: {found}): correct the header",
            setting=f"columns = {{ {pairs} }}",
        )
    return wanted


def has_columns(fields: Sequence[str], columns: Sequence[Column]) -> bool:
    """Whether these names have all required columns, and more than one column."""
    names = {field.strip().lower() for field in fields}
    found = [not names.isdisjoint(column.names) for column in columns]
    needed = all(
        is_found or not column.is_needed for column, is_found in zip(columns, found, strict=True)
    )
    return needed and sum(found) > 1


def shown_names(fields: Sequence[str]) -> str:
    """The names of a file's columns, as an error shows them."""
    found = printable(", ".join(field.strip() for field in fields))
    return found if len(found) <= _FOUND_LIMIT else found[:_FOUND_LIMIT] + "…"


def _read_blocks(raw_blocks: Iterable[LineBlock], layout: _Layout) -> Iterator[TextBlock]:
    unfinished: LineBlock | None = None
    for raw in raw_blocks:
        if raw.is_cut:
            if unfinished is not None:
                yield _parse(unfinished, layout, is_last=True)[0]
                unfinished = None
            yield reject_cut(raw, list(layout.wanted))
            continue
        whole = raw
        if unfinished is not None:
            whole = LineBlock(unfinished.text + raw.text, unfinished.first_line, raw.bytes_done)
        block, unfinished = _parse(whole, layout)
        yield block
    if unfinished is not None:
        yield _parse(unfinished, layout, is_last=True)[0]


def reject_cut(raw: LineBlock, names: Sequence[str]) -> TextBlock:
    """The block of a line that is too long, with these columns and no row."""
    nothing = np.zeros(0, np.int64)
    # Printable, a line of megabytes could become four times as long.
    text = shortened(printable(raw.text[: 4 * TEXT_LIMIT]))
    return TextBlock(
        columns={name: pa.array([], pa.string()) for name in names},
        line=nothing,
        rejected=(RejectedRow(raw.first_line, text, Reason.LINE_TOO_LONG, raw.text),),
        rows_read=1,
        bytes_done=raw.bytes_done,
        next_line=raw.first_line + 1,
        lines=Lines(raw.text, raw.first_line, nothing, nothing),
    )


def _parse(
    raw: LineBlock, layout: _Layout, *, is_last: bool = False
) -> tuple[TextBlock, LineBlock | None]:
    """Split the lines of a block into fields. Blank lines are skipped.

    Returns apart the end of the block that may be the beginning of a row of several lines, unless
    the block `is_last`.
    """
    lines = Lines.of(raw)
    rejected_lines = _find_unreadable(lines)
    text = raw.text
    if rejected_lines:
        text = _without(lines, list(rejected_lines))
    is_row = lines.end > lines.start
    is_row[list(rejected_lines)] = False
    row = np.flatnonzero(is_row)  # the line index of each row that the parser gets

    has_quotes = b'"' in text
    fields = _number_of_fields(text, layout)
    further = range(layout.fields, fields)
    positions = [*sorted(layout.wanted.values()), *further] if not has_quotes else range(fields)
    table, wrong_lengths = _split_lines(text, fields, positions, layout.delimiter)
    is_complete = np.ones(len(row), np.bool_)
    is_complete[wrong_lengths] = False
    single_lines = row[wrong_lengths].tolist()
    columns = {name: table[str(position)] for name, position in layout.wanted.items()}
    row = row[is_complete]
    if has_quotes or further:
        is_odd = _find_odd_rows(table, further)
        single_lines += row[is_odd].tolist()
        row = row[~is_odd]
        is_regular = pa.array(~is_odd)
        columns = {name: _unquote(column.filter(is_regular)) for name, column in columns.items()}

    found = _reparse(lines, sorted(single_lines), rejected_lines, layout)
    if found.open_at is not None:
        if not is_last:
            return _parse_up_to(raw, lines, found.open_at, layout)
        rejected_lines[found.open_at] = Reason.QUOTES
    reparsed, swallowed = found.rows, found.swallowed
    if swallowed:
        is_own = ~np.isin(row, swallowed)
        row = row[is_own]
        columns = {name: column.filter(pa.array(is_own)) for name, column in columns.items()}
    if reparsed:
        row = np.concatenate([row, [index for index, _ in reparsed]])
        order = np.argsort(row)
        row = row[order]
        for name, position in layout.wanted.items():
            texts = pa.array([fields[position] for _, fields in reparsed], pa.string())
            columns[name] = pa.concat_arrays([columns[name], texts]).take(pa.array(order))
    rejected = tuple(
        RejectedRow.of(number, lines.text(number), rejected_lines[index])
        for index in sorted(rejected_lines)
        for number in (lines.first_line + index,)
    )
    block = TextBlock(
        columns=columns,
        line=row + lines.first_line,
        rejected=rejected,
        rows_read=len(row) + len(rejected),
        bytes_done=raw.bytes_done,
        next_line=raw.first_line + lines.line_feeds,
        lines=lines,
    )
    return block, None


@dataclass(frozen=True, slots=True)
class _Reparsed:
    """Lines that were parsed one by one.

    `rows` are indices and fields, and `swallowed` the further lines of rows that have several.
    `open_at` is the first line that ends within quotes which the block does not close.
    """

    rows: list[tuple[int, list[str]]]
    swallowed: list[int]
    open_at: int | None


def _reparse(
    lines: Lines, indices: Sequence[int], rejected: dict[int, Reason], layout: _Layout
) -> _Reparsed:
    """Parse these lines, in ascending order, and add those that are not rows to `rejected`."""
    rows: list[tuple[int, list[str]]] = []
    swallowed: list[int] = []
    open_at: int | None = None
    for index in indices:
        line_text = lines.text(lines.first_line + index).decode("utf-8")
        if not line_text.strip() or (swallowed and index <= swallowed[-1]):
            continue
        fields = _split(line_text, layout.delimiter)
        if isinstance(fields, list):
            if layout.fit(fields):
                rows.append((index, fields))
            else:
                rejected[index] = Reason.FIELD_COUNT
            continue
        joined, count = _join_lines(lines, index, rejected, layout.delimiter)
        if joined is not None and layout.fit(joined):
            rows.append((index, joined))
            lines.spans[index] = count
            swallowed += range(index + 1, index + count)
        elif joined is None and count and open_at is None:
            open_at = index
        else:
            rejected[index] = fields
    return _Reparsed(rows, swallowed, open_at)


def _parse_up_to(
    raw: LineBlock, lines: Lines, index: int, layout: _Layout
) -> tuple[TextBlock, LineBlock]:
    """Parse the lines of a block before this one; return the others as they are."""
    at = int(lines.start[index])
    before, after = raw.text[:at], raw.text[at:]
    block, _ = _parse(LineBlock(before, raw.first_line, raw.bytes_done), layout, is_last=True)
    return block, LineBlock(after, raw.first_line + index, raw.bytes_done)


def _join_lines(
    lines: Lines, index: int, unreadable: Container[int], delimiter: str
) -> tuple[list[str] | None, int]:
    """Read a row with quoted line breaks that begins at this line: its fields and lines.

    None without such a row; then the number is 0, unless the block ended within the quotes.
    """
    end = min(index + MAX_LINES_OF_ROW, len(lines.start))
    is_block_read = False

    def texts() -> Iterator[str]:
        nonlocal is_block_read
        for number in range(index, end):
            if number in unreadable:
                return
            yield lines.text(lines.first_line + number).decode("utf-8") + "\n"
        is_block_read = end < index + MAX_LINES_OF_ROW

    rows = csv.reader(texts(), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        return next(rows), rows.line_num
    except csv.Error:
        return None, end - index if is_block_read else 0


def _find_unreadable(lines: Lines) -> dict[int, Reason]:
    """Return the indices of the lines that are not text, with the reason for each."""
    found: dict[int, Reason] = {}
    as_bytes = np.frombuffer(lines.block, np.uint8)
    if not _is_utf8(lines.block):
        for index in lines.holding(np.flatnonzero(as_bytes >= 0x80)).tolist():  # noqa: PLR2004
            if not _is_utf8(lines.text(lines.first_line + index)):
                found[index] = Reason.NOT_UTF8
    if b"\0" in lines.block:
        for index in lines.holding(np.flatnonzero(as_bytes == 0)).tolist():
            found.setdefault(index, Reason.NUL_BYTE)
    return found


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _without(lines: Lines, indices: list[int]) -> bytes:
    """Return the text of the block without these lines."""
    is_kept = np.ones(len(lines.start), np.bool_)
    is_kept[indices] = False
    with_line_feed = np.repeat(is_kept, lines.end - lines.start + 1)
    as_bytes = np.frombuffer(lines.block, np.uint8)
    return as_bytes[with_line_feed[: len(as_bytes)]].tobytes()


def _number_of_fields(text: bytes, layout: _Layout) -> int:
    """The number of fields in the first line that is not empty, if a row may have that many.

    All rows of a file have the same number of commas at their ends: these are split together.
    """
    start = 0
    while text.startswith(b"\n", start):
        start += 1
    end = text.find(b"\n", start)
    fields = _split(text[start : end if end >= 0 else len(text)].decode("utf-8"), layout.delimiter)
    if isinstance(fields, Reason) or len(fields) > MAX_COLUMNS or not layout.fit(fields):
        return layout.fields
    return len(fields)


def _split_lines(
    text: bytes, fields: int, positions: Sequence[int], delimiter: str
) -> tuple[dict[str, pa.Array], list[int]]:
    """Split lines at every delimiter, skipping empty lines.

    Returns the columns at these indices, without the lines that have another number of fields, and
    the indices of those lines among the non-empty ones.
    """
    if not text.strip(b"\n"):
        return {str(position): pa.array([], pa.string()) for position in positions}, []
    if text.startswith(_BOM):
        text = b"\n" + text  # the parser would drop a BOM at the beginning of a block
    wrong_lengths: list[int] = []

    def skip(row: pa_csv.InvalidRow) -> str:
        wrong_lengths.append(row.number - 1)
        return "skip"

    table = pa_csv.read_csv(
        pa.py_buffer(text),
        read_options=pa_csv.ReadOptions(
            use_threads=False,  # only a single thread numbers the rows
            block_size=len(text) + 1,
            column_names=[str(position) for position in range(fields)],
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter,
            quote_char=False,
            double_quote=False,
            escape_char=False,
            invalid_row_handler=skip,
        ),
        convert_options=pa_csv.ConvertOptions(
            include_columns=[str(position) for position in positions],
            column_types={str(position): pa.string() for position in positions},
            check_utf8=False,  # checked already
            null_values=[],
            strings_can_be_null=False,
        ),
    )
    return {
        str(position): table[str(position)].combine_chunks() for position in positions
    }, wrong_lengths


def _find_odd_rows(table: dict[str, pa.Array], further: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Return which rows have quotes other than quotes around a whole field.

    Rows with anything in one of the `further` columns, beyond those of the header, are odd too.
    """
    odd = [
        pc.and_not(pc.match_substring(column, '"'), pc.match_substring_regex(column, _WRAPPED))
        for column in table.values()
    ]
    odd += [pc.not_equal(table[str(position)], "") for position in further]
    is_odd: npt.NDArray[np.bool_] = np.logical_or.reduce(
        [mask.to_numpy(zero_copy_only=False) for mask in odd]
    )
    return is_odd


def _unquote(column: pa.Array) -> pa.Array:
    """Return the fields without surrounding quotes; doubled quotes inside become single."""
    is_wrapped = pc.starts_with(column, '"')
    if not pc.any(is_wrapped).as_py():
        return column
    inner = pc.replace_substring(pc.utf8_slice_codeunits(column, 1, -1), '""', '"')
    return pc.if_else(is_wrapped, inner, column)


def _split(text: str, delimiter: str) -> list[str] | Reason:
    """Split one line into fields, or return the reason why that fails."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return Reason.QUOTES
