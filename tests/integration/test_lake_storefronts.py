"""Storefronts in a lake: figures are those of the database, whatever changes."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from asked_reports import csv_of, read, request
from chain import NOW, fill, refresh_weeks
from databases import Databases
from stored import at, fetch, load
from storemon_pipeline.channels.keep_rule import keep_channel_rule
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.lake import describe_stores
from storemon_pipeline.lake.export_polls import export_polls
from storemon_pipeline.lake.follow_database import import_database
from storemon_pipeline.lake.make_lake_reports import (
    finish_lake_reports,
    make_lake_reports,
    plan_lake_reports,
)
from storemon_pipeline.lake.make_lake_uptime import (
    finish_lake_uptime,
    make_lake_uptime,
    plan_lake_uptime,
)
from storemon_pipeline.lake.move_polls import move_polls
from storemon_pipeline.lake.report_rows import make_share
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Kind, Manifest, read_contents, read_manifest
from storemon_pipeline.polls.arrivals import lake_poll_table
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.reports.rows import read_report_table
from storemon_pipeline.retention.restore_from_lake import restore_polls

ASKED: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"as_of": at("150:00")},
    {"as_of": at("160:17"), "policy": Policy.PREVIOUS},
)
BUCKETS: Final = 3
"""Ids in a bucket. Storefronts are in other ones than their stores."""

CHANNELS: Final = (
    ("change", "uber", "zz"),
    ("change", "doordash", "0"),
    ("change", "never polled", "N"),
    ("9", "uber", "ü"),
    ("new", "uber", "b"),
    ("new", "doordash", "M"),
)


def channels(*rows: tuple[str, str, str]) -> Callable[[str], object]:
    """A load of these channels."""
    columns = ("store_id", "channel", "channel_store_id")
    named = [dict(zip(columns, row, strict=True)) for row in rows]

    def push(url: str) -> None:
        push_rows(url, Source.CHANNELS, named, now=NOW, patience=timedelta(seconds=9))

    return push


def polls(*rows: str) -> Callable[[str], object]:
    """A load of these polls."""
    return lambda url: load(url, *rows, file_path=f"{rows[0]}.csv")


def undo_newest(source: Source) -> Callable[[str], object]:
    """The undo of the newest load of a source."""

    def undo(url: str) -> None:
        rows = fetch(url, "SELECT source, load_id FROM loads WHERE undoes_load_id IS NULL")
        newest = max(int(row["load_id"]) for row in rows if row["source"] == source)
        undo_load(url, newest, now=NOW)

    return undo


def hours(url: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "business_hours.csv").write_text(
        "store_id,day,start_time_local,end_time_local,valid_from\nnew,1,08:00,20:00,always\n"
    )
    ingest_source(url, folder, Source.BUSINESS_HOURS, now=NOW, run_id=None)
    refresh_weeks(url)


def events(url: str, folder: Path) -> None:
    """A storefront was down for four hours, and a store with storefronts for one."""
    folder.mkdir(exist_ok=True)
    (folder / "store_events.csv").write_text(
        "store_id,from_utc,to_utc,state,reason,source\n"
        "zz,2023-01-29 12:00:00,2023-01-29 16:00:00,down,test,till\n"
        "change,2023-01-30 12:00:00,2023-01-30 13:00:00,down,test,till\n"
    )
    ingest_source(url, folder, Source.STORE_EVENTS, now=NOW, run_id=None)


def changes(folder: Path, other: ChannelRule) -> dict[str, Callable[[str], object]]:
    """What comes one after another."""
    return {
        "later polls": polls("zz 201:05 down", "change 201:10 up", "0 201:00 up", "B 201:00 down"),
        "late polls": polls("zz 150:30 up", "ü 149:30 down", "M 120:00 down", "M 203:00 up"),
        "changed polls": polls("zz 199:05 down", "zz 198:05 down", "0 110:00 down"),
        "events": lambda url: events(url, folder / "events"),
        "first polls of a storefront": polls("N 202:00 down", "N 160:00 down"),
        "first polls of a store's own id": polls("new 202:30 down"),
        "undo of polls": undo_newest(Source.STORE_STATUS),
        "other hours": lambda url: hours(url, folder / "hours"),
        "another store": channels(("9", "uber", "zz")),
        "polls after that": polls("zz 204:05 up", "ü 204:00 down", "late 100:00 up"),
        "a store becomes a storefront": channels(("9", "grubhub", "10"), ("zzz", "uber", "é")),
        "its polls": polls("10 204:00 down", "é 204:30 up", "zzz 204:30 down"),
        "and a store again": undo_newest(Source.CHANNELS),
        "its later polls": polls("10 205:00 up", "é 205:30 down"),
        "another rule": lambda url: keep_channel_rule(url, other, now=NOW),
        "polls of all": polls(*(f"{one} 206:00 up" for one in ("0", "M", "b", "zz", "9", "new"))),
    }


@pytest.fixture(scope="module")
def filled_url(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The ten stores of a chain; three of all have two or more storefronts."""
    with databases.taken() as url:
        fill(url, tmp_path_factory.mktemp("data"))
        load(
            url,
            *(f"zz {hour}:05 {'down' if hour % 5 == 0 else 'up'}" for hour in range(80, 200)),
            *(f"0 {hour}:00 {'down' if hour % 3 == 0 else 'up'}" for hour in range(100, 201)),
            *(f"ü {hour}:00 {'up' if hour % 4 else 'down'}" for hour in range(120, 150)),
            *(f"b {hour}:00 up" for hour in range(90, 200, 5)),
            *(f"M {hour}:00 {'down' if hour % 20 == 0 else 'up'}" for hour in range(130, 200, 5)),
        )
        channels(*CHANNELS)(url)
        yield url


