"""The examples in the engine's docstrings hold."""

import doctest
import pkgutil
from importlib import import_module

import pytest

from storemon_pipeline import likelihood, objectives, uptime

MODULES = [
    f"{room.__name__}.{module.name}"
    for room in (uptime, likelihood, objectives)
    for module in pkgutil.iter_modules(room.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    outcome = doctest.testmod(import_module(name))
    assert outcome.failed == 0
