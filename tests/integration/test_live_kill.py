"""Processes killed in the middle of a push or a refresh lose and double no polls."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from stored import fetch
from storemon_pipeline.checks.table_checks import count_unaccounted_polls
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.lake.move_polls import move_polls
from storemon_pipeline.lake_files.data_files import of_kind, read_polls
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Kind, read_contents
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.retention.enforce import check_all_status_runs

STORES: Final = 300
KILLS: Final = 25

# Each batch is one hour's polls of all stores; its number is printed once it is in.
WRITER: Final = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from storemon_pipeline.polls.poll_bodies import BodyFormat
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.polls.push_polls import push_polls

url, folder, kind, first, stores = sys.argv[1:]
for hour in range(int(first), int(first) + 10_000):
    at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    rows = "".join(f"{store},{at},{'active' if (store + hour) % 9 else 'inactive'}\\n"
                   for store in range(int(stores)))
    now = datetime.now(UTC)
    if kind == "push":
        body = b"store_id,timestamp_utc,status\\n" + rows.encode()
        patience = timedelta(seconds=20)
        push_polls(url, body, BodyFormat.CSV, now=now, is_rejecting=False, patience=patience)
    else:
        path = Path(folder) / "store_status.csv"
        if not path.exists():
            path.write_text("store_id,timestamp_utc,status\\n")
        if f",{at}," not in path.read_text():
            with path.open("ab", buffering=0) as file:  # in one piece
                file.write(rows.encode())
        ingest_source(url, folder, Source.STORE_STATUS, now=now, run_id=None)
    print(hour, flush=True)
"""


@pytest.mark.fault
@pytest.mark.parametrize("is_in_lake", [False, True], ids=["database", "lake"])
@pytest.mark.parametrize("kind", ["push", "refresh"])
def test_a_kill_at_any_moment_loses_and_doubles_nothing(
    database_url: str, tmp_path: Path, kind: str, *, is_in_lake: bool
) -> None:
    if is_in_lake:
        move_polls(database_url, LakeFolder(str(tmp_path / "lake")))
    chance = random.Random(1)  # noqa: S311 - no secret
    hour = 0
    for _ in range(KILLS):
        arguments = [database_url, str(tmp_path), kind, str(hour), str(STORES)]
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.3))
            writer.kill()
            told = [int(line) for line in writer.stdout.read().split()]
        hour = max([hour, *told]) + 1
        loads, polls = loads_and_polls(database_url)
        # All that was told is there, each batch whole and by one load; the last may be in untold.
        assert set(polls.values()) == {STORES}
        assert hour <= len(polls) <= hour + 1
        assert len(loads) == len(polls)
        with bulk_transaction(database_url) as bulk:
            assert count_unaccounted_polls(bulk) == 0
        assert check_all_status_runs(database_url).different == 0


def loads_and_polls(url: str) -> tuple[set[tuple[int, int]], Counter[int]]:
    """The loads of each instant that has polls, and how many polls it has."""
    with bulk_transaction(url) as bulk:
        lake = read_lake_of_polls(bulk)
    if lake is None:
        rows = fetch(
            url,
            "SELECT (extract(epoch FROM polled_at) * 1000000)::bigint AS us, load_id"
            " FROM store_status",
        )
        pairs = [(row["us"], row["load_id"]) for row in rows]
    else:
        pairs = []
        for bucket in lake.manifest.buckets:
            files = of_kind(read_contents(lake.folder, bucket), Kind.POLLS)
            polls = read_polls(lake.folder, files)
            pairs += zip(polls.at_us.tolist(), polls.load_id.tolist(), strict=True)
    return set(pairs), Counter(at_us for at_us, _ in pairs)
