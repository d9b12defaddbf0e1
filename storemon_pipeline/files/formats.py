"""The formats of a source's file: CSV, plain or compressed, JSON lines, Parquet, and iCalendar.

A JSON document has no columns: `hours_formats` reads those that hold opening hours.

Each format is read into the same blocks of text columns: CSV by `csv_text`, JSON lines
by `json_lines`, Parquet by `parquet`, iCalendar by `icalendar_events`.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum, unique
from pathlib import Path
from typing import BinaryIO, Final, cast

import pyarrow as pa

from storemon_pipeline.domain.rejections import EmptyFileError, UnusableFileError
from storemon_pipeline.files.csv_text import (
    BLOCK_BYTES,
    UTF16_BOMS,
    ByteStream,
    Column,
    TextBlock,
    TextFile,
    read_csv_names,
    read_more_text,
    read_text,
)
from storemon_pipeline.files.expansion_limit import ExpansionLimit
from storemon_pipeline.files.file_form import USUAL_FORM, UTF_8
from storemon_pipeline.files.folders import FoundFile, OpenFile, Part, open_file, open_in_place
from storemon_pipeline.files.form_values import usual_values
from storemon_pipeline.files.icalendar_events import NAMES, check_icalendar, read_icalendar
from storemon_pipeline.files.json_lines import read_json_lines, read_json_names
from storemon_pipeline.files.parquet import read_parquet, read_parquet_names


@unique
class Format(StrEnum):
    """A format, by the end of a file's name."""

    CSV = ".csv"
    GZIP = ".csv.gz"
    ZSTD = ".csv.zst"
    JSON_LINES = ".jsonl"
    NDJSON = ".ndjson"
    PARQUET = ".parquet"
    ICALENDAR = ".ics"
    JSON_DOCUMENT = ".json"


JSON: Final = frozenset({Format.JSON_LINES, Format.NDJSON})
"""Two names of one format."""

NO_ROWS_IN_JSON: Final = "a .json file can only hold opening hours; rows belong in .jsonl"

_BEGIN_BYTES: Final = 4_096


_DAMAGE: Final = (OSError, EOFError, zlib.error)
"""What the decoders raise for damaged data."""


def format_of(name: Path | str) -> Format:
    """The format of a file by its name, in any case; CSV for any other name."""
    text = str(name).lower()
    return next((each for each in Format if text.endswith(each.value)), Format.CSV)


def is_json_document(file: Path | OpenFile) -> bool:
    """Whether the file is one JSON value, by its name."""
    name = file.name if isinstance(file, OpenFile) else file
    return format_of(name) is Format.JSON_DOCUMENT


@contextmanager
def open_rows(
    file: Path | OpenFile, columns: Sequence[Column], *, block_bytes: int = BLOCK_BYTES
) -> Iterator[TextFile]:
    """Read the header of a file of any format, and its rows in blocks.

    Raises UnusableFileError, immediately or while the blocks are read.
    """
    if isinstance(file, OpenFile):
        yield _read(file, columns, block_bytes)
        return
    with open_file(FoundFile(file, file.name, size_bytes=-1, modified_ns=0)) as opened:
        yield _read(opened, columns, block_bytes)


def read_names(
    file: FoundFile, columns: Sequence[Column], *, delimiter: str, encoding: str
) -> tuple[str, ...]:
    """The names of a file's columns. `columns` are those that it may have.

    Raises UnusableFileError, FileNotFoundError and UnreachableError.
    """
    with open_in_place(file) as stream:
        file_format = format_of(file.file_path)
        if file_format is Format.PARQUET:
            return read_parquet_names(file.path.name, stream)
        if file_format in JSON:
            return read_json_names(file.path.name, stream)
        if file_format is Format.ICALENDAR:
            check_icalendar(file.path.name, stream.read(_BEGIN_BYTES))
            return NAMES
        if file_format is Format.JSON_DOCUMENT:
            raise UnusableFileError(file.path.name, NO_ROWS_IN_JSON)
        text: ByteStream = stream
        if file_format is not Format.CSV:
            text = _Decompressed(file.path.name, stream, file_format, max(file.size_bytes, 0))
        text = _in_utf8(text, encoding)
        return read_csv_names(file.path.name, text, columns, delimiter=delimiter)


def has_utf16_mark(stream: BinaryIO) -> bool:
    """Whether a file begins with the byte order mark of UTF-16. Returns to its beginning."""
    stream.seek(0)
    mark = stream.read(len(UTF16_BOMS[0]))
    stream.seek(0)
    return mark in UTF16_BOMS


def _read(file: OpenFile, columns: Sequence[Column], block_bytes: int) -> TextFile:
    form = file.found.form
    if form == USUAL_FORM:
        return _read_as_it_is(file, columns, block_bytes)
    rows = _read_as_it_is(file, form.columns(columns), block_bytes)
    blocks = (replace(block, columns=usual_values(form, block.columns)) for block in rows.blocks)
    return replace(rows, blocks=blocks)


