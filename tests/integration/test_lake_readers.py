"""What else reads polls: checks, loads, previews, days; from a lake as from the database."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from databases import Databases
from stored import LOADED_AT, MAX_GAP, at, at_us, execute, fetch, load, load_zones
from storemon_pipeline.checks import table_checks
from storemon_pipeline.checks.data_health import read_source_health_of
from storemon_pipeline.checks.table_checks import (
    StatusRunComparison,
    compare_all_status_runs,
    compare_status_runs,
    count_lost_polls,
    count_unaccounted_polls,
)
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.events.contradicting_polls import read_contradicting_polls
from storemon_pipeline.figures.fit_status_model import fit_first_status_model
from storemon_pipeline.figures.rebuild_day import DayNotRebuiltError, rebuild_day
from storemon_pipeline.figures.refresh_daily import (
    DaysComparison,
    compare_all_days,
    compare_daily,
    refresh_daily,
)
from storemon_pipeline.figures.status_models import read_model_state
from storemon_pipeline.fleet_days.daily_sums import read_days_as_of
from storemon_pipeline.lake.follow_database import import_database
from storemon_pipeline.lake_files.data_files import make_bucket, read_polls, write_polls
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Kind, Manifest, commit, read_contents
from storemon_pipeline.polls.lake_of_polls import set_lake_of_polls
from storemon_pipeline.polls.loads_of_polls import loads_in_lake, newest_loads_in_lake
from storemon_pipeline.polls.poll_previews import read_poll_preview
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks
from storemon_pipeline.stores.store_index import read_stores


@pytest.fixture
def url(database_url: str) -> str:
    """A database with six loads of polls.

    1: an hourly poll of A and B for 200 hours, 2: polls of C, which stops early, 3: a correction,
    4: a late poll, 5: one again, 6: the newest one of B.
    """
    load(
        database_url,
        *(f"A {hour}:00 {'down' if hour in {20, 21, 90} else 'up'}" for hour in range(200)),
        *(f"B {hour}:30 up" for hour in range(199)),
    )
    load(database_url, "C 1:15 up", "C 2:15 down", file_path="c.csv")
    load(database_url, "A 21:00 up", "A 150:00 up", file_path="correction.csv")
    load(database_url, "B 100:10 down", file_path="late.csv")
    load(database_url, "A 3:00 up", file_path="again.csv")
    load(database_url, "B 199:30 down", file_path="newest.csv")
    load_zones(database_url, "A,UTC,always", "B,UTC,always")
    refresh_weeks(database_url)
    execute(
        database_url,
        f"""
        INSERT INTO store_events (store_key, source, from_at, to_at, is_up, reason, load_id)
        SELECT store_key, 'till', '{at("19:00")}'::timestamptz, '{at("90:00")}'::timestamptz,
               store_id = 'A', 'test', 1
        FROM stores WHERE store_id IN ('A', 'B')
        """,
        f"""
        INSERT INTO store_events (store_key, source, from_at, to_at, is_up, reason, load_id)
        SELECT store_key, 'till', '{at("100:10")}'::timestamptz, NULL, true, 'test', 1
        FROM stores WHERE store_id = 'B'
        """,
    )
    fit_first_status_model(database_url, fitted_at=LOADED_AT)
    refresh_daily(database_url)
    return database_url


@pytest.fixture
def manifest(url: str, lake: LakeFolder) -> Manifest:
    return import_database(url, lake, stores_per_bucket=2).manifest


@pytest.fixture
def moved_url(
    databases: Databases, url: str, lake: LakeFolder, manifest: Manifest
) -> Iterator[str]:
    """A copy of the database, of which the lake has the polls."""
    with databases.copied(url) as moved:
        point_to(moved, lake, manifest)
        yield moved


def point_to(url: str, lake: LakeFolder, manifest: Manifest) -> None:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        bulk.execute("TRUNCATE store_status, status_runs, store_uptime_daily")
        set_lake_of_polls(bulk, lake, manifest.version)


def test_polls_that_contradict_events_are_found(url: str, moved_url: str) -> None:
    found = []
    for one in (url, moved_url):
        with bulk_transaction(one) as bulk:
            stores = read_stores(bulk)
            polls = read_contradicting_polls(bulk, stores, since=at("20:00"), until=at("199:30"))
        names = stores.store_ids.take(polls.store).to_pylist()
        found.append(
            list(zip(names, polls.polled_at_us.tolist(), polls.is_active.tolist(), strict=True))
        )
    assert found[1] == found[0]
    # The newest poll of B, the late one, 70 that the till said down, and one of A.
    assert [found[1][0], found[1][1]] == [
        ("B", at_us("199:30"), False),
        ("B", at_us("100:10"), False),
    ]
    assert len(found[1]) == 2 + 70 + 1
    assert ("A", at_us("20:00"), False) in found[1]


def test_stores_that_the_model_does_not_know_are_counted(url: str, moved_url: str) -> None:
    states = []
    for one in (url, moved_url):
        with bulk_transaction(one) as bulk:
            states.append(read_model_state(bulk))
    assert states[0] is not None
    assert states[1] == states[0]


def test_previews_show_the_newest_status_runs(moved_url: str) -> None:
    with bulk_transaction(moved_url) as bulk:
        assert read_poll_preview(bulk, "store_status").to_pylist() == [
            {"store_id": "B", "polled_at": at("199:30"), "is_active": False},
            {"store_id": "A", "polled_at": at("199:00"), "is_active": True},
            {"store_id": "C", "polled_at": at("2:15"), "is_active": False},
        ]
        newest = read_poll_preview(bulk, "status_runs").to_pylist()[1]
    assert newest == {
        "store_id": "A",
        "first_poll_at": at("91:00"),
        "last_poll_at": at("199:00"),
        "is_active": True,
        "polls": 109,
    }


def test_loads_of_polls_are_those_that_wrote_them_last(url: str, moved_url: str) -> None:
    engine, own = (
        create_engine(one, application_name="t", pool_size=1) for one in (moved_url, url)
    )
    with engine.connect() as connection, own.connect() as of_database:
        period = {"start_us": at_us("20:00"), "end_us": at_us("22:00")}
        assert loads_in_lake(connection, {"A", "B", "none"}, **period) == [1, 3]
        assert loads_in_lake(connection, {"C"}, **period) == []
        assert loads_in_lake(of_database, {"A"}, **period) == []
        assert newest_loads_in_lake(connection, {"A", "B", "C"}) == [1, 2, 6]
        assert newest_loads_in_lake(connection, {"A"}) == [1]
        assert newest_loads_in_lake(connection, set()) == []
        for stores in ({"A"}, {"B"}, {"C"}, {"A", "C"}):
            assert read_source_health_of(connection, stores) == read_source_health_of(
                of_database, stores
            )
    engine.dispose()
    own.dispose()


def test_checks_find_nothing_in_a_lake_as_it_should_be(url: str, moved_url: str) -> None:
    found: list[list[Any]] = []
    for one in (url, moved_url):
        with bulk_transaction(one) as bulk:
            found.append(
                [
                    count_unaccounted_polls(bulk),
                    [count_lost_polls(bulk, loads) for loads in ([1], [2, 3], [4], [5], [6], [])],
                    compare_all_status_runs(bulk, max_gap_us=MAX_GAP),
                    compare_status_runs(bulk, since=at("95:00"), max_gap_us=MAX_GAP),
                ]
            )
    assert found[1] == found[0]
    # A: up, down, up, down, up; B: up, down, up, down; C: up, down.
    assert found[1] == [
        0,
        [0, 0, 0, 0, 0, 0],
        StatusRunComparison(11, 0),
        StatusRunComparison(5, 0),
    ]


@pytest.mark.parametrize("stores_and_weeks", [0, 1, 2])
def test_checks_read_long_periods_in_chunks_of_few_stores(
    moved_url: str, monkeypatch: pytest.MonkeyPatch, stores_and_weeks: int
) -> None:
    monkeypatch.setattr(table_checks, "_STORES_AND_WEEKS", stores_and_weeks)
    with bulk_transaction(moved_url) as bulk:
        compared = compare_status_runs(bulk, since=at("0:00"), max_gap_us=MAX_GAP)
        assert compared == StatusRunComparison(11, 0)
        assert count_lost_polls(bulk, [1, 2, 3, 4, 5, 6]) == 0


def test_the_nightly_check_of_a_lake_compares_thirty_days(moved_url: str) -> None:
    load(moved_url, "A 1000:00 up", file_path="much later.csv")
    with bulk_transaction(moved_url) as bulk:
        # Thirty days before that is hour 280, when all others had ended.
        assert compare_all_status_runs(bulk, max_gap_us=MAX_GAP) == StatusRunComparison(1, 0)


def test_checks_find_a_poll_that_the_lake_has_lost(
    moved_url: str, lake: LakeFolder, manifest: Manifest
) -> None:
    bucket = manifest.buckets[0]
    files = read_contents(lake, bucket)
    old = [file for file in files if file.kind is Kind.POLLS]
    polls = read_polls(lake, old).in_order()
    left = polls.take(polls.at_us != at_us("20:00"))
    assert len(left) == len(polls) - 1
    poorer = [*(file for file in files if file.kind is not Kind.POLLS), write_polls(lake, left)]
    made = make_bucket(lake, "", poorer, newest_poll_us=bucket.newest_poll_us)
    changed = commit(lake, replace(manifest, buckets=(made, *manifest.buckets[1:])))
    point_to(moved_url, lake, changed)
    with bulk_transaction(moved_url) as bulk:
        assert count_unaccounted_polls(bulk) == 1
        assert count_lost_polls(bulk, [1]) == 1
        assert count_lost_polls(bulk, [2]) == 0
        assert compare_all_status_runs(bulk, max_gap_us=MAX_GAP).different > 0


def test_no_days_are_stored_and_they_reach_to_the_newest_poll(moved_url: str) -> None:
    load(moved_url, "A 230:00 up", file_path="later.csv")
    refreshed = refresh_daily(moved_url)
    assert (refreshed.as_of, refreshed.days_written) == (at("230:00"), 0)
    assert fetch(moved_url, "SELECT count(*)::int AS days FROM store_uptime_daily") == [{"days": 0}]
    engine = create_engine(moved_url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        assert read_days_as_of(connection) == at("230:00")
    engine.dispose()
    assert compare_daily(moved_url, seed=1) == DaysComparison(0, 0)
    assert compare_all_days(moved_url) == DaysComparison(0, 0)
    with pytest.raises(DayNotRebuiltError, match="computed when they are asked for"):
        rebuild_day(moved_url, at("24:00").date())