@pytest.fixture
def url(databases: Databases, filled_url: str) -> Iterator[str]:
    with databases.copied(filled_url) as url:
        yield url


def reports(url: str, make: Callable[[], object]) -> list[tuple[object, ...]]:
    """Everything that reports say: counts, digest, bytes, rows with those of storefronts."""
    engine = create_engine(url, application_name="test", pool_size=1)
    report_ids = [request(engine, **question) for question in ASKED]
    make()
    said: list[tuple[object, ...]] = []
    for report_id in report_ids:
        report = read(engine, report_id)
        assert report.result_id is not None
        with engine.connect() as connection:
            rows = read_report_table(connection, report.result_id).to_pylist()
        counts = report.as_of, report.stores, report.silent_stores, report.csv_sha256
        said.append((*counts, csv_of(engine, report_id), rows))
    engine.dispose()
    return said


def of_database(url: str) -> list[tuple[object, ...]]:
    return reports(url, lambda: make_waiting_reports(url, run_id="database", is_manual=False))


def of_lake(url: str, lake: LakeFolder, run_id: str) -> list[tuple[object, ...]]:
    return reports(
        url, lambda: make_lake_reports(url, lake, run_id=run_id, is_manual=False, now=NOW)
    )


def everything(url: str) -> list[list[dict[str, Any]]]:
    """What loads leave in the database, with all ids."""
    return [
        fetch(url, "SELECT * FROM store_status ORDER BY store_key, polled_at"),
        fetch(url, "SELECT * FROM status_runs ORDER BY store_key, first_poll_at"),
        fetch(url, "SELECT * FROM superseded_polls ORDER BY store_key, polled_at, load_id"),
        fetch(url, "SELECT polled_at FROM newest_poll"),
        fetch(url, "SELECT store_key, store_id FROM stores ORDER BY store_key"),
        fetch(url, "SELECT * FROM storefronts ORDER BY storefront_key"),
    ]


def newest_of_database(url: str) -> list[dict[str, Any]]:
    refresh_uptime(url, refreshed_at=NOW)
    return fetch(url, "SELECT * FROM store_uptime ORDER BY store_key")


def newest_of_lake(url: str, lake: LakeFolder, run_id: str) -> list[dict[str, Any]]:
    run_ids = (run_id,)
    for number in range(plan_lake_uptime(url, lake, run_id=run_id, shares=2, now=NOW)):
        make_lake_uptime(lake, run_ids=run_ids, number=number)
    finish_lake_uptime(url, lake, run_ids=run_ids, refreshed_at=NOW)
    return fetch(url, "SELECT * FROM store_uptime ORDER BY store_key")


