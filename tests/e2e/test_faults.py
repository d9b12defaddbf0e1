"""Processes of a service are killed under load, for ten minutes and 62 times.

`pytest -m fault tests/e2e/test_faults.py -s` prints its counts. The short form, of four kills,
is in `test_service.py`.
"""

from pathlib import Path

import pytest

from faults import check_that_nothing_is_lost
from service import SAMPLE, Part, running_service

VICTIMS = [
    *(12 * [Part.EVERYTHING]),
    *(12 * [Part.DATABASE]),
    *(10 * [Part.RUN]),
    *(7 * [Part.API]),
    *(6 * [Part.WEBSERVER]),
    *(5 * [Part.CODE_LOCATION]),
    *(5 * [Part.DAEMON]),
    *(5 * [Part.RUN_STARTER]),
    *(2 * [Part.FORK_SERVER]),
    *(2 * [Part.DAGSTER_FORK_SERVER]),
]


@pytest.mark.fault
def test_nothing_that_was_acknowledged_is_lost_in_ten_minutes_of_kills(tmp_path: Path) -> None:
    with running_service(tmp_path / "home", SAMPLE) as service:
        check_that_nothing_is_lost(service, VICTIMS, pause_seconds=(4.0, 9.0), least_seconds=600.0)
