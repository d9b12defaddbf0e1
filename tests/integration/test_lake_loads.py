"""Loads and undos of polls in a lake leave what they leave in the database."""

from collections.abc import Iterator
from dataclasses import dataclass
from unittest.mock import patch

import adbc_driver_postgresql.dbapi as adbc
import pytest
from hypothesis import strategies as st
from upath import UPath

from poll_loads import Batch, Model, batches, undone_transaction
from properties import holds_for
from stored import HOUR, LOADED_AT, MAX_GAP, load_rows, rows_of
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.connections import libpq_url
from storemon_pipeline.lake_files import append_polls
from storemon_pipeline.lake_files.data_files import (
    PollRows,
    of_kind,
    read_kind,
    read_polls,
    read_status_runs,
)
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Kind, Manifest, commit_free, read_contents
from storemon_pipeline.loads.load_undo import read_load, record_undo
from storemon_pipeline.polls.arrivals import lake_poll_table
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls, set_lake_of_polls
from storemon_pipeline.polls.poll_table import undo_polls

BUCKETS = st.sampled_from([1, 50_000])
FILES = st.sampled_from([(2, 2), (24, 7)])
"""Files of a level that are merged into one of the next."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What loads leave, with the number of each load."""

    polls: dict[tuple[str, int], tuple[bool, int]]
    status_runs: list[tuple[str, int, int, bool, int]]
    superseded: list[tuple[str, int, int, bool]]
    newest_us: int | None


def numbers_of_loads(bulk: Bulk) -> dict[int, int]:
    loads = bulk.fetch("SELECT load_id FROM loads ORDER BY load_id")["load_id"].to_pylist()
    return {load_id: number for number, load_id in enumerate(loads)}


def names_of_stores(bulk: Bulk) -> dict[int, str]:
    rows = rows_of(bulk.fetch("SELECT store_key, store_id FROM stores"))
    return {row["store_key"]: row["store_id"] for row in rows}


def of_tables(bulk: Bulk) -> Stored:
    number = numbers_of_loads(bulk)
    polls = rows_of(
        bulk.fetch(
            "SELECT store_id, (extract(epoch FROM polled_at) * 1000000)::bigint AS us, is_active,"
            " load_id FROM store_status JOIN stores USING (store_key)"
        )
    )
    status_runs = rows_of(
        bulk.fetch(
            "SELECT store_id, (extract(epoch FROM first_poll_at) * 1000000)::bigint AS first,"
            " (extract(epoch FROM last_poll_at) * 1000000)::bigint AS last, is_active, polls"
            " FROM status_runs JOIN stores USING (store_key) ORDER BY store_id, first_poll_at"
        )
    )
    return Stored(
        {(row["store_id"], row["us"]): (row["is_active"], number[row["load_id"]]) for row in polls},
        [tuple(row.values()) for row in status_runs],
        superseded(bulk),
        newest_us(bulk),
    )


def superseded(bulk: Bulk) -> list[tuple[str, int, int, bool]]:
    number = numbers_of_loads(bulk)
    rows = rows_of(
        bulk.fetch(
            "SELECT store_id, (extract(epoch FROM polled_at) * 1000000)::bigint AS us, load_id,"
            " is_active FROM superseded_polls JOIN stores USING (store_key)"
        )
    )
    return sorted(
        (row["store_id"], row["us"], number[row["load_id"]], row["is_active"]) for row in rows
    )


def newest_us(bulk: Bulk) -> int | None:
    rows = bulk.fetch(
        "SELECT (extract(epoch FROM polled_at) * 1000000)::bigint AS us FROM newest_poll"
    ).to_pylist()
    return rows[0]["us"] if rows else None


def of_lake(bulk: Bulk) -> Stored:
    """What the version of the lake that counts has, and the tables that stay."""
    for table in ("store_status", "status_runs"):
        assert bulk.scalar(f"SELECT count(*) FROM {table}") == 0
    number = numbers_of_loads(bulk)
    names = names_of_stores(bulk)
    lake = read_lake_of_polls(bulk)
    assert lake is not None
    polls: dict[tuple[str, int], tuple[bool, int]] = {}
    status_runs: list[tuple[str, int, int, bool, int]] = []
    ids: list[str] = []
    for bucket in lake.manifest.buckets:
        files = read_contents(lake.folder, bucket)
        ids += read_kind(lake.folder, files, Kind.STORES)["store_id"].to_pylist()
        of_bucket = read_polls(lake.folder, of_kind(files, Kind.POLLS))
        polls |= polls_by_store(of_bucket, names, number)
        assert len(of_bucket) == bucket.polls
        runs = read_status_runs(
            lake.folder, of_kind(files, Kind.STATUS_RUNS) + of_kind(files, Kind.LAST_STATUS_RUNS)
        ).in_order()
        assert len(runs) == bucket.status_runs
        assert bucket.newest_poll_us == max(runs.last_poll_us.tolist(), default=None)
        status_runs += [
            (names[key], first, last, is_active, count)
            for key, first, last, is_active, count in zip(
                runs.store.tolist(),
                runs.first_poll_us.tolist(),
                runs.last_poll_us.tolist(),
                runs.is_active.tolist(),
                runs.polls.tolist(),
                strict=True,
            )
        ]
    assert ids == sorted(ids)
    assert {store_id for store_id, _ in polls} <= set(ids)
    assert lake.manifest.polls == len(polls)
    return Stored(polls, sorted(status_runs), superseded(bulk), newest_us(bulk))


