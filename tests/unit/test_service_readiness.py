"""How the supervisor reads the API's list of what is missing."""

import pytest

from storemon_pipeline.service.processes import Readiness

ALL_OK = {"database": "ok", "schema": "ok", "first_refresh": "ok", "dagster": "ok"}


@pytest.mark.parametrize(
    ("checks", "lacks_only_data"),
    [
        pytest.param(ALL_OK, False, id="everything is there"),
        pytest.param(ALL_OK | {"first_refresh": "not done yet"}, True, id="no data"),
        pytest.param(
            ALL_OK | {"first_refresh": "not done yet", "dagster": "not reachable"},
            False,
            id="no data and no Dagster",
        ),
        pytest.param({}, False, id="no answer"),
    ],
)
def test_a_first_refresh_is_due_when_nothing_else_is_missing(
    checks: dict[str, str], *, lacks_only_data: bool
) -> None:
    assert Readiness(missing="", checks=checks).lacks_only_data is lacks_only_data
