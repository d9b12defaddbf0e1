"""The forms in which a source's file may come: CSV plain or compressed, and Parquet.

Every form gives the same blocks of text columns. How CSV is cut into rows is the matter of
text_files.py, how Parquet becomes text that of parquet_files.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa

from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.files.csv_text import (
    BLOCK_BYTES,
    Column,
    TextBlock,
    TextFile,
    read_more_text,
    read_text,
)
from storemon_pipeline.files.expansion_limit import ExpansionLimit
from storemon_pipeline.files.parquet import read_parquet


@unique
class Format(StrEnum):
    """A form, by the end of a file's name."""

    CSV = ".csv"
    GZIP = ".csv.gz"
    ZSTD = ".csv.zst"
    PARQUET = ".parquet"


_CODECS: Final = {Format.GZIP: "gzip", Format.ZSTD: "zstd"}


def format_of(name: Path | str) -> Format:
    """The form that a name tells of; what tells of none is read as CSV."""
    text = str(name)
    return next((form for form in Format if text.endswith(form.value)), Format.CSV)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes `[start, end)` of a CSV file, from the beginning of a line on.

    `header` is None for the part that begins with it; else the header that was read before, and
    `first_line` the number of the line with which the part begins.
    """

    start: int
    end: int
    first_line: int = 1
    header: str | None = None


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is open for reading, seekable, under the name by which errors speak of it.

    Only a plain CSV file has a `part`; without one the file is read whole.
    """

    name: Path | str
    stream: BinaryIO
    part: Part | None = None


@contextmanager
def open_rows(
    file: Path | OpenFile, columns: Sequence[Column], *, block_bytes: int = BLOCK_BYTES
) -> Iterator[TextFile]:
    """Read the header of a file of any form, and offer its rows in blocks.

    Raises UnusableFileError, now or while the blocks are read.
    """
    if isinstance(file, OpenFile):
        yield _read(file, columns, block_bytes)
        return
    try:
        stream = file.open("rb")
    except (PermissionError, IsADirectoryError) as error:
        raise UnusableFileError(file, f"{error.strerror}") from error
    with stream:
        yield _read(OpenFile(file, stream), columns, block_bytes)


def _read(file: OpenFile, columns: Sequence[Column], block_bytes: int) -> TextFile:
    size = file.stream.seek(0, 2)
    file.stream.seek(0)
    form = format_of(file.name)
    if form is Format.PARQUET:
        return read_parquet(file.name, file.stream, columns, bytes_total=size)
    if codec := _CODECS.get(form):
        text = _Decompressed(file.name, file.stream, codec, size)
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
    """The bytes `[start, end)` of a stream, as a stream that ends there."""

    def __init__(self, stream: BinaryIO, start: int, end: int) -> None:
        stream.seek(start)
        self._stream = stream
        self._left = end - start

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data


class _Decompressed:
    """The text in a compressed stream; compressed parts one after the other are one text."""

    def __init__(self, name: Path | str, stream: BinaryIO, codec: str, size: int) -> None:
        self._name = name
        self._codec = codec
        self._text = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), codec)
        self._expansion = ExpansionLimit(name, size)

    def read(self, size: int, /) -> bytes:
        try:
            data: bytes = self._text.read(size)
        except OSError as error:
            reason = f"its {self._codec} data is damaged or not complete ({error})"
            raise UnusableFileError(self._name, reason) from error
        self._expansion.add(len(data))
        return data


def _count_compressed(blocks: Iterator[TextBlock], stream: BinaryIO) -> Iterator[TextBlock]:
    """Blocks of decompressed text, with the bytes of the file that have been read for them."""
    for block in blocks:
        yield replace(block, bytes_done=stream.tell())
