"""Bytes of a CSV file become blocks of text columns: every quirk of CSV is dealt with here.

What a field means (a status, a timestamp, a zone) is the matter of the readers of each source;
fields arrive there unquoted and otherwise as they stand in the file.

A block is parsed with quoting switched off, so that one stray quote cannot swallow the lines
after it. A line is therefore always one row. Fields that are wrapped in quotes as a whole are
unquoted afterwards; a line in which quotes do anything else is read again by itself.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from storemon_pipeline.domain.rejections import (
    Reason,
    RejectedRow,
    UnusableFileError,
    Verdict,
    printable,
)

BLOCK_BYTES: Final = 8 << 20
"""Bytes of text in memory at a time, and of the longest line. Larger blocks are no faster."""

MAX_COLUMNS: Final = 1_000


class ByteStream(Protocol):
    """What bytes are read from, once, in order."""

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes; none at the end alone."""


Progress = Callable[[int, int, int], None]
"""Called after each block with the bytes done, the bytes in all, and the rows read so far."""

_BOM: Final = b"\xef\xbb\xbf"
_SEEK_BYTES: Final = 1 << 16
_FOUND_LIMIT: Final = 300  # characters of the header that an error shows
_WRAPPED: Final = r'^"(?:[^"]|"")*"$'


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a source needs (or takes where it is there), by its names in lower case."""

    name: str
    aliases: tuple[str, ...] = ()
    is_needed: bool = True


class LineTexts(Protocol):
    """The lines of a block as they stand in the file."""

    def text(self, line: int) -> bytes:
        """Give the line of this number, without its end."""


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Consecutive lines of a file, as rows.

    `columns` holds one string array (n,) for each column that the file has, `line` (n,) the
    ascending physical line numbers, `rejected` the lines that are no rows of this file, and
    `rows_read` counts both. `bytes_done` of the file have been read after this block, and
    `next_line` is the number of the line that follows.
    """

    columns: dict[str, pa.Array]
    line: npt.NDArray[np.int64]
    rejected: tuple[RejectedRow, ...]
    rows_read: int
    bytes_done: int
    next_line: int
    lines: LineTexts

    def collect_rejected(self, verdict: Verdict) -> list[RejectedRow]:
        """Return the block's rejected lines and the rows that `verdict` (n,) rejects, by line."""
        rejected = list(self.rejected)
        for index, reason in verdict.findings():
            number = int(self.line[index])
            rejected.append(RejectedRow.of(number, self.lines.text(number), reason))
        return sorted(rejected, key=lambda row: row.line)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file whose header has been read: the header line as it stands, and the rows' blocks."""

    header: str
    bytes_total: int
    blocks: Iterator[TextBlock]


@contextmanager
def open_text_file(
    path: Path, columns: Sequence[Column], *, block_bytes: int = BLOCK_BYTES
) -> Iterator[TextFile]:
    """Open a CSV file in UTF-8 for reading the given columns.

    Raises UnusableFileError when it is empty, no text, or lacks a needed column.
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
    block_bytes: int = BLOCK_BYTES,
) -> TextFile:
    """Read CSV in UTF-8 from its first byte on; `name` is what errors call the file.

    Raises UnusableFileError, now or while the blocks are read.
    """
    header, blocks = _read_rows(name, _read_raw(stream, block_bytes), columns)
    return TextFile(header, bytes_total, blocks)


def read_more_text(
    name: Path | str,
    stream: ByteStream,
    columns: Sequence[Column],
    *,
    header: str,
    first_line: int,
    bytes_total: int,
    block_bytes: int = BLOCK_BYTES,
) -> TextFile:
    """Read CSV from the beginning of line `first_line` on, below a header that was read before."""
    _, layout = _read_header(name, header.encode(), columns)
    raw_blocks = _read_raw(stream, block_bytes, first_line=first_line)
    return TextFile(header, bytes_total, _read_blocks(raw_blocks, layout))


def end_of_last_line(stream: BinaryIO, size: int) -> int:
    """How many of the first `size` bytes are whole lines, by their ends.

    A CR that is the very last byte does not count: a LF may follow it.
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


