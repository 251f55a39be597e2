"""A pytest plugin for the runs of mutmut: which tests look at a function, and quick failures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from time import process_time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from mutmut.state import state

from .areas import PACKAGE

settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    database=None,
    # A mutant is killed by any example: the simplest one takes far longer to find.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

_called_by_fixtures: dict[Any, set[str]] = {}
"""Functions that were called while a fixture was set up, by its definition."""


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    settings.load_profile("mutants")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Iterator[Any]:
    """mutmut takes the time of a clock, which says little on a busy machine."""
    began = process_time()
    try:
        return (yield)
    finally:
        state().duration_by_test[item.nodeid] = process_time() - began


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Iterator[Any]:
    """A shared fixture is set up in one test, and others look at what it holds."""
    before = set(state()._stats)
    state()._stats.clear()
    try:
        return (yield)
    finally:
        _called_by_fixtures.setdefault(fixturedef, set()).update(state()._stats)
        state()._stats.update(before)


def pytest_runtest_setup() -> None:
    """A cached result of an earlier test would hide that a function is needed here."""
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for value in list(vars(module).values()):
                clear = getattr(value, "cache_clear", None)
                if clear is not None and hasattr(value, "__wrapped__"):
                    clear()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: Any) -> None:
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        for definition in definitions:
            state()._stats.update(_called_by_fixtures.get(definition, ()))
