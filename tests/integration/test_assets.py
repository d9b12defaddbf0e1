"""The jobs executed on the sample data and a real database: what they leave, and how they fail."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

import oracle
from stored import execute, fetch
from storemon_pipeline.contract import (
    REBUILD_DAY_JOB,
    REFRESH_JOB,
    REPORT_JOB,
    REQUESTED_TAG,
)
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.definitions import defs
from storemon_pipeline.defs.dagster_failures import map_failures
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.reports.requests import (
    Report,
    ReportState,
    read_report,
    request_report,
)
from storemon_pipeline.reports.rows import read_csv_chunk
from storemon_pipeline.sources.find_files import find_files
from storemon_pipeline.sources.registry import file_names

DATA = Path(__file__).parents[2] / "data"
AS_OF = datetime(2023, 1, 25, 18, 13, 22, 479220, tzinfo=UTC)
LONG_AGO = datetime(2023, 2, 1, tzinfo=UTC).timestamp()
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"

FIGURES = """
    store_id, uptime_last_hour_minutes, uptime_last_day_hours, uptime_last_week_hours,
    downtime_last_hour_minutes, downtime_last_day_hours, downtime_last_week_hours
"""

Metadata = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shell:
    """Dagster on a database and a data folder."""

    instance: dg.DagsterInstance
    database_url: str
    data: Path

    def check(self, key: dg.AssetCheckKey) -> dg.ExecuteInProcessResult:
        """Execute a check alone."""
        job = dg.define_asset_job("one_check", selection=dg.AssetSelection.checks(key))
        with self._environment():
            return (
                dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
                .resolve_job_def("one_check")
                .execute_in_process(instance=self.instance, raise_on_error=False)
            )

    @contextmanager
    def _environment(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("STOREMON_DATABASE_URL", self.database_url)
            environment.setenv("STOREMON_DATA", os.fspath(self.data))
            yield

    def run(
        self,
        job: str,
        tags: dict[str, str] | None = None,
        *,
        assets: Sequence[str] | None = None,
        config: dict[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Execute a job, or some of its assets, with the environment that a run's process has.

        `config` is that of the job's only op.
        """
        with self._environment():
            (op,) = [*defs.resolve_job_def(job).graph.node_dict] if config else [""]
            return defs.resolve_job_def(job).execute_in_process(
                instance=self.instance,
                raise_on_error=False,
                tags=tags,
                asset_selection=None if assets is None else [dg.AssetKey(name) for name in assets],
                run_config={"ops": {op: {"config": config}}} if config else None,
            )

    def tables(self) -> dict[str, list[str]]:
        """All rows of all tables that a refresh writes, as text."""
        return {
            table: [
                row["row"]
                for row in fetch(
                    self.database_url, f"SELECT t::text AS row FROM {table} t ORDER BY 1"
                )
            ]
            for table in (
                "stores",
                "loads",
                "rejected_rows",
                "store_status",
                "superseded_polls",
                "status_runs",
                "business_hours",
                "store_timezones",
                "business_hour_intervals",
                "store_uptime",
            )
        }


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def empty(instance: dg.DagsterInstance, database_url: str, tmp_path: Path) -> Shell:
    """An empty database, and an empty data folder."""
    return Shell(instance, database_url, tmp_path)


@pytest.fixture(scope="module")
def sample(instance: dg.DagsterInstance, module_database_url: str) -> Shell:
    """The sample, and a database for it that all tests of this module share."""
    return Shell(instance, module_database_url, DATA)


@pytest.fixture(scope="module")
def refreshed(sample: Shell) -> dg.ExecuteInProcessResult:
    """What the first refresh of the sample has told."""
    return sample.run(REFRESH_JOB)


@pytest.fixture
def copied(sample: Shell, refreshed: dg.ExecuteInProcessResult, tmp_path: Path) -> Shell:
    """The refreshed database, with a copy of the sample's files that may be changed."""
    assert refreshed.success
    data = tmp_path / "data"
    shutil.copytree(DATA, data)
    return Shell(sample.instance, sample.database_url, data)


@pytest.fixture
def fileless(
    sample: Shell, refreshed: dg.ExecuteInProcessResult, tmp_path: Path
) -> Iterator[Shell]:
    """The refreshed database without any file; reports are gone after the test."""
    assert refreshed.success
    yield Shell(sample.instance, sample.database_url, tmp_path / "nowhere")
    execute(sample.database_url, "DELETE FROM reports", "DELETE FROM report_results")


