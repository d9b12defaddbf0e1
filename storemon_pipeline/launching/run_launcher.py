"""The classes that `dagster.yaml` names, chosen by the installed version of Dagster.

The fast launcher and storage use private parts of Dagster, so they serve only with the versions
that they were tested with. With any other version, Dagster's ordinary ones serve: each report then
takes some seconds longer, and nothing else changes.
"""

import logging
from typing import Final

import dagster as dg
from dagster_postgres import DagsterPostgresStorage

TESTED_VERSIONS: Final = ("1.13",)
"""Major and minor versions of Dagster that `dagster_internals` holds for."""

_logger = logging.getLogger(__name__)


def is_tested(version: str) -> bool:
    """Tell whether the fast launcher holds for this version of Dagster, such as "1.13.27".

    >>> is_tested("1.13.27"), is_tested("1.14.0"), is_tested("1.130.0")
    (True, False, False)
    """
    return ".".join(version.split(".")[:2]) in TESTED_VERSIONS


LocalRunLauncher: type[dg.DefaultRunLauncher] = dg.DefaultRunLauncher
LocalRunStorage: type[DagsterPostgresStorage] = DagsterPostgresStorage
if is_tested(dg.__version__):
    from storemon_pipeline.launching.dagster_internals import RunStorage, StarterRunLauncher

    LocalRunLauncher = StarterRunLauncher
    LocalRunStorage = RunStorage
else:
    _logger.warning(
        "The fast launcher and storage of runs were not tested with Dagster %s: its own are used",
        dg.__version__,
    )
