"""The formats of a source's file: CSV, plain or compressed, and Parquet.

Each format is read into the same blocks of text columns: CSV by `csv_text`, Parquet by `parquet`.
"""

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
    ByteStream,
    Column,
    TextBlock,
    TextFile,
    read_csv_names,
    read_more_text,
    read_text,
)
from storemon_pipeline.files.expansion_limit import ExpansionLimit
from storemon_pipeline.files.folders import FoundFile, OpenFile, Part, open_file, open_in_place
from storemon_pipeline.files.parquet import read_parquet, read_parquet_names


@unique
class Format(StrEnum):
    """A format, by the end of a file's name."""

    CSV = ".csv"
    GZIP = ".csv.gz"
    ZSTD = ".csv.zst"
    PARQUET = ".parquet"


_DAMAGE: Final = (OSError, EOFError, zlib.error)
"""What the decoders raise for damaged data."""


def format_of(name: Path | str) -> Format:
    """The format of a file by its name, in any case; CSV for any other name."""
    text = str(name).lower()
    return next((each for each in Format if text.endswith(each.value)), Format.CSV)


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


def read_names(file: FoundFile, columns: Sequence[Column]) -> tuple[str, ...]:
    """The names of a file's columns. `columns` are those that it may have.

    Raises UnusableFileError, FileNotFoundError and UnreachableError.
    """
    with open_in_place(file) as stream:
        file_format = format_of(file.file_path)
        if file_format is Format.PARQUET:
            return read_parquet_names(file.path.name, stream)
        text: ByteStream = stream
        if file_format is not Format.CSV:
            text = _Decompressed(file.path.name, stream, file_format, max(file.size_bytes, 0))
        return read_csv_names(file.path.name, text, columns)


def _read(file: OpenFile, columns: Sequence[Column], block_bytes: int) -> TextFile:
    size = file.stream.seek(0, 2)
    file.stream.seek(0)
    if not size:
        raise EmptyFileError(file.name)
    file_format = format_of(file.name)
    if file_format is Format.PARQUET:
        return read_parquet(file.name, file.stream, columns, bytes_total=size)
    if file_format in {Format.GZIP, Format.ZSTD}:
        text = _Decompressed(file.name, file.stream, file_format, size)
        rows = read_text(file.name, text, columns, bytes_total=size, block_bytes=block_bytes)
        return replace(rows, blocks=_count_compressed(rows.blocks, file.stream))
    part = file.part or Part(0, size)
    text_part = _Span(file.stream, part.start, part.end)
    if part.header is None:
        return read_text(
            file.name, text_part, columns, bytes_total=part.end, block_bytes=block_bytes
        )
    return read_more_text(
        file.name,
        text_part,
        columns,
        header=part.header,
        first_line=part.first_line,
        bytes_total=part.end - part.start,
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


def _count_compressed(blocks: Iterator[TextBlock], stream: BinaryIO) -> Iterator[TextBlock]:
    """The same blocks, with `bytes_done` in bytes of the compressed file."""
    for block in blocks:
        yield replace(block, bytes_done=stream.tell())