@pytest.fixture(scope="module")
def inputs() -> oracle.Inputs:
    """The sample's rows as the reference reads them."""
    return oracle.read_csvs(DATA, now=datetime.now(UTC))


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Metadata]:
    """The values of each materialization, by asset."""
    return {
        event.materialization.asset_key.to_user_string(): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in (
            event.step_materialization_data for event in result.get_asset_materialization_events()
        )
    }


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {
        evaluation.check_name: evaluation.passed
        for evaluation in result.get_asset_check_evaluations()
    }


def _json(value: Any) -> dict[str, str]:  # noqa: ANN401 - Dagster exports no type of it
    content: dict[str, str] = value.value
    return content


def failed_files(result: dg.ExecuteInProcessResult) -> dict[str, list[str]]:
    """The refused files that checks name, by source."""
    return {
        evaluation.asset_key.to_user_string(): [*_json(evaluation.metadata["refused"])]
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.check_name == "files_usable" and not evaluation.passed
    }


def failure(result: dg.ExecuteInProcessResult, step: str) -> str:
    """The words with which a step failed."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_key == step
    error = event.step_failure_data.user_failure_data
    assert error is not None
    return str(error.description)


def read(url: str, report_id: str) -> tuple[Report, str]:
    """A report, and its CSV when it is complete."""
    engine = create_engine(url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        report = read_report(connection, report_id)
        assert report is not None
        csv = b"".join(
            read_csv_chunk(connection, report.result_id or 0, chunk)
            for chunk in range(report.csv_chunks or 0)
        )
    engine.dispose()
    return report, csv.decode()


def request(url: str, number: int, *, as_of: datetime | None = None, policy: Policy) -> str:
    report_id = f"00000000-0000-4000-8000-{number:012}"
    engine = create_engine(url, application_name="test", pool_size=1)
    with engine.begin() as connection:
        request_report(connection, report_id=report_id, as_of=as_of, policy=policy)
    engine.dispose()
    return report_id


class TestSample:
    """The sample, refreshed once and reported on."""

    @pytest.fixture
    def reports(self, fileless: Shell) -> dict[str, str]:
        """The ids of reports that one run has made."""
        url = fileless.database_url
        past = datetime(2023, 1, 21, 3, 30, tzinfo=UTC)
        ids = {
            "newest": request(url, 1, policy=Policy.NEAREST),
            "previous": request(url, 2, policy=Policy.PREVIOUS),
            "past": request(url, 3, as_of=past, policy=Policy.NEAREST),
        }
        assert fileless.run(REPORT_JOB, {REQUESTED_TAG: "true"}).success
        return ids

    def test_every_row_of_the_sample_is_accounted_for(
        self, refreshed: dg.ExecuteInProcessResult
    ) -> None:
        assert refreshed.success
        row_counts = {
            source: tuple(
                values[f"rows_{name}"]
                for name in ("read", "loaded", "replaced", "unchanged", "rejected")
            )
            for source, values in metadata(refreshed).items()
            if "rows_read" in values
        }
        # The counts of data/README.md.
        assert row_counts == {
            "store_status": (8_624, 8_619, 0, 0, 5),
            "business_hours": (427, 423, 0, 0, 4),
            "store_timezones": (60, 58, 0, 0, 2),
            "closures": (3, 2, 0, 0, 1),
            "store_details": (58, 57, 0, 0, 1),
            "objectives": (0, 0, 0, 0, 0),
            "special_hours": (0, 0, 0, 0, 0),
            "demand": (0, 0, 0, 0, 0),
            "store_events": (0, 0, 0, 0, 0),
            "hourly_orders": (0, 0, 0, 0, 0),
            "channels": (0, 0, 0, 0, 0),
        }

    def test_rejected_rows_are_counted_by_reason(
        self, refreshed: dg.ExecuteInProcessResult
    ) -> None:
        rejected = {
            source: values["rejected_by_reason"]
            for source, values in metadata(refreshed).items()
            if "rejected_by_reason" in values
        }
        assert rejected == {
            "store_status": {
                "unknown status": 2,
                "timestamp cannot be read": 2,
                "no store id": 1,
            },
            "business_hours": {
                "weekday is not 0 to 6": 1,
                "time cannot be read": 1,
                "time is after 48:00": 1,
                "no store id": 1,
            },
            "store_timezones": {"unknown time zone": 1, "no store id": 1},
            "closures": {"closure does not end after its start": 1},
            "store_details": {"no store id": 1},
        }

    def test_materializations_name_their_instant(
        self, refreshed: dg.ExecuteInProcessResult
    ) -> None:
        said = metadata(refreshed)
        assert set(said) == {
            "new_data",
            "store_status",
            "status_runs",
            "business_hours",
            "store_timezones",
            "closures",
            "store_details",
            "objectives",
            "special_hours",
            "demand",
            "store_events",
            "hourly_orders",
            "channels",
            "business_hour_intervals",
            "status_model",
            "store_uptime",
            "store_uptime_daily",
        }
        assert said["store_status"]["newest_poll"] == AS_OF.timestamp()
        assert said["status_runs"]["newest_poll"] == AS_OF.timestamp()
        assert said["store_uptime"]["as_of"] == AS_OF.timestamp()
        assert said["store_uptime"]["dagster/row_count"] == 58
        assert said["store_uptime"]["silent_stores"] == 2
        assert said["business_hour_intervals"]["stores_rebuilt"] == 60
        assert said["business_hour_intervals"]["stores_without_hours"] == 5
        # The first refresh fits the first version of the model.
        assert said["status_model"] == {
            "dagster/row_count": 58,
            "version": 1,
            "doubted_stores": said["status_model"]["doubted_stores"],
            "as_of": AS_OF.timestamp(),
        }
        tables = set(said) - {"new_data", "status_model"}
        previewed = {name: len(said[name]["preview"].records) for name in tables}
        others = {
            "closures": 2,
            "objectives": 0,
            "special_hours": 0,
            "demand": 0,
            "store_events": 0,
            "hourly_orders": 0,
            "channels": 0,
        }
        assert previewed == {name: others.get(name, 5) for name in tables}

    def test_checks_pass_and_warn_of_rejected_rows(
        self, refreshed: dg.ExecuteInProcessResult
    ) -> None:
        assert checks(refreshed) == {
            "files_usable": True,
            "no_poll_lost": True,
            "runs_match_polls": True,
            "hours_readable": False,
            "zones_known": False,
            "closures_readable": False,
            "details_readable": False,
            "objectives_readable": True,
            "special_hours_readable": True,
            "demand_readable": True,
            "events_readable": True,
            "orders_readable": True,
            "channels_readable": True,
            "intervals_merged": True,
            "uptime_adds_up": True,
            "days_match_runs": True,
        }
        warnings = {
            evaluation.check_name: str(evaluation.metadata["rows"].value)
            for evaluation in refreshed.get_asset_check_evaluations()
            if not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.WARN
        }
        assert set(warnings) == {
            *("hours_readable", "zones_known", "closures_readable", "details_readable"),
        }
        assert "America/Springfield" in warnings["zones_known"]
        assert "48:30:00" in warnings["hours_readable"]

    @pytest.mark.usefixtures("refreshed")
    def test_the_newest_figures_equal_the_reference(
        self, sample: Shell, inputs: oracle.Inputs
    ) -> None:
        report = oracle.make_report(inputs, as_of=AS_OF)
        rows = fetch(
            sample.database_url,
            f"SELECT {FIGURES} FROM store_uptime JOIN stores USING (store_key) ORDER BY store_id",
        )
        assert {row.pop("store_id"): tuple(row.values()) for row in rows} == {
            store_id: tuple(f"{figure:f}" for figure in row.figures)
            for store_id, row in report.rows.items()
        }
        assert len(rows) == 58

    @pytest.mark.usefixtures("refreshed")
    def test_bounds_and_observed_time_equal_the_reference(
        self, sample: Shell, inputs: oracle.Inputs
    ) -> None:
        amounts = ("business", "uptime", "downtime", "lowest_uptime", "highest_uptime", "observed")
        columns = ", ".join(
            f"{amount}_last_{window}_us" for amount in amounts for window in ("hour", "day", "week")
        )
        rows = fetch(
            sample.database_url,
            f"SELECT store_id, {columns} FROM store_uptime JOIN stores USING (store_key)",
        )
        assert {row.pop("store_id"): tuple(row.values()) for row in rows} == {
            store_id: (
                *row.business_us,
                *row.uptime_us,
                *row.downtime_us,
                *row.lowest_uptime_us,
                *row.highest_uptime_us,
                *row.observed_us,
            )
            for store_id, row in oracle.make_report(inputs, as_of=AS_OF).rows.items()
        }

    def test_each_csv_is_that_of_the_reference_to_the_byte(
        self, sample: Shell, reports: dict[str, str], inputs: oracle.Inputs
    ) -> None:
        asked = {
            "newest": (AS_OF, Policy.NEAREST),
            "previous": (AS_OF, Policy.PREVIOUS),
            "past": (datetime(2023, 1, 21, 3, 30, tzinfo=UTC), Policy.NEAREST),
        }
        for name, (as_of, policy) in asked.items():
            report, csv = read(sample.database_url, reports[name])
            expected = oracle.make_report(inputs, as_of=as_of, policy=policy.value)
            assert csv == oracle.report_csv(expected)
            assert (report.as_of, report.stores) == (as_of, len(expected.rows))
            assert report.silent_stores == expected.silent_stores

    @pytest.mark.usefixtures("refreshed")
    def test_a_second_refresh_finds_nothing_new_and_materializes_nothing(
        self, sample: Shell
    ) -> None:
        before = sample.tables()
        looked_at = "SELECT source, looked_at FROM source_looks ORDER BY source"
        looks = fetch(sample.database_url, looked_at)
        result = sample.run(REFRESH_JOB)
        assert result.success
        assert metadata(result) == {}
        assert checks(result) == {}
        # The time of the refresh is all that changes.
        assert sample.tables() == before
        assert [look["looked_at"] for look in fetch(sample.database_url, looked_at)] > [
            look["looked_at"] for look in looks
        ]

    @pytest.mark.usefixtures("refreshed")
    def test_figures_that_were_not_made_of_the_newest_load_are_made_again(
        self, sample: Shell
    ) -> None:
        execute(
            sample.database_url,
            "INSERT INTO loads (load_id, source, file_path, loaded_at, rows_read, rows_loaded,"
            " rows_replaced, rows_unchanged, rows_rejected)"
            " OVERRIDING SYSTEM VALUE VALUES (1000000, 'store_status', NULL, now(), 0, 0, 0, 0, 0)",
        )
        said = metadata(sample.run(REFRESH_JOB))
        execute(sample.database_url, "DELETE FROM loads WHERE load_id = 1000000")
        sources = ("store_status", "business_hours", "store_timezones")
        assert [said[source]["is_read"] for source in sources] == [False] * 3
        assert [said[source]["rows_read"] for source in sources] == [0] * 3
        assert said["business_hour_intervals"]["stores_rebuilt"] == 0
        assert said["store_uptime"]["load_version"].split("/")[1] == "1000000"

    @pytest.mark.usefixtures("refreshed")
    def test_a_check_that_only_reads_the_database_is_executed_alone(self, sample: Shell) -> None:
        key = dg.AssetCheckKey(dg.AssetKey("store_timezones"), "zones_known")
        result = sample.check(key)
        assert checks(result) == {"zones_known": False}
        assert metadata(result) == {}


def test_files_that_were_touched_change_nothing(copied: Shell) -> None:
    before = copied.tables()
    for path in copied.data.glob("*.csv"):
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    assert copied.run(REFRESH_JOB).success
    assert copied.tables() == before


def test_without_any_file_the_error_names_what_was_looked_for(empty: Shell) -> None:
    result = empty.run(REFRESH_JOB)
    assert not result.success
    failures = {
        event.step_key: event.step_failure_data.user_failure_data
        for event in result.all_events
        if event.is_step_failure
    }
    # Hours wait for zones, whose error comes first.
    assert set(failures) == {"polls_and_runs", "store_timezones"}
    words = {step: data.description or "" for step, data in failures.items() if data is not None}
    assert "store_status.csv" in words["polls_and_runs"]
    assert "timezones.csv" in words["store_timezones"]
    assert "store_timezones.csv" in words["store_timezones"]
    assert all(str(empty.data) in description for description in words.values())
    assert all(rows == [] for rows in empty.tables().values())


@pytest.mark.parametrize(
    ("source", "file_name", "content"),
    [
        (Source.STORE_STATUS, "store_status.csv", None),
        (Source.STORE_STATUS, "store_status.csv", b"store_id,status\nA,active\n"),
        (Source.BUSINESS_HOURS, "business_hours.csv", None),
        (Source.BUSINESS_HOURS, "business_hours.csv", b"\x00\x01\x02\x03"),
        (Source.STORE_TIMEZONES, "timezones.csv", b"store;timezone\nA;UTC\n"),
    ],
)
def test_a_source_without_a_usable_file_stays_as_it_was_and_fails_its_check(
    copied: Shell, source: Source, file_name: str, content: bytes | None
) -> None:
    before = copied.tables()
    path = copied.data / file_name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        # Nobody is in the middle of writing it.
        os.utime(path, (LONG_AGO, LONG_AGO))
    result = copied.run(REFRESH_JOB)
    assert result.success
    assert failed_files(result) == {source: [file_name]}
    assert "store_uptime" in metadata(result)
    assert copied.tables() | {"store_uptime": []} == before | {"store_uptime": []}


def test_one_unusable_file_in_each_folder_keeps_no_other_file_out_of_the_figures(
    empty: Shell,
) -> None:
    good = {
        Source.STORE_STATUS: (
            "store_id,timestamp_utc,status\n"
            "A,2023-01-24 09:30:00,active\nA,2023-01-24 10:00:00,active\n"
        ),
        # A Tuesday. In the default time zone, America/Chicago, it would be closed until 15:00 UTC.
        Source.BUSINESS_HOURS: ("store_id,day,start_time_local,end_time_local\nA,1,09:00,17:00\n"),
        Source.STORE_TIMEZONES: "store_id,timezone_str\nA,UTC\n",
        Source.CLOSURES: (
            "store_id,start_local,end_local,reason\nA,2023-01-24 09:00,2023-01-24 09:15,late\n"
        ),
        Source.STORE_DETAILS: "store_id,name\nA,Alpha\n",
        Source.OBJECTIVES: "applies_to,name,objective\nstore,A,98\n",
        Source.SPECIAL_HOURS: (
            "store_id,date,start_time_local,end_time_local\nA,2023-02-01,09:00,12:00\n"
        ),
        Source.DEMAND: "store_id,weekday,hour,sales_per_hour,currency\nA,1,9,98.50,USD\n",
        Source.STORE_EVENTS: "store_id,from_utc,to_utc,state\nA,2023-01-25 17:00,,down\n",
        Source.HOURLY_ORDERS: (
            "store_id,ordered_at,amount,currency\nA,2023-01-24 09:40,12.50,USD\n"
        ),
        Source.CHANNELS: "store_id,channel,channel_store_id\nA,uber,U\n",
    }
    for source, text in good.items():
        folder = empty.data / file_names(source)[0]
        folder.mkdir()
        (folder / "a.csv").write_text("nothing;of;use\n1;2;3\n")
        (folder / "b.csv").write_text(text)
    result = empty.run(REFRESH_JOB)
    assert result.success
    assert failed_files(result) == {source: [f"{file_names(source)[0]}/a.csv"] for source in Source}
    figures = fetch(
        empty.database_url,
        """
        SELECT store_id, uptime_last_hour_us, uptime_last_day_us, name
        FROM store_uptime JOIN stores USING (store_key) JOIN store_details USING (store_key)
        """,
    )
    minute_us = 60_000_000
    assert [tuple(row.values()) for row in figures] == [
        ("A", 45 * minute_us, 45 * minute_us, "Alpha")
    ]
    days = fetch(empty.database_url, "SELECT uptime_us FROM store_uptime_daily WHERE uptime_us > 0")
    assert days == [{"uptime_us": 30 * minute_us}]
    for source in Source:
        (empty.data / file_names(source)[0] / "a.csv").unlink()
    assert failed_files(empty.run(REFRESH_JOB)) == {}
    assert fetch(empty.database_url, "SELECT * FROM unread_files") == []


class TestReports:
    """The report job makes what waits, and reads no files."""

    def test_a_run_by_hand_makes_a_report_without_any_file(self, fileless: Shell) -> None:
        result = fileless.run(REPORT_JOB)
        assert result.success
        said = metadata(result)["uptime_report"]
        assert (said["reports"], said["results"], said["failed"]) == (1, 1, 0)
        assert (said["dagster/row_count"], said["silent_stores"]) == (58, 2)
        assert said["as_of"] == AS_OF.timestamp()
        assert checks(result) == {"report_complete": True}

    def test_run_config_asks_for_a_report_of_an_instant_and_policy(
        self, fileless: Shell, inputs: oracle.Inputs
    ) -> None:
        waiting = request(fileless.database_url, 1, policy=Policy.NEAREST)
        config = {"as_of": "2023-01-20T21:30:00-06:00", "policy": "previous"}
        result = fileless.run(REPORT_JOB, config=config)
        assert result.success
        assert metadata(result)["uptime_report"]["reports"] == 2
        report, csv = read(fileless.database_url, result.run_id)
        past = datetime(2023, 1, 21, 3, 30, tzinfo=UTC)
        assert (report.as_of, report.policy) == (past, Policy.PREVIOUS)
        expected = oracle.make_report(inputs, as_of=past, policy="previous")
        assert csv == oracle.report_csv(expected)
        assert read(fileless.database_url, waiting)[0].state is ReportState.COMPLETE

    @pytest.mark.parametrize(
        ("as_of", "words"),
        [
            ("yesterday", "as_of is 'yesterday', which is not an instant: write an instant"),
            ("2023-01-25", "which has no offset"),
            ("2023-01-25T18:13:22", "such as 2023-01-25T18:13:22Z"),
            ("0001-01-01T00:00:00+14:00", "which is not an instant"),
            ("2999-01-01T00:00:00Z", "must be at most 5 minutes in the future"),
        ],
    )
    def test_a_bad_instant_fails_the_run_and_requests_nothing(
        self, fileless: Shell, as_of: str, words: str
    ) -> None:
        result = fileless.run(REPORT_JOB, config={"as_of": as_of})
        assert not result.success
        assert words in failure(result, "uptime_report")
        assert [event for event in result.all_events if event.is_step_up_for_retry] == []
        assert fetch(fileless.database_url, "SELECT * FROM reports") == []

    def test_a_run_for_requests_makes_no_report_of_its_own(self, fileless: Shell) -> None:
        result = fileless.run(REPORT_JOB, {REQUESTED_TAG: "true"})
        assert result.success
        assert metadata(result)["uptime_report"]["reports"] == 0
        assert fetch(fileless.database_url, "SELECT * FROM reports") == []

    def test_a_store_that_arrives_meanwhile_is_no_fault_of_the_report(
        self, fileless: Shell
    ) -> None:
        # The trigger fires at the commit, as if a load had committed just after.
        execute(
            fileless.database_url,
            "CREATE FUNCTION arrive() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO stores (store_id) VALUES ('late'); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER arrive AFTER INSERT ON report_results"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION arrive()",
        )
        result = fileless.run(REPORT_JOB)
        execute(
            fileless.database_url,
            "DROP FUNCTION arrive CASCADE",
            "DELETE FROM stores WHERE store_id = 'late'",
        )
        assert result.success
        assert checks(result) == {"report_complete": True}

    def test_a_report_before_the_first_refresh_fails_in_the_owners_words(
        self, empty: Shell
    ) -> None:
        report_id = request(empty.database_url, 1, policy=Policy.NEAREST)
        result = empty.run(REPORT_JOB, {REQUESTED_TAG: "true"})
        assert result.success
        assert metadata(result)["uptime_report"]["failed"] == 1
        report, csv = read(empty.database_url, report_id)
        assert (report.state, csv) == (ReportState.FAILED, "")
        assert report.error == "No poll has been loaded yet, so there is nothing to report on."

    def test_a_run_that_fails_leaves_the_report_waiting(self, fileless: Shell) -> None:
        report_id = request(fileless.database_url, 1, policy=Policy.NEAREST)
        renamed = "UPDATE store_timezones SET timezone = '{}' WHERE timezone = '{}'"
        execute(fileless.database_url, renamed.format("Nowhere", "Asia/Kolkata"))
        assert not fileless.run(REPORT_JOB, {REQUESTED_TAG: "true"}).success
        execute(fileless.database_url, renamed.format("Asia/Kolkata", "Nowhere"))
        report, _ = read(fileless.database_url, report_id)
        assert report.state is ReportState.WAITING


class TestOneDay:
    """A local day is computed again from the UI."""

    DAY = (
        "SELECT d::text AS row FROM store_uptime_daily d WHERE local_date = '2023-01-20' ORDER BY 1"
    )

    def test_a_day_is_made_again_and_no_other(self, fileless: Shell) -> None:
        spreads = ("likely_apart_s", "likely_own_deviation_s", "likely_shared_deviation_s")
        everything = (
            f"SELECT to_jsonb(d) - '{{{', '.join(spreads)}}}'::text[] AS row, {', '.join(spreads)}"
            " FROM store_uptime_daily d ORDER BY store_key, local_date"
        )
        before = fetch(fileless.database_url, everything)
        execute(
            fileless.database_url,
            "UPDATE store_uptime_daily SET uptime_us = 0, downtime_us = business_us"
            " WHERE local_date = '2023-01-20'",
            "DELETE FROM store_uptime_daily WHERE local_date = '2023-01-20' AND store_key < 5",
        )
        assert fetch(fileless.database_url, everything) != before
        result = fileless.run(REBUILD_DAY_JOB, config={"day": "2023-01-20"})
        assert result.success
        after = fetch(fileless.database_url, everything)
        assert [day["row"] for day in after] == [day["row"] for day in before]
        # The model reads on from earlier polls, of which a day made alone has two days.
        for name in spreads:
            assert max(abs(b[name] - a[name]) for a, b in zip(after, before, strict=True)) <= 30
        (observed,) = result.get_asset_observation_events()
        values = observed.asset_observation_data.asset_observation.metadata
        assert values["rows"].value == len(fetch(fileless.database_url, self.DAY)) > 50

    @pytest.mark.parametrize(
        ("day", "words"),
        [
            ("20 January", "which is not a date: write it as YYYY-MM-DD"),
            ("2023-02-20", "2023-02-20 has not begun anywhere"),
        ],
    )
    def test_a_day_that_cannot_be_made_fails_in_words(
        self, fileless: Shell, day: str, words: str
    ) -> None:
        result = fileless.run(REBUILD_DAY_JOB, config={"day": day})
        assert not result.success
        assert words in failure(result, "rebuild_day_of_all_stores")

    def test_no_day_is_made_before_the_first_refresh(self, empty: Shell) -> None:
        result = empty.run(REBUILD_DAY_JOB, config={"day": "2023-01-20"})
        assert "refresh first" in failure(result, "rebuild_day_of_all_stores")


def lose_bulk_connection(url: str) -> None:
    with bulk_transaction(url) as bulk:
        bulk.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def lose_small_connection(url: str) -> None:
    engine = create_engine(url, application_name="test", pool_size=1)
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    finally:
        engine.dispose()


def find_no_server(_: str) -> None:
    with bulk_transaction(NO_DATABASE) as bulk:
        bulk.fetch("SELECT 1")


def find_no_server_by_engine(_: str) -> None:
    lose_small_connection(NO_DATABASE)


def meet_a_conflict(url: str) -> None:
    with bulk_transaction(url) as bulk:
        bulk.execute("DO $$ BEGIN RAISE EXCEPTION USING errcode = '40001'; END $$")


@pytest.mark.parametrize(
    "fault",
    [
        lose_bulk_connection,
        lose_small_connection,
        find_no_server,
        find_no_server_by_engine,
        meet_a_conflict,
    ],
    ids=lambda fault: fault.__name__,
)
def test_a_transient_failure_is_retried(database_url: str, fault: Callable[[str], None]) -> None:
    with pytest.raises(dg.RetryRequested) as caught, map_failures():
        fault(database_url)
    assert caught.value.max_retries == 2


def test_a_missing_file_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(dg.Failure, match=r"store_status\.csv") as caught, map_failures():
        find_files(tmp_path, Source.STORE_STATUS)
    assert not caught.value.allow_retries


def test_a_fault_of_the_program_is_neither(database_url: str) -> None:
    with (
        pytest.raises(Exception, match="does not exist") as caught,
        map_failures(),
        bulk_transaction(database_url) as bulk,
    ):
        bulk.execute("SELECT * FROM nothing")
    assert not isinstance(caught.value, dg.Failure | dg.RetryRequested)


def test_a_step_without_its_database_is_tried_again_before_it_fails(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    result = Shell(instance, NO_DATABASE, tmp_path).run(REPORT_JOB)
    assert not result.success
    tries = [event for event in result.all_events if event.is_step_up_for_retry]
    assert len(tries) == 2
