"""The archive of polls: a folder with a Parquet file for each week, local or at a URL.

The files are valid files of polls, so any storemon can load them from its data folder.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.files.folders import (
    FoundFile,
    OpenFile,
    UnreachableError,
    data_folder,
    open_file,
)
from storemon_pipeline.polls.poll_weeks import PollWeek

_NAME: Final = re.compile(r"polls_(\d{4}-\d\d-\d\d)_([0-9a-f]{16})\.parquet")
_LOADS: Final = b"storemon.loads"
_SCHEMA: Final = pa.schema(
    {
        "store_id": pa.dictionary(pa.int32(), pa.string()),
        "timestamp_utc": pa.timestamp("us", "UTC"),
        "status": pa.dictionary(pa.int8(), pa.string()),
        "load_id": pa.int32(),
    }
)
_COPY_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ArchivedWeek:
    """A file of the archive."""

    name: str
    week: PollWeek
    polls: int
    size_bytes: int


class ArchivedFile:
    """An open file of the archive."""

    def __init__(self, week: PollWeek, file: OpenFile) -> None:
        """Read the footer."""
        self.week = week
        self.file = file
        self._parquet = pq.ParquetFile(file.stream)

    def times_of_loads(self) -> dict[int, datetime]:
        """When each load of its rows was loaded, in the database that wrote it."""
        loads = json.loads((self._parquet.metadata.metadata or {}).get(_LOADS, b"{}"))
        return {int(load_id): datetime.fromisoformat(at) for load_id, at in loads.items()}

    def parts(self) -> Iterator[pa.Table]:
        """Its rows, some stores at a time."""
        for number in range(self._parquet.num_row_groups):
            rows = self._parquet.read_row_group(number)
            for name in ("store_id", "status"):
                position = rows.schema.get_field_index(name)
                rows = rows.set_column(position, name, rows[name].cast(pa.string()))
            yield rows


@dataclass(slots=True)
class _Writing:
    """A week's file while it is written on local disk."""

    archive: "PollArchive"
    week: PollWeek
    path: Path
    polls: int = 0
    load_ids: set[int] = field(default_factory=set)
    _writer: pq.ParquetWriter | None = field(default=None)

    def add(self, part: pa.Table) -> None:
        """Write the rows of some stores as a row group."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self.path,
                _SCHEMA,
                compression="zstd",
                compression_level=9,
                use_dictionary=["store_id", "status"],
                column_encoding={
                    "timestamp_utc": "DELTA_BINARY_PACKED",
                    "load_id": "DELTA_BINARY_PACKED",
                },
                write_statistics=["timestamp_utc"],
            )
        self._writer.write_table(part.cast(_SCHEMA), row_group_size=part.num_rows)
        self.polls += part.num_rows
        self.load_ids.update(pc.unique(part["load_id"]).to_pylist())

    def finish(self, times_of_loads: dict[int, datetime]) -> ArchivedWeek:
        """The archive has the complete file. Raises UnreachableError."""
        if self._writer is None:
            raise ValueError(f"there are no polls in the week of {self.week.monday}")
        loads = {str(load_id): at.isoformat() for load_id, at in sorted(times_of_loads.items())}
        self._writer.add_key_value_metadata({_LOADS: json.dumps(loads)})
        self._writer.close()
        return self.archive.publish(self)


class PollArchive:
    """The folder of the archive."""

    def __init__(self, place: str) -> None:
        """Raise LocationError for a URL of a kind that this installation cannot reach."""
        self._place = place
        self._root = UPath(data_folder(place).path)  # type: ignore[attr-defined]
        self._is_local = self._root.protocol in {"", "file", "local"}

    def __str__(self) -> str:
        """Return the path or URL."""
        return self._place

    @contextmanager
    def writing(self, week: PollWeek) -> Iterator[_Writing]:
        """A file for the rows of a week, which is in the archive once it is finished."""
        with tempfile.TemporaryDirectory() as folder:
            yield _Writing(self, week, Path(folder) / "polls.parquet")

    def publish(self, written: _Writing) -> ArchivedWeek:
        """Copy a file into the archive and read it back; it appears there as a whole.

        Its name has the digest of its bytes. So no file is ever replaced by another one, also when
        several databases share a folder, and a file that was written before is not written again.
        """
        with written.path.open("rb") as stream:
            digest = _digest(stream)
        name = f"polls_{written.week.monday}_{digest[:16]}.parquet"
        final = self._root / name
        unfinished = self._root / f".{name}.unfinished"
        with self._reaching():
            if not (final.exists() and _digest_of(final) == digest):
                self._root.mkdir(parents=True, exist_ok=True)
                final.fs.put_file(str(written.path), unfinished.path)
                if self._is_local:
                    _flush(Path(unfinished.path))
                final.fs.mv(unfinished.path, final.path)
                if self._is_local:
                    _flush(Path(self._root.path))
                if _digest_of(final) != digest:
                    raise OSError(f"{name} has other bytes than were written")
        return ArchivedWeek(name, written.week, written.polls, written.path.stat().st_size)

    def list_weeks(self) -> list[ArchivedWeek]:
        """The files of the archive, oldest week first. Raises UnreachableError."""
        with self._reaching():
            if not self._root.exists():
                return []
            self._root.fs.invalidate_cache()
            entries = self._root.fs.ls(self._root.path, detail=True)
            found = []
            for entry in entries:
                name = entry["name"].rpartition("/")[2]
                if _NAME.fullmatch(name):
                    with self._root.fs.open(entry["name"]) as file:
                        polls = pq.read_metadata(file).num_rows
                    found.append(ArchivedWeek(name, _week_of(name), polls, entry["size"]))
        return sorted(found, key=lambda week: (week.week, week.name))

    @contextmanager
    def opened(self, name: str) -> Iterator[ArchivedFile]:
        """Open a file of the archive.

        Raises FileNotFoundError, UnreachableError, and UnusableFileError when its bytes are not
        those that were written.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise FileNotFoundError(name)
        path = self._root / name
        local = Path(path.path) if self._is_local else path
        with open_file(FoundFile(local, name, -1, 0)) as file:
            if not _digest(file.stream).startswith(match[2]):
                raise UnusableFileError(name, "it has been damaged since it was written")
            file.stream.seek(0)
            yield ArchivedFile(_week_of(name), file)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise UnreachableError(f"The archive {self} cannot be used: {error}") from error


def _week_of(name: str) -> PollWeek:
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(name)
    return PollWeek(date.fromisoformat(match[1]))


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_COPY_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _digest_of(path: UPath) -> str:
    with path.fs.open(path.path) as stream:
        return _digest(stream)


def _flush(path: Path) -> None:
    """What was written is on disk, and outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
