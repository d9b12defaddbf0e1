"""What Dagster is told of storemon: assets and their lineage, checks, jobs, what starts them."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from storemon_pipeline import definitions
from storemon_pipeline.contract import (
    ALERT_JOB,
    CODE_LOCATION,
    REFRESH_JOB,
    REPORT_JOB,
    REPOSITORY,
    RETENTION_JOB,
)
from storemon_pipeline.defs.jobs import hourly_refresh, is_refresh_under_way

defs = definitions.defs

FIGURES_NEED = "business_hour_intervals closures status_runs store_timezones"
ASSETS = {
    # asset: (group, kinds, what it is made of)
    "store_status": ("sources", "csv postgres", ""),
    "status_runs": ("sources", "postgres", "store_status"),
    "business_hours": ("sources", "csv postgres", ""),
    "store_timezones": ("sources", "csv postgres", ""),
    "closures": ("sources", "csv postgres", ""),
    "store_details": ("sources", "csv postgres", ""),
    "business_hour_intervals": ("normalised", "postgres", "business_hours store_status"),
    "store_uptime": ("uptime", "postgres", FIGURES_NEED),
    "store_uptime_daily": ("uptime", "postgres", FIGURES_NEED),
    "uptime_report": ("uptime", "csv postgres", FIGURES_NEED),
}
DESCRIPTIONS = {
    "store_status": "The polls: at this instant this store was active or inactive.",
    "status_runs": "Polls of one store and status as runs, mended in the polls' transaction.",
    "business_hours": (
        "Weekly opening hours as their source gives them, with the versions that came before."
    ),
    "store_timezones": "The stores' IANA time zones, with the versions that came before.",
    "closures": (
        "Planned closures; without a file those that were pushed, and those that a file said last."
    ),
    "store_details": "Names, groups and regions of stores; without a file what it said last.",
    "business_hour_intervals": (
        "The local week of each store: merged intervals from Monday 00:00, overnight ones split."
    ),
    "store_uptime": (
        "The newest figures of every store, with their bounds and what was observed of them."
    ),
    "store_uptime_daily": (
        "History, one row per store and local day: business time up, down, unknown, uncertain."
    ),
    "uptime_report": (
        "Reports as they were asked for: their rows never change. Makes all that wait."
    ),
}
CHECKS = {
    "store_status": "no_poll_lost",
    "status_runs": "runs_match_polls",
    "business_hours": "hours_readable",
    "store_timezones": "zones_known",
    "closures": "closures_readable",
    "store_details": "details_readable",
    "business_hour_intervals": "intervals_merged",
    "store_uptime": "uptime_adds_up",
    "store_uptime_daily": "days_match_runs",
    "uptime_report": "report_complete",
}


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


def test_every_asset_says_what_it_is_and_whose() -> None:
    assert {name: spec.description for name, spec in specs().items()} == DESCRIPTIONS
    assert {tuple(spec.owners) for spec in specs().values()} == {("team:storemon",)}


def test_every_asset_has_a_check_that_says_what_it_proves() -> None:
    checks = [
        check
        for assets in defs.assets or ()
        if isinstance(assets, dg.AssetsDefinition)
        for check in assets.check_specs
    ]
    assert {check.asset_key.to_user_string(): check.name for check in checks} == CHECKS
    assert len(checks) == len(CHECKS)
    assert [check.name for check in checks if not check.description] == []


def test_what_the_refresh_makes_turns_stale_when_the_refresh_does_not_run() -> None:
    hourly = dg.FreshnessPolicy.time_window(
        warn_window=timedelta(minutes=90), fail_window=timedelta(hours=3)
    )
    policies = {name: spec.freshness_policy for name, spec in specs().items()}
    assert policies == {name: None if name == "uptime_report" else hourly for name in ASSETS}


@pytest.mark.parametrize(
    ("job", "assets"),
    [(REFRESH_JOB, set(ASSETS) - {"uptime_report"}), (REPORT_JOB, {"uptime_report"})],
)
def test_a_job_makes_its_assets_and_runs_their_checks(job: str, assets: set[str]) -> None:
    layer = defs.resolve_job_def(job).asset_layer
    assert {key.to_user_string() for key in layer.selected_asset_keys} == assets
    checks = {
        key.asset_key.to_user_string(): key.name for key in layer.asset_graph.asset_check_keys
    }
    assert {asset: checks[asset] for asset in assets} == {asset: CHECKS[asset] for asset in assets}


def test_a_refresh_whose_process_died_is_tried_again_and_a_failed_one_is_not() -> None:
    assert defs.resolve_job_def(REFRESH_JOB).run_tags == {
        "dagster/max_retries": "2",
        "dagster/retry_on_asset_or_op_failure": "false",
    }


def test_a_report_run_is_not_tried_again_by_dagster() -> None:
    # Whoever launched it knows which reports still wait, and launches the next.
    assert defs.resolve_job_def(REPORT_JOB).run_tags == {}


@pytest.mark.parametrize("job", [REFRESH_JOB, REPORT_JOB, RETENTION_JOB, ALERT_JOB])
def test_runs_are_executed_in_their_own_process(job: str) -> None:
    assert defs.resolve_job_def(job).executor_def is dg.in_process_executor


@pytest.mark.parametrize("job", [REFRESH_JOB, REPORT_JOB, RETENTION_JOB, ALERT_JOB])
def test_every_job_says_what_it_does(job: str) -> None:
    assert defs.resolve_job_def(job).description


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


def test_a_refresh_is_under_way_until_it_has_ended() -> None:
    statuses: dict[bool, set[str]] = {True: set(), False: set()}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(dg.DagsterRun(job_name=REPORT_JOB, status=dg.DagsterRunStatus.STARTED))
        assert not is_refresh_under_way(instance)
        # A queued run needs a remote origin, which there is none of here.
        for status in set(dg.DagsterRunStatus) - {dg.DagsterRunStatus.QUEUED}:
            run = instance.add_run(dg.DagsterRun(job_name=REFRESH_JOB, status=status))
            statuses[is_refresh_under_way(instance)].add(status.value)
            instance.delete_run(run.run_id)
    assert statuses == {
        True: {"NOT_STARTED", "STARTING", "STARTED", "CANCELING"},
        # The last two are no states that anything of ours leaves a run in.
        False: {"SUCCESS", "FAILURE", "CANCELED", "MANAGED", "SUSPENDED"},
    }


def test_the_schedule_starts_a_refresh_unless_one_is_under_way() -> None:
    # The context enters an instance of its own, which would stay behind as the current one.
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance=instance) as context,
    ):
        assert isinstance(hourly_refresh(context), dg.RunRequest)
        instance.add_run(dg.DagsterRun(job_name=REFRESH_JOB, status=dg.DagsterRunStatus.STARTED))
        assert isinstance(hourly_refresh(context), dg.SkipReason)
