"""The lake when its disk is full, and when two do the same work at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Final

import pytest
import sqlalchemy as sa

from asked_reports import csv_of, read, request
from mounts import fill_up, mounted
from stored import load
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.lake.follow_database import refresh_lake
from storemon_pipeline.lake.make_lake_reports import make_lake_reports
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import kept_versions, read_manifest
from storemon_pipeline.reports.make_reports import ReportsMade, make_waiting_reports
from storemon_pipeline.reports.requests import ReportState

NOW: Final = datetime(2023, 2, 1, 12, tzinfo=UTC)
STORES: Final = 6
_PAGE: Final = 4096


@pytest.fixture
def url(database_url: str) -> str:
    load_hour(database_url, 100)
    load_hour(database_url, 101)
    return database_url


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = create_engine(url, application_name="test", pool_size=4)
    yield engine
    engine.dispose()


def load_hour(url: str, hour: int) -> None:
    load(
        url,
        *(
            f"{store} {hour}:{store:02} {'down' if (hour + store) % 3 else 'up'}"
            for store in range(STORES)
        ),
    )


def from_database(engine: sa.Engine, url: str) -> str:
    report_id = request(engine)
    make_waiting_reports(url, run_id="database", is_manual=False)
    return csv_of(engine, report_id)


def make(url: str, lake: LakeFolder, run_id: str) -> ReportsMade:
    return make_lake_reports(url, lake, run_id=run_id, is_manual=False, now=NOW)


@pytest.mark.parametrize("pages", [0, 3])
def test_a_full_disk_leaves_the_version_before(
    engine: sa.Engine, url: str, tmp_path: Path, pages: int
) -> None:
    with mounted(tmp_path / "disk", mebibytes=4) as disk:
        lake = LakeFolder(str(disk))
        first = refresh_lake(url, lake, stores_per_bucket=2)
        load_hour(url, 102)
        expected = from_database(engine, url)
        report_id = request(engine)
        filler = fill_up(disk, leaving_bytes=1 + pages * _PAGE)
        with pytest.raises(UnreachableError, match="No space left"):
            make(url, lake, "full")
        assert read(engine, report_id).state is ReportState.WAITING
        assert kept_versions(lake) == [first.version]
        assert read_manifest(lake) == first
        filler.unlink()
        make(url, lake, "with room")
        assert csv_of(engine, report_id) == expected
        assert read_manifest(lake).polls == 3 * STORES


def test_of_two_runs_at_once_one_completes_each_report(
    engine: sa.Engine, url: str, tmp_path: Path
) -> None:
    lake = LakeFolder(str(tmp_path / "lake"))
    refresh_lake(url, lake, stores_per_bucket=2)
    load_hour(url, 102)
    expected = from_database(engine, url)
    report_ids = [request(engine) for _ in range(3)]
    together = Barrier(2)

    def run(run_id: str) -> ReportsMade:
        together.wait()
        return make(url, LakeFolder(str(lake)), run_id)

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(run, ("one", "other")))
    assert [csv_of(engine, report_id) for report_id in report_ids] == [expected] * 3
    assert sum(one.reports for run in made for one in run.made) == 3
    # Both brought the lake up to the database, and one of them found it done.
    assert kept_versions(lake) == [1, 2]
    assert read_manifest(lake).polls == 3 * STORES
    assert lake.names("report_plans") == lake.names("report_rows") == []


def test_two_first_copies_of_a_database_make_one_lake(url: str, tmp_path: Path) -> None:
    together = Barrier(2)

    def copy(_: int) -> int:
        together.wait()
        return refresh_lake(url, LakeFolder(str(tmp_path)), stores_per_bucket=2).version

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(copy, range(2))) == [1, 1]
    assert read_manifest(LakeFolder(str(tmp_path))).polls == 2 * STORES