def polls_by_store(
    polls: PollRows, names: dict[int, str], number: dict[int, int]
) -> dict[tuple[str, int], tuple[bool, int]]:
    rows = zip(
        polls.store_key.tolist(),
        polls.at_us.tolist(),
        polls.is_active.tolist(),
        polls.load_id.tolist(),
        strict=True,
    )
    return {
        (names[key], at_us): (is_active, number[load_id]) for key, at_us, is_active, load_id in rows
    }


@pytest.fixture
def connection(database_url: str) -> Iterator[adbc.Connection]:
    with adbc.connect(libpq_url(database_url)) as connection:
        yield connection


@pytest.fixture
def lake(memory: UPath) -> LakeFolder:
    return LakeFolder(f"memory://{memory.path}")


def begin_lake(bulk: Bulk, lake: LakeFolder, max_gap_us: int) -> None:
    first = commit_free(lake, Manifest(0, max_gap_us, 0, "", ()))
    set_lake_of_polls(bulk, lake, first.version)


@holds_for(
    30,
    300,
    loads=batches(),
    max_gap_us=st.sampled_from([HOUR, 2 * HOUR, MAX_GAP]),
    stores_per_bucket=BUCKETS,
    files_of_level=FILES,
)
def test_any_loads_leave_in_a_lake_what_the_contract_says(
    connection: adbc.Connection,
    lake: LakeFolder,
    loads: list[Batch],
    max_gap_us: int,
    stores_per_bucket: int,
    files_of_level: tuple[int, int],
) -> None:
    model = Model()
    with (
        undone_transaction(connection) as bulk,
        patch.object(lake_poll_table, "STORES_PER_BUCKET", stores_per_bucket),
        patch.object(append_polls, "_FILES_OF_LEVEL", files_of_level),
    ):
        begin_lake(bulk, lake, max_gap_us)
        for number, batch in enumerate(loads):
            row_counts = load_rows(
                bulk, batch.rows, file_path=batch.file_path, max_gap_us=max_gap_us
            )
            assert row_counts == model.load(number, batch)
            stored = of_lake(bulk)
            assert stored.status_runs == model.runs(max_gap_us)
            assert {key: is_active for key, (is_active, _) in stored.polls.items()} == model.polls
            assert sorted(stored.superseded) == sorted(
                (*identity, number, is_active) for identity, number, is_active in model.superseded
            )
            assert stored.newest_us == max((at_us for _, at_us in model.polls), default=None)


Step = Batch | int
"""A load, or the number of a load that is undone."""


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Loads, between which some of them are undone."""
    drawn: list[Step] = []
    loads = draw(batches())
    left = []
    for number, batch in enumerate(loads):
        drawn.append(batch)
        left.append(number)
        if draw(st.booleans()):
            drawn.append(left.pop(draw(st.integers(0, len(left) - 1))))
    return drawn


def take(bulk: Bulk, taken: list[Step]) -> list[object]:
    """What each step says: row counts, or how many polls are gone and of which stores."""
    said: list[object] = []
    load_ids: list[int] = []
    for step in taken:
        if isinstance(step, Batch):
            said.append(load_rows(bulk, step.rows, file_path=step.file_path))
            load_ids.append(bulk.scalar("SELECT max(load_id) AS newest FROM loads"))
            continue
        load = read_load(bulk, load_ids[step])
        assert load is not None
        undone = undo_polls(bulk, load.load_id, max_gap_us=MAX_GAP)
        record_undo(bulk, load, undone_at=LOADED_AT, rows_removed=undone.removed)
        names = names_of_stores(bulk)
        said.append((undone.removed, sorted(names[key] for key in undone.store_keys.tolist())))
    return said


@holds_for(30, 300, taken=steps(), stores_per_bucket=BUCKETS, files_of_level=FILES)
def test_loads_and_undos_leave_in_a_lake_what_they_leave_in_the_database(
    connection: adbc.Connection,
    lake: LakeFolder,
    taken: list[Step],
    stores_per_bucket: int,
    files_of_level: tuple[int, int],
) -> None:
    with undone_transaction(connection) as bulk:
        said = take(bulk, taken)
        expected = of_tables(bulk)
    with (
        undone_transaction(connection) as bulk,
        patch.object(lake_poll_table, "STORES_PER_BUCKET", stores_per_bucket),
        patch.object(append_polls, "_FILES_OF_LEVEL", files_of_level),
    ):
        begin_lake(bulk, lake, MAX_GAP)
        assert take(bulk, taken) == said
        assert of_lake(bulk) == expected
