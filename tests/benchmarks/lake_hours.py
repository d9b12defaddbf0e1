"""An hour of polls of a large chain, from a file into the lake that has the polls, and as a row.

The same hour through the database, after the same day of history, tells what the lake saves.
"""

import sys
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from benchmarks.apart import Cost, run_apart
from benchmarks.goals import Measured
from benchmarks.lake_data import Copies, read_sample, write_lake
from benchmarks.loaded import make_database, server
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import timestamps
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.lake_files.data_files import of_kind
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Kind, Manifest, read_contents
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls, set_lake_of_polls
from storemon_pipeline.retention.restore_from_lake import restore_polls

STORES: Final = 1_410_000
_DAYS: Final = 1.0
_DAYS_OF_MORE: Final = 0.25
_SAMPLE_STORES: Final = 14_100
_STORES_PER_BUCKET: Final = 50_000
_HOURS: Final = 3
_GIB: Final = 1 << 30
_MOST_IN_DATABASE: Final = 1_410_000
_SECONDS: Final = 300 / 14_100_000
"""The goal, for each poll of an hour."""


def measure(work: Path, *, stores: int = STORES) -> list[Measured]:
    """Make the lake, then load some hours; also through the database, unless it is too large."""
    lake = LakeFolder(str(work / "hours-lake"))
    days = _DAYS if stores <= _MOST_IN_DATABASE else _DAYS_OF_MORE
    sample = read_sample(work / "hours-sample", stores=min(stores, _SAMPLE_STORES), days=days)
    copied = max(1, round(stores / len(sample.store_ids)))
    copies = Copies(sample, copied, max(1, min(_STORES_PER_BUCKET, stores // 4) // copied))
    manifest = write_lake(lake, copies, lambda number: _tell(f"bucket {number}"))
    with server(work / "hours-server") as server_url:
        costs: dict[str, list[Cost]] = {}
        for name in ("database", "lake") if stores <= _MOST_IN_DATABASE else ("lake",):
            url = make_database(server_url, name)
            _know(url, copies, lake, manifest)
            if name == "database":
                restore_polls(url)
            costs[name] = list(_hours(work / name, url, copies))
        kept = _counting(url)
    of_lake = costs.pop("lake")
    # Other work on the machine delays some of them.
    best = min(of_lake, key=lambda cost: cost.seconds)
    rows = [
        Measured(
            "lake: an hour of polls from a file, one process",
            _SECONDS * manifest.stores,
            best.seconds,
            "s",
            f"{manifest.stores:,} polls; {best.cpu_seconds:.1f} s of CPU, and "
            f"{best.database_seconds:.1f} s in PostgreSQL; {best.peak_bytes / _GIB:.2f} GiB",
        ),
        Measured("lake: bytes of a poll", 6, _bytes_per_poll(lake, kept), "bytes"),
    ]
    for others in costs.values():
        there = min(others, key=lambda cost: cost.seconds)
        rows.append(
            Measured(
                "lake: an hour against the same through the database",
                1,
                best.seconds / there.seconds,
                "times",
                f"{there.seconds:.1f} s there: {there.cpu_seconds:.1f} s of CPU, and "
                f"{there.database_seconds:.1f} s in PostgreSQL; {there.peak_bytes / _GIB:.2f} GiB",
            )
        )
    return rows


def _know(url: str, copies: Copies, lake: LakeFolder, manifest: Manifest) -> None:
    """The database has the stores, and the lake has their polls."""
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        for of in copies.buckets():
            index = copies.index(of)
            keys = pa.array(index.store_keys, pa.int32())
            bulk.stage("made_up", pa.table({"store_key": keys, "store_id": index.store_ids}))
            bulk.execute(
                "INSERT INTO stores (store_key, store_id) OVERRIDING SYSTEM VALUE"
                " SELECT store_key, store_id FROM pg_temp.made_up"
            )
        bulk.execute("ANALYZE stores")
        set_lake_of_polls(bulk, lake, manifest.version)


def _hours(folder: Path, url: str, copies: Copies) -> "list[Cost]":
    """What some hours cost, each of which comes as a file of its own."""
    data = folder / "store_status"
    data.mkdir(parents=True)
    taken = []
    for hour in range(1, _HOURS + 1):
        _write_hour(data / f"hour-{hour}.csv", copies, hour)
        taken.append(run_apart(Source.STORE_STATUS.value, url, folder))
        _tell(f"{folder.name}: hour {hour}: {taken[-1]}")
    return taken


def _write_hour(path: Path, copies: Copies, hour: int) -> None:
    schema = pa.schema({name: pa.string() for name in ("store_id", "status", "timestamp_utc")})
    with pa_csv.CSVWriter(path, schema) as writer:
        for of in copies.buckets():
            polls = copies.next_polls(of, hour)
            at = pc.strftime(timestamps(polls.at_us), "%Y-%m-%d %H:%M:%S UTC")
            status = pa.array(np.where(polls.is_active, "active", "inactive"))
            ids = copies.index(of).store_ids
            writer.write_table(pa.table([ids, status, at.cast(pa.string())], schema=schema))


def _counting(url: str) -> Manifest:
    with bulk_transaction(url) as bulk:
        lake = read_lake_of_polls(bulk)
    if lake is None:
        raise ValueError("the polls are not in the lake")
    return lake.manifest


def _bytes_per_poll(lake: LakeFolder, manifest: Manifest) -> float:
    files = [
        file
        for bucket in manifest.buckets
        for file in of_kind(read_contents(lake, bucket), Kind.POLLS)
    ]
    return sum(file.bytes for file in files) / sum(file.rows for file in files)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
