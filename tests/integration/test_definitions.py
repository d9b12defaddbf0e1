"""Dagster's definitions: assets and their lineage, checks, jobs, schedules and sensors."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from storemon_pipeline import definitions
from storemon_pipeline.contract import (
    ALERT_JOB,
    CODE_LOCATION,
    POLL_PLAN_JOB,
    REBUILD_DAY_JOB,
    REFRESH_JOB,
    REPORT_JOB,
    REPOSITORY,
    RETENTION_JOB,
    STATEMENT_JOB,
    STATUS_MODEL_JOB,
)
from storemon_pipeline.defs.jobs import hourly_refresh, is_refresh_active
from storemon_pipeline.domain.sources import Source

defs = definitions.defs

FIGURES_NEED = "business_hour_intervals channels closures special_hours status_runs store_timezones"
RANGES_NEED = (
    "business_hour_intervals channels closures special_hours status_model status_runs"
    " store_events store_timezones"
)
ASSETS = {
    # asset: (group, kinds, upstream assets)
    "new_data": ("sources", "", ""),
    "store_status": ("sources", "csv postgres", "new_data"),
    "status_runs": ("sources", "postgres", "store_status"),
    "business_hours": ("sources", "csv postgres", "new_data store_timezones"),
    "store_timezones": ("sources", "csv postgres", "new_data"),
    "closures": ("sources", "csv postgres", "new_data store_timezones"),
    "special_hours": ("sources", "csv postgres", "new_data"),
    "store_details": ("sources", "csv postgres", "new_data"),
    "objectives": ("sources", "csv postgres", "new_data"),
    "demand": ("sources", "csv postgres", "new_data"),
    "store_events": ("sources", "csv postgres", "new_data"),
    "hourly_orders": ("sources", "csv postgres", "new_data"),
    "channels": ("sources", "csv postgres", "new_data"),
    "business_hour_intervals": ("normalised", "postgres", "business_hours closures store_status"),
    "status_model_inputs": ("uptime", "postgres", FIGURES_NEED),
    "status_model": ("uptime", "postgres", "status_model_inputs"),
    "store_uptime": ("uptime", "postgres", RANGES_NEED),
    "store_uptime_daily": ("uptime", "postgres", RANGES_NEED),
    "poll_plan": ("polls", "postgres", FIGURES_NEED),
    "report_inputs": ("reports", "postgres", RANGES_NEED),
    "uptime_report": ("reports", "csv postgres", "report_inputs"),
}
JOBS = [
    *(REFRESH_JOB, REPORT_JOB, REBUILD_DAY_JOB, RETENTION_JOB, STATUS_MODEL_JOB),
    *(POLL_PLAN_JOB, ALERT_JOB, STATEMENT_JOB),
]
REPORTS = {"report_inputs", "uptime_report"}
ON_REQUEST = REPORTS | {"poll_plan", "status_model_inputs"}
CHECKS = {
    "store_status": "no_poll_lost",
    "status_runs": "runs_match_polls",
    "business_hours": "hours_readable",
    "store_timezones": "zones_known",
    "closures": "closures_readable",
    "special_hours": "special_hours_readable",
    "store_details": "details_readable",
    "objectives": "objectives_readable",
    "demand": "demand_readable",
    "store_events": "events_readable",
    "hourly_orders": "orders_readable",
    "channels": "channels_readable",
    "business_hour_intervals": "intervals_merged",
    "status_model": "model_is_current",
    "store_uptime": "uptime_adds_up",
    "poll_plan": "polls_in_hour",
    "store_uptime_daily": "days_match_runs",
    "uptime_report": "report_complete",
}
OF_EVERY_SOURCE = "files_usable"


def specs() -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_definitions_load_without_any_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STOREMON_DATABASE_URL", "STOREMON_DATA", "STOREMON_HOME", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    dg.Definitions.validate_loadable(defs)


def test_the_lineage_is_that_of_the_design() -> None:
    assert {
        name: (
            spec.group_name,
            " ".join(sorted(spec.kinds)),
            " ".join(sorted(dep.asset_key.to_user_string() for dep in spec.deps)),
        )
        for name, spec in specs().items()
    } == ASSETS


def test_every_asset_has_a_description_and_an_owner() -> None:
    assert [name for name, spec in specs().items() if not spec.description] == []
    assert {tuple(spec.owners) for spec in specs().values()} == {("team:storemon",)}


def checks() -> dict[str, dg.AssetCheckSpec]:
    graph = defs.resolve_asset_graph()
    return {
        key.name: graph.get_check_spec(key)
        for key in graph.asset_check_keys
        if key.name != OF_EVERY_SOURCE
    }


def test_every_table_has_a_check_with_a_description() -> None:
    found = {check.asset_key.to_user_string(): check.name for check in checks().values()}
    assert found == CHECKS
    assert len(checks()) == len(CHECKS)
    assert [name for name, check in checks().items() if not check.description] == []


def test_a_check_of_every_source_names_refused_files_and_blocks_nothing() -> None:
    graph = defs.resolve_asset_graph()
    found = [
        graph.get_check_spec(key) for key in graph.asset_check_keys if key.name == OF_EVERY_SOURCE
    ]
    assert {spec.asset_key.to_user_string() for spec in found} == set(Source)
    assert [spec.blocking for spec in found] == [False] * len(Source)


def test_checks_that_only_read_the_database_can_be_executed_alone() -> None:
    alone = {
        key.name
        for check in defs.asset_checks or ()
        if isinstance(check, dg.AssetsDefinition)
        for key in check.check_keys
    }
    # These compare what one run has loaded or made.
    assert set(checks()) - alone == {"no_poll_lost", "runs_match_polls", "report_complete"}


def test_assets_of_the_refresh_are_overdue_without_new_data() -> None:
    hourly = dg.FreshnessPolicy.time_window(
        warn_window=timedelta(minutes=90), fail_window=timedelta(hours=3)
    )
    policies = {name: spec.freshness_policy for name, spec in specs().items()}
    daily = dg.FreshnessPolicy.time_window(
        warn_window=timedelta(hours=26), fail_window=timedelta(hours=50)
    )
    assert policies.pop("status_model") == daily
    assert policies == {
        name: None if name in ON_REQUEST else hourly for name in ASSETS if name != "status_model"
    }


@pytest.mark.parametrize("name", ["uptime_report", "status_model"])
def test_what_a_refresh_does_not_make_is_not_out_of_sync_after_it(name: str) -> None:
    # Dagster compares versions with those of upstream assets that it materializes.
    graph = defs.resolve_asset_graph()
    (upstream,) = graph.get(dg.AssetKey(name)).parent_keys
    assert graph.get(upstream).is_external


@pytest.mark.parametrize(
    ("job", "assets"),
    [
        (REFRESH_JOB, set(ASSETS) - ON_REQUEST - {"status_model"}),
        (STATUS_MODEL_JOB, {"status_model", "store_uptime"}),
        (REPORT_JOB, {"uptime_report"}),
    ],
)
def test_a_job_makes_its_assets_and_runs_their_checks(job: str, assets: set[str]) -> None:
    layer = defs.resolve_job_def(job).asset_layer
    assert {key.to_user_string() for key in layer.selected_asset_keys} == assets
    found = {
        key.asset_key.to_user_string(): key.name
        for key in layer.asset_graph.asset_check_keys
        if key.name != OF_EVERY_SOURCE
    }
    checked = assets & set(CHECKS)
    assert {asset: found[asset] for asset in checked} == {asset: CHECKS[asset] for asset in checked}


def test_a_refresh_whose_process_died_is_tried_again_and_a_failed_one_is_not() -> None:
    assert defs.resolve_job_def(REFRESH_JOB).run_tags == {
        "dagster/max_retries": "2",
        "dagster/retry_on_asset_or_op_failure": "false",
    }


def test_a_report_run_is_not_tried_again_by_dagster() -> None:
    # The API knows which reports still wait, and launches the next run.
    assert defs.resolve_job_def(REPORT_JOB).run_tags == {}


@pytest.mark.parametrize("job", JOBS)
def test_runs_are_executed_in_their_own_process(job: str) -> None:
    assert defs.resolve_job_def(job).executor_def is dg.in_process_executor


@pytest.mark.parametrize("job", JOBS)
def test_every_job_has_a_description(job: str) -> None:
    assert defs.resolve_job_def(job).description


def test_every_schedule_and_sensor_has_a_description() -> None:
    repository = defs.get_repository_def()
    described = {one.name: one.description for one in repository.schedule_defs}
    described |= {one.name: one.description for one in repository.sensor_defs}
    assert len(described) == 7
    assert all(described.values())


def test_the_location_has_the_names_of_the_contract() -> None:
    assert defs.get_repository_def().name == REPOSITORY
    root = Path(definitions.__file__).parents[1]
    workspace = (root / "workspace.yaml").read_text("utf-8").splitlines()
    assert [line.strip() for line in workspace if not line.startswith("#")] == [
        "load_from:",
        "- python_module:",
        "module_name: storemon_pipeline.definitions",
        f"location_name: {CODE_LOCATION}",
    ]


@pytest.mark.parametrize(
    ("schedule", "job", "cron"),
    [
        ("hourly_refresh", REFRESH_JOB, "0 * * * *"),
        ("retention_job_schedule", RETENTION_JOB, "30 3 * * *"),
        ("daily_status_model", STATUS_MODEL_JOB, "30 2 * * *"),
    ],
)
def test_a_schedule_is_on_from_the_start(schedule: str, job: str, cron: str) -> None:
    found = defs.resolve_schedule_def(schedule)
    assert (found.job_name, found.cron_schedule, found.execution_timezone) == (job, cron, "UTC")
    assert found.default_status is dg.DefaultScheduleStatus.RUNNING


def test_the_sensor_of_new_files_is_on_from_the_start() -> None:
    found = defs.resolve_sensor_def("new_files")
    assert (found.job_name, found.default_status) == (REFRESH_JOB, dg.DefaultSensorStatus.RUNNING)
    assert found.minimum_interval_seconds is not None
    assert found.minimum_interval_seconds <= 30


def test_the_sensor_of_alerts_is_on_from_the_start() -> None:
    found = defs.resolve_sensor_def("alerts")
    assert (found.job_name, found.default_status) == (ALERT_JOB, dg.DefaultSensorStatus.RUNNING)
    assert found.minimum_interval_seconds == 30


def test_the_sensor_of_statements_is_on_from_the_start() -> None:
    found = defs.resolve_sensor_def("statements")
    assert (found.job_name, found.default_status) == (STATEMENT_JOB, dg.DefaultSensorStatus.RUNNING)


def test_a_refresh_is_active_until_it_has_ended() -> None:
    statuses: dict[bool, set[str]] = {True: set(), False: set()}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(dg.DagsterRun(job_name=REPORT_JOB, status=dg.DagsterRunStatus.STARTED))
        assert not is_refresh_active(instance)
        # A queued run needs a remote origin, and there is none here.
        for status in set(dg.DagsterRunStatus) - {dg.DagsterRunStatus.QUEUED}:
            run = instance.add_run(dg.DagsterRun(job_name=REFRESH_JOB, status=status))
            statuses[is_refresh_active(instance)].add(status.value)
            instance.delete_run(run.run_id)
    assert statuses == {
        True: {"NOT_STARTED", "STARTING", "STARTED", "CANCELING"},
        # No run of storemon ever has the last two.
        False: {"SUCCESS", "FAILURE", "CANCELED", "MANAGED", "SUSPENDED"},
    }


def test_the_schedule_starts_a_refresh_unless_one_is_active() -> None:
    # The context enters an instance of its own, which would stay behind as the current one.
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance=instance) as context,
    ):
        assert isinstance(hourly_refresh(context), dg.RunRequest)
        instance.add_run(dg.DagsterRun(job_name=REFRESH_JOB, status=dg.DagsterRunStatus.STARTED))
        assert isinstance(hourly_refresh(context), dg.SkipReason)
