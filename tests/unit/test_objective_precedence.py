"""Which objective holds for a store, by hand."""

from decimal import Decimal

import numpy as np
import pytest

from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.objectives.precedence import (
    NO_OBJECTIVE,
    AppliesTo,
    Version,
    objectives_of,
)


def version(text: str) -> Version:
    """Read `group Bay 99 from 20`; `none` ends an objective."""
    applies_to, key, percent, _, since = text.split()
    return Version(
        AppliesTo(applies_to),
        int(key) if applies_to == "store" else key.replace("-", ""),
        Period.MONTH,
        int(since),
        None if percent == "none" else Decimal(percent),
    )


def objective(*texts: str, end: int = 100, group: str | None = "Bay") -> float | None:
    """The objective of the store 7 of the group Bay and the region West, for a period's end."""
    (found,) = objectives_of(
        [version(text) for text in texts],
        period=Period.MONTH,
        store_keys=np.array([7]),
        groups=[group],
        regions=["West"],
        end_us=np.array([end]),
    ).tolist()
    return None if found == NO_OBJECTIVE else found / 10_000


EVERY = ("store 7 99.9 from 0", "group Bay 99 from 0", "region West 98 from 0", "all - 97 from 0")


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (EVERY, 99.9),
        (EVERY[1:], 99),
        (EVERY[2:], 98),
        (EVERY[3:], 97),
        ((), None),
        (("store 8 99.9 from 0", "group Hill 99 from 0", "region East 98 from 0"), None),
    ],
)
def test_the_most_particular_objective_holds(
    versions: tuple[str, ...], expected: float | None
) -> None:
    assert objective(*versions) == expected
    assert objective(*reversed(versions)) == expected


def test_a_store_without_a_group_has_that_of_its_region() -> None:
    assert objective(*EVERY[1:], group=None) == 98


@pytest.mark.parametrize(
    ("end", "expected"), [(10, None), (11, 90), (20, 90), (21, 95), (30, 95), (31, None)]
)
def test_the_version_in_force_when_the_period_ends_holds(end: int, expected: float | None) -> None:
    versions = ("store 7 95 from 20", "store 7 90 from 10", "store 7 none from 30")
    assert objective(*versions, end=end) == expected


def test_of_equal_starts_the_later_version_holds() -> None:
    assert objective("all - 90 from 10", "all - 95 from 10") == 95


def test_where_an_objective_has_ended_the_next_one_holds() -> None:
    assert objective("store 7 99.9 from 0", "store 7 none from 50", "all - 97 from 0") == 97


def test_a_week_has_no_objective_for_months() -> None:
    found = objectives_of(
        [version("all - 97 from 0")],
        period=Period.WEEK,
        store_keys=np.array([7]),
        groups=[None],
        regions=[None],
        end_us=np.array([100]),
    )
    assert found.tolist() == [NO_OBJECTIVE]
