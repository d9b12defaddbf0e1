"""What executes the steps of runs: the setting becomes one of Dagster's executors.

Nothing is scheduled here. Which steps there are is the assets' matter.
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
}
"""The package and the name of each executor that does not come with Dagster."""

_STEPS: Final = "storemon_pipeline.definitions"
"""The module that steps are found in."""

FANS_OUT_WHILE_RUNNING: Final = frozenset(Executor) - {Executor.DASK}
"""Executors that take steps which come about while the run goes on.

Dask's is given all steps beforehand: https://github.com/dagster-io/dagster/issues/9785
"""


class MissingExecutorError(Exception):
    """The package of the executor that was asked for is not installed."""

    def __init__(self, executor: Executor, package: str) -> None:
        super().__init__(
            f"STOREMON_EXECUTOR={executor} needs the package {package.replace('_', '-')}: "
            f"pip install 'storemon[{executor}]'"
        )


def build_executor(settings: Settings) -> dg.ExecutorDefinition:
    """The executor that the settings ask for, configured. Raises MissingExecutorError."""
    config = _default_config(settings) | settings.executor_config
    match settings.executor:
        case Executor.IN_PROCESS:
            return dg.in_process_executor
        case Executor.MULTIPROCESS:
            return dg.multiprocess_executor.configured(config)
        case Executor.DASK | Executor.CELERY | Executor.K8S as executor:
            package, name = _INTEGRATIONS[executor]
            try:
                definition: dg.ExecutorDefinition = getattr(import_module(package), name)
            except ModuleNotFoundError as error:
                raise MissingExecutorError(executor, package) from error
            return definition.configured(config)


def _default_config(settings: Settings) -> dict[str, Any]:
    """What holds of the executor's configuration where the settings say nothing else.

    Processes on this machine import the steps' code once, as they start, not with each step.
    Dask's cluster is one of this machine, without a dashboard.
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
