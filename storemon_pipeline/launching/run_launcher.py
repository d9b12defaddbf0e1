"""The run launcher that `dagster.yaml` names, chosen by the installed version of Dagster.

The fast launcher uses private modules of Dagster, so it serves only with the versions that it was
tested with. With any other version, Dagster's ordinary launcher starts the runs: each report then
takes some seconds longer, and nothing else changes.
"""

import logging
from typing import Final

import dagster as dg

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
if is_tested(dg.__version__):
    from storemon_pipeline.launching.dagster_internals import StarterRunLauncher

    LocalRunLauncher = StarterRunLauncher
else:
    _logger.warning(
        "The fast run launcher was not tested with Dagster %s: Dagster's own launcher is used",
        dg.__version__,
    )