@dataclass(frozen=True, slots=True)
class _RawBlock:
    """Whole lines, each ended by a line feed (the file's last one perhaps by nothing).

    `is_cut`: the text is but the beginning of one line that is longer than a block.
    """

    text: bytes
    first_line: int
    bytes_done: int
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where each line of a raw block begins and ends (k,), without its line feed."""

    block: bytes
    first_line: int
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]

    @classmethod
    def of(cls, raw: _RawBlock) -> "_Lines":
        end = np.flatnonzero(np.frombuffer(raw.text, np.uint8) == ord("\n"))
        if not raw.text.endswith(b"\n"):
            end = np.append(end, len(raw.text))
        start = np.concatenate([[0], end[:-1] + 1])
        return cls(raw.text, raw.first_line, start, end)

    def text(self, line: int) -> bytes:
        index = line - self.first_line
        return self.block[self.start[index] : self.end[index]]

    def holding(self, position: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the indices of the lines with any of these ascending byte positions in them."""
        return np.unique(np.searchsorted(self.start, position, side="right") - 1)


@dataclass(frozen=True, slots=True)
class _Layout:
    """A header: how many fields a row has, and which of them are wanted under which name."""

    fields: int
    wanted: dict[str, int]


def _read_raw(stream: ByteStream, block_bytes: int, *, first_line: int = 1) -> Iterator[_RawBlock]:
    """Cut a stream into blocks at ends of lines; LF, CR LF and a lone CR each end a line."""
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
                yield _RawBlock(_with_line_feeds(text), line, bytes_done)
            return
        cut = max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
        if not cut and text.endswith(b"\r") and len(text) == block_bytes:
            following = stream.read(1)
            bytes_done += len(following)
            cut = len(text) + (following == b"\n")
            text += following
        if cut:
            whole = _with_line_feeds(text[:cut])
            yield _RawBlock(whole, line, bytes_done - (len(text) - cut))
            line += whole.count(b"\n")
            pending = text[cut:]
        elif len(text) < block_bytes:
            pending = text
        else:
            pending, skipped = _skip_line(stream, block_bytes // 2)
            bytes_done += skipped
            yield _RawBlock(text, line, bytes_done - len(pending), is_cut=True)
            line += 1


def _with_line_feeds(text: bytes) -> bytes:
    if b"\r" not in text:
        return text
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _skip_line(stream: ByteStream, chunk_bytes: int) -> tuple[bytes, int]:
    """Read past the next end of a line. Return what was read beyond it, and the bytes read."""
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
    path: Path | str, raw_blocks: Iterator[_RawBlock], columns: Sequence[Column]
) -> tuple[str, Iterator[TextBlock]]:
    """Read the header, which is the first line that is not blank, and offer the rows after it."""
    for raw in raw_blocks:
        if raw.is_cut:
            raise UnusableFileError(path, "its first line is too long for a CSV file")
        start, line = 0, raw.first_line
        while start < len(raw.text):
            end = raw.text.find(b"\n", start)
            end = len(raw.text) if end < 0 else end
            text = raw.text[start:end]
            start, line = end + 1, line + 1
            if text.strip():
                header, layout = _read_header(path, text, columns)
                rest = _RawBlock(raw.text[start:], line, raw.bytes_done)
                return header, _read_blocks(chain([rest], raw_blocks), layout)
    raise UnusableFileError(path, "it is empty")