def _read_as_it_is(file: OpenFile, columns: Sequence[Column], block_bytes: int) -> TextFile:
    size = file.stream.seek(0, 2)
    file.stream.seek(0)
    if not size:
        raise EmptyFileError(file.name)
    file_format = format_of(file.name)
    if file_format is Format.PARQUET:
        return read_parquet(file.name, file.stream, columns, bytes_total=size)
    if file_format is Format.ICALENDAR:
        return read_icalendar(file.name, file.stream, columns, bytes_total=size)
    if file_format is Format.JSON_DOCUMENT:
        raise UnusableFileError(file.name, NO_ROWS_IN_JSON)
    if file_format in JSON:
        return _read_json(file, columns, file.part or Part(0, size), block_bytes)
    encoding, delimiter = file.found.form.encoding, file.found.form.delimiter
    part = file.part or Part(0, size)
    is_plain = file_format is Format.CSV and encoding == UTF_8 and not has_utf16_mark(file.stream)
    text: ByteStream
    if file_format is Format.CSV:
        text = _Span(file.stream, part.start, part.end)
    else:
        text = _Decompressed(file.name, file.stream, file_format, size)
    if not is_plain:
        text = _in_utf8(text, encoding)
    if part.header is None:
        rows = read_text(
            file.name,
            text,
            columns,
            bytes_total=part.end,
            delimiter=delimiter,
            block_bytes=block_bytes,
        )
    else:
        rows = read_more_text(
            file.name,
            text,
            columns,
            header=part.header,
            first_line=part.first_line,
            bytes_total=part.end - part.start,
            delimiter=delimiter,
            block_bytes=block_bytes,
        )
    if is_plain:
        return rows
    return replace(rows, blocks=_count_in_file(rows.blocks, file.stream))


def _read_json(file: OpenFile, columns: Sequence[Column], part: Part, block_bytes: int) -> TextFile:
    names = read_json_names(file.name, file.stream)
    return read_json_lines(
        file.name,
        _Span(file.stream, part.start, part.end),
        columns,
        names=names,
        first_line=part.first_line,
        bytes_total=part.end,
        block_bytes=block_bytes,
    )


class _Span:
    """The bytes `[start, end)` of a stream, as a stream."""

    def __init__(self, stream: BinaryIO, start: int, end: int) -> None:
        stream.seek(start)
        self._stream = stream
        self._left = end - start

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data


class _Decompressed:
    """The text of a compressed stream; concatenated compressed parts give one text.

    Arrow's decoder of gzip is a quarter faster, but refuses the zeros that some programs append.
    """

    def __init__(self, name: Path | str, stream: BinaryIO, file_format: Format, size: int) -> None:
        self._name = name
        self._text: BinaryIO
        if file_format is Format.GZIP:
            self._codec = "gzip"
            self._text = cast("BinaryIO", gzip.GzipFile(fileobj=stream))
        else:
            self._codec = "zstd"
            self._text = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), self._codec)
        self._expansion = ExpansionLimit(name, size)

    def read(self, size: int, /) -> bytes:
        try:
            data: bytes = self._text.read(size)
        except _DAMAGE as error:
            reason = f"the {self._codec} data is damaged or incomplete ({error})"
            raise UnusableFileError(self._name, reason) from error
        self._expansion.add(len(data))
        return data


def _in_utf8(stream: ByteStream, encoding: str) -> ByteStream:
    """The stream in UTF-8. One that begins with the mark of UTF-16 is in that."""
    if encoding != UTF_8:
        return _Decoded(stream, encoding)
    mark = stream.read(len(UTF16_BOMS[0]))
    begun = _Begun(mark, stream)
    return _Decoded(begun, "utf-16") if mark in UTF16_BOMS else begun


class _Begun:
    """A stream of which the beginning was read already."""

    def __init__(self, begin: bytes, stream: ByteStream) -> None:
        self._begin = begin
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        if not self._begin:
            return self._stream.read(size)
        found, self._begin = self._begin[:size], self._begin[size:]
        return found + self._stream.read(size - len(found))


class _Decoded:
    """The text of a stream in another encoding, in UTF-8.

    Bytes that are not text become a byte that is none in UTF-8, so that their row is rejected.
    """

    def __init__(self, stream: ByteStream, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(_NO_TEXT)
        self._text = b""
        self._has_ended = False

    def read(self, size: int, /) -> bytes:
        while len(self._text) < size and not self._has_ended:
            data = self._stream.read(size)
            self._has_ended = not data
            text = self._decoder.decode(data, self._has_ended)
            self._text += text.encode("utf-8", "surrogateescape")
        found, self._text = self._text[:size], self._text[size:]
        return found


_NO_TEXT: Final = "storemon.no_text"
codecs.register_error(_NO_TEXT, lambda error: ("\udcff", cast("UnicodeDecodeError", error).end))


def _count_in_file(blocks: Iterator[TextBlock], stream: BinaryIO) -> Iterator[TextBlock]:
    """The same blocks, with `bytes_done` in bytes of the file as it is stored."""
    for block in blocks:
        yield replace(block, bytes_done=stream.tell())
