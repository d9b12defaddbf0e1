"""The polls of a period in a version of the lake."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.lake_files.cached_files import data_files_of, read_row_groups
from storemon_pipeline.lake_files.data_files import (
    SCHEMAS,
    PollRows,
    polls_of_rows,
    read_polls,
)
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import DataFile, Kind, Manifest
from storemon_pipeline.stores.store_index import StoreIndex


def read_polls_of_stores(
    lake: LakeFolder, manifest: Manifest, stores: StoreIndex, *, start_us: int, end_us: int
) -> PollRows:
    """The polls of these stores in `[start, end)`, by key and instant.

    Raises UnreachableError.
    """
    numbers = sorted({manifest.bucket_of(store_id) for store_id in stores.store_ids.to_pylist()})
    files = [
        file for number in numbers for file in _poll_files(lake, manifest, number, start_us, end_us)
    ]
    polls = read_polls_of_keys(lake, files, np.sort(stores.store_keys))
    return polls.take((polls.at_us >= start_us) & (polls.at_us < end_us)).in_order()


def read_polls_of_keys(lake: LakeFolder, files: Iterable[DataFile], keys: IntArray) -> PollRows:
    """The polls of the stores with these keys, which ascend, in the files' order."""
    wanted = pa.array(keys, SCHEMAS[Kind.POLLS].field("store_key").type)
    rows = [
        table.filter(pc.is_in(table["store_key"], wanted))
        for table in read_row_groups(lake, list(files), keys)
    ]
    return polls_of_rows(pa.concat_tables([SCHEMAS[Kind.POLLS].empty_table(), *rows]))


def count_polls(lake: LakeFolder, manifest: Manifest, *, start_us: int, end_us: int) -> int:
    """How many polls there are in `[start, end)`. Only files across its ends are read."""
    counted = 0
    for number in range(len(manifest.buckets)):
        for file in _poll_files(lake, manifest, number, start_us, end_us):
            if file.first_us >= start_us and file.last_us < end_us:
                counted += file.rows
            else:
                at_us = read_polls(lake, [file]).at_us
                counted += int(((at_us >= start_us) & (at_us < end_us)).sum())
    return counted


def first_poll_us(lake: LakeFolder, manifest: Manifest) -> int | None:
    """The instant of the first poll; None without any."""
    numbers = range(len(manifest.buckets))
    files = [file for number in numbers for file in _all(lake, manifest, number) if file.rows]
    return min((file.first_us for file in files), default=None)


def _poll_files(
    lake: LakeFolder, manifest: Manifest, number: int, start_us: int, end_us: int
) -> Iterator[DataFile]:
    for file in _all(lake, manifest, number):
        if file.last_us >= start_us and file.first_us < end_us:
            yield file


def _all(lake: LakeFolder, manifest: Manifest, number: int) -> Sequence[DataFile]:
    files = data_files_of(lake, manifest.buckets[number])
    return [file for file in files if file.kind is Kind.POLLS]
