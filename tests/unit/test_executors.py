"""The executor of the settings becomes one of Dagster's executors."""

import sys
from typing import Final

import dagster as dg
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from storemon_pipeline.commands.cli import app
from storemon_pipeline.definitions import build_defs
from storemon_pipeline.defs.executors import MissingExecutorError, build_executor
from storemon_pipeline.settings import Executor, Settings

LAKE: Final = "memory://lake"


def test_without_a_setting_a_run_stays_in_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOREMON_EXECUTOR", raising=False)
    assert build_executor(Settings()) is dg.in_process_executor


def test_the_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREMON_EXECUTOR", "multiprocess")
    monkeypatch.setenv("STOREMON_EXECUTOR_CONFIG", '{"max_concurrent": 2}')
    monkeypatch.setenv("STOREMON_SHARDS", "4")
    monkeypatch.setenv("STOREMON_LAKE", "s3://bucket/lake")
    settings = Settings()
    assert (settings.executor, settings.executor_config, settings.shards) == (
        Executor.MULTIPROCESS,
        {"max_concurrent": 2},
        4,
    )
    assert build_executor(settings).name == "multiprocess"


@pytest.mark.parametrize(
    "command", [["up"], ["doctor"], ["dev"], ["k8s-manifests", "--image", "i"]], ids=" ".join
)
def test_shards_without_a_lake_are_refused(
    monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("STOREMON_SHARDS", "2")
    monkeypatch.setenv("STOREMON_LAKE", "")
    with pytest.raises(ValidationError, match="STOREMON_LAKE is not set"):
        Settings()
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 2
    assert said.output == (
        "storemon: STOREMON_SHARDS divides reports from the lake, and STOREMON_LAKE is not set: "
        "set it, or unset STOREMON_SHARDS.\n"
    )


@pytest.mark.parametrize(
    ("executor", "package"),
    [
        (Executor.CELERY, "dagster-celery"),
        (Executor.K8S, "dagster-k8s"),
        (Executor.RAY, "dagster-ray"),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, executor: Executor, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)
    with pytest.raises(
        MissingExecutorError, match=rf"{package}: pip install 'storemon\[{executor}"
    ):
        build_executor(Settings(executor=executor))


@pytest.mark.parametrize("executor", [Executor.IN_PROCESS, Executor.MULTIPROCESS, Executor.DASK])
def test_assets_in_shards_are_the_same_assets(executor: Executor) -> None:
    if executor is Executor.DASK:
        pytest.importorskip("dagster_dask")

    def said(settings: Settings) -> dict[str, tuple[object, ...]]:
        return {
            spec.key.to_user_string(): (
                spec.group_name,
                sorted(spec.kinds),
                list(spec.owners),
                spec.description,
                spec.freshness_policy,
                # In shards the newest figures are made from the lake.
                {dep.asset_key.to_user_string() for dep in spec.deps} - {"lake"},
            )
            for spec in build_defs(settings).resolve_all_asset_specs()
        }

    one, three = (Settings(executor=executor, shards=shards, lake=LAKE) for shards in (1, 3))
    assert said(three) == said(one)


@pytest.mark.parametrize(
    ("executor", "steps"), [(Executor.IN_PROCESS, 3), (Executor.DASK, 6)], ids=["while", "before"]
)
def test_dask_knows_all_steps_beforehand(executor: Executor, steps: int) -> None:
    if executor is Executor.DASK:
        pytest.importorskip("dagster_dask")
    settings = Settings(executor=executor, shards=4, lake=LAKE)
    job = build_defs(settings).resolve_job_def("report_job")
    (graph,) = job.graph.nodes
    assert len(graph.definition.nodes) == steps  # type: ignore[attr-defined]