def _read_header(path: Path | str, line: bytes, columns: Sequence[Column]) -> tuple[str, _Layout]:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnusableFileError(path, "its first line is not text in UTF-8") from error
    if "\0" in text:
        raise UnusableFileError(path, "its first line is not text in UTF-8 (it holds NUL bytes)")
    fields = _split(text)
    if isinstance(fields, Reason):
        raise UnusableFileError(path, f"its first line cannot be read as CSV: {fields}")
    if len(fields) > MAX_COLUMNS:
        raise UnusableFileError(path, f"it has {len(fields):,} columns; at most {MAX_COLUMNS:,}")
    return text, _Layout(len(fields), find_columns(path, fields, columns))


def find_columns(
    path: Path | str, fields: Sequence[str], columns: Sequence[Column]
) -> dict[str, int]:
    """Return the place in the header of each wanted column that is there.

    Raises UnusableFileError when a needed one is missing, or one is there twice.
    """
    names = [field.strip().lower() for field in fields]
    found = printable(", ".join(field.strip() for field in fields))
    if len(found) > _FOUND_LIMIT:
        found = found[:_FOUND_LIMIT] + "…"
    wanted: dict[str, int] = {}
    missing: list[str] = []
    for column in columns:
        accepted = (column.name, *column.aliases)
        places = [place for place, name in enumerate(names) if name in accepted]
        if len(places) > 1:
            shown = " and ".join(dict.fromkeys(names[place] for place in places))
            raise UnusableFileError(path, f"more than one column {shown}; found: {found}")
        if places:
            wanted[column.name] = places[0]
        elif column.is_needed:
            missing.append(" or ".join(accepted))
    if missing:
        raise UnusableFileError(path, f"no column {', no column '.join(missing)}; found: {found}")
    return wanted


def _read_blocks(raw_blocks: Iterable[_RawBlock], layout: _Layout) -> Iterator[TextBlock]:
    for raw in raw_blocks:
        yield _parse(raw, layout) if not raw.is_cut else _reject_cut(raw, layout)


def _reject_cut(raw: _RawBlock, layout: _Layout) -> TextBlock:
    nothing = np.zeros(0, np.int64)
    return TextBlock(
        columns={name: pa.array([], pa.string()) for name in layout.wanted},
        line=nothing,
        rejected=(RejectedRow(raw.first_line, printable(raw.text), Reason.LINE_TOO_LONG),),
        rows_read=1,
        bytes_done=raw.bytes_done,
        next_line=raw.first_line + 1,
        lines=_Lines(raw.text, raw.first_line, nothing, nothing),
    )


def _parse(raw: _RawBlock, layout: _Layout) -> TextBlock:
    """Split the lines of a block into fields. Blank lines are no rows."""
    lines = _Lines.of(raw)
    turned_away = _find_unreadable(lines)
    text = raw.text
    if turned_away:
        text = _without(lines, list(turned_away))
    is_row = lines.end > lines.start
    is_row[list(turned_away)] = False
    row = np.flatnonzero(is_row)  # the line index of each row that the parser is given

    has_quotes = b'"' in text
    places = range(layout.fields) if has_quotes else sorted(layout.wanted.values())
    if len(row):
        table, misfits = _split_lines(text, layout, places)
    else:
        table, misfits = {str(place): pa.array([], pa.string()) for place in places}, []
    is_fit = np.ones(len(row), np.bool_)
    is_fit[misfits] = False
    by_itself = row[misfits].tolist()
    columns = {name: table[str(place)] for name, place in layout.wanted.items()}
    row = row[is_fit]
    if has_quotes:
        is_odd = _find_odd_quotes(table)
        by_itself += row[is_odd].tolist()
        row = row[~is_odd]
        is_even = pa.array(~is_odd)
        columns = {name: _unquote(column.filter(is_even)) for name, column in columns.items()}

    reread: list[tuple[int, list[str]]] = []
    for index in by_itself:
        line_text = lines.text(lines.first_line + index).decode("utf-8")
        if not line_text.strip():
            continue
        fields = _split(line_text)
        if isinstance(fields, Reason):
            turned_away[index] = fields
        elif len(fields) != layout.fields:
            turned_away[index] = Reason.FIELD_COUNT
        else:
            reread.append((index, fields))
    if reread:
        row = np.concatenate([row, [index for index, _ in reread]])
        order = np.argsort(row)
        row = row[order]
        for name, place in layout.wanted.items():
            late = pa.array([fields[place] for _, fields in reread], pa.string())
            columns[name] = pa.concat_arrays([columns[name], late]).take(pa.array(order))
    rejected = tuple(
        RejectedRow.of(number, lines.text(number), turned_away[index])
        for index in sorted(turned_away)
        for number in (lines.first_line + index,)
    )
    return TextBlock(
        columns=columns,
        line=row + lines.first_line,
        rejected=rejected,
        rows_read=len(row) + len(rejected),
        bytes_done=raw.bytes_done,
        next_line=raw.first_line + raw.text.count(b"\n"),
        lines=lines,
    )


