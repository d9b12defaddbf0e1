"""The sensor over the data folder, evaluated on a real instance and database."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dagster as dg
import pytest

from storemon_pipeline.contract import REFRESH_JOB
from storemon_pipeline.definitions import defs
from storemon_pipeline.defs import sensors
from storemon_pipeline.defs.resources import Database, DataFolder
from storemon_pipeline.defs.sensors import new_files
from storemon_pipeline.figures import data_version

HEADER: Final = "store_id,timestamp_utc,status\n"
FILES: Final = {
    "store_status.csv": HEADER + "A,2023-01-23 09:00:00 UTC,active\n",
    "business_hours.csv": "store_id,day,start_time_local,end_time_local\nA,0,09:00,17:00\n",
    "timezones.csv": "store_id,timezone_str\nA,America/Chicago\n",
}
LONG_AGO: Final = time.time() - 7_200


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        write(tmp_path / name, text)
    return tmp_path


class Watch:
    """A sensor whose cursor is kept from one look to the next, as the daemon does."""

    def __init__(self, instance: dg.DagsterInstance, url: str, data: Path) -> None:
        self._instance = instance
        self._resources = {"database": Database(url=url), "data": DataFolder(path=str(data))}
        self._cursor: str | None = None
        self.keys: list[str] = []

    def looks(self) -> str:
        """Evaluate the sensor; give `starts`, or why it does not start a run."""
        context = dg.build_sensor_context(
            instance=self._instance, cursor=self._cursor, resources=self._resources
        )
        result = new_files.evaluate_tick(context)
        if result.cursor is not None:
            self._cursor = result.cursor
        for request in result.run_requests or ():
            assert request.run_key is not None
            self.keys.append(request.run_key)
        return "starts" if result.run_requests else str(result.skip_message)

    def refreshes(self) -> bool:
        """Run the refresh, as the daemon would; tell whether it succeeded."""
        job = defs.resolve_job_def(REFRESH_JOB)
        run = job.execute_in_process(
            instance=self._instance, resources=self._resources, raise_on_error=False
        )
        return run.success


@pytest.fixture
def watch(instance: dg.DagsterInstance, database_url: str, data: Path) -> Watch:
    watch = Watch(instance, database_url, data)
    assert watch.looks() == "watching from now on"
    return watch


def write(path: Path, text: str, *, at: float = LONG_AGO) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def test_unread_files_start_a_refresh_once(watch: Watch) -> None:
    assert watch.looks() == "starts"
    assert watch.looks() == "no file has changed"
    assert watch.refreshes()
    assert watch.looks() == "no file has changed"


def test_files_that_another_refresh_has_read_start_none(watch: Watch) -> None:
    assert watch.refreshes()
    assert watch.looks() == "every file has been read"
    assert watch.looks() == "no file has changed"


def test_a_refresh_with_nothing_new_succeeds(watch: Watch) -> None:
    assert watch.refreshes()
    assert watch.refreshes()


def test_a_new_part_file_starts_a_refresh(watch: Watch, data: Path) -> None:
    assert watch.refreshes()
    watch.looks()
    write(data / "store_status" / "10.csv", HEADER + "A,2023-01-23 10:00:00 UTC,active\n")
    assert watch.looks() == "starts"
    assert watch.refreshes()
    assert watch.looks() == "no file has changed"


def test_content_that_returns_starts_a_refresh_again(watch: Watch, data: Path) -> None:
    path, first = data / "store_status.csv", FILES["store_status.csv"]
    watch.refreshes()
    watch.looks()
    for text in (first.replace("active", "inactive"), first) * 2:
        write(path, text)
        assert watch.looks() == "starts"
        assert watch.refreshes()
    assert len(set(watch.keys)) == 4


def test_a_vanished_file_starts_none(watch: Watch, data: Path) -> None:
    watch.refreshes()
    watch.looks()
    (data / "store_status.csv").unlink()
    assert watch.looks() == "every file has been read"


def test_other_rules_of_zones_start_a_refresh_that_makes_all_figures_again(
    watch: Watch, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch.refreshes()
    watch.looks()
    for module in (sensors, data_version):
        monkeypatch.setattr(module, "RULES_RELEASE", "2099a")
    assert watch.looks() == "starts"
    assert watch.refreshes()
    assert watch.looks() == "no file has changed"
    for name in ("store_uptime", "store_uptime_daily"):
        event = instance.get_latest_materialization_event(dg.AssetKey(name))
        assert event is not None
        assert event.asset_materialization is not None
        made_of = event.asset_materialization.metadata["load_version"]
        assert str(made_of.value).endswith("/2099a")


def test_nothing_is_started_while_a_refresh_is_under_way(
    watch: Watch,
    instance: dg.DagsterInstance,
    database_url: str,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STOREMON_DATABASE_URL", database_url)
    monkeypatch.setenv("STOREMON_DATA", str(data))
    job = defs.resolve_job_def(REFRESH_JOB)
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert watch.looks() == "a refresh is running"
    instance.delete_run(run.run_id)
    assert watch.looks() == "starts"


def test_a_last_line_without_an_end_is_fetched_once_the_file_is_left_alone(
    watch: Watch, data: Path
) -> None:
    assert watch.refreshes()
    watch.looks()
    path = data / "store_status" / "10.csv"
    text = HEADER + "A,2023-01-23 10:00:00 UTC,active"
    write(path, text, at=time.time())
    assert watch.looks() == "starts"
    assert watch.refreshes()
    assert watch.looks() == "no file has changed"
    os.utime(path, (LONG_AGO, LONG_AGO))  # as if a minute had passed
    assert watch.looks() == "starts"
    assert watch.refreshes()
    assert watch.looks() == "no file has changed"


def test_the_sensor_runs_without_being_switched_on_and_looks_often_enough() -> None:
    sensor = defs.resolve_sensor_def("new_files")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds is not None
    assert sensor.minimum_interval_seconds <= 20