@pytest.mark.parametrize(
    "rule",
    [
        ChannelRule.SHARE,
        pytest.param(ChannelRule.ANY_UP, marks=pytest.mark.slow),
        pytest.param(ChannelRule.ALL_UP, marks=pytest.mark.slow),
    ],
)
def test_figures_from_a_lake_are_those_of_the_database_whatever_changes(
    databases: Databases, url: str, lake: LakeFolder, tmp_path: Path, rule: ChannelRule
) -> None:
    keep_channel_rule(url, rule, now=NOW)
    following = LakeFolder(str(tmp_path / "following"))
    import_database(url, following, stores_per_bucket=BUCKETS)
    others = [one for one in ChannelRule if one is not rule]
    seen = []
    with databases.copied(url) as moved:
        move_polls(moved, lake, stores_per_bucket=BUCKETS)
        assert fetch(moved, "SELECT count(*) AS polls FROM store_status") == [{"polls": 0}]
        for name, change in changes(tmp_path, others[0]).items():
            for each in (url, moved):
                change(each)
            expected = of_database(url)
            assert of_lake(url, following, f"following {name}") == expected, name
            assert of_lake(moved, lake, f"moved {name}") == expected, name
            seen.append(expected)
        figures = newest_of_database(url)
        assert newest_of_lake(url, following, "following") == figures
        assert newest_of_lake(moved, lake, "moved") == figures
        restore_polls(moved)
        assert everything(moved) == everything(url)
        assert of_lake(moved, lake, "restored") == expected
    # Nearly each of the changes changes something.
    assert sum(one != other for one, other in pairwise(seen)) > len(seen) - 4


def polls_of_id(folder: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for file in folder.iterdir():
        for store_id in pq.read_table(file)["store_id"].to_pylist():
            found[store_id] = found.get(store_id, 0) + 1
    return found


def test_exported_polls_have_the_ids_of_storefronts(
    url: str, lake: LakeFolder, tmp_path: Path
) -> None:
    move_polls(url, lake, stores_per_bucket=BUCKETS)
    load(url, "N 202:00 down")
    manifest = read_manifest(lake)
    assert export_polls(lake, manifest, tmp_path / "polls").polls == manifest.polls
    found = polls_of_id(tmp_path / "polls")
    assert {one: found[one] for one in ("zz", "0", "ü", "b", "M", "N", "change")} == {
        "zz": 120,
        "0": 101,
        "ü": 30,
        "b": 22,
        "M": 14,
        "N": 1,
        "change": 112,
    }
    assert "new" not in found


def rows_of_kind(lake: LakeFolder, manifest: Manifest, kind: Kind) -> list[int]:
    return [
        sum(file.rows for file in read_contents(lake, bucket) if file.kind is kind)
        for bucket in manifest.buckets
    ]


def test_buckets_are_of_stores_and_storefronts_and_divided_with_both(
    url: str, lake: LakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = of_database(url)
    move_polls(url, lake, stores_per_bucket=1000)
    manifest = read_manifest(lake)
    # Eleven stores and six storefronts.
    assert (manifest.stores, manifest.buckets[0].storefronts) == (11, 6)
    monkeypatch.setattr(lake_poll_table, "STORES_PER_BUCKET", 5)
    monkeypatch.setattr(describe_stores, "STORES_PER_BUCKET", 5)
    load(url, "zz 80:05 down")
    manifest = read_manifest(lake)
    # In byte order: 0 10 9 =1 B | M N a,b b change | down new silent up zz | é ü
    assert rows_of_kind(lake, manifest, Kind.STORES) == [4, 2, 4, 1]
    assert rows_of_kind(lake, manifest, Kind.STOREFRONT_IDS) == [1, 3, 1, 1]
    assert of_lake(url, lake, "divided") == expected


def test_without_storefronts_a_lake_has_no_rows_of_them(database_url: str, tmp_path: Path) -> None:
    fill(database_url, tmp_path)
    lake = LakeFolder(str(tmp_path / "lake"))
    manifest = import_database(database_url, lake).manifest
    assert rows_of_kind(lake, manifest, Kind.STOREFRONTS) == [0]
    assert rows_of_kind(lake, manifest, Kind.STOREFRONT_IDS) == [0]


def test_each_share_reads_storefronts_in_other_buckets(url: str, lake: LakeFolder) -> None:
    expected = of_database(url)
    import_database(url, lake, stores_per_bucket=2)

    def make() -> None:
        shares = plan_lake_reports(url, lake, run_id="run", is_manual=False, shares=4, now=NOW)
        assert shares == 4
        for number in (2, 0, 3):
            make_share(lake, run_ids=("run",), number=number)
        finish_lake_reports(url, lake, run_ids=("run",))

    assert reports(url, make) == expected
