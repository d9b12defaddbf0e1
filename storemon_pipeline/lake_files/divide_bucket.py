"""Dividing a bucket that has too many stores."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.lake_files.data_files import (
    make_bucket,
    newest_poll_us,
    read_file,
    read_kind,
    timed,
    write_file,
    write_rows,
)
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Bucket, DataFile, Kind, read_contents

STORES_PER_BUCKET: Final = 50_000
"""The figures of a bucket take about 150 MB of memory, and its files some megabytes each."""


def divide_bucket(
    lake: LakeFolder, bucket: Bucket, *, stores_per_bucket: int, stores: pa.Table | None = None
) -> list[Bucket]:
    """Buckets of at most `stores_per_bucket` stores, which together have what the bucket has.

    `stores` are all its stores and storefronts, by default those that it knows. What describes
    them, beside their ids, is left out.
    """
    files = read_contents(lake, bucket)
    fronts = read_kind(lake, files, Kind.STOREFRONT_IDS)
    if stores is None:
        stores = pa.concat_tables([read_kind(lake, files, Kind.STORES), fronts]).sort_by("store_id")
    number_of_key = np.zeros(int(stores["store_key"].to_numpy().max()) + 1, np.int64)
    parts: list[list[DataFile]] = []
    first_ids = []
    for first in range(0, len(stores), stores_per_bucket):
        own = stores[first : first + stores_per_bucket]
        number_of_key[own["store_key"].to_numpy()] = len(parts)
        is_front = pc.is_in(own["store_key"], fronts["store_key"].cast(own["store_key"].type))
        parts.append(
            [
                write_file(lake, kind, ids)
                for kind, ids in (
                    (Kind.STORES, own.filter(pc.invert(is_front))),
                    (Kind.STOREFRONT_IDS, own.filter(is_front)),
                )
                if len(ids)
            ]
        )
        first_ids.append(own["store_id"][0].as_py() if first else bucket.first_store_id)
    for file in timed(files):
        rows = read_file(lake, file)
        number = number_of_key[rows["store_key"].to_numpy()]
        for own_number, part in enumerate(parts):
            own = rows.filter(pa.array(number == own_number))
            if len(own):
                part.append(write_rows(lake, file.kind, own, level=file.level))
    return [
        make_bucket(lake, first_id, part, newest_poll_us=newest_poll_us(part))
        for first_id, part in zip(first_ids, parts, strict=True)
    ]
