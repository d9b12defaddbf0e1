"""Status runs and polls that are read from a lake are those of the database it was copied from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from upath import UPath

from databases import Databases
from properties import seeds
from stored import (
    HOUR,
    LOADED_AT,
    MAX_GAP,
    MIDNIGHT,
    Row,
    at,
    at_us,
    execute,
    fetch,
    load_hours,
    load_rows,
    load_zones,
)
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.figures.fit_status_model import fit_first_status_model
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.fleet_days.daily_sums import FleetPeriod, Split, read_fleet_periods
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.lake.follow_database import import_database, refresh_lake
from storemon_pipeline.lake_files import cached_files, data_files
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Kind, Manifest
from storemon_pipeline.polls import status_run_queries as queries
from storemon_pipeline.polls.lake_of_polls import set_lake_of_polls
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks
from storemon_pipeline.stores.store_index import StoreIndex, read_store, read_stores
from storemon_pipeline.stores.store_keys import store_keys
from storemon_pipeline.uptime.status_runs import StatusRuns

HOURS: Final = 40 * 24
STORES: Final = 23
"""The first three are never polled."""

ROWS_PER_GROUP: Final = 7
STORES_PER_BUCKET: Final = 9


@dataclass(frozen=True, slots=True)
class Copied:
    """A database, and a lake with the same polls."""

    url: str
    lake: LakeFolder
    manifest: Manifest


def polls_of(random: np.random.Generator, number: int, first: int, end: int) -> list[Row]:
    """Polls of a store in hours `[first, end)`: some pauses, some changes, some equal instants."""
    hours = np.arange(first, end)
    rate = random.choice([1, 1, 0.3, 0.01])
    hours = hours[random.random(len(hours)) < rate]
    pause = random.integers(first, max(end, first + 1), 2)
    hours = hours[(hours < pause.min()) | (hours >= pause.max())]
    is_active = np.cumsum(random.random(len(hours)) < random.choice([0, 0.05, 0.5])) % 2 == 0
    if number % 5 == 0:
        is_active[:] = False
    return [
        (f"store {number:02}", at_us("0:00") + hour * HOUR + number, up)
        for hour, up in zip(hours.tolist(), is_active.tolist(), strict=True)
    ]


def describe(url: str, random: np.random.Generator) -> None:
    """Give stores that are never polled, and zones, hours, groups and regions of most stores."""
    names = [f"store {number:02}" for number in range(STORES)]
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        store_keys(bulk, names[:3])
    zones = ["Asia/Kathmandu", "America/New_York", "Pacific/Auckland"]
    load_zones(url, *(f"{name},{random.choice(zones)},always" for name in names[:-4]))
    load_hours(
        url, *(f"{name},{day},09:00,17:00,always" for name in names[::3] for day in range(6))
    )
    for name in names[1:]:
        group, region = (random.choice(texts) for texts in (["A", "é", "b"], ["North", "South"]))
        execute(
            url,
            f"""
            INSERT INTO store_details (store_key, name, group_name, region, load_id)
            SELECT store_key, 'name', '{group}', '{region}', 1 FROM stores
            WHERE store_id = '{name}'
            """,
        )


def fill(url: str, lake: LakeFolder, random: np.random.Generator) -> Manifest:
    """Load polls in several loads, some of them late, each of which the lake follows."""
    edges = [0, *sorted(random.integers(1, HOURS, 30).tolist()), HOURS]
    begins = {
        number: int(random.choice([0, 0, *random.integers(0, HOURS, 3)]))
        for number in random.permutation(np.arange(3, STORES)).tolist()
    }
    manifest: Manifest | None = None
    for first, end in pairwise(edges):
        rows = [
            row
            for number, begin in begins.items()
            if begin < end
            for row in polls_of(random, number, max(first, begin), end)
        ]
        if random.random() < 0.1:
            rows += polls_of(random, 7, 0, end)
        if not rows:
            continue
        with bulk_transaction(url, is_writing_polls=True) as bulk:
            load_rows(bulk, rows, file_path=f"{end}.csv", max_gap_us=MAX_GAP)
        if manifest is None:
            manifest = import_database(url, lake, stores_per_bucket=STORES_PER_BUCKET).manifest
        manifest = refresh_lake(url, lake, stores_per_bucket=STORES_PER_BUCKET)
    assert manifest is not None
    return manifest


@pytest.fixture(scope="module", params=seeds(2, 12))
def copied(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copied]:
    # Of an object store many files are read at once.
    is_local = request.param % 2 == 0
    name = f"lake-{request.param}"
    lake = LakeFolder(str(tmp_path_factory.mktemp(name)) if is_local else f"memory://{name}")
    with databases.taken() as url, pytest.MonkeyPatch.context() as patch:
        for kind in (Kind.POLLS, Kind.STATUS_RUNS, Kind.LAST_STATUS_RUNS):
            patch.setitem(data_files.ROWS_PER_GROUP, kind, ROWS_PER_GROUP)
        # Files are read whole, and in parts.
        patch.setattr(cached_files, "_READ_WHOLE_BYTES", 2_000)
        random = np.random.default_rng(request.param)
        describe(url, random)
        fill(url, lake, random)
        refresh_weeks(url)
        fit_first_status_model(url, fitted_at=LOADED_AT)
        refresh_daily(url)
        manifest = refresh_lake(url, lake, stores_per_bucket=STORES_PER_BUCKET)
        yield Copied(url, lake, manifest)
        if not is_local:
            UPath(str(lake)).fs.rm(f"/{name}", recursive=True)


Question = Callable[[Bulk, StoreIndex, datetime, datetime], Any]

QUESTIONS: Final[dict[str, Question]] = {
    "since": lambda bulk, stores, since, until: queries.read_status_runs_since(
        bulk, stores, since=since, until=until
    ),
    "open incidents": lambda bulk, stores, _since, _until: (
        queries.read_status_runs_of_open_incidents(bulk, stores)
    ),
    "incidents since": lambda bulk, stores, since, until: (
        queries.read_status_runs_of_incidents_since(bulk, stores, since=since, until=until)
    ),
    "first poll": lambda bulk, _stores, _since, _until: queries.read_first_poll(bulk),
    "first polls": lambda bulk, stores, _since, _until: queries.read_first_polls(bulk, stores),
    "newest poll": lambda bulk, stores, _since, _until: queries.read_newest_poll_of(bulk, stores),
    "look-back": lambda bulk, stores, _since, until: queries.read_status_runs(
        bulk, stores, as_of=until
    ),
    "long look-back": lambda bulk, stores, since, until: queries.read_status_runs(
        bulk, stores, as_of=until, look_back=abs(until - since)
    ),
    "of a store": lambda bulk, stores, _since, _until: [
        plain(queries.read_status_runs_of_store(bulk, stores.take(np.array([position]))))
        for position in range(len(stores))
    ],
    "raw polls": lambda bulk, stores, since, until: (
        queries.read_raw_polls(bulk, stores, start=since, end=until) if len(stores) else None
    ),
}


def plain(answer: Any) -> Any:  # noqa: ANN401 - whatever a question gives
    if isinstance(answer, np.ndarray):
        return answer.tolist()
    if isinstance(answer, StatusRuns | queries.RawPolls):
        return {
            field.name: plain(getattr(answer, field.name))
            for field in fields(answer)
            if field.name != "shares"
        }
    return answer


def fleets(bulk: Bulk, random: np.random.Generator) -> Iterator[StoreIndex]:
    """All stores, some, adjacent ones, one, and none."""
    stores = read_stores(bulk)
    yield stores
    yield from stores.chunks(4)
    yield stores.take(np.sort(random.choice(len(stores), 6, replace=False)))
    for number in (0, 4, STORES - 1):
        store = read_store(bulk, f"store {number:02}")
        assert store is not None
        yield store
    yield stores.take(np.empty(0, np.int64))


def periods(random: np.random.Generator) -> Iterator[tuple[datetime, datetime]]:
    yield MIDNIGHT - timedelta(days=400), at(f"{HOURS}:00")
    yield at(f"{HOURS}:00"), at("0:00")
    for _ in range(6):
        hours = random.integers(-30, HOURS + 30, 2).tolist()
        yield at(f"{min(hours)}:00"), at(f"{max(hours)}:00:00.000004")
    instant = at(f"{int(random.integers(0, HOURS))}:00:00.000005")
    yield instant, instant


def answers(bulk: Bulk, question: Question, random: np.random.Generator) -> list[Any]:
    return [
        plain(question(bulk, stores, *period))
        for stores in fleets(bulk, random)
        for period in periods(random)
    ]


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_the_lake_gives_what_the_database_gives(copied: Copied, question: Question) -> None:
    with bulk_transaction(copied.url) as bulk:
        of_database = answers(bulk, question, np.random.default_rng(5))
    with bulk_transaction(copied.url, is_kept=False) as bulk:
        # Nothing may be read from the tables, or told twice.
        bulk.execute("TRUNCATE store_status, status_runs, superseded_polls")
        set_lake_of_polls(bulk, copied.lake, copied.manifest.version)
        of_lake = answers(bulk, question, np.random.default_rng(5))
    assert of_lake == of_database


def test_the_copy_has_what_is_hard_to_read(copied: Copied) -> None:
    files = [
        file
        for bucket in copied.manifest.buckets
        for file in cached_files.data_files_of(copied.lake, bucket)
    ]
    assert len(copied.manifest.buckets) == 3
    assert {file.level for file in files if file.kind is Kind.STATUS_RUNS} >= {0, 2}
    assert max(file.rows for file in files if file.kind is Kind.STATUS_RUNS) > 3 * ROWS_PER_GROUP


def test_what_was_loaded_into_the_lake_is_read_as_from_the_database(
    copied: Copied, databases: Databases, tmp_path: Path
) -> None:
    """Later polls, late ones, corrections, new stores and an undone load."""
    lake = LakeFolder(str(tmp_path))
    said = []
    with databases.copied(copied.url) as url, databases.copied(copied.url) as moved:
        manifest = import_database(moved, lake, stores_per_bucket=STORES_PER_BUCKET).manifest
        with bulk_transaction(moved, is_writing_polls=True) as bulk:
            bulk.execute("TRUNCATE store_status, status_runs")
            set_lake_of_polls(bulk, lake, manifest.version)
        for one in (url, moved):
            random = np.random.default_rng(8)
            for number in range(5):
                rows = [
                    row
                    for store in random.integers(3, STORES, 6).tolist()
                    for row in polls_of(
                        random, store, *sorted(random.integers(0, HOURS + 90, 2).tolist())
                    )
                ]
                rows.append((f"new {number}", at_us(f"{HOURS + number}:00"), number % 2 == 0))
                with bulk_transaction(one, is_writing_polls=True) as bulk:
                    load_rows(bulk, rows, file_path=f"more {number}.csv")
            last = fetch(one, "SELECT max(load_id) AS last FROM loads")[0]["last"]
            undo_load(one, last - 2, now=LOADED_AT)
            with bulk_transaction(one) as bulk:
                said.append(
                    {
                        name: answers(bulk, question, np.random.default_rng(5))
                        for name, question in QUESTIONS.items()
                    }
                )
    assert said[0].keys() == said[1].keys()
    assert [name for name in said[0] if said[1][name] != said[0][name]] == []


CHOSEN: Final[dict[str, dict[str, Any]]] = {
    "all days": {"by": Period.DAY},
    "days of groups": {"by": Period.DAY, "split": Split.GROUP},
    "weeks of regions": {"by": Period.WEEK, "split": Split.REGION, "start": date(2023, 1, 25)},
    "months": {"by": Period.MONTH, "end": date(2023, 2, 20)},
    "months of a group": {"by": Period.MONTH, "group": "é", "split": Split.REGION},
    "days of a region": {
        "by": Period.DAY,
        "region": "South",
        "start": date(2023, 2, 3),
        "end": date(2023, 2, 5),
    },
    "one period": {"by": None, "start": date(2023, 1, 30), "end": date(2023, 2, 28)},
    "days of stores": {
        "by": Period.DAY,
        "only": frozenset({"store 01", "store 07", "store 22", "unknown"}),
        "is_by_store": True,
    },
    "before all polls": {"by": Period.DAY, "end": date(1, 1, 1)},
    "after all polls": {"by": Period.DAY, "start": date(9999, 12, 31)},
    "no store": {"by": Period.WEEK, "group": "none"},
    "up to the end of time": {"by": None, "start": date(1, 1, 1), "end": date(9999, 12, 31)},
}


def fleet_periods(url: str) -> dict[str, list[FleetPeriod]]:
    nothing: dict[str, Any] = dict.fromkeys(("split", "group", "region", "start", "end"))
    engine = create_engine(url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        found = {
            name: read_fleet_periods(connection, **nothing | chosen)
            for name, chosen in CHOSEN.items()
        }
    engine.dispose()
    return found


def without_range(period: FleetPeriod) -> FleetPeriod:
    return replace(period, likely_us=None)


def test_days_that_are_computed_are_those_that_were_stored(
    copied: Copied, databases: Databases
) -> None:
    stored = fleet_periods(copied.url)
    assert sum(row.stores for row in stored["all days"]) > 400
    assert any(row.likely_us is not None for row in stored["days of groups"])
    with databases.copied(copied.url) as url:
        with bulk_transaction(url, is_writing_polls=True) as bulk:
            bulk.execute("TRUNCATE store_status, status_runs, superseded_polls, store_uptime_daily")
            set_lake_of_polls(bulk, copied.lake, copied.manifest.version)
        computed = fleet_periods(url)
        assert fleet_periods(url) == computed
    assert {name: list(map(without_range, rows)) for name, rows in computed.items()} == {
        name: list(map(without_range, rows)) for name, rows in stored.items()
    }
    for name, rows in stored.items():
        for row, own in zip(rows, computed[name], strict=True):
            assert (own.likely_us is None) == (row.likely_us is None)
            if own.likely_us is None or row.likely_us is None:
                continue
            # How a gap is divided depends a little on what is known outside of the days asked for.
            nearly = 0.005 * (row.likely_us[1] - row.likely_us[0])
            assert np.allclose(own.likely_us, row.likely_us, rtol=0, atol=nearly)
