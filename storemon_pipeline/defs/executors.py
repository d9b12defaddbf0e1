"""The executor of the steps of runs: the setting names one of Dagster's.

Dagster schedules the steps, and the assets define them.
"""

import os
from importlib import import_module
from typing import Any, Final

import dagster as dg

from storemon_pipeline.settings import Executor, Settings

_INTEGRATIONS: Final = {
    Executor.DASK: ("dagster_dask", "dask_executor"),
    Executor.CELERY: ("dagster_celery", "celery_executor"),
    Executor.K8S: ("dagster_k8s", "k8s_job_executor"),
    Executor.RAY: ("dagster_ray", "ray_executor"),
}
"""The package and the name of each executor that does not come with Dagster."""

_STEPS: Final = "storemon_pipeline.definitions"
"""The module that has the steps' code."""

FANS_OUT_WHILE_RUNNING: Final = frozenset(Executor) - {Executor.DASK}
"""Executors whose runs can add steps while they go on.

Dask's needs all steps from the start: https://github.com/dagster-io/dagster/issues/9785
"""


class MissingExecutorError(Exception):
    """The package of the executor in the settings is not installed."""

    def __init__(self, executor: Executor, package: str) -> None:
        super().__init__(
            f"STOREMON_EXECUTOR={executor} needs the package {package.replace('_', '-')}: "
            f"pip install 'storemon[{executor}]'"
        )


def build_executor(settings: Settings) -> dg.ExecutorDefinition:
    """Return the executor of the settings, configured. Raises MissingExecutorError."""
    config = _default_config(settings) | settings.executor_config
    match settings.executor:
        case Executor.IN_PROCESS:
            return dg.in_process_executor
        case Executor.MULTIPROCESS:
            return dg.multiprocess_executor.configured(config)
        case Executor.DASK | Executor.CELERY | Executor.K8S | Executor.RAY as executor:
            package, name = _INTEGRATIONS[executor]
            try:
                definition: dg.ExecutorDefinition = getattr(import_module(package), name)
            except ModuleNotFoundError as error:
                raise MissingExecutorError(executor, package) from error
            return definition.configured(config)


def _default_config(settings: Settings) -> dict[str, Any]:
    """Return the configuration of the executor where the settings have none.

    Processes on this machine import the steps' code once, when they start, not with each step.
    Dask's cluster runs on this machine, without a dashboard.
    """
    match settings.executor:
        case Executor.MULTIPROCESS:
            return {"start_method": {"forkserver": {"preload_modules": [_STEPS]}}}
        case Executor.DASK:
            local = {
                "n_workers": min(settings.shards, os.cpu_count() or 1),
                "dashboard_address": None,
                "preload": [_STEPS],
            }
            return {"cluster": {"local": local}}
        case _:
            return {}