def _find_unreadable(lines: _Lines) -> dict[int, Reason]:
    """Return the indices of the lines that are not text, each with its reason."""
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


def _without(lines: _Lines, indices: list[int]) -> bytes:
    """Return the block's text without these lines."""
    is_kept = np.ones(len(lines.start), np.bool_)
    is_kept[indices] = False
    with_line_feed = np.repeat(is_kept, lines.end - lines.start + 1)
    as_bytes = np.frombuffer(lines.block, np.uint8)
    return as_bytes[with_line_feed[: len(as_bytes)]].tobytes()


def _split_lines(
    text: bytes, layout: _Layout, places: Sequence[int]
) -> tuple[dict[str, pa.Array], list[int]]:
    """Split lines at every comma. Empty lines are skipped; one line at least is not.

    Returns the columns at these places of the header, without the lines that do not have as many
    fields as the header; and the indices of those among the lines that are not empty.
    """
    if text.startswith(_BOM):
        text = b"\n" + text  # the parser would drop a mark at the beginning of a block
    misfits: list[int] = []

    def skip(row: pa_csv.InvalidRow) -> str:
        misfits.append(row.number - 1)
        return "skip"

    table = pa_csv.read_csv(
        pa.py_buffer(text),
        read_options=pa_csv.ReadOptions(
            use_threads=False,  # rows are numbered by one thread only
            block_size=len(text) + 1,
            column_names=[str(place) for place in range(layout.fields)],
        ),
        parse_options=pa_csv.ParseOptions(
            quote_char=False, double_quote=False, escape_char=False, invalid_row_handler=skip
        ),
        convert_options=pa_csv.ConvertOptions(
            include_columns=[str(place) for place in places],
            column_types={str(place): pa.string() for place in places},
            check_utf8=False,  # checked before
            null_values=[],
            strings_can_be_null=False,
        ),
    )
    return {str(place): table[str(place)].combine_chunks() for place in places}, misfits


def _find_odd_quotes(table: dict[str, pa.Array]) -> npt.NDArray[np.bool_]:
    """Return which rows have a quote in any field other than quotes around the whole field."""
    odd = [
        pc.and_not(pc.match_substring(column, '"'), pc.match_substring_regex(column, _WRAPPED))
        for column in table.values()
    ]
    is_odd: npt.NDArray[np.bool_] = np.logical_or.reduce(
        [mask.to_numpy(zero_copy_only=False) for mask in odd]
    )
    return is_odd


def _unquote(column: pa.Array) -> pa.Array:
    """Return the fields without the quotes around them; doubled quotes inside become single."""
    is_wrapped = pc.starts_with(column, '"')
    if not pc.any(is_wrapped).as_py():
        return column
    inner = pc.replace_substring(pc.utf8_slice_codeunits(column, 1, -1), '""', '"')
    return pc.if_else(is_wrapped, inner, column)


def _split(text: str) -> list[str] | Reason:
    """Split one line into its fields, or say why it cannot be done."""
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error:
        return Reason.QUOTES
