"""The examples in the engine's docstrings, run as they stand."""

import doctest
import pkgutil
from importlib import import_module

import pytest

from storemon_pipeline import uptime

MODULES = [module.name for module in pkgutil.iter_modules(uptime.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    outcome = doctest.testmod(import_module(f"{uptime.__name__}.{name}"))
    assert outcome.failed == 0
