"""Reading parts of the lake's files, and keeping them in memory: the files never change."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from storemon_pipeline.database.overlap import results_in_order
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.lake_files.data_files import typed_rows
from storemon_pipeline.lake_files.lake_folder import AT_ONCE, LakeFolder
from storemon_pipeline.lake_files.manifest import Bucket, DataFile, read_contents, read_named

_Made = TypeVar("_Made")

_MOST_BYTES: Final = 64 * 2**20
"""Status runs of 14,092 stores and some months."""

_READ_WHOLE_BYTES: Final = 2**20
"""A file up to this size is fetched by one request, whatever is read of it."""

_BYTES_OF_LISTED_FILE: Final = 400


@dataclass(slots=True)
class Kept:
    """What was read or computed last, up to a number of bytes. Thread-safe."""

    most_bytes: int
    bytes: int = 0
    _items: OrderedDict[tuple[object, ...], tuple[Any, int]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def get(self, key: tuple[object, ...]) -> Any:  # noqa: ANN401 - what was put there
        """What was put there last; None if it is not kept."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def once(
        self, key: tuple[object, ...], make: Callable[[], _Made], size: Callable[[_Made], int]
    ) -> _Made:
        """What `make` gives, which is made again only if it is no longer kept."""
        made: _Made | None = self.get(key)
        if made is None:
            made = make()
            self.put(key, made, size(made))
        return made

    def put(self, key: tuple[object, ...], item: object, size: int) -> None:
        """Keep something of about this size in bytes."""
        with self._lock:
            if key in self._items or size > self.most_bytes:
                return
            self._items[key] = item, size
            self.bytes += size
            while self.bytes > self.most_bytes:
                self.bytes -= self._items.popitem(last=False)[1][1]


_KEPT: Final = Kept(_MOST_BYTES)


def data_files_of(lake: LakeFolder, bucket: Bucket) -> tuple[DataFile, ...]:
    """As `read_contents`. Raises UnreachableError."""
    return _KEPT.once(
        (str(lake), bucket.contents),
        lambda: tuple(read_contents(lake, bucket)),
        lambda files: _BYTES_OF_LISTED_FILE * len(files),
    )


def read_row_groups(
    lake: LakeFolder, files: Sequence[DataFile], keys: IntArray
) -> Iterator[pa.Table]:
    """The groups of rows of files that may have one of these keys, in order, with all their rows.

    The keys ascend. Of an object store many files are read at once. Raises UnreachableError.
    """
    if lake.is_local or len(files) == 1:
        for file in files:
            yield from _row_groups(lake, file, keys)
        return
    for groups in results_in_order(
        lambda file: list(_row_groups(lake, file, keys)), files, at_once=AT_ONCE
    ):
        yield from groups


def _row_groups(lake: LakeFolder, file: DataFile, keys: IntArray) -> Iterator[pa.Table]:
    place = (str(lake), file.name)
    metadata: pq.FileMetaData | None = _KEPT.get(place)
    if metadata is not None:
        wanted = _groups_with(metadata, keys)
        tables = [_KEPT.get((*place, group)) for group in wanted]
        if all(table is not None for table in tables):
            yield from tables
            return
    with _opened(lake, file) as stream:
        parquet = pq.ParquetFile(stream, metadata=metadata)
        if metadata is None:
            metadata = parquet.metadata
            _KEPT.put(place, metadata, metadata.serialized_size)
        for group in _groups_with(metadata, keys):
            table = _KEPT.get((*place, group))
            if table is None:
                table = typed_rows(parquet.read_row_group(group, use_threads=False), file.kind)
                _KEPT.put((*place, group), table, table.nbytes)
            yield table


def _opened(lake: LakeFolder, file: DataFile) -> Any:  # noqa: ANN401 - files of two libraries
    if file.bytes <= _READ_WHOLE_BYTES:
        return pa.BufferReader(read_named(lake, file.name))
    return lake.opened(file.name)


def _groups_with(metadata: pq.FileMetaData, keys: IntArray) -> list[int]:
    return [
        group
        for group in range(metadata.num_row_groups)
        if _may_have(metadata.row_group(group).column(0).statistics, keys)
    ]


def _may_have(of_group: pq.Statistics | None, keys: IntArray) -> bool:
    """Whether a group of rows may have one of these keys. Older files do not say."""
    if of_group is None or not of_group.has_min_max:
        return True
    place = int(np.searchsorted(keys, of_group.min))
    return place < len(keys) and bool(keys[place] <= of_group.max)
