"""Writing the polls of the lake as files of polls, which any storemon can load."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from storemon_pipeline.database.instants import timestamps
from storemon_pipeline.lake.open_bucket import index_of
from storemon_pipeline.lake_files.data_files import PollRows, read_kind, read_polls
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Kind, Manifest, read_contents
from storemon_pipeline.stores.store_index import StoreIndex

_SCHEMA: Final = pa.schema(
    {
        "store_id": pa.dictionary(pa.int32(), pa.string()),
        "timestamp_utc": pa.timestamp("us", "UTC"),
        "status": pa.dictionary(pa.int8(), pa.string()),
    }
)


class PollsDifferError(Exception):
    """A file that was written has not as many polls as the lake."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    files: int
    polls: int


def export_polls(lake: LakeFolder, manifest: Manifest, folder: Path) -> Exported:
    """Write all polls of a version into a folder, with a Parquet file for each bucket.

    Each file is read back. Raises PollsDifferError, UnreachableError and OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = polls = 0
    for number, bucket in enumerate(manifest.buckets):
        if bucket.polls == 0:
            continue
        path = folder / f"polls-{number:06}.parquet"
        with pq.ParquetWriter(path, _SCHEMA, compression="zstd", store_schema=False) as writer:
            for part in _parts(lake, manifest, number):
                writer.write_table(part)
        rows = pq.read_metadata(path).num_rows
        if rows != bucket.polls:
            raise PollsDifferError(f"{path} has {rows} polls, its bucket has {bucket.polls}")
        files, polls = files + 1, polls + rows
    return Exported(files, polls)


def _parts(lake: LakeFolder, manifest: Manifest, number: int) -> Iterator[pa.Table]:
    """The polls of a bucket, those of one file of the lake at a time."""
    files = read_contents(lake, manifest.buckets[number])
    ids = [read_kind(lake, files, kind) for kind in (Kind.STORES, Kind.STOREFRONT_IDS)]
    stores = index_of(pa.concat_tables(ids).combine_chunks())
    for file in files:
        if file.kind is Kind.POLLS:
            yield with_store_ids(stores, read_polls(lake, [file]))


def with_store_ids(stores: StoreIndex, polls: PollRows) -> pa.Table:
    """Rows as those of a file of polls."""
    position = stores.positions(polls.store_key).astype(np.int32)
    status = polls.is_active.astype(np.int8)
    return pa.table(
        {
            "store_id": pa.DictionaryArray.from_arrays(position, stores.store_ids),
            "timestamp_utc": timestamps(polls.at_us),
            "status": pa.DictionaryArray.from_arrays(status, ["inactive", "active"]),
        }
    )
