"""Properties and random cases: a few examples always, many behind `slow`."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy


def seeds(few: int, many: int) -> list[object]:
    """Return the seeds of random cases: the first few always, the others behind `slow`."""
    return [
        *range(few),
        *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(few, many)),
    ]


def holds_for(
    few: int, many: int, **strategies: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a test of a check: its arguments are drawn from these strategies, or are fixtures."""

    def make_test(check: Callable[..., None]) -> Callable[..., None]:
        def test(examples: int, **fixtures: object) -> None:
            def check_one(**drawn: object) -> None:
                check(**fixtures, **drawn)

            # By its name Hypothesis knows which test a kept example belongs to.
            check_one.__name__ = check.__name__
            settings(
                max_examples=examples,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            )(given(**strategies)(check_one))()

        functools.update_wrapper(test, check)
        signature = inspect.signature(check)
        fixtures = [one for one in signature.parameters.values() if one.name not in strategies]
        number = inspect.Parameter("examples", inspect.Parameter.KEYWORD_ONLY, annotation=int)
        test.__signature__ = signature.replace(parameters=[*fixtures, number])  # type: ignore[attr-defined]
        return pytest.mark.parametrize(
            "examples",
            [
                pytest.param(few, id="few"),
                pytest.param(many, id="many", marks=pytest.mark.slow),
            ],
        )(test)

    return make_test
